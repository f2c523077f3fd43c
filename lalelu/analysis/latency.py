"""Where the time goes between light and sound: statistics over a ledger's rows. Pure over arrays."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean

# name -> what it measures, in the order of the table
STAGES: Final[dict[str, str]] = {
    "camera": "captured → arrived",
    "decode": "arrived → decoded (wait, decode)",
    "prepare": "decoded → prepared (crop)",
    "inference": "prepared → inferred",
    "pose": "inferred → posed",
    "detect": "posed → detected",
    "send": "detected → handed over",
}
TOTALS: Final[dict[str, str]] = {
    "frame": "frame → row (arrived → handed over, all frames)",
    "outside": "frame → row without inference",
    "note": "frame → note (arrived → sent, wait left out)",
    "light": "light → note (captured → sent)",
    "hit": "hit → note (struck → sent)",
    "handover": "handed over → woken (notes due by then)",
    "late": "due → sent (notes handed over before)",
    "port": "woken → sent (notes)",
    "period": "frame period (captured)",
}
STATISTICS: Final[tuple[str, ...]] = ("min", "p50", "p90", "p99", "p99.9", "max", "mean", "sd")
_FIELDS: Final = tuple(name.replace(".", "") for name in STATISTICS)  # of Distribution
_UNITS_MS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges: `counts[i]` values lie in [edges[i], edges[i + 1])."""

    edges: tuple[float, ...]  # ms, one more than counts
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """One duration over all its rows, in ms; every statistic is NaN when there are no rows."""

    name: str
    label: str
    count: int
    min: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    mean: float
    sd: float  # of the population
    histogram: Histogram

    def statistic(self, name: str) -> float:
        """Return one of STATISTICS by its name."""
        value: float = getattr(self, name.replace(".", ""))
        return value


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """What a ledger says about time."""

    frames: int
    hit_frames: int
    notes: int
    late_notes: int  # sent more than 1 ms after they were due
    unmatched_notes: int  # their frame left no row: in none of the durations that need one
    skipped: int  # frames that the camera delivered and nobody took
    skipped_share: float  # of frames + skipped; NaN without frames
    durations: dict[str, Distribution]  # by the names in STAGES and TOTALS

    @property
    def main(self) -> Distribution:
        """The duration to look at first: frame → note, or frame → row where no note was measured."""
        return self.durations["note"] if self.durations["note"].count else self.durations["frame"]


class Measured(Protocol):
    """What budgets are held against: a ledger's summary, or a self-test's."""

    @property
    def skipped_share(self) -> float:
        """Skipped frames, of all."""

    @property
    def durations(self) -> Mapping[str, Distribution]:
        """By their names."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit that a run must keep, such as frame.p99=10ms."""

    text: str  # as it was given
    duration: str  # a key of LatencySummary.durations, or "skipped"
    statistic: str  # one of STATISTICS; empty for "skipped"
    limit: float  # ms, or a share


def summarize(frames: NDArray[np.void], notes: NDArray[np.void]) -> LatencySummary:
    """Measure every stage and total; `frames` (N,) and `notes` (M,) are a ledger's rows, possibly none.

    Every note counts by itself: those of a chord leave one after the other.
    """
    found, row = frames_of(frames, notes)
    skipped = int(frames["skipped"].astype(np.int64).sum())
    labels = STAGES | TOTALS
    return LatencySummary(
        frames=len(frames),
        hit_frames=int((frames["hits"] > 0).sum()),
        notes=len(notes),
        late_notes=int((notes["late"] > 0).sum()),
        unmatched_notes=int((~found).sum()),
        skipped=skipped,
        skipped_share=skipped / (len(frames) + skipped) if len(frames) + skipped > 0 else math.nan,
        durations={
            name: distribution(name, labels[name], values)
            for name, values in _durations(frames, notes, found, row)
        },
    )


def frames_of(
    frames: NDArray[np.void], notes: NDArray[np.void]
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which notes have their frame's row (M,), and for each of those the row's index in `frames`.

    A camera that was opened again counts from its start: the row is looked up by `captured_ns`, which never
    comes twice, and must have the note's `seq`.
    """
    hit = np.flatnonzero(frames["hits"] > 0)  # no note without a hit, and few frames have one
    if not len(hit):
        return np.zeros(len(notes), bool), hit
    captured = frames["captured_ns"][hit]
    order = np.argsort(captured, kind="stable")
    place = np.searchsorted(captured, notes["captured_ns"], sorter=order)
    row = hit[order[np.minimum(place, len(hit) - 1)]]
    found = (frames["captured_ns"][row] == notes["captured_ns"]) & (frames["seq"][row] == notes["seq"])
    return found, row[found]


def _durations(
    frames: NDArray[np.void], notes: NDArray[np.void], found: NDArray[np.bool_], row: NDArray[np.intp]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield name and values (ms) of each of STAGES and TOTALS, in the order of the table.

    One at a time, because a day's frames take 70 MB for each; `found` and `row` are those of `frames_of`.
    """
    yield "camera", _ms(frames["captured_ns"], frames["arrived_ns"])
    yield "decode", _ms(frames["arrived_ns"], frames["decoded_ns"])
    yield "prepare", _ms(frames["decoded_ns"], frames["prepared_ns"])
    yield "inference", _ms(frames["prepared_ns"], frames["inferred_ns"])
    yield "pose", _ms(frames["inferred_ns"], frames["posed_ns"])
    yield "detect", _ms(frames["posed_ns"], frames["detected_ns"])
    yield "send", _ms(frames["detected_ns"], frames["sent_ns"])
    yield "frame", _ms(frames["arrived_ns"], frames["sent_ns"])
    inference_ns = frames["inferred_ns"] - frames["prepared_ns"]
    yield "outside", _ms(frames["arrived_ns"] + inference_ns, frames["sent_ns"])
    known = notes[found]
    handed_ns = frames["sent_ns"][row]
    waits = known["due_ns"] > handed_ns
    # a note that is not due yet waits on purpose: no share of the machine's
    wait_ns = np.where(waits, known["due_ns"] - handed_ns, 0)
    yield "note", _ms(frames["arrived_ns"][row] + wait_ns, known["sent_ns"])
    yield "light", _ms(notes["captured_ns"], notes["sent_ns"])
    yield "hit", _ms(notes["struck_ns"], notes["sent_ns"])
    # 0: a ledger from before there was a voice to be woken
    yield "handover", _ms(handed_ns, known["woken_ns"])[~waits & (known["woken_ns"] != 0)]
    yield "late", _ms(known["due_ns"], known["sent_ns"])[waits]
    yield "port", _ms(notes["woken_ns"], notes["sent_ns"])[notes["woken_ns"] != 0]
    neighbours = np.diff(frames["seq"]) == 1
    yield "period", _ms(frames["captured_ns"][:-1], frames["captured_ns"][1:])[neighbours]


def distribution(name: str, label: str, values: NDArray[np.float64]) -> Distribution:
    """Summarize `values` (N,), ms."""
    if len(values) == 0:
        return Distribution(name, label, 0, histogram=Histogram((), ()), **dict.fromkeys(_FIELDS, math.nan))
    low, p50, p90, p99, p999, high = np.percentile(values, [0, 50, 90, 99, 99.9, 100]).tolist()
    return Distribution(
        name, label, len(values), low, p50, p90, p99, p999, high,
        float(values.mean()), float(values.std()), _histogram(values, low, p99, high),
    )  # fmt: skip


def parse_budget(text: str, measured: Sequence[str] = (*STAGES, *TOTALS)) -> Budget:
    """Read `frame.p99=10ms` or `skipped=0.1%`; `measured` names the durations that there are.

    Raises UsageError for an unknown duration, statistic or unit.
    """
    name, equals, value = text.partition("=")
    if not equals:
        example = f"{'frame' if 'frame' in measured else measured[0]}.p99=10ms"
        raise UsageError(f"budget {text!r} has no limit; write NAME=VALUE, as in {example}")
    if name == "skipped":
        return Budget(text, name, "", _quantity(text, value, {"%": 0.01}))
    duration, dot, statistic = name.partition(".")
    known = (*measured, "skipped")
    if duration not in known:
        raise UsageError(
            f"budget {text!r}: {duration!r} is not measured; choose one of {', '.join(known)}"
            f"{did_you_mean(duration, known)}"
        )
    if not dot or duration == "skipped" or statistic not in STATISTICS:
        choices = "a share, as in skipped=0.1%" if duration == "skipped" else ", ".join(STATISTICS)
        raise UsageError(
            f"budget {text!r}: {duration} takes {choices}; {statistic or 'nothing'!r} was given"
            f"{did_you_mean(statistic, STATISTICS)}"
        )
    return Budget(text, duration, statistic, _quantity(text, value, _UNITS_MS))


def broken(summary: Measured, budgets: Iterable[Budget]) -> list[str]:
    """Return one sentence for each budget that does not hold; what was not measured holds nothing."""
    sentences = []
    for budget in budgets:
        if budget.duration == "skipped":
            measured, unit, scale = summary.skipped_share, "%", 100.0
        else:
            measured, unit, scale = (
                summary.durations[budget.duration].statistic(budget.statistic),
                " ms",
                1.0,
            )
        if math.isnan(measured):
            sentences.append(f"budget {budget.text}: there are no rows to judge it by")
        elif measured > budget.limit:
            sentences.append(f"budget {budget.text}: it is {measured * scale:.3f}{unit}")
    return sentences


def as_json(summary: LatencySummary) -> dict[str, Any]:
    """Return the summary as plain JSON values: ms, null where nothing was measured, no histograms."""
    plain: dict[str, Any] = {
        f.name: _number(getattr(summary, f.name)) for f in fields(summary) if f.name != "durations"
    }
    plain["durations_ms"] = {
        name: {"count": d.count, **{s: _number(d.statistic(s)) for s in STATISTICS}}
        for name, d in summary.durations.items()
    }
    return plain


def table_rows(summary: LatencySummary) -> list[list[str]]:
    """Return the table's cells, the heading first: name, meaning, count and STATISTICS in ms."""
    rows = [["name", "what", "count", *STATISTICS]]
    for d in summary.durations.values():
        numbers = ["-" if not d.count else f"{d.statistic(s):.3f}" for s in STATISTICS]
        rows.append([d.name, d.label, str(d.count), *numbers])
    return rows


def table(summary: LatencySummary) -> str:
    """Return the table for people, with what was skipped below it."""
    rows = table_rows(summary)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "─" * max(map(len, lines))
    lines.insert(1, rule)
    lines.insert(2 + len(STAGES), rule)
    return "\n".join([*lines, "(ms)  " + counts_text(summary)])


def counts_text(summary: LatencySummary) -> str:
    """Return frames, notes and skipped frames in one line."""
    unmatched = f", {summary.unmatched_notes} without their frame" if summary.unmatched_notes else ""
    share = "" if math.isnan(summary.skipped_share) else f" ({summary.skipped_share:.2%})"
    return (
        f"{summary.frames} frames, {summary.skipped} skipped{share}; "
        f"{summary.hit_frames} frames with hits; {summary.notes} notes, {summary.late_notes} late{unmatched}"
    )


def histogram_text(d: Distribution, width: int = 40) -> str:
    """Return bars of logarithmic length, so that one late row among thousands stays visible."""
    if not d.count:
        return f"{d.label}: no rows"
    lines = [f"{d.label}, ms; the bars' length is logarithmic"]
    top = math.log1p(max(d.histogram.counts))
    edges = d.histogram.edges
    places = 2 if edges[-1] < 1000 else 0
    digits = max(len(f"{edge:.{places}f}") for edge in edges)
    for low, high, count in zip(edges[:-1], edges[1:], d.histogram.counts, strict=True):
        eighths = round(math.log1p(count) / top * width * 8)
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
        lines.append(
            f"{low:{digits}.{places}f} .. {high:{digits}.{places}f} │{bar:<{width}} {count or ''}".rstrip()
        )
    return "\n".join(lines)


def _ms(earlier: NDArray[np.int64], later: NDArray[np.int64]) -> NDArray[np.float64]:
    # integers first: stamps have more digits than a float
    return np.asarray((later - earlier) * 1e-6, np.float64)


def _histogram(values: NDArray[np.float64], low: float, p99: float, high: float) -> Histogram:
    """Equal bins of a round width up to p99, then bins that double, so that the tail keeps few lines."""
    span = max(p99 - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(span / 12))
    width = next(power * step for step in (1, 2, 5, 10) if power * step >= span / 12)
    first = math.floor(low / width)
    bins = max(math.ceil(p99 / width) - first, 1)
    edges = [(first + i) * width for i in range(bins + 1)]
    step = width
    while edges[-1] <= high:
        step *= 2
        edges.append(edges[-1] + step)
    counts, _ = np.histogram(values, edges)
    return Histogram(tuple(edges), tuple(counts.tolist()))


def _quantity(text: str, value: str, units: dict[str, float]) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z%]+)", value)
    if match is None or match[2] not in units:
        raise UsageError(
            f"budget {text!r}: {value!r} is not a limit; write a number and its unit ({', '.join(units)})"
        )
    return float(match[1]) * units[match[2]]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
