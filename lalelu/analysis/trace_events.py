"""A ledger as trace events, which Perfetto's page and Chrome's about:tracing show. Pure: rows in, JSON values out.

Format: "Trace Event Format" (Google, 2016). Times in it are microseconds; here from the first frame's capture.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.causes import Outlier
from lalelu.analysis.columns import STAGE_STAMPS, USAGE
from lalelu.analysis.excess import CAUSES
from lalelu.analysis.phases import Phase
from lalelu.ledger.reader import LedgerEvent
from lalelu.ledger.schema import SAMPLE_DTYPE, UNTOLD, VIA

TraceEvent: TypeAlias = dict[str, Any]

CAMERA, ENGINE, VOICE, MACHINE, ANALYSIS = 1, 2, 3, 4, 5  # as processes of the trace
_NAMES: Final = {
    CAMERA: "camera", ENGINE: "engine", VOICE: "voice", MACHINE: "the engine's core", ANALYSIS: "analysis",
}  # fmt: skip
_STAGES: Final = {
    name: ends for name, ends in STAGE_STAMPS.items() if name not in {"camera", "decode"}
}  # the engine's
_RATES: Final = (
    "interrupts",
    "softirqs",
    "stolen_ms",
    "pressure_us",
    "engine_switches",
    "migrations",
)  # since boot
_LEVELS: Final = ("frequency_khz", "temperature_mc", "runnable", "competitor_ms")


def trace_events(
    frames: NDArray[np.void],
    notes: NDArray[np.void],
    samples: NDArray[np.void],
    events: Iterable[LedgerEvent] = (),
    phases: Iterable[Phase] = (),
    outliers: Iterable[Outlier] = (),
    *,
    start_ns: int,
) -> Iterator[TraceEvent]:
    """Yield the trace of these rows; `start_ns`: the run's first capture, from which `phases` and `outliers` count."""
    for process, name in _NAMES.items():
        yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": process, "args": {"sort_index": process}}
    for row in frames:
        yield from _frame(row, start_ns)
    for number, row in enumerate(notes):
        yield from _note(number, row, start_ns)
    yield from _machine(samples, start_ns)
    for event in events:
        yield _instant(event.kind, MACHINE, _us(event.at_ns, start_ns), {"text": event.text}, "g")
    for phase in phases:
        told = {
            "p50_ms": phase.p50_ms,
            "p99_ms": phase.p99_ms,
            "why": [each.text for each in phase.explanations],
        }
        yield _slice(phase.name, ANALYSIS, phase.first_s * 1e6, (phase.last_s - phase.first_s) * 1e6, told)
    for one in outliers:
        told = {CAUSES[part.cause]: f"{part.share:.0%}, {part.ms:.2f} ms" for part in one.parts}
        name = f"late {one.kind}: {CAUSES[one.main.cause]}"
        yield _instant(name, ENGINE if one.kind == "frame" else VOICE, one.at_s * 1e6, told, "p")


def between(rows: NDArray[np.void], field: str, begin_ns: int, end_ns: int) -> NDArray[np.void]:
    """Return the rows whose `field` lies in [begin_ns, end_ns)."""
    at_ns = rows[field]
    return rows[(at_ns >= begin_ns) & (at_ns < end_ns)]


def _us(at_ns: int, start_ns: int) -> float:
    return (int(at_ns) - start_ns) / 1000


def _frame(row: np.void, start_ns: int) -> Iterator[TraceEvent]:
    seq = int(row["seq"])
    yield from _span(
        f"frame {seq}", CAMERA, seq, _us(row["captured_ns"], start_ns), _us(row["arrived_ns"], start_ns), {}
    )
    told: TraceEvent = {name: int(row[name]) for name in USAGE if row[name] != UNTOLD}
    told |= {name: int(row[name]) for name in ("seq", "skipped", "hits", "players")}
    via = int(row["via"])
    told["via"] = VIA[via] if via < len(VIA) else via  # a damaged file may hold anything
    begin_us, end_us = _us(row["decoded_ns"], start_ns), _us(row["sent_ns"], start_ns)
    yield _slice("frame", ENGINE, begin_us, end_us - begin_us, told)
    for name, (first, last) in _STAGES.items():
        at_us = _us(row[first], start_ns)
        yield _slice(name, ENGINE, at_us, _us(row[last], start_ns) - at_us, {})


def _note(number: int, row: np.void, start_ns: int) -> Iterator[TraceEvent]:
    told: TraceEvent = {name: int(row[name]) for name in ("seq", "player", "channel", "velocity", "late")}
    told["due_us"] = _us(row["due_ns"], start_ns)
    struck_us, sent_us = _us(row["struck_ns"], start_ns), _us(row["sent_ns"], start_ns)
    yield from _span(f"note {int(row['note'])}", VOICE, number, struck_us, sent_us, told)
    if row["woken_ns"]:
        woken_us = _us(row["woken_ns"], start_ns)
        yield _slice("port", VOICE, woken_us, sent_us - woken_us, {})


def _machine(samples: NDArray[np.void], start_ns: int) -> Iterator[TraceEvent]:
    fields = [name for name in (*_RATES, *_LEVELS) if name in (SAMPLE_DTYPE.names or ())]
    before: np.void | None = None
    for row in samples:
        at_us = _us(row["at_ns"], start_ns)
        for name in fields:
            told = int(row[name])
            if told < 0 or (name in _RATES and (before is None or before[name] < 0)):
                continue
            value = told - int(before[name]) if name in _RATES and before is not None else told
            yield {"ph": "C", "name": name, "pid": MACHINE, "ts": at_us, "args": {name: value}}
        before = row


def _slice(name: str, process: int, at_us: float, us: float, told: dict[str, Any]) -> TraceEvent:
    # a damaged row's stamps may run backwards; a trace's slices may not
    return {"ph": "X", "name": name, "pid": process, "tid": 1, "ts": at_us, "dur": max(us, 0.0), "args": told}


def _span(
    name: str, process: int, number: int, begin_us: float, end_us: float, told: dict[str, Any]
) -> Sequence[TraceEvent]:
    """Return the two ends of something that may overlap others of its kind."""
    common = {
        "cat": name.partition(" ")[0],
        "name": name,
        "id": f"{process}.{number}",
        "pid": process,
        "tid": 1,
    }
    return (
        {"ph": "b", "ts": begin_us, "args": told, **common},
        {"ph": "e", "ts": max(end_us, begin_us), **common},
    )


def _instant(name: str, process: int, at_us: float, told: dict[str, Any], scope: str) -> TraceEvent:
    return {"ph": "i", "s": scope, "name": name, "pid": process, "tid": 1, "ts": at_us, "args": told}
