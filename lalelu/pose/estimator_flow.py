"""Keypoints at the camera's rate from a network that is slower: optical flow between its results.

`InterleavedEstimator` runs the network on every n-th frame. `CarriedEstimator` never waits for it: the network runs
beside, and its newest result, a few frames old, is carried to the newest frame.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from lalelu.pose.estimator import SinglePoseEstimator, use_one_thread
from lalelu.pose.flow import Flow
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import RuntimeFacts
from lalelu.types import Frame, Pose, Via

# Flow loses a hand within a few strokes: without a result for so long the player counts as unseen.
ALONE_NS: Final = 300_000_000

Wrists: TypeAlias = tuple[float, float, float, float]  # x, y of the left and the right one, image heights


class Result(NamedTuple):
    """What the network has found in the frame `seq`; no pose: the player is not seen."""

    seq: int
    captured_ns: int
    pose: Pose | None


class Net(Protocol):
    """A network that runs beside: it takes the newest frame when it is free, and its newest result counts."""

    skeleton: tuple[str, ...]

    @property
    def tracks_hands(self) -> bool:
        """Whether each wrist is followed in the network's heatmaps; known once it is open."""

    def open(self) -> RuntimeFacts:
        """Start it and wait until it is ready. Raises what the runtime raises."""

    def close(self) -> None:
        """End it; safe to call twice and before `open()`."""

    def offer(self, frame: Frame, wrists: Wrists | None) -> None:
        """Hand it the newest frame, and where its wrists are believed to be; never waits."""

    def result(self, seq: int) -> Result | None:
        """Return the newest result that is there for the frame `seq`, once. Raises LostError when it has died."""


class InterleavedEstimator:
    """A PoseEstimator: the network on every `every`-th frame, flow on the others.

    `rotate` and `mirror` as in CameraSection.
    """

    def __init__(
        self, net: SinglePoseEstimator, *, every: int, rotate: Literal[0, 90, 180, 270], mirror: bool
    ) -> None:
        self.skeleton = net.skeleton
        self._net = net
        self._every = every
        self._flow = Flow(Orientation(rotate, mirror))
        self._count = 0
        self._turn = True  # the network's
        self._frame: Frame

    def open(self) -> RuntimeFacts:
        """Open the network. Raises what it raises."""
        return self._net.open()

    def close(self) -> None:
        """Close the network; safe to call twice and before `open()`."""
        self._net.close()

    @property
    def tracks_hands(self) -> bool:
        """Whether each wrist is followed in the network's heatmaps."""
        return self._net.tracks_hands

    def prepare(self, frame: Frame) -> None:
        """Fill the network's picture, where it is its turn."""
        self._frame = frame
        self._turn = self._count % self._every == 0
        self._count += 1
        if self._turn:
            self._net.prepare(frame)

    def infer(self) -> None:
        """Follow the keypoints, and run the network where it is its turn."""
        frame = self._frame
        self._flow.look(frame.seq, frame.captured_ns, frame.image)
        if self._turn:
            self._net.infer()

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose; empty when the player is not seen. The network's results are blended in."""
        frame, flow = self._frame, self._flow
        if not self._turn:
            return _flowed(flow, frame, "flow")
        self._net.expect(frame.captured_ns, flow.wrists())
        poses = self._net.poses()
        if not poses:
            flow.forget()
            return ()
        flow.take(frame.seq, poses[0].xy, poses[0].score)
        return _flowed(flow, frame, "net")


class CarriedEstimator:
    """A PoseEstimator that never waits for its network. `rotate` and `mirror` as in CameraSection."""

    def __init__(self, net: Net, *, rotate: Literal[0, 90, 180, 270], mirror: bool) -> None:
        self.skeleton = net.skeleton
        self._net = net
        self._flow = Flow(Orientation(rotate, mirror))
        self._newest_ns = 0  # capture of the newest frame that has a result
        self._frame: Frame

    def open(self) -> RuntimeFacts:
        """Start the network. Raises what it raises."""
        use_one_thread()
        return self._net.open()

    def close(self) -> None:
        """End the network; safe to call twice and before `open()`."""
        self._net.close()

    @property
    def tracks_hands(self) -> bool:
        """Whether each wrist is followed in the network's heatmaps."""
        return self._net.tracks_hands

    def prepare(self, frame: Frame) -> None:
        """Keep the frame for the next steps."""
        self._frame = frame

    def infer(self) -> None:
        """Follow the keypoints, take in what the network has found meanwhile, and hand it the frame.

        Raises LostError when the network has died for good.
        """
        frame, flow = self._frame, self._flow
        flow.look(frame.seq, frame.captured_ns, frame.image)
        result = self._net.result(frame.seq)
        if result is not None:
            self._newest_ns = result.captured_ns
            if result.pose is None:
                flow.forget()
            else:
                flow.take(result.seq, result.pose.xy, result.pose.score)
        if flow.active and frame.captured_ns - self._newest_ns > ALONE_NS:
            flow.forget()
        self._net.offer(frame, flow.wrists())

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose, carried to this frame; empty when the player is not seen."""
        return _flowed(self._flow, self._frame, "flow")


class LaggedNet:
    """A Net in this process, for films and takes: the result of a frame is there `lag` frames later.

    One inference at a time, each begun on the frame at which the last one's result is there. So what comes out depends
    on the frames alone, not on the machine.
    """

    def __init__(self, estimator: SinglePoseEstimator, *, lag: int) -> None:
        self.skeleton = estimator.skeleton
        self._estimator = estimator
        self._lag = lag
        self._result: Result | None = None  # of the inference under way

    def open(self) -> RuntimeFacts:
        """Open the network. Raises what it raises."""
        return self._estimator.open()

    def close(self) -> None:
        """Close the network; safe to call twice and before `open()`."""
        self._estimator.close()

    @property
    def tracks_hands(self) -> bool:
        """Whether each wrist is followed in the network's heatmaps."""
        return self._estimator.tracks_hands

    def offer(self, frame: Frame, wrists: Wrists | None) -> None:
        """Begin an inference where none is under way."""
        if self._result is None:
            self._estimator.prepare(frame)
            self._result = found(self._estimator, frame.seq, frame.captured_ns, wrists)

    def result(self, seq: int) -> Result | None:
        """Return the result that is there at the frame `seq`."""
        result = self._result
        if result is None or seq < result.seq + self._lag:
            return None
        self._result = None
        return result


def found(estimator: SinglePoseEstimator, seq: int, captured_ns: int, wrists: Wrists | None) -> Result:
    """Return what the network finds in the frame last prepared, whose wrists are believed to be at `wrists`."""
    estimator.infer()
    estimator.expect(captured_ns, wrists)
    poses = estimator.poses()
    return Result(seq, captured_ns, poses[0] if poses else None)


def _flowed(flow: Flow, frame: Frame, via: Via) -> Sequence[Pose]:
    if not flow.active:
        return ()
    xy, scores = flow.settle(frame.image)
    return (Pose(frame.seq, frame.captured_ns, 0, xy, scores, via),)
