import numpy as np
import pytest
from posed_people import person

from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.pose.build import build_estimator
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator_multi import MultiPoseEstimator
from lalelu.pose.multipose import MoveNetMultiPose
from lalelu.pose.people import ENTRY_FRAMES
from lalelu.pose.port import TensorSpec
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.types import Frame

ASPECT = 640 / 480
WHOLE = whole(ASPECT)
IMAGE = np.zeros((480, 640, 3), np.uint8)
PICTURE = TensorSpec("input", (1, 256, 256, 3), np.dtype(np.int32))


def output(*people, crop=WHOLE, score=0.6):
    """Return what the network answers when it sees `people` ((17, 2) image heights) in `crop`."""
    answer = np.zeros((1, 6, 56), np.float32)
    answer[..., -1] = 0.01
    for row, xy in zip(answer[0], people, strict=False):
        fractions = (xy - (crop.x - crop.side / 2, crop.y - crop.side / 2)) / crop.side
        row[:51] = np.column_stack((fractions[:, 1], fractions[:, 0], np.full(17, 0.8))).reshape(-1)
        row[51:55] = *fractions.min(axis=0)[::-1], *fractions.max(axis=0)[::-1]
        row[55] = score
    return answer


def estimator(answers, **options):
    runtime = ScriptedRuntime([[answer] for answer in answers], inputs=(PICTURE,))
    settings = {"rotate": 0, "mirror": False, "player": Config().player, "limit": 6, **options}
    made = MultiPoseEstimator(runtime, MoveNetMultiPose(), **settings)
    made.open()
    return made, runtime


def play(made, seqs, image=IMAGE):
    for seq in seqs:
        made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, image))
        made.infer()
        poses = made.poses()
    return poses


def test_people_lie_where_they_are_and_the_empty_places_are_nobody():
    near, far = person(0.4, 0.3, 0.12), person(0.9, 0.35, 0.08)
    crop = Crop(0.7, 0.4, 0.9)
    found = MoveNetMultiPose().decode(output(near, far, crop=crop), crop)
    assert len(found) == 2
    for xy, seen in zip((near, far), found, strict=True):
        np.testing.assert_allclose(np.reshape(seen.places, (17, 2)), xy, atol=1e-5)
        np.testing.assert_allclose(seen.box, (*xy.min(axis=0), *xy.max(axis=0)), atol=1e-5)
        assert seen.scores == pytest.approx([0.8] * 17)
        assert seen.score == pytest.approx(0.6)


def test_what_the_network_left_undefined_is_unknown_and_nobody_vanishes_for_it():
    answer = output(person(0.4, 0.3, 0.12), person(0.9, 0.3, 0.12))
    answer[0, 0, 27:30] = np.nan, np.inf, 0.9  # a wrist
    answer[0, 1, 53] = np.nan  # a box
    (seen,) = MoveNetMultiPose().decode(answer, WHOLE)
    assert (seen.places[18:20], seen.scores[9]) == ((ASPECT / 2, 0.5), 0.0)
    answer[0, :, 55] = np.nan
    assert MoveNetMultiPose().decode(answer, WHOLE) == []


def test_every_player_has_a_pose_that_carries_the_frame():
    left, right = person(0.35, 0.3, 0.1), person(0.95, 0.3, 0.1)
    made, _ = estimator([output(right, left)])
    assert list(play(made, range(ENTRY_FRAMES - 1))) == []
    poses = play(made, [ENTRY_FRAMES])
    assert [(pose.seq, pose.captured_ns, pose.player, pose.via) for pose in poses] == [
        (ENTRY_FRAMES, ENTRY_FRAMES * 10_000_000, number, "net") for number in (0, 1)
    ]
    for xy, pose in zip((left, right), poses, strict=True):
        np.testing.assert_allclose(pose.xy, xy, atol=1e-5)
        assert (pose.xy.dtype, pose.score.dtype, pose.score.shape) == (np.float32, np.float32, (17,))


def test_the_network_is_shown_the_whole_picture_also_of_a_camera_on_its_side():
    image = np.zeros((640, 480, 3), np.uint8)
    image[:, 400:] = 255  # the right edge of the camera's picture: the upright one's bottom
    made, runtime = estimator([output()], rotate=90)
    play(made, [0], image)
    (shown,) = runtime.last_inputs
    assert shown[0, 128, 4].tolist() == [0, 0, 0]
    assert shown[0, 30 + 192 - 2, 128].tolist() != shown[0, 40, 128].tolist()


def test_no_more_play_than_the_configuration_lets():
    left, right = person(0.35, 0.3, 0.1), person(0.95, 0.3, 0.1)
    made, _ = estimator([output(right, left)], limit=1)
    assert [pose.player for pose in play(made, range(10))] == [0]


def test_a_model_for_one_person_is_refused_at_open():
    runtime = ScriptedRuntime([[np.zeros((1, 1, 17, 3), np.float32)]])
    made = MultiPoseEstimator(
        runtime, MoveNetMultiPose(), rotate=0, mirror=False, player=Config().player, limit=6
    )
    with pytest.raises(UsageError, match="choose multipose"):
        made.open()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pose": {"model": "multipose", "hands": "track"}}, "pose.hands is track"),
        ({"pose": {"model": "thunder"}, "player": {"players": 2}}, "player.players is 2"),
    ],
)
def test_options_that_a_model_does_not_have_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        build_estimator(Config.model_validate(options))
