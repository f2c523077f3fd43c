import numpy as np
import pytest
from posed_people import movenet_output, person

from lalelu.config.schema import PlayerSection
from lalelu.errors import LostError, UsageError
from lalelu.pose.crop import whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.port import TensorSpec
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.types import Frame

IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
ASPECT = 640 / 480
RGB = TensorSpec("input", (1, 192, 192, 3), np.dtype(np.int32))
BGR = TensorSpec("bgr", (1, 192, 192, 3), np.dtype(np.uint8))


def frame(seq, image=IMAGE):
    return Frame(seq, seq * 10_000_000, seq * 10_000_000 + 5, 0, image)


def estimator(script, **options):
    runtime = ScriptedRuntime([[output] for output in script], inputs=(options.pop("takes", RGB),))
    settings = {"crop_mode": "whole", "rotate": 0, "mirror": False, "player": PlayerSection(), **options}
    made = SinglePoseEstimator(runtime, MoveNetSinglePose(), **settings)
    made.open()
    return made, runtime


def step(made, seq, image=IMAGE):
    made.prepare(frame(seq, image))
    made.infer()
    return made.poses()


def test_pose_carries_the_frame_and_lies_where_the_person_is():
    xy = person(0.6, 0.3, 0.12)
    made, _ = estimator([movenet_output(xy, whole(ASPECT))])
    (pose,) = step(made, 7)
    assert (pose.seq, pose.captured_ns, pose.player, pose.via) == (7, 70_000_000, 0, "net")
    np.testing.assert_allclose(pose.xy, xy, atol=1e-5)
    assert made.skeleton[0] == "nose"


def test_square_follows_once_there_is_a_player_and_the_pose_stays_in_the_picture_frame():
    xy = person(0.6, 0.3, 0.1)
    made, runtime = estimator([movenet_output(xy, whole(ASPECT))], crop_mode="follow")
    step(made, 0)
    assert made.crop == whole(ASPECT)
    made.prepare(frame(1))
    crop = made.crop
    assert crop.side < 0.5
    runtime._script = [[movenet_output(xy, crop)]]
    made.infer()
    (pose,) = made.poses()
    np.testing.assert_allclose(pose.xy, xy, atol=1e-5)


def test_passer_by_is_reported_as_nobody_and_the_search_begins_anew_when_the_player_stays_away():
    player, other = person(0.4, 0.3, 0.12), person(1.1, 0.3, 0.06)
    picture = whole(ASPECT)
    made, runtime = estimator([movenet_output(player, picture)], player=PlayerSection(lost_ms=200))
    assert len(step(made, 0)) == 1
    runtime._script = [[movenet_output(other, picture)]]
    assert [len(step(made, seq)) for seq in range(1, 21)] == [0] * 20
    assert len(step(made, 22)) == 1


def test_nobody_in_view_gives_no_pose_and_the_whole_picture():
    made, _ = estimator(
        [movenet_output(person(0.6, 0.3, 0.1), whole(ASPECT), score=0.05)], crop_mode="follow"
    )
    assert step(made, 0) == ()
    assert step(made, 1) == ()
    assert made.crop == whole(ASPECT)


@pytest.mark.parametrize(("takes", "blue"), [(RGB, [0, 0, 255]), (BGR, [255, 0, 0])])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_network_is_shown_an_upright_unmirrored_picture_in_its_order_of_colours(rotate, mirror, takes, blue):
    upright = np.zeros((480, 640, 3), np.uint8)
    upright[40:200, 40:200, 0] = 255  # a blue patch at the top left, BGR
    image = upright[:, ::-1] if mirror else upright
    image = np.ascontiguousarray(
        np.rot90(image, k=rotate // 90)
    )  # counter-clockwise: the camera hangs turned
    made, runtime = estimator(
        [movenet_output(person(0.6, 0.3, 0.1), whole(ASPECT))], rotate=rotate, mirror=mirror, takes=takes
    )
    step(made, 0, image)
    (shown,) = runtime.last_inputs
    assert shown.dtype == takes.dtype
    row, column = 24 + int(120 * 0.3), int(120 * 0.3)  # letterbox: 24 black rows above; patch centre at 0.25
    assert shown[0, row, column].tolist() == blue
    assert shown[0, row, -column].tolist() == [0, 0, 0]
    assert shown[0, -row, column].tolist() == [0, 0, 0]


def test_lost_network_is_reported_as_lost():
    made, runtime = estimator([movenet_output(person(0.6, 0.3, 0.1), whole(ASPECT))])
    runtime.fail_after(2)
    step(made, 0)
    step(made, 1)
    made.prepare(frame(2))
    with pytest.raises(LostError, match="after 2 inferences"):
        made.infer()


def test_model_of_another_kind_is_refused_at_open():
    made = SinglePoseEstimator(
        ScriptedRuntime([[np.zeros((1, 6, 56), np.float32)]]),
        MoveNetSinglePose(),
        crop_mode="whole",
        rotate=0,
        mirror=False,
        player=PlayerSection(),
    )
    with pytest.raises(UsageError, match="choose lightning or thunder"):
        made.open()
    made.close()
    made.close()


def test_scripted_runtime_minds_the_port():
    runtime = ScriptedRuntime([[np.zeros((1, 1, 17, 3), np.float32)]])
    picture = np.zeros((1, 192, 192, 3), np.int32)
    with pytest.raises(UsageError, match="not open"):
        runtime.infer(picture)
    runtime.open()
    with pytest.raises(UsageError, match="it takes"):
        runtime.infer(picture.astype(np.uint8))
    with pytest.raises(UsageError, match="empty"):
        ScriptedRuntime([])
