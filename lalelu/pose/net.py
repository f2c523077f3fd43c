"""The network's own process beside a carried flow: newest frame in, keypoints out. Opens a model, maps files.

`python -m lalelu.pose.net SESSION BELL CORES ENGINE`: the session's folder, the eventfd that tells of a new frame, the
cores it may use, and the process it belongs to, with which it ends.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.bulletin import Bulletin
from lalelu.channel import RingReader, RingWriter
from lalelu.errors import LaleluError
from lalelu.parent import end_with
from lalelu.pose.build import build_single
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_flow import found
from lalelu.pose.net_link import JOB, RINGS, SLOTS, map_slots, pack, plain
from lalelu.realtime import Grant, enter_net
from lalelu.session import NET, Session
from lalelu.types import Frame

# Before other ordinary processes, but only behind a real-time engine. Not SCHED_FIFO: the network never sleeps, and the
# kernel would throttle everything real-time on its core, the engine, too.
NICE: Final = -10


class Worker:
    """Runs the network on the newest frame of the session in `folder`."""

    def __init__(self, folder: Path, estimator: SinglePoseEstimator) -> None:
        self._folder = folder
        self._estimator = estimator
        self._jobs = RingReader(folder / RINGS[0])
        self._results = RingWriter(folder / RINGS[1])
        self._done = 0  # jobs, by number; earlier ones are not of interest any more
        self.playing = False  # whether a frame of the camera has come, not of the engine's rehearsal
        self._shape: tuple[int, ...] = ()
        self._slots: list[NDArray[np.uint8]] = []

    def step(self) -> bool:
        """Work on the newest frame; False when there is none, or it was written over meanwhile."""
        number = self._jobs.head  # of records; the newest one lies in the slot of the number before
        records = self._jobs.read(number - 1).records if number > self._done else []
        if not records:
            return False
        self._done = number
        seq, captured_ns, height, width, colours, believed, *wrists = JOB.unpack(records[0])
        self.playing = seq >= 0
        shape = (height, width, colours) if colours else (height, width)
        if shape != self._shape:
            self._slots = map_slots(self._folder, shape)
            self._shape = shape
        image = self._slots[(number - 1) % SLOTS]
        self._estimator.prepare(Frame(seq, captured_ns, captured_ns, 0, image))
        if self._jobs.head >= number - 1 + SLOTS:
            return False
        x0, y0, x1, y1 = wrists
        result = found(self._estimator, seq, captured_ns, (x0, y0, x1, y1) if believed else None)
        self._results.write(pack(result))
        return True


def hurry(engine: int) -> Sequence[Grant]:
    """Go before other ordinary processes if the process `engine` is real-time, which then still goes first.

    Returns the machine's answer; none where nothing was asked.
    """
    if os.sched_getscheduler(engine) & ~os.SCHED_RESET_ON_FORK != os.SCHED_FIFO:
        return ()
    return enter_net(NICE)


def serve(folder: Path, wait: Callable[[], object], engine: int) -> None:
    """Open the network of the session in `folder`, and work whenever `wait` returns, for ever.

    `engine` is the process that hands in the frames.
    """
    board = Bulletin(folder / NET)
    try:
        plan = Session(folder).plan
        estimator = build_single(plan.config, plan.kits)
        facts = estimator.open()
        worker = Worker(folder, estimator)
        board.tell(state="ready", facts=plain(facts), tracks_hands=estimator.tracks_hands)
        wait()  # the engine rehearses, and becomes real-time before the first frame of the camera
        while not worker.playing:
            worker.step()
            wait()
        board.tell(requests=[asdict(grant) for grant in hurry(engine)])
        while True:
            worker.step()
            wait()
    except LaleluError as exc:
        board.tell(state="failed", error=str(exc), exit_code=exc.exit_code)
        raise


def main(arguments: Sequence[str]) -> int:
    """Run the network until the engine has gone."""
    folder, bell, cores, engine = arguments
    if not end_with(int(engine), signal.SIGKILL):
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):  # the end is the engine's to say
        signal.signal(number, signal.SIG_IGN)
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    try:
        serve(Path(folder), lambda: os.eventfd_read(int(bell)), int(engine))
    except LaleluError as exc:
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
