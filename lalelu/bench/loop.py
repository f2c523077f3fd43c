"""What the loop's own work costs, and what of it its rows: the real loop without camera and network. Starts processes.

`python -m lalelu.bench.loop JSON` (the fields of Part) is one worker. It speaks as `lalelu.bench.pipe` says.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from lalelu.bench.gesture import PAUSE_NS, PERIOD_NS, kit, pose
from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.turns import BLOCK, COLUMNS, Contestant, Spread, opened, sleeper_on, take_turns, titles
from lalelu.channel import create_ring
from lalelu.clock import now_ns, sleep_until
from lalelu.engine import play
from lalelu.errors import EndOfStreamError, LostError
from lalelu.gesture.band import Band
from lalelu.ledger.schema import FRAME
from lalelu.realtime.usage import ThreadUsage
from lalelu.session import HIT, Session
from lalelu.skeleton import COCO17
from lalelu.types import Command, Event, Frame, Pose
from lalelu.wire import EngineRings

# counts: the whole row; stamps: without what scheduler and memory did; none: no row at all
Rows: TypeAlias = Literal["counts", "stamps", "none"]
PADS: Final = 16
_SLOTS: Final = 4096
_NO_COUNTS: Final = (0,) * 8
_AGAIN: Final = "start the benchmark again"
_LABELS: Final[dict[Rows, str]] = {
    "counts": "whole rows",
    "stamps": "rows, stamps only",
    "none": "no rows",
}


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a row one worker's loop writes, and where."""

    rows: Rows
    core: int


@dataclass(frozen=True, slots=True)
class Row:
    """What one worker showed: the time from a frame's arrival in the loop to the loop's next call for one."""

    rows: Rows
    spread: Spread


@dataclass(frozen=True, slots=True)
class Costs:
    """The table. `sleeper` is how late a bare absolute-clock sleeper woke, on the same core."""

    core: int
    warmups: int
    runs: int
    found: tuple[Row, ...]
    sleeper: Spread

    def as_json(self) -> dict[str, Any]:
        """Return the costs as plain dicts and lists."""
        return asdict(self)


class Stand:
    """Camera, network, usage, cues, sight and view of a loop that plays made-up poses as fast as its pauses let it."""

    skeleton = COCO17
    requested = False  # nobody asks it to stop
    waiting = False  # nor for anything else
    blind = False

    def __init__(self) -> None:
        self.ns: list[int] = []
        self._random = np.random.default_rng(1)
        self._image = np.zeros((1, 1, 3), np.uint8)
        self._pose: Pose
        self._seq = self._left = self._began_ns = 0

    def play(self, frames: int, band: Band, rings: EngineRings, usage: ThreadUsage | None) -> list[int]:
        """Return how long the loop took for each of so many frames, ns."""
        self.ns, self._left, self._began_ns = [], frames, 0
        try:
            play(self, self, band, rings, self, self, usage or self, self, self)
        except EndOfStreamError:
            return self.ns
        raise AssertionError("the loop ends with the frames")

    def open(self) -> Any:  # noqa: ANN401 - nobody asks
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def read(self) -> Frame:
        """Count the frame before, pause, and give the next. Raises EndOfStreamError at the end."""
        ended_ns = now_ns()
        if self._began_ns:
            self.ns.append(ended_ns - self._began_ns)
        if not self._left:
            raise EndOfStreamError("all frames are played")
        self._left -= 1
        self._seq += 1
        self._pose = pose(self._seq, 0, self._random)
        sleep_until(now_ns() + PAUSE_NS)
        captured_ns = self._seq * PERIOD_NS
        self._began_ns = now_ns()
        return Frame(self._seq, captured_ns, captured_ns, 0, self._image)

    def look(self, _frame: Frame) -> bool:
        """See nothing."""
        return False

    def show(self, _frame: Frame) -> None:
        """Do nothing: nobody looks."""

    def prepare(self, _frame: Frame) -> None:
        """Do nothing."""

    def infer(self) -> None:
        """Do nothing."""

    def poses(self) -> Sequence[Pose]:
        """Return the made-up player."""
        return (self._pose,)

    def begin(self) -> None:
        """Count nothing."""

    def end(self) -> Sequence[int]:
        """Return nothing counted."""
        return _NO_COUNTS

    def take(self, _band: Band, _frame: Frame) -> Sequence[Event]:
        """Return nothing: nobody asks."""
        return ()

    def tell(self, _command: Command, _band: Band) -> None:
        """Do nothing."""


class _NoRows(EngineRings):
    def frame(self, *_numbers: Any) -> None:  # noqa: ANN401 - whatever a row holds
        pass


def start(part: Part) -> tuple[dict[str, Any], Block]:
    """Go to the core and make loop and rings, for `serve`."""
    os.sched_setaffinity(0, {part.core})
    folder = Path(tempfile.mkdtemp(prefix="lalelu-bench-", dir="/dev/shm"))
    kits = [kit(PADS)]
    for ring, size in (("frames", FRAME.size), ("hits", HIT.size)):
        create_ring(folder / ring, size, _SLOTS)
    make = _NoRows if part.rows == "none" else EngineRings
    rings = make(Session(folder), os.eventfd(0), kits=kits, skeleton=COCO17, keeps_poses=False)
    for ring in ("frames", "hits"):  # they are mapped
        (folder / ring).unlink()
    folder.rmdir()
    band, stand = Band(kits, skeleton=COCO17), Stand()
    usage = ThreadUsage() if part.rows == "counts" else None
    if usage is not None:
        usage.open()

    def answer(frames: int) -> dict[str, Any]:
        return {"ns": stand.play(frames, band, rings, usage)}

    return {}, answer


def measure(*, core: int, warmups: int, runs: int, progress: Callable[[str], None]) -> Costs:
    """Let loops with whole rows, with stamps only and without rows, and a bare sleeper, take turns.

    Raises LostError when a worker dies.
    """
    contestants = [
        *(
            Contestant(
                rows,
                [sys.executable, "-m", "lalelu.bench.loop", json.dumps(asdict(Part(rows, core)))],
                _AGAIN,
            )
            for rows in get_args(Rows)
        ),
        sleeper_on(core, _AGAIN),
    ]
    left_out: dict[str, str] = {}
    with opened(contestants, left_out, progress):
        if left_out:
            raise LostError("; ".join(left_out.values()))
        take_turns(contestants, warmups=warmups, runs=runs, say=lambda text: progress(f"loop: {text}"))
    *loops, sleeper = contestants
    found = tuple(Row(rows, Spread.of(loop.ns)) for rows, loop in zip(get_args(Rows), loops, strict=True))
    return Costs(core, warmups, runs, found, Spread.of(sleeper.ns))


def table(costs: Costs) -> str:
    """Return the costs as text for people; durations in ms."""
    title = (
        f"the loop without camera and network, 1 player, {PADS} pads, core {costs.core}: {costs.runs} frames each, "
        f"in turns of {BLOCK}, after {costs.warmups} warm-ups; ms a frame"
    )
    by_rows = {row.rows: row.spread for row in costs.found}
    whole, stamps, none = (by_rows[rows].p50 for rows in get_args(Rows))
    return "\n".join(
        [
            title,
            f"{'variant':<20}{titles(COLUMNS)}",
            *(f"{_LABELS[row.rows]:<20}{row.spread.cells(4)}" for row in costs.found),
            f"{'sleeper, late':<20}{costs.sleeper.cells(4)}",
            f"a row costs {whole - none:.3f} ms at p50, of which the counts {whole - stamps:.3f}",
        ]
    )


if __name__ == "__main__":
    serve_here(lambda: start(Part(**json.loads(sys.argv[1]))))
