"""Why frames and notes were late: outliers, each explained cause by cause, and a ranking. Pure over arrays."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.cadence import Cadence
from lalelu.analysis.columns import SD_OF_MAD, Columns, Nanoseconds, Rows, gather
from lalelu.analysis.excess import CAUSES, PLACE, inherit, look, split, usual_of
from lalelu.analysis.lateness import lateness_of, split_notes
from lalelu.analysis.notes import frames_of
from lalelu.analysis.phases import Phase
from lalelu.analysis.seconds import competitors_at

WORST: Final = 100  # outliers that are kept one by one
_LEAST_NS: Final = 1_000_000.0  # Wessel & Wright 2002: an instrument may vary by 1 ms
_SPREADS: Final = 6.0  # ... and a run that varies more has its outliers beyond so many SDs
_MOST: Final = 200_000  # outliers that are explained, the worst first
_SAMPLED: Final = 20_000  # rows of a run that tell what is usual
_LEAST_SAMPLED: Final = 200  # ... of each phase
_NAMED: Final = 2000  # outliers for which a competitor is looked up
_SHOWN: Final = 0.005  # of an outlier; a smaller part is left out, and the others' shares sum to 1 without it
_COMPETED: Final = ("woken_late", "queued", "computing", "voice", "port")
_ACCOUNT: Final = ("woken_late_ns", "queued_ns")
_SAMPLES: Final = ("stolen_ms", "interrupts", "frequency_khz")
_NO_REASON: Final = "the ledger does not say why"


@dataclass(frozen=True, slots=True)
class Part:
    """What one cause adds to one outlier."""

    cause: str  # a key of CAUSES
    ms: float
    share: float  # 0..1; the parts of an outlier sum to 1
    detail: str  # e.g. who used the core: "stress-ng, 740 ms of that second"; may be empty


@dataclass(frozen=True, slots=True)
class Outlier:
    """One frame or note that took much longer than the others."""

    kind: Literal["frame", "note"]
    seq: int
    at_s: float  # the frame's capture, from the first frame's
    latency_ms: float  # frames: expected arrival → row; notes: what the player waited too long
    excess_ms: float  # over the ordinary one of that phase
    parts: tuple[Part, ...]  # the largest first

    @property
    def main(self) -> Part:
        """The largest part."""
        return self.parts[0]


@dataclass(frozen=True, slots=True)
class CauseTotal:
    """One cause over all outliers."""

    cause: str
    ms: float  # lost to it, over all
    share: float  # 0..1 of what all causes took
    outliers: int  # in which it is the main cause
    detail: str  # the commonest detail, e.g. the competitor named most


@dataclass(frozen=True, slots=True)
class Causes:
    """The outliers of one kind and why they were late."""

    kind: Literal["frame", "note"]
    count: int  # outliers in all
    of: int  # rows looked at
    threshold_ms: float  # an excess above this makes an outlier, in the quietest phase
    ranking: tuple[CauseTotal, ...]  # most ms first; empty = no outliers
    worst: tuple[Outlier, ...]  # at most WORST, the longest excess first
    at_s: NDArray[np.float64]  # (count,), when each outlier was captured, from the first frame
    excess_ms: NDArray[np.float64]  # (count,), of each
    not_told: tuple[str, ...]  # fields without which causes cannot be told apart, "name: why"


def find_causes(
    rows: Rows,
    columns: Columns,
    cadence: Cadence,
    latency_ns: Nanoseconds,
    phases: tuple[Phase, ...],
    notes: NDArray[np.void],
    samples: NDArray[np.void],
    unavailable: dict[str, str],
) -> tuple[Causes, Causes]:
    """Return the causes of late frames and of late notes.

    `latency_ns` (N,) is that of `latency_of_rows_ns`, `unavailable` the header's: field -> why it is not told.
    """
    late, threshold_ns, middle_ns = _outliers(latency_ns, phases)
    found, hit = frames_of(columns.hits, notes)
    known = notes[found]
    lateness = lateness_of(columns.hits[hit], known)
    tardy = _worst(np.flatnonzero(lateness.excess_ns > lateness.threshold_ns), lateness.excess_ns)
    its_frame = columns.hit_rows[hit[tardy]]

    ordinary = _sampled(phases)
    index = np.unique(np.concatenate([late, its_frame]))
    index = np.unique(np.concatenate([index, np.maximum(index - 1, 0)]))  # what they may have waited for
    fetched = np.unique(
        np.concatenate([index, np.maximum(index - 1, 0), ordinary, np.maximum(ordinary - 1, 0)])
    )
    fetched_rows = gather(rows, fetched)
    sampled = look(ordinary, fetched, fetched_rows, columns, cadence, phases, samples)
    usual = tuple(usual_of(sampled, i, middle_ns[i]) for i, p in enumerate(phases))
    looked = look(index, fetched, fetched_rows, columns, cadence, phases, samples)
    parts = split(looked, usual, samples) if len(index) else np.zeros((0, len(CAUSES)))
    inherit(looked, parts)

    start_ns = int(columns.captured_ns[0]) if len(columns) else 0
    base = np.array([each.latency for each in usual])[looked.phase] if usual else np.empty(0)
    place = np.searchsorted(index, late)
    frames = _Late(
        "frame", columns.seq[late], columns.captured_ns[late], latency_ns[late].astype(np.float64),
        latency_ns[late] - base[place], parts[place],
    )  # fmt: skip
    late_notes = known[tardy]
    of_notes = _Late(
        "note", late_notes["seq"], late_notes["captured_ns"], lateness.late_ns[tardy], lateness.excess_ns[tardy],
        split_notes(lateness, tardy, parts[np.searchsorted(index, its_frame)]),
    )  # fmt: skip
    least_ns = float(lateness.threshold_ns.min()) if len(known) else _LEAST_NS
    not_told = _not_told(columns, samples, unavailable)
    return (
        _ranked(frames, len(columns), threshold_ns, samples, start_ns, not_told),
        _ranked(of_notes, len(known), least_ns, samples, start_ns, not_told),
    )


@dataclass(frozen=True, slots=True)
class _Late:
    """Outliers of one kind, (K,) each."""

    kind: Literal["frame", "note"]
    seq: NDArray[np.int64]
    captured_ns: NDArray[np.int64]
    latency_ns: NDArray[np.float64]
    excess_ns: NDArray[np.float64]
    parts_ns: NDArray[np.float64]  # (K, len(CAUSES))


def _outliers(
    latency_ns: Nanoseconds, phases: Sequence[Phase]
) -> tuple[NDArray[np.intp], float, list[float]]:
    """Return the outliers' indices, ascending, the least threshold of a phase and all phases' medians, ns."""
    late, least, medians = [np.empty(0, np.intp)], math.inf, []
    for phase in phases:
        part = latency_ns[phase.first_row : phase.last_row]
        middle = float(np.median(part))
        threshold = max(_LEAST_NS, _SPREADS * SD_OF_MAD * float(np.median(np.abs(part - middle))))
        late.append(np.flatnonzero(part > middle + threshold) + phase.first_row)
        least = min(least, threshold)
        medians.append(middle)
    return np.sort(_worst(np.concatenate(late), latency_ns)), least if phases else _LEAST_NS, medians


def _worst(chosen: NDArray[np.intp], values: Nanoseconds | NDArray[np.float64]) -> NDArray[np.intp]:
    if len(chosen) <= _MOST:
        return chosen
    return chosen[np.argpartition(-values[chosen], _MOST)[:_MOST]]


def _sampled(phases: Sequence[Phase]) -> NDArray[np.intp]:
    """Return indices spread evenly over each phase."""
    each = max(_SAMPLED // max(len(phases), 1), _LEAST_SAMPLED)
    parts = [np.empty(0, np.intp)]
    parts += [np.linspace(p.first_row, p.last_row - 1, min(each, p.frames)).astype(np.intp) for p in phases]
    return np.concatenate(parts)


def _ranked(
    late: _Late,
    of: int,
    threshold_ns: float,
    samples: NDArray[np.void],
    start_ns: int,
    not_told: tuple[str, ...],
) -> Causes:
    """Scale every outlier's parts to its excess, and add them up."""
    parts = np.array(late.parts_ns)
    unexplained = np.maximum(late.excess_ns - parts.sum(axis=1), 0.0)
    parts[:, PLACE["unexplained"]] += unexplained
    total = parts.sum(axis=1)
    parts[total <= 0, PLACE["unexplained"]] = 1.0
    shares = parts / parts.sum(axis=1)[:, None]
    ms = shares * late.excess_ns[:, None] * 1e-6
    order = np.argsort(-late.excess_ns, kind="stable")
    main = np.argmax(shares, axis=1)
    names = competitors_at(samples, late.captured_ns[order[:_NAMED]])
    ranking = _ranking(ms, main, dict(zip(order[:_NAMED].tolist(), names, strict=True)))
    return Causes(
        kind=late.kind,
        count=len(order),
        of=of,
        threshold_ms=threshold_ns * 1e-6,
        ranking=ranking,
        worst=tuple(
            Outlier(
                late.kind, int(late.seq[i]), (int(late.captured_ns[i]) - start_ns) * 1e-9,
                float(late.latency_ns[i]) * 1e-6, float(late.excess_ns[i]) * 1e-6,
                _parts(ms[i], shares[i], who),
            )
            for i, who in zip(order[:WORST].tolist(), names, strict=False)
        ),
        at_s=np.asarray((late.captured_ns - start_ns) * 1e-9, np.float64),
        excess_ms=late.excess_ns * 1e-6,
        not_told=not_told,
    )  # fmt: skip


def _ranking(
    ms: NDArray[np.float64], main: NDArray[np.intp], who: dict[int, tuple[str, int]]
) -> tuple[CauseTotal, ...]:
    lost = ms.sum(axis=0)
    whole = float(lost.sum())
    totals = []
    for cause, place in PLACE.items():
        if lost[place] <= 0:
            continue
        concerned = np.flatnonzero(main == place)
        named = Counter(who[i][0] for i in concerned.tolist() if i in who and who[i][0])
        detail = max(sorted(named), key=named.__getitem__) if cause in _COMPETED and named else ""
        share = float(lost[place]) / whole
        totals.append(CauseTotal(cause, float(lost[place]), share, len(concerned), detail))
    return tuple(sorted(totals, key=lambda each: -each.ms))


def _parts(ms: NDArray[np.float64], shares: NDArray[np.float64], who: tuple[str, int]) -> tuple[Part, ...]:
    shown = [(cause, place) for cause, place in PLACE.items() if shares[place] >= _SHOWN]
    whole = sum(float(shares[place]) for _, place in shown)
    name, used_ms = who
    detail = f"{name}, {used_ms} ms of that second" if name else ""
    parts = [
        Part(
            cause,
            float(ms[place]) / whole,
            float(shares[place]) / whole,
            detail if cause in _COMPETED else "",
        )
        for cause, place in shown
    ]
    return tuple(sorted(parts, key=lambda part: -part.share))


def _not_told(columns: Columns, samples: NDArray[np.void], unavailable: dict[str, str]) -> tuple[str, ...]:
    """Say which fields that causes are told by are missing, and why."""
    missing = [name for name in _ACCOUNT if len(columns) and columns.told[name] == 0]
    missing += [name for name in _SAMPLES if not (samples[name] >= 0).any()]
    return tuple(f"{name}: {unavailable.get(name, _NO_REASON)}" for name in missing)
