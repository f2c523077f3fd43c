"""How much longer than usual a frame took, cause by cause. Pure over arrays.

A frame's time from its expected arrival until its row falls into pieces that the ledger tells: the camera's lateness,
the wait until the loop holds the picture, and the work; the work into time run, time queued and the rest. Each piece is
held against the median of its phase; what is more is charged to the cause that the row, or the machine's samples around
it, tell of. What none of them tells stays unexplained.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.cadence import Cadence
from lalelu.analysis.columns import Columns, Nanoseconds
from lalelu.analysis.phases import Phase
from lalelu.analysis.seconds import level_at, rate_between
from lalelu.ledger.schema import UNTOLD

# cause -> what people are told, in the order in which a frame meets them
CAUSES: Final[dict[str, str]] = {
    "camera": "camera late",
    "frame_before": "busy with the frame before",
    "woken_late": "run-queue wait before the work",
    "reading": "held up before the work, not in the run queue",
    "queued": "run-queue wait within the work",
    "collector": "garbage collection",
    "minor_faults": "page faults",
    "major_faults": "pages read from the disk",
    "hypervisor": "time taken by the hypervisor",
    "interrupts": "interrupts",
    "slept": "asleep, stopped or blocked",
    "frequency": "slower core",
    "players": "more players to compute",
    "computing": "unexplained, while computing",
    "decided_late": "recognised after it was due",
    "voice": "voice woken late",
    "port": "slow MIDI port",
    "not_told": "not told by this machine",
    "unexplained": "unexplained",
}
PLACE: Final = {cause: place for place, cause in enumerate(CAUSES)}  # columns of the matrices below
_TICK_NS: Final = 10_000_000  # the kernel counts stolen time in ticks of at most this, and late
_ENOUGH: Final = 0.5  # of a piece, that the samples around must confirm
# least, usual and most of mapping 4 KiB: some hundreds on bare metal (lmbench's lat_pagefault); under nested paging
# 4000..5000 were measured, which rows with many faults tell
_FAULT_NS: Final = (100.0, 500.0, 10_000.0)
_TELLING_FAULTS: Final = 32  # from so many on a row tells what one costs
_BUSY_INTERRUPTS: Final = 2.0  # times the usual rate


@dataclass(frozen=True, slots=True)
class Usual:
    """The medians of one phase, ns; counts as they are."""

    latency: float
    camera: float  # arrived - expected
    decode: float
    woken_late: float
    queued: float
    running: float
    off: float  # of the work: neither run nor queued
    voluntary: float
    minor_faults: float
    players: float
    frequency: float  # kHz; NaN = not told


@dataclass(frozen=True, slots=True)
class Looked:
    """Frames whose rows were fetched to be looked at."""

    index: NDArray[np.intp]  # (K,), ascending
    rows: NDArray[np.void]  # (K,)
    sent_before_ns: NDArray[
        np.int64
    ]  # (K,), when the row before was done; of the first frame: its own arrival
    late_ns: NDArray[np.float64]  # (K,), arrived - expected
    phase: NDArray[np.intp]  # (K,), index into the phases
    frequency_khz: NDArray[np.float64]  # (K,), of the core then; NaN = not told


def look(
    index: NDArray[np.intp],
    fetched: NDArray[np.intp],
    rows: NDArray[np.void],
    columns: Columns,
    cadence: Cadence,
    phases: tuple[Phase, ...],
    samples: NDArray[np.void],
) -> Looked:
    """Return what is known of the frames at `index`; `fetched` are the indices of `rows`, those before included."""
    own = rows[np.searchsorted(fetched, index)]
    before = rows[np.searchsorted(fetched, np.maximum(index - 1, 0))]
    late = (
        columns.stage_ns["camera"][index].astype(np.float64) + cadence.error_ns[index] - cadence.transfer_ns
    )
    begins = np.array([phase.first_row for phase in phases])
    return Looked(
        index,
        own,
        np.where(index > 0, before["sent_ns"], own["arrived_ns"]),
        late,
        np.searchsorted(begins, index, side="right") - 1,
        level_at(samples, "frequency_khz", own["sent_ns"]),
    )


def usual_of(looked: Looked, phase: int, latency_ns: float) -> Usual:
    """Return the medians of a phase's sampled rows; `latency_ns` is known from all of them."""
    chosen = looked.phase == phase
    rows = looked.rows[chosen]
    decode, work = rows["decoded_ns"] - rows["arrived_ns"], rows["sent_ns"] - rows["decoded_ns"]
    queued = _told(rows, "queued_ns")
    frequency = looked.frequency_khz[chosen]
    return Usual(
        latency=latency_ns,
        camera=median(looked.late_ns[chosen]),
        decode=median(decode),
        woken_late=median(_told(rows, "woken_late_ns")),
        queued=median(queued),
        running=median(_told(rows, "running_ns")),
        off=median(work - _told(rows, "running_ns") - queued),
        voluntary=median(_told(rows, "voluntary")),
        minor_faults=median(_told(rows, "minor_faults")),
        players=median(rows["players"]),
        frequency=median(frequency[np.isfinite(frequency)]) if np.isfinite(frequency).any() else float("nan"),
    )


def split(looked: Looked, usual: tuple[Usual, ...], samples: NDArray[np.void]) -> NDArray[np.float64]:
    """Return what each cause adds to each frame, ns, (K, len(CAUSES)), nothing below 0.

    "frame_before" is not yet divided into that frame's own causes, and nothing is unexplained yet.
    """
    rows, parts = looked.rows, np.zeros((len(looked.index), len(CAUSES)))
    base = {name: np.array([getattr(each, name) for each in usual])[looked.phase] for name in Usual.__slots__}
    put = _Parts(parts)
    put.add("camera", above(looked.late_ns, base["camera"]))

    # from the picture in memory until the loop holds it
    wait = (rows["decoded_ns"] - rows["arrived_ns"]).astype(np.float64)
    busy = np.clip(
        (looked.sent_before_ns - rows["arrived_ns"]).astype(np.float64), 0.0, np.maximum(wait, 0.0)
    )
    more = put.take("frame_before", above(wait, base["decode"]), busy)
    more = put.take("woken_late", more, above(_told(rows, "woken_late_ns"), base["woken_late"]))

    # the work
    work = (rows["sent_ns"] - rows["decoded_ns"]).astype(np.float64)
    running, queued = _told(rows, "running_ns"), _told(rows, "queued_ns")
    off = above(work - running - queued, base["off"])
    put.add("queued", above(queued, base["queued"]))
    run, collected = above(running, base["running"]), _told(rows, "gc_ns")
    left = put.take("collector", run, collected)
    collected -= run - left
    run = left
    more = put.take("collector", more, collected)
    faults = above(_told(rows, "minor_faults"), base["minor_faults"])
    run = put.take("minor_faults", run, faults * _fault_ns(run, faults))
    frequency = looked.frequency_khz
    slower = base["running"] * np.where(
        frequency > 0, base["frequency"] / np.maximum(frequency, 1.0) - 1.0, 0.0
    )
    run = put.take("frequency", run, np.nan_to_num(np.maximum(slower, 0.0)))
    run = put.take("players", run, np.where(rows["players"] > base["players"], run, 0.0))

    # off the processor, and not waiting for it
    off = put.take("major_faults", off, np.where(_told(rows, "major_faults") > 0, off, 0.0))
    sleeps = _told(rows, "voluntary") > base["voluntary"]
    off = put.take("slept", off, np.where(sleeps, off, 0.0))
    stolen = rate_between(samples, "stolen_ms", looked.sent_before_ns, rows["sent_ns"] + _TICK_NS) * 1e6
    taken = np.nan_to_num(stolen)
    rest = []
    for piece in (off, run, more):
        share = np.where(taken >= _ENOUGH * piece, taken, 0.0)
        left = put.take("hypervisor", piece, share)
        taken -= piece - left
        rest.append(left)
    off, run, more = rest
    put.add("computing", run)
    off = put.take("interrupts", off, np.where(_interrupted(samples, rows), off, 0.0))

    # what a kernel that tells less leaves open
    dark = (rows["queued_ns"] == UNTOLD) | ((off > 0) & np.isnan(stolen))
    put.add("not_told", np.where(dark, off, 0.0))
    dark = rows["woken_late_ns"] == UNTOLD
    put.add("not_told", np.where(dark, more, 0.0))
    put.add("reading", np.where(dark, 0.0, more))  # asleep, stopped, decoding: rows tell of the work only
    return parts


def inherit(looked: Looked, parts: NDArray[np.float64]) -> None:
    """Divide "frame_before" into the causes of that frame, where it was looked at too; in place."""
    place = PLACE["frame_before"]
    busy = np.flatnonzero(parts[:, place] > 0)
    before = np.searchsorted(looked.index, looked.index[busy] - 1)
    for own, other in zip(busy.tolist(), before.tolist(), strict=True):
        total = parts[other].sum()
        # an ordinary frame passes nothing on
        if looked.index[other] == looked.index[own] - 1 and total >= _ENOUGH * parts[own, place]:
            inherited = parts[other] * (parts[own, place] / total)
            parts[own, place] = 0.0
            parts[own] += inherited


class _Parts:
    """Charges pieces to causes."""

    def __init__(self, parts: NDArray[np.float64]) -> None:
        self._parts = parts

    def add(self, cause: str, piece: NDArray[np.float64]) -> None:
        self._parts[:, PLACE[cause]] += piece

    def take(self, cause: str, piece: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Charge as much of `piece` as `share` says to a cause; return what is left."""
        charged = np.minimum(piece, np.maximum(share, 0.0))
        self.add(cause, charged)
        return piece - charged


def _fault_ns(run: NDArray[np.float64], faults: NDArray[np.float64]) -> float:
    """Return what mapping a page costs here, told by the rows with many of them."""
    least, usual, most = _FAULT_NS
    telling = faults >= _TELLING_FAULTS
    if np.count_nonzero(telling) < 3:
        return usual
    return float(np.clip(np.median(run[telling] / faults[telling]), least, most))


def _interrupted(samples: NDArray[np.void], rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return around which rows the core had many more interrupts than usual."""
    begin, end = rows["arrived_ns"], rows["sent_ns"]
    result = np.zeros(len(rows), bool)
    for field in ("interrupts", "softirqs"):
        known = samples[field][samples[field] >= 0]
        if len(known) > 2:
            usual = float(np.median(np.diff(known)))  # from one look to the next
            looks = np.searchsorted(samples["at_ns"], end) - np.searchsorted(samples["at_ns"], begin) + 1
            here = np.nan_to_num(rate_between(samples, field, begin, end))
            result |= here > _BUSY_INTERRUPTS * max(usual, 1.0) * np.maximum(looks, 1)
    return result


def _told(rows: NDArray[np.void], field: str) -> NDArray[np.float64]:
    """Return a field of the thread's account; 0 where it is not told."""
    return np.where(rows[field] == UNTOLD, 0, rows[field]).astype(np.float64)


def above(values: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far values lie above the usual ones; 0 below."""
    return np.maximum(values - usual, 0.0)


def median(values: NDArray[np.float64] | NDArray[np.int64] | Nanoseconds) -> float:
    """Return the median; 0 of nothing."""
    return float(np.median(values)) if len(values) else 0.0
