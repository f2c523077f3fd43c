import cv2
import numpy as np
import pytest
from posed_people import movenet_output, person

from lalelu.config.schema import Config, PlayerSection, PoseSection
from lalelu.errors import LostError, UsageError
from lalelu.pose.build import build_estimator
from lalelu.pose.crop import whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_flow import ALONE_NS, CarriedEstimator, InterleavedEstimator, LaggedNet, Result
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.skeleton import COCO17
from lalelu.types import Frame, Pose

ASPECT = 640 / 480
PERIOD_NS = 10_000_000
START = person(0.6, 0.3, 0.12)
STEP = 3.0 / 480  # image heights to the right in each frame
NOBODY = movenet_output(START, whole(ASPECT), score=0.01)
ROOM = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (480, 900, 3), np.uint8), (0, 0), 2.0) * 3
LYING = {"rotate": 0, "mirror": False}
WRIST = COCO17.index("right_wrist")


def picture(seq):
    """A room that moves 3 px to the right in each frame, and everybody in it."""
    return np.ascontiguousarray(ROOM[:, 200 - 3 * seq : 840 - 3 * seq])


def place(seq):
    return START + np.array([seq * STEP, 0.0], np.float32)


def frame(seq):
    return Frame(seq, seq * PERIOD_NS, seq * PERIOD_NS + 5, 0, picture(seq))


def single(script):
    runtime = ScriptedRuntime([[output] for output in script])
    made = SinglePoseEstimator(
        runtime, MoveNetSinglePose(), crop_mode="whole", player=PlayerSection(), **LYING
    )
    return made, runtime


def seen(*seqs):
    """What the network says about these frames."""
    return [movenet_output(place(seq), whole(ASPECT)) for seq in seqs]


def step(made, seq):
    made.prepare(frame(seq))
    made.infer()
    return made.poses()


def opened(made):
    made.open()
    return made


def off(pose, seq):
    """How far the wrist is from where it is, px."""
    return float(np.hypot(*(pose.xy[WRIST] - place(seq)[WRIST]))) * 480


@pytest.mark.parametrize("every", [2, 3])
def test_interleaved_runs_the_network_on_every_nth_frame_and_flow_on_the_others(every):
    net, runtime = single(seen(*range(0, 30, every)))
    made = opened(InterleavedEstimator(net, every=every, **LYING))
    poses = [step(made, seq)[0] for seq in range(12)]
    assert [pose.via for pose in poses] == (["net"] + ["flow"] * (every - 1)) * (12 // every)
    assert [(pose.seq, pose.captured_ns) for pose in poses] == [(seq, seq * PERIOD_NS) for seq in range(12)]
    assert max(off(pose, seq) for seq, pose in enumerate(poses)) < 0.3
    assert runtime._count == 12 // every


def test_interleaved_shows_nobody_until_the_network_sees_the_player_again():
    script = [*seen(0, 2), NOBODY, *seen(6, 8)]
    made = opened(InterleavedEstimator(single(script)[0], every=2, **LYING))
    assert [len(step(made, seq)) for seq in range(10)] == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]


def test_a_network_that_is_lost_in_its_turn_is_told():
    net, runtime = single(seen(0))
    made = opened(InterleavedEstimator(net, every=2, **LYING))
    runtime.fail_after(1)
    step(made, 0)
    step(made, 1)
    with pytest.raises(LostError):
        step(made, 2)


@pytest.mark.parametrize("lag", [1, 2, 3, 5])
def test_carried_shows_each_frame_though_the_results_are_late(lag):
    net, runtime = single(seen(*range(0, 60, lag)))
    made = opened(CarriedEstimator(LaggedNet(net, lag=lag), **LYING))
    found = [step(made, seq) for seq in range(30)]
    assert [len(poses) for poses in found[:lag]] == [0] * lag
    poses = [poses[0] for poses in found[lag:]]
    assert {pose.via for pose in poses} == {"flow"}
    assert [pose.seq for pose in poses] == list(range(lag, 30))
    assert max(off(pose, pose.seq) for pose in poses[lag:]) < 0.8
    assert runtime._count == -(-30 // lag)  # one at a time, one after the other


def test_carried_begins_where_the_player_was_and_is_right_with_the_second_result():
    made = opened(CarriedEstimator(LaggedNet(single(seen(0, 3, 6, 9))[0], lag=3), **LYING))
    poses = [step(made, seq) for seq in range(13)]
    assert off(poses[3][0], 3) == pytest.approx(9.0, abs=0.2)  # nothing was followed before
    assert max(off(poses[seq][0], seq) for seq in range(6, 13)) < 0.8


def test_the_same_film_gives_the_same_poses_twice():
    films = []
    for _ in range(2):
        made = opened(CarriedEstimator(LaggedNet(single(seen(*range(0, 40, 3)))[0], lag=3), **LYING))
        films.append([step(made, seq) for seq in range(20)])
    for one, other in zip(*films, strict=True):
        assert [pose.xy.tobytes() for pose in one] == [pose.xy.tobytes() for pose in other]
        assert [pose.score.tobytes() for pose in one] == [pose.score.tobytes() for pose in other]


def test_carried_shows_nobody_once_the_network_sees_nobody():
    made = opened(CarriedEstimator(LaggedNet(single([*seen(0, 2), NOBODY])[0], lag=2), **LYING))
    assert [len(step(made, seq)) for seq in range(8)] == [0, 0, 1, 1, 1, 1, 0, 0]


class SilentNet:
    """A net that gives what it is told to, and keeps what it was offered."""

    skeleton = COCO17
    tracks_hands = False

    def __init__(self, **results):
        self.results = {int(seq[1:]): result for seq, result in results.items()}
        self.offered = []
        self.closed = False

    def open(self):
        return single(seen(0))[0].open()

    def close(self):
        self.closed = True

    def offer(self, given, wrists):
        self.offered.append((given.seq, wrists))

    def result(self, seq):
        return self.results.pop(seq, None)


def result(seq):
    at_ns = seq * PERIOD_NS
    return Result(seq, at_ns, Pose(seq, at_ns, 0, place(seq), np.full(17, 0.9, np.float32)))


def test_without_the_network_flow_goes_on_for_a_while_and_then_the_player_is_unseen():
    made = opened(CarriedEstimator(SilentNet(f0=result(0)), **LYING))
    last = ALONE_NS // PERIOD_NS
    found = [len(step(made, seq)) for seq in range(last + 5)]
    assert found == [1] * (last + 1) + [0] * 4


def test_the_net_is_offered_each_frame_and_where_its_wrists_are():
    net = SilentNet(f1=result(0))
    made = opened(CarriedEstimator(net, **LYING))
    for seq in range(4):
        step(made, seq)
    assert [seq for seq, _ in net.offered] == [0, 1, 2, 3]
    assert net.offered[0][1] is None
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    expected = [*place(2)[left], *place(2)[right]]
    np.testing.assert_allclose(net.offered[3][1], expected, atol=1e-3)  # seen in frame 0, taken for frame 1's
    made.close()
    assert net.closed


def test_wrists_that_flow_has_followed_are_where_the_hand_tracker_looks():
    told = []

    class Hands:
        def expect(self, captured_ns, wrists):
            told.append((captured_ns, wrists))

    net, _ = single(seen(0))
    net._hands = Hands()
    net.expect(7, None)
    net.expect(8, (0.1, 0.2, 0.3, 0.4))
    assert told == [(8, (0.1, 0.2, 0.3, 0.4))]


def test_flow_is_refused_for_several_people():
    config = Config(pose=PoseSection(model="multipose", flow="carried"))
    with pytest.raises(
        UsageError, match=r"pose.flow is carried, but pose.model multipose sees several people"
    ):
        build_estimator(config)
