"""Fingers beside a body: where a hand is looked for, what is believed, and how it is followed."""

import math

import numpy as np
import pytest
from posed_people import movenet_output, person

from lalelu.config.schema import PlayerSection
from lalelu.errors import UsageError
from lalelu.pose import fingers
from lalelu.pose.crop import whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_fingers import FingersEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.port import TensorSpec
from lalelu.pose.region import Region
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.skeleton import COCO17, FINGERS40, HAND21, SKELETONS
from lalelu.types import Frame

IMAGE = np.zeros((480, 640, 3), np.uint8)
SIDE = 224
# of a hand that points up, in its own lengths from the wrist: x to its right
FLAT = {
    name: ((("thumb", "index", "middle", "ring", "pinky").index(name.partition("_")[0]) - 2) * 0.15, -reach)
    for name, reach in (
        (
            name,
            {"cmc": 0.2, "mcp": 0.5, "pip": 0.7, "ip": 0.7, "dip": 0.85, "tip": 1.0}[name.partition("_")[2]],
        )
        for name in HAND21[1:]
    )
}
XY = person(0.6, 0.3, 0.12)


class HandRuntime(ScriptedRuntime):
    """A scripted hand network whose outputs have names."""

    def open(self):
        facts = super().open()
        names = ("landmarks", "presence", "handedness")
        outputs = tuple(
            TensorSpec(name, spec.shape, spec.dtype) for name, spec in zip(names, facts.outputs, strict=False)
        )
        return type(facts)(
            facts.name,
            facts.version,
            facts.device,
            facts.precision,
            facts.threads,
            0.0,
            0.0,
            facts.inputs,
            outputs,
        )


def hand(presence: float = 0.9, wrist: tuple[float, float] = (112.0, 180.0), size: float = 60.0):
    """A hand network's answer: a flat hand of `size` px whose wrist is there in its picture."""
    numbers = np.zeros((21, 3), np.float32)
    places = [(0.0, 0.0), *(FLAT[name] for name in HAND21[1:])]
    numbers[:, :2] = np.array(wrist) + size * np.array(places)
    return [numbers.reshape(1, 63), np.array([[presence]], np.float32), np.array([[0.5]], np.float32)]


def estimator(script, score=0.8, xy=XY):
    body = SinglePoseEstimator(
        ScriptedRuntime([[movenet_output(xy, whole(640 / 480), score)]]),
        MoveNetSinglePose(),
        crop_mode="whole",
        rotate=0,
        mirror=False,
        player=PlayerSection(),
    )
    runtime = HandRuntime(script, inputs=(TensorSpec("bgr", (1, SIDE, SIDE, 3), np.dtype(np.uint8)),))
    made = FingersEstimator(body, runtime, rotate=0, mirror=False)
    made.open()
    return made, runtime


def step(made, seq):
    made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, IMAGE))
    made.infer()
    return made.poses()


def test_fingers_follow_the_bodys_own_keypoints_in_a_skeleton_of_their_own():
    made, _ = estimator([hand()])
    assert made.skeleton == (*COCO17, *FINGERS40) == SKELETONS["coco17_fingers"]
    (pose,) = step(made, 0)
    assert pose.xy[:17] == pytest.approx(XY, abs=1e-5)
    assert not pose.score[17:].any()  # nobody has looked at a hand yet
    assert pose.xy[17] == pytest.approx(pose.xy[COCO17.index("left_wrist")])


def test_a_hand_is_looked_for_beyond_the_wrist_and_its_landmarks_lie_in_the_picture():
    made, runtime = estimator([hand(wrist=(112.0, 160.0))])
    step(made, 0)
    assert runtime.last_inputs == ()
    (pose,) = step(made, 1)
    for side in ("left", "right"):
        wrist, elbow = (XY[COCO17.index(f"{side}_{name}")] for name in ("wrist", "elbow"))
        region = fingers.beyond(wrist.tolist(), elbow.tolist(), 0.12)
        tip = made.skeleton.index(f"{side}_middle_tip")
        assert pose.xy[tip] == pytest.approx(region.point(0.5, 100.0 / SIDE), abs=2e-3)
        assert pose.score[tip] == pytest.approx(0.9)


def test_what_is_no_hand_scores_0_and_is_looked_for_at_the_wrist_again():
    made, _ = estimator([hand(presence=0.3), hand(presence=math.nan)])
    for seq in range(4):
        (pose,) = step(made, seq)
        assert not pose.score[17:].any()
        assert np.isfinite(pose.xy).all()


def test_a_hand_far_from_the_arms_wrist_is_somebody_elses():
    made, _ = estimator([hand(wrist=(10.0, 10.0))])
    step(made, 0)
    (pose,) = step(made, 1)
    assert not pose.score[17:].any()


def test_landmarks_that_are_no_numbers_are_not_believed():
    answer = hand()
    answer[0][0, 5] = math.inf
    answer[0][0, 6] = math.nan
    made, _ = estimator([answer])
    step(made, 0)
    (pose,) = step(made, 1)
    assert not pose.score[17:].any()


def test_a_body_that_is_not_seen_has_no_hands_and_an_arm_that_is_guessed_none():
    made, runtime = estimator([hand()], score=0.05)
    assert [step(made, seq) for seq in range(3)] == [(), (), ()]
    assert runtime.last_inputs == ()


def test_another_network_for_the_hands_is_refused():
    made = FingersEstimator(
        SinglePoseEstimator(
            ScriptedRuntime([[movenet_output(XY, whole(640 / 480))]]),
            MoveNetSinglePose(),
            crop_mode="whole",
            rotate=0,
            mirror=False,
            player=PlayerSection(),
        ),
        ScriptedRuntime([[np.zeros((1, 1, 17, 3), np.float32)]]),
        rotate=0,
        mirror=False,
    )
    with pytest.raises(UsageError, match=r"choose pose\.fingers: lite or full"):
        made.open()
    made.close()
    made.close()


def test_the_next_square_stands_as_the_hand_does_and_holds_all_of_it():
    upright = np.array([(0.0, 0.0), *(FLAT[name] for name in HAND21[1:])], np.float32)
    region = fingers.around(upright)
    assert (region.right_x, region.right_y) == pytest.approx((1.0, 0.0))
    for angle in (0.0, 1.0, 2.5, -2.0):
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turned = (upright @ turn.T + (3.0, 2.0)).astype(np.float32)
        found = fingers.around(turned)
        assert found.side == pytest.approx(region.side, rel=1e-5)
        assert (found.right_x, found.right_y) == pytest.approx((math.cos(angle), math.sin(angle)), abs=1e-5)
        for x, y in turned - (found.x, found.y):
            across, down = x * found.right_x + y * found.right_y, y * found.right_x - x * found.right_y
            assert max(abs(across), abs(down)) < 0.5 * found.side


def test_an_arm_without_a_direction_has_no_hand():
    assert fingers.beyond((0.5, 0.5), (0.5, 0.5), 0.1) is None
    assert fingers.beyond((0.5, 0.5), (0.5, math.nan), 0.1) is None
    assert fingers.around(np.zeros((21, 2), np.float32)) is None
    assert fingers.beyond((0.5, 0.5), (0.5, 0.4), 0.1) == pytest.approx(Region(0.5, 0.533, 0.1, -1.0, 0.0))
