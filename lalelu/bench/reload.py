"""What taking over saved kits costs the loop: slices, change-over and memory, while it plays. Starts processes.

`python -m lalelu.bench.reload CORE` is the worker. It speaks as `lalelu.bench.pipe` says; a run is a reload.
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from lalelu.bench.gesture import PERIOD_NS, learned, pose
from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.turns import COLUMNS, Contestant, Spread, opened, sleeper_on, take_turns, titles
from lalelu.bulletin import Bulletin
from lalelu.channel import create_board, create_ring
from lalelu.clock import now_ns
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.config.schema import Config
from lalelu.desk.sampler import status_number
from lalelu.errors import LostError
from lalelu.gesture.band import Band
from lalelu.ledger.schema import FRAME
from lalelu.offer import RING, OfferReader, OfferWriter, Performance, pieces
from lalelu.renewal import Renewal
from lalelu.session import HIT, PIECE_BYTES, PIECES, Session
from lalelu.skeleton import COCO17
from lalelu.types import Frame
from lalelu.wire import EngineRings

_SLOTS: Final = 4096
_AGAIN: Final = "start the benchmark again"


@dataclass(frozen=True, slots=True)
class Costs:
    """The table; durations are of what the loop does beside its frame. `sleeper` is how late a bare one woke."""

    core: int
    reloads: int
    kits: int  # taken over by each
    slices: Spread  # of reading, making and freeing
    slices_running: Spread  # the same by the processor's time: without what others took meanwhile
    changes: Spread  # the frame in which the new kits begin
    changes_running: Spread
    frames: float  # in which there was something to do, for each reload
    grown_kib: int  # resident memory, from the first counted reload to the last
    uncollected: int  # objects that only a garbage collector could free
    sleeper: Spread

    def as_json(self) -> dict[str, Any]:
        """Return the costs as plain dicts and lists."""
        return asdict(self)


class Taken(NamedTuple):
    """How long something took."""

    ns: int
    running_ns: int  # of the processor's time


class Drill:
    """A band that plays made-up poses, and takes over the shipped kits again and again.

    The first kit has a learned detector every other time.
    """

    def __init__(self, folder: Path) -> None:
        session = Session(folder)
        for ring, size, slots in (
            ("frames", FRAME.size, _SLOTS),
            ("hits", HIT.size, _SLOTS),
            (RING, PIECE_BYTES, PIECES),
        ):
            create_ring(folder / ring, size, slots)
        create_board(folder / "engine")
        kits = tuple(load_kit(name, None) for name in shipped_kits())
        # kits with feet need a network that shows them; COCO's ankles are such
        offered = (kits, (learned(kits[0]), *kits[1:]))
        self._wanted = cycle([pieces(Performance.of(1, Config(), each)) for each in offered])
        self._offers = OfferWriter(session)
        self._band = Band(kits, skeleton=COCO17, aspect=4 / 3)
        rings = EngineRings(session, os.eventfd(0), kits=kits, skeleton=COCO17, keeps_poses=False)
        board = Bulletin(folder / "engine")
        self._renewal = Renewal(OfferReader(session), rings, COCO17, board, lambda *_: None)
        self._random = np.random.default_rng(1)
        self._image = np.zeros((1, 1, 3), np.uint8)
        self._seq = 0
        self.kits = len(kits)

    def reload(self) -> tuple[list[Taken], list[Taken]]:
        """Take the kits over; return what each slice and each change-over took."""
        first = self._offers.write(next(self._wanted))
        self._renewal.begin(first, self._band)
        slices: list[Taken] = []
        changes: list[Taken] = []
        while self._renewal.busy:
            self._seq += 1
            seen = pose(self._seq, 0, self._random)
            self._band.frame(self._seq, seen.captured_ns, (seen,))
            frame = Frame(self._seq, self._seq * PERIOD_NS, 0, 0, self._image)
            began_ns, ran_ns = now_ns(), time.thread_time_ns()
            changed = self._renewal.step(self._band, frame)
            taken = Taken(now_ns() - began_ns, time.thread_time_ns() - ran_ns)
            (changes if changed else slices).append(taken)
        return slices, changes


def start(core: int) -> tuple[dict[str, Any], Block]:
    """Go to the core and make the drill, for `serve`; the garbage collector rests, as in the engine."""
    os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory(prefix="lalelu-bench-", dir="/dev/shm") as name:
        drill = Drill(Path(name))
    gc.collect()
    gc.freeze()
    gc.disable()

    def answer(reloads: int) -> dict[str, Any]:
        # before the block: its own figures are no growth
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        slices: list[Taken] = []
        changes: list[Taken] = []
        for _ in range(reloads):
            some, other = drill.reload()
            slices += some
            changes += other
        found = gc.collect()
        return {
            "ns": [each.ns for each in changes],
            "running_ns": [each.running_ns for each in changes],
            "slices": slices,
            "resident_kib": status_number(status, "VmRSS"),
            "uncollected": found,
        }

    return {"kits": drill.kits}, answer


def measure(*, core: int, warmups: int, runs: int, progress: Callable[[str], None]) -> Costs:
    """Let a loop that reloads and a bare sleeper take turns. Raises LostError when a worker dies."""
    loop = Contestant("reload", [sys.executable, "-m", "lalelu.bench.reload", str(core)], _AGAIN)
    sleeper = sleeper_on(core, _AGAIN)
    left_out: dict[str, str] = {}
    with opened([loop, sleeper], left_out, progress):
        if left_out:
            raise LostError("; ".join(left_out.values()))
        take_turns([loop, sleeper], warmups=warmups, runs=runs, say=lambda text: progress(f"reload: {text}"))
    slices = [taken for answer in loop.answers for taken in answer["slices"]]
    running = [ns for answer in loop.answers for ns in answer["running_ns"]]
    resident = [answer["resident_kib"] for answer in loop.answers]
    return Costs(
        core,
        runs,
        loop.facts["kits"],
        Spread.of([ns for ns, _ in slices]),
        Spread.of([ns for _, ns in slices]),
        Spread.of(loop.ns),
        Spread.of(running),
        round((len(slices) + len(loop.ns)) / len(loop.ns), 1),
        resident[-1] - resident[0],
        sum(answer["uncollected"] for answer in loop.answers),
        Spread.of(sleeper.ns),
    )


def table(costs: Costs) -> str:
    """Return the costs as text for people; durations in ms."""
    title = (
        f"saved kits taken over while the loop plays, {costs.kits} kits, one of them learned every other time, core "
        f"{costs.core}: {costs.reloads} reloads; ms of a frame's time"
    )
    rows = (
        ("slices", costs.slices),
        ("slices, processor", costs.slices_running),
        ("change-over", costs.changes),
        ("change-over, proc.", costs.changes_running),
        ("sleeper, late", costs.sleeper),
    )
    last = (
        f"a reload takes {costs.frames:g} frames; resident memory grew by {costs.grown_kib} KiB, "
        f"{costs.uncollected} objects were left to the garbage collector"
    )
    lines = [f"{name:<20}{spread.cells(4)}" for name, spread in rows]
    return "\n".join([title, f"{'part':<20}{titles(COLUMNS)}", *lines, last])


if __name__ == "__main__":
    serve_here(lambda: start(int(sys.argv[1])))
