"""The engine's side of the network's own process: starts it, hands it frames, reads its results. Maps files.

Frames lie in a mapped file of a few slots, written in turn; a ring tells which is the newest. The process takes that
one whenever it is free, and looks afterwards whether its slot was written over meanwhile. Results come back in another
ring. An eventfd wakes the process; neither side ever waits for the other.
"""

import mmap
import os
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.channel import BoardReader, RingReader, RingWriter, create_board, create_ring
from lalelu.clock import now_ns
from lalelu.errors import BY_EXIT_CODE, LostError, MissingError
from lalelu.pose.estimator_flow import Result, Wrists
from lalelu.pose.port import RuntimeFacts, TensorSpec
from lalelu.session import NET, NET_RESULTS
from lalelu.skeleton import COCO17
from lalelu.types import Frame, Pose

# seq, captured_ns, height, width, colours (0 = grey), whether the wrists are known; x, y, x, y of both, image heights
JOB: Final = struct.Struct("<qqqqqq4d")
RESULT: Final = struct.Struct(
    "<qqq51f4x"
)  # seq, captured_ns, whether the player is seen; x, y of 17, 17 scores
SLOTS: Final = (
    4  # frames; a network that shares its core with the engine may take two periods to cut its square
)
RINGS: Final = ("net.jobs", NET_RESULTS)
READY_S: Final = 180.0  # for the first start, which may fetch and convert the model
LOOK_S: Final = 0.01
HEALTHY_NS: Final = 10_000_000_000  # a process that dies within this time after a new start is given up
_KEPT: Final = 64  # records of a ring


def map_slots(folder: Path, shape: Sequence[int], *, create: bool = False) -> list[NDArray[np.uint8]]:
    """Return the slots for pictures of `shape`, in their file in `folder`. Raises MissingError without room for it."""
    size = int(np.prod(shape)) * SLOTS
    path = folder / f"net.{'x'.join(map(str, shape))}"
    try:
        with path.open("x+b" if create else "r+b") as file:
            if create:
                os.posix_fallocate(file.fileno(), 0, size)
            mapped = mmap.mmap(file.fileno(), size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
    except OSError as exc:
        raise MissingError(
            f"the network's frames need {size / 1e6:.1f} MB in {path} ({exc.strerror}); make room in memory, or set "
            "XDG_RUNTIME_DIR to another folder"
        ) from exc
    return list(np.frombuffer(mapped, np.uint8).reshape(SLOTS, *shape))


class NetProcess:
    """A Net in its own process, which reads its options from the plan of the session in `folder`.

    `program` is what Python is to run.
    """

    def __init__(self, folder: Path, program: Sequence[str] = ("-m", "lalelu.pose.net")) -> None:
        self._program = program
        self.skeleton = COCO17
        self.tracks_hands = False
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._bell = -1
        self._cores: frozenset[int] = frozenset()  # where it may run; the engine's own changes later
        self._started_ns = 0
        self._restarted = False
        self._taken = 0  # results that have been read
        self._shape: tuple[int, ...] = ()
        self._slots: list[NDArray[np.uint8]] = []
        self._jobs: RingWriter
        self._results: RingReader
        self._board: BoardReader

    def open(self) -> RuntimeFacts:
        """Start the process and wait until its network is ready.

        Raises MissingError, UsageError or LostError as the process says.
        """
        self.close()
        folder = self._folder
        unfinished = folder / f".{NET}"
        for name in (*RINGS, NET, unfinished.name):
            (folder / name).unlink(missing_ok=True)
        create_ring(folder / RINGS[0], JOB.size, _KEPT)
        create_ring(folder / RINGS[1], RESULT.size, _KEPT)
        create_board(unfinished)
        unfinished.rename(folder / NET)  # the desk and `lalelu status` see it whole or not at all
        self._jobs, self._results = RingWriter(folder / RINGS[0]), RingReader(folder / RINGS[1])
        self._board = BoardReader(folder / NET)
        self._taken = 0
        self._bell = os.eventfd(0)
        self._cores = frozenset(os.sched_getaffinity(0))
        self._restarted = False
        self._start()
        value = self._wait_ready()
        self.tracks_hands = bool(value["tracks_hands"])
        return facts_of(value["facts"])

    def close(self) -> None:
        """End the process; safe to call twice and before `open()`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._bell >= 0:
            os.close(self._bell)
            self._bell = -1
        for path in self._folder.glob("net.*x*"):
            path.unlink(missing_ok=True)
        self._shape, self._slots = (), []

    def offer(self, frame: Frame, wrists: Wrists | None) -> None:
        """Copy the frame to the next slot and wake the process."""
        image = frame.image
        if image.shape != self._shape:
            with suppress(FileNotFoundError):
                (self._folder / f"net.{'x'.join(map(str, image.shape))}").unlink()
            self._slots = map_slots(self._folder, image.shape, create=True)
            self._shape = image.shape
        np.copyto(self._slots[self._jobs.head % SLOTS], image)
        height, width, colours = (*image.shape, 0)[:3]
        self._jobs.write(
            JOB.pack(
                frame.seq,
                frame.captured_ns,
                height,
                width,
                colours,
                wrists is not None,
                *(wrists or (0.0, 0.0, 0.0, 0.0)),
            )
        )
        os.eventfd_write(self._bell, 1)

    def result(self, seq: int) -> Result | None:  # noqa: ARG002 - what is there now is the newest
        """Return the newest result, once. A process that died is started again; raises LostError the second time."""
        self._mend()
        head = self._results.head
        if head == self._taken:
            return None
        self._taken = head
        records = self._results.newest(1)
        return unpack(records[0]) if records else None

    def _mend(self) -> None:
        process = self._process
        if process is None:
            raise LostError("the network's process was used before it was opened; call open() first")
        status = process.poll()
        if status is None:
            return
        if self._restarted and now_ns() - self._started_ns < HEALTHY_NS:
            said = self._board.value().get("error", f"status {status}")
            raise LostError(
                f"the network's process has ended again ({said}); try pose.flow: off, which runs it in the engine"
            )
        self._restarted = True
        self._start()

    def _start(self) -> None:
        cores = ",".join(map(str, sorted(self._cores)))
        self._started_ns = now_ns()
        self._process = subprocess.Popen(
            [sys.executable, *self._program, str(self._folder), str(self._bell), cores, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._bell],
        )

    def _wait_ready(self) -> dict[str, Any]:
        assert self._process is not None  # just started
        give_up = time.monotonic() + READY_S
        while True:
            ended = self._process.poll() is not None
            value = self._board.value()
            if value.get("state") == "ready":
                return value
            if ended:
                error = value.get(
                    "error", f"the network's process ended with status {self._process.returncode}"
                )
                raise BY_EXIT_CODE.get(value.get("exit_code", 0), LostError)(str(error))
            if time.monotonic() > give_up:
                raise LostError(
                    f"the network's process was not ready within {READY_S:.0f} s; try pose.flow: off, which runs it "
                    "in the engine"
                )
            time.sleep(LOOK_S)


def pack(result: Result) -> bytes:
    """Return a result as it goes through its ring."""
    pose = result.pose
    numbers = [0.0] * 51 if pose is None else [*pose.xy.reshape(-1).tolist(), *pose.score.tolist()]
    return RESULT.pack(result.seq, result.captured_ns, pose is not None, *numbers)


def unpack(record: bytes) -> Result:
    """Return what `pack` packed."""
    seq, captured_ns, seen, *numbers = RESULT.unpack(record)
    if not seen:
        return Result(seq, captured_ns, None)
    values = np.array(numbers, np.float32)
    middle = 2 * len(COCO17)
    return Result(
        seq, captured_ns, Pose(seq, captured_ns, 0, values[:middle].reshape(-1, 2), values[middle:])
    )


def plain(facts: RuntimeFacts) -> dict[str, Any]:
    """Return a runtime's facts as plain JSON values."""
    fields = {name: getattr(facts, name) for name in RuntimeFacts.__slots__}
    specs = {
        key: [[spec.name, list(spec.shape), spec.dtype.str] for spec in fields[key]]
        for key in ("inputs", "outputs")
    }
    return fields | specs


def facts_of(value: dict[str, Any]) -> RuntimeFacts:
    """Return the facts that `plain` made plain."""
    specs = {
        key: tuple(TensorSpec(name, tuple(shape), np.dtype(dtype)) for name, shape, dtype in value[key])
        for key in ("inputs", "outputs")
    }
    return RuntimeFacts(**{**value, **specs})
