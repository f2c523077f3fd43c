"""The detector finds, the landmarks follow: scripted networks tell what they see."""

import math

import cv2
import numpy as np
import pytest
from posed_people import person
from test_orientation_and_sampling import EVERY_WAY, as_camera_sees, smooth_picture

from lalelu.config.schema import PlayerSection
from lalelu.errors import UsageError
from lalelu.pose.anchors import PERSON, ssd_anchors
from lalelu.pose.blazepose import PersonLandmarks
from lalelu.pose.estimator_landmarks import LandmarkEstimator
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import TensorSpec
from lalelu.pose.region import Region, dragged, upright
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.pose.sampling_turned import TurnedSampler
from lalelu.skeleton import BLAZEPOSE33, COCO17
from lalelu.types import Frame

IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
SIDE = 4 / 3  # of the square that the detector looks at
FINDS = TensorSpec("bgr", (1, 224, 224, 3), np.dtype(np.uint8))
FOLLOWS = TensorSpec("bgr", (1, 256, 256, 3), np.dtype(np.uint8))
BODY = {"x": 0.6, "y": 0.3, "size": 0.1}  # of the player: mid-shoulder, shoulder width
HIPS = (0.6, 0.45)
TOP = (
    0.6,
    0.05,
)  # what tells the body's size: so far from the hips as the square reaches, without its margin


def logit(score: float) -> float:
    return math.log(score / (1.0 - score))


def detection(*people: tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]]):
    """The detector's answer: score, hips, top and shoulders of each person, image heights; far from one another."""
    numbers = np.zeros((1, PERSON.anchors, PERSON.numbers), np.float32)
    numbers[..., 0] = -50.0
    anchors = ssd_anchors(PERSON)
    for at, (score, hips, top, shoulders) in enumerate(people):
        anchor = at * 300
        points = [((x / SIDE), (y + (SIDE - 1.0) / 2) / SIDE) for x, y in (hips, top, shoulders, top)]
        offsets = (np.array(points) - anchors[anchor]) * PERSON.side
        centre = offsets[2]
        numbers[0, anchor] = [logit(score), *centre, 20.0, 20.0, *offsets.reshape(-1)]
    return [numbers]


def landmarks(xy: dict[str, tuple[float, float]], region: Region, presence: float = 0.99, aux=(HIPS, TOP)):
    """The landmark network's answer when it sees these keypoints (image heights) in `region`; others at its centre."""
    numbers = np.zeros((39, 5), np.float32)
    places = [xy.get(name, (region.x, region.y)) for name in BLAZEPOSE33] + list(aux)
    for row, (x, y) in zip(numbers, places, strict=False):
        dx, dy = (x - region.x) / region.side, (y - region.y) / region.side
        across = dx * region.right_x + dy * region.right_y
        down = dy * region.right_x - dx * region.right_y
        row[:] = 256 * (across + 0.5), 256 * (down + 0.5), 0.0, logit(0.9), logit(0.9)
    return [numbers.reshape(1, 195), np.array([[presence]], np.float32)]


def body(x=0.6, y=0.3, size=0.1) -> dict[str, tuple[float, float]]:
    return {name: tuple(place) for name, place in zip(COCO17, person(x, y, size).tolist(), strict=True)}


def estimator(finds, follows, **player):
    detector = ScriptedRuntime(finds, inputs=(FINDS,))
    network = ScriptedRuntime(follows, inputs=(FOLLOWS,))
    made = LandmarkEstimator(detector, network, rotate=0, mirror=False, player=PlayerSection(**player))
    made.open()
    return made, detector, network


def step(made, seq):
    made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, IMAGE))
    made.infer()
    return made.poses()


START = upright(HIPS, TOP, scale=1.25)
PLAYER = detection((0.9, HIPS, TOP, (0.6, 0.3)))


def test_the_detector_finds_and_the_next_frame_follows_with_the_landmarks():
    made, detector, network = estimator([PLAYER], [landmarks(body(), START)])
    assert step(made, 0) == ()
    assert network.last_inputs == ()
    detector.fail_after(0)  # nobody asks it again
    (pose,) = step(made, 1)
    assert (pose.seq, pose.captured_ns, pose.player) == (1, 10_000_000, 0)
    assert pose.xy.shape == (33, 2)
    found = {name: tuple(place) for name, place in zip(BLAZEPOSE33, pose.xy.tolist(), strict=True)}
    for name, place in body().items():
        assert found[name] == pytest.approx(place, abs=1e-4)
    assert pose.score == pytest.approx(np.full(33, 0.9), abs=1e-5)
    assert len(step(made, 2)) == 1


def test_a_player_who_has_gone_is_looked_for_from_the_next_frame_on():
    gone = landmarks(body(), START, presence=0.2)
    made, detector, _ = estimator([PLAYER], [landmarks(body(), START), gone])
    step(made, 0)
    assert len(step(made, 1)) == 1
    assert not made.searching
    assert step(made, 2) == ()
    assert made.searching
    detector.last_inputs = ()
    assert step(made, 3) == ()
    assert len(detector.last_inputs) == 1
    assert len(step(made, 4)) == 1


def test_a_presence_that_is_no_number_is_nobody():
    made, _, _ = estimator([PLAYER], [landmarks(body(), START, presence=math.nan)])
    step(made, 0)
    assert step(made, 1) == ()


def test_an_empty_picture_gives_no_pose_however_long_one_looks():
    made, _, network = estimator([detection()], [landmarks(body(), START)])
    assert [step(made, seq) for seq in range(5)] == [()] * 5
    assert network.last_inputs == ()


def test_only_somebody_in_the_start_region_is_taken_on():
    other = (0.95, (0.2, 0.5), (0.2, 0.1), (0.2, 0.35))
    player = (0.8, HIPS, TOP, (0.6, 0.3))
    made, _, _ = estimator(
        [detection(other, player)], [landmarks(body(), START)], region=(0.5, 0.2, 0.9, 0.5)
    )
    step(made, 0)
    (pose,) = step(made, 1)
    assert pose.xy[BLAZEPOSE33.index("left_shoulder")] == pytest.approx([0.65, 0.3], abs=1e-3)


def test_the_player_is_found_again_where_they_were_and_not_the_surest_person():
    other = (0.99, (0.2, 0.5), (0.2, 0.1), (0.2, 0.35))
    player = (0.6, HIPS, TOP, (0.6, 0.3))
    gone = landmarks(body(), START, presence=0.0)
    made, _, _ = estimator([PLAYER, detection(other, player)], [landmarks(body(), START), gone])
    step(made, 0)
    step(made, 1)
    step(made, 2)
    step(made, 3)
    assert len(step(made, 4)) == 1


def test_a_passer_by_who_stands_in_the_square_is_not_the_player():
    stranger = landmarks(body(x=0.9), START)
    made, _, _ = estimator([PLAYER], [landmarks(body(), START), stranger])
    step(made, 0)
    assert len(step(made, 1)) == 1
    assert step(made, 2) == ()
    assert made.searching


def test_undefined_landmarks_lie_in_the_middle_with_score_0():
    answer = landmarks(body(), START)[0]
    answer[0, 5 * 3] = math.nan
    seen = PersonLandmarks(256).decode(answer, START)
    assert seen.xy[3] == pytest.approx((START.x, START.y))
    assert seen.score[3] == pytest.approx(0.0, abs=1e-30)
    assert np.isfinite(seen.xy).all()
    answer[0, 5 * 33] = math.inf
    assert PersonLandmarks(256).decode(answer, START).region is None


def test_another_kind_of_network_is_refused():
    made = LandmarkEstimator(
        ScriptedRuntime([PLAYER], inputs=(FINDS,)),
        ScriptedRuntime([[np.zeros((1, 1, 17, 3), np.float32)]]),
        rotate=0,
        mirror=False,
        player=PlayerSection(),
    )
    with pytest.raises(UsageError, match="choose blazepose-lite, -full or -heavy"):
        made.open()
    made.close()
    made.close()


@pytest.mark.parametrize(
    ("end", "right"),
    [((0.5, 0.1), (1, 0)), ((0.9, 0.5), (0, 1)), ((0.5, 0.9), (-1, 0)), ((0.1, 0.5), (0, -1))],
)
def test_a_square_stands_as_its_person_does(end, right):
    region = upright((0.5, 0.5), end, scale=1.25)
    assert region.side == pytest.approx(1.0)
    assert (region.right_x, region.right_y) == pytest.approx(right)
    assert region.point(0.5, 0.1) == pytest.approx(end)


def test_points_that_tell_no_direction_give_no_square():
    assert upright((0.5, 0.5), (0.5, 0.5), scale=1.25) is None
    assert upright((0.5, math.nan), (0.5, 0.1), scale=1.25) is None
    assert upright((0.5, 0.5), (0.5, -math.inf), scale=1.25) is None


def test_a_square_stands_still_while_its_person_sways_and_follows_who_walks():
    old = Region(0.5, 0.5, 1.0)
    assert dragged(None, old) == old
    assert dragged(old, Region(0.53, 0.48, 1.05, math.cos(0.05), math.sin(0.05))) == old
    walked = dragged(old, Region(0.8, 0.5, 1.0))
    assert walked == pytest.approx((0.76, 0.5, 1.0, 1.0, 0.0))
    turned = Region(0.5, 0.5, 1.0, math.cos(0.3), math.sin(0.3))
    assert dragged(old, turned) == turned
    assert dragged(old, Region(0.5, 0.5, 2.0)).side == pytest.approx(2.0 / 1.08)


@pytest.mark.parametrize(("rotate", "mirror"), EVERY_WAY)
@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("side", [0.5, 1.9])
def test_a_turned_square_shows_what_lies_there_however_the_camera_hangs(rotate, mirror, angle, side):
    upright_picture = smooth_picture(480, 640)
    region = Region(0.7, 0.45, side, math.cos(angle), math.sin(angle))
    out = np.zeros((96, 96, 3), np.uint8)
    sampler = TurnedSampler(96, Orientation(rotate, mirror), bgr=True)
    sampler.sample(as_camera_sees(upright_picture, rotate, mirror), region, out)
    seen = 0
    for u, v in [(20, 30), (48, 48), (80, 25), (30, 85)]:
        x, y = (480 * n for n in region.point((u + 0.5) / 96, (v + 0.5) / 96))
        if 12 < x < 628 and 12 < y < 468:
            seen += 1
            assert out[v, u] == pytest.approx((x / 640 * 250, y / 480 * 250, (x + y) / 1120 * 250), abs=3.0)
        elif not (-12 < x < 652 and -12 < y < 492):
            assert out[v, u].tolist() == [0, 0, 0]
    assert seen > 0


@pytest.mark.parametrize("grey", [False, True])
def test_colours_come_in_the_networks_order_and_type(grey):
    picture = smooth_picture(480, 640)
    image = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if grey else picture
    region = Region(0.7, 0.45, 0.5)
    out = np.zeros((96, 96, 3), np.int32)
    TurnedSampler(96, Orientation(), bgr=False).sample(image, region, out)
    expected = image[216, 336] if not grey else np.repeat(image[216, 336], 3)
    assert out[48, 48] == pytest.approx(expected[::-1], abs=3)
