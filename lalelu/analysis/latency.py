"""Where the time goes between light and sound: statistics over a ledger's rows. Pure over arrays."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.cadence import Cadence, expected_latency_ns, fit_cadence, latency_of_rows_ns
from lalelu.analysis.columns import Columns, Nanoseconds, Whole, columns_of
from lalelu.analysis.notes import frame_to_note_ns, frames_of
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
    "frame_all": "expected → row (skipped and missing frames too)",
    "outside": "frame → row without inference",
    "note": "frame → note (arrived → sent, wait left out)",
    "light": "light → note (captured → sent)",
    "hit": "hit → note (struck → sent)",
    "handover": "handed over → woken (notes due by then)",
    "late": "due → sent (notes handed over before)",
    "port": "woken → sent (notes)",
    "period": "frame period (captured)",
}
STATISTICS: Final[tuple[str, ...]] = ("min", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean", "sd")
_DROPPED: Final = (
    "p99.9",
    "min",
    "p90",
    "p99.99",
    "what",
    "mean",
)  # columns that a narrow terminal does without
_FIELDS: Final = tuple(name.replace(".", "") for name in STATISTICS)  # of Distribution
_BLOCK: Final = 1 << 16  # values that are looked at together: they fit into a cache
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
    p9999: float
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
    columns = columns_of(Whole(frames))
    cadence = fit_cadence(columns)
    return summarize_columns(columns, cadence, latency_of_rows_ns(columns, cadence), notes)


def summarize_columns(
    columns: Columns, cadence: Cadence, latency_ns: Nanoseconds, notes: NDArray[np.void]
) -> LatencySummary:
    """Measure every stage and total of frames that have passed by; `latency_ns` is that of `latency_of_rows_ns`."""
    found, hit = frames_of(columns.hits, notes)
    frames, skipped = len(columns), columns.skipped
    labels = STAGES | TOTALS
    return LatencySummary(
        frames=frames,
        hit_frames=len(columns.hits),
        notes=len(notes),
        late_notes=int((notes["late"] > 0).sum()),
        unmatched_notes=int((~found).sum()),
        skipped=skipped,
        skipped_share=skipped / (frames + skipped) if frames + skipped > 0 else math.nan,
        durations={
            name: distribution(name, labels[name], values, 1e-6)
            for name, values in _durations(
                columns, expected_latency_ns(latency_ns, cadence), notes, found, hit
            )
        },
    )


def _durations(
    columns: Columns,
    expected_ns: Nanoseconds,
    notes: NDArray[np.void],
    found: NDArray[np.bool_],
    hit: NDArray[np.intp],
) -> Iterator[tuple[str, Nanoseconds]]:
    """Yield name and values of each of STAGES and TOTALS, in the order of the table.

    One at a time, because a day's frames take 35 MB for each; `found` and `hit` are those of `frames_of`.
    """
    for name in STAGES:
        yield name, columns.stage_ns[name]
    yield "frame", columns.frame_ns
    yield "frame_all", expected_ns
    yield "outside", columns.outside_ns
    known, its = notes[found], columns.hits[hit]
    waits = known["due_ns"] > its["sent_ns"]
    yield "note", frame_to_note_ns(its, known)
    yield "light", notes["sent_ns"] - notes["captured_ns"]
    yield "hit", notes["sent_ns"] - notes["struck_ns"]
    # 0: a ledger from before there was a voice to be woken
    yield "handover", (known["woken_ns"] - its["sent_ns"])[~waits & (known["woken_ns"] != 0)]
    yield "late", (known["sent_ns"] - known["due_ns"])[waits]
    yield "port", (notes["sent_ns"] - notes["woken_ns"])[notes["woken_ns"] != 0]
    yield "period", _periods_ns(columns)


def _periods_ns(columns: Columns) -> Nanoseconds:
    """Return the times from each frame to the next, gaps left out."""
    parts: list[Nanoseconds] = [np.empty(0, np.int32)]
    for first in range(0, len(columns), _BLOCK):
        part = slice(first, first + _BLOCK + 1)
        pause = np.diff(columns.captured_ns[part])[np.diff(columns.seq[part]) == 1]
        fits = not len(pause) or (pause.min() >= 0 and pause.max() < 1 << 31)
        parts.append(pause.astype(np.int32) if fits else pause)
    wide = any(part.dtype == np.int64 for part in parts)
    return np.concatenate(parts, dtype=np.int64) if wide else np.concatenate(parts, dtype=np.int32)


def distribution(
    name: str, label: str, values: NDArray[np.float64] | Nanoseconds, unit_ms: float = 1.0
) -> Distribution:
    """Summarize `values` (N,), each of so many `unit_ms`."""
    if len(values) == 0:
        return Distribution(name, label, 0, histogram=Histogram((), ()), **dict.fromkeys(_FIELDS, math.nan))
    low, p50, p90, p99, p999, p9999, high = (
        np.percentile(values, [0, 50, 90, 99, 99.9, 99.99, 100]) * unit_ms
    ).tolist()
    mean = float(values.mean(dtype=np.float64))
    return Distribution(
        name, label, len(values), low, p50, p90, p99, p999, p9999, high,
        mean * unit_ms, _sd(values, mean) * unit_ms, _histogram(values, unit_ms, low, p99, high),
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
        return Budget(text, name, "", quantity(f"budget {text!r}", value, {"%": 0.01}))
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
    return Budget(text, duration, statistic, quantity(f"budget {text!r}", value, _UNITS_MS))


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


def plain_distribution(d: Distribution) -> dict[str, Any]:
    """Return count and STATISTICS as plain JSON values, ms; null where nothing was measured."""
    return {"count": d.count, **{s: plain_number(d.statistic(s)) for s in STATISTICS}}


def as_json(summary: LatencySummary) -> dict[str, Any]:
    """Return the summary as plain JSON values: ms, null where nothing was measured, no histograms."""
    plain: dict[str, Any] = {
        f.name: plain_number(getattr(summary, f.name)) for f in fields(summary) if f.name != "durations"
    }
    plain["durations_ms"] = {name: plain_distribution(d) for name, d in summary.durations.items()}
    return plain


def table_rows(
    summary: LatencySummary, statistics: Sequence[str] = STATISTICS, *, labelled: bool = True
) -> list[list[str]]:
    """Return the table's cells, the heading first: name, meaning (if `labelled`), count and `statistics` in ms."""
    rows = [["name", *["what"] * labelled, "count", *statistics]]
    for d in summary.durations.values():
        numbers = ["-" if not d.count else f"{d.statistic(s):.3f}" for s in statistics]
        rows.append([d.name, *[d.label] * labelled, str(d.count), *numbers])
    return rows


def table(summary: LatencySummary, width: int | None = None) -> str:
    """Return the table for people, with what was skipped below it; of a narrow `width` the columns that matter."""
    kept, labelled = list(STATISTICS), True
    text = _table(table_rows(summary), labelled=True)
    for dropped in _DROPPED:
        if width is None or max(map(len, text)) <= width:
            break
        labelled = labelled and dropped != "what"
        kept = [name for name in kept if name != dropped]
        text = _table(table_rows(summary, kept, labelled=labelled), labelled=labelled)
    return "\n".join([*text, "(ms)  " + counts_text(summary)])


def _table(rows: list[list[str]], *, labelled: bool) -> list[str]:
    lines = aligned(rows, 1 + labelled)
    rule = "─" * max(map(len, lines))
    lines.insert(1, rule)
    lines.insert(2 + len(STAGES), rule)
    return lines


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return a line for each row of cells: columns are as wide as they need, the first `left` of them flush left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


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


def _sd(values: NDArray[np.float64] | Nanoseconds, mean: float) -> float:
    total = 0.0
    for first in range(0, len(values), _BLOCK):
        away = values[first : first + _BLOCK] - mean
        total += float(np.square(away, out=away).sum())
    return math.sqrt(total / len(values))


def _histogram(
    values: NDArray[np.float64] | Nanoseconds, unit_ms: float, low: float, p99: float, high: float
) -> Histogram:
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
    counts = np.zeros(len(edges) - 1, np.int64)
    for begin in range(0, len(values), _BLOCK):
        some = values[begin : begin + _BLOCK] * unit_ms
        place = ((some - edges[0]) / width).astype(np.int64)
        tail = place >= bins
        place[tail] = np.searchsorted(edges, some[tail], side="right") - 1
        counts += np.bincount(np.clip(place, 0, len(counts) - 1), minlength=len(counts))
    return Histogram(tuple(edges), tuple(counts.tolist()))


def quantity(what: str, value: str, units: Mapping[str, float]) -> float:
    """Read a number with one of `units`; return it times what the unit stands for. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z%]+)", value)
    if match is None or match[2] not in units:
        raise UsageError(
            f"{what}: {value!r} is not a limit; write a number and its unit ({', '.join(units)})"
        )
    return float(match[1]) * units[match[2]]


def plain_number(value: float) -> float | None:
    """Return a figure as JSON knows it: null for NaN."""
    return None if math.isnan(value) else round(value, 6)
