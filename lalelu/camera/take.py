"""Play recorded poses at their own pace, with no network in between. Reads a take."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lalelu.camera.port import CameraFacts
from lalelu.clock import now_ns, sleep_until
from lalelu.errors import EndOfStreamError
from lalelu.registry import AdapterOptions
from lalelu.skeleton import SKELETONS
from lalelu.take import Take, read_take
from lalelu.types import Frame, Pose


class TakeCamera:
    """`take:FILE`: frames without a picture; `estimator()` gives the poses that were recorded with them."""

    class Options(AdapterOptions):
        """`target` is the take's path."""

        repeat: bool = False  # begin again after the last frame, without end

    def __init__(self, options: Options) -> None:
        self._path = Path(options.target)
        self._repeat = options.repeat
        self._take: Take | None = None
        self._next = 0
        self._passed = 0  # frames of the rounds before this one
        self._start_ns = 0
        self._image = np.zeros((1, 1), dtype=np.uint8)

    def open(self) -> CameraFacts:
        """Read the whole take. Raises UsageError when it is absent, damaged or empty."""
        take = read_take(self._path)
        self._take = take
        self._next = self._passed = 0
        return CameraFacts(
            source=f"take {self._path.name}: {take.header.source}",
            width=take.header.width,
            height=take.header.height,
            fps=take.header.fps,
            exposure_ms=None,
            clock="the take's stamps, from the first read on",
            readout_ms=take.header.readout_ms or 0.0,
        )

    @property
    def problems(self) -> Sequence[str]:
        """What is wrong with the take, one sentence each, such as an end that is cut off; valid after `open()`."""
        return () if self._take is None else self._take.problems

    def estimator(self) -> "RecordedPoses":
        """Return the estimator that goes with this camera; valid after `open()`."""
        assert self._take is not None, "open() comes first"
        return RecordedPoses(self._take, repeat=self._repeat)

    def read(self) -> Frame:
        """Wait for the newest recorded frame that is due. Raises EndOfStreamError after the last."""
        assert self._take is not None, "open() comes first"
        frames = self._take.frames
        if not frames or (self._next >= len(frames) and not self._repeat):
            raise EndOfStreamError(f"take {self._path.name} has ended")
        first_ns = frames[0].captured_ns
        if self._next >= len(frames):
            self._next = 0
            self._passed += _recorded(self._take)
            self._start_ns += frames[-1].captured_ns - first_ns + round(1e9 / self._take.header.fps)
        elif self._next == 0:
            self._start_ns = now_ns()
        skipped = 0
        index = self._next
        now = now_ns() - self._start_ns
        while index + 1 < len(frames) and frames[index + 1].captured_ns - first_ns <= now:
            index += 1
            skipped += 1
        self._next = index + 1
        due_ns = self._start_ns + frames[index].captured_ns - first_ns
        sleep_until(due_ns)
        return Frame(self._passed + frames[index].seq, due_ns, due_ns, skipped, self._image)

    def close(self) -> None:
        """Forget the take."""
        self._take = None


class RecordedPoses:
    """A pose estimator that answers with what a take holds for the frame's `seq`; with `repeat` in every round."""

    def __init__(self, take: Take, *, repeat: bool = False) -> None:
        self.skeleton = SKELETONS[take.header.skeleton]
        self._by_seq = {frame.seq: frame.poses for frame in take.frames}
        repeat = repeat and bool(take.frames)
        self._first = take.frames[0].seq if repeat else 0
        self._round = _recorded(take) if repeat else None
        self._frame: Frame | None = None

    def prepare(self, frame: Frame) -> None:
        """Remember which frame is asked for."""
        self._frame = frame

    def infer(self) -> None:
        """Do nothing: the network ran when the take was recorded."""

    def poses(self) -> Sequence[Pose]:
        """Return the recorded poses, stamped with the frame's time."""
        assert self._frame is not None, "prepare() comes first"
        seq, captured_ns = self._frame.seq, self._frame.captured_ns
        recorded = seq if self._round is None else self._first + (seq - self._first) % self._round
        return [
            Pose(seq, captured_ns, pose.player, pose.xy, pose.score, pose.via)
            for pose in self._by_seq.get(recorded, ())
        ]


def _recorded(take: Take) -> int:
    """Return how many frames the camera had while a take was recorded, those that were dropped among them."""
    return take.frames[-1].seq - take.frames[0].seq + 1
