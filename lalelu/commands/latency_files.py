"""What `lalelu latency` writes beside its text: a page, a picture, a trace. Writes files."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.analysis.cadence import latency_of_rows_ns
from lalelu.analysis.chart import Bar, BarPanel, Panel, TracePanel
from lalelu.analysis.columns import columns_of
from lalelu.analysis.diagnosis import Diagnosis
from lalelu.analysis.excess import CAUSES
from lalelu.analysis.latency_page import SHOWN, PageData, render_page
from lalelu.analysis.notes import note_durations
from lalelu.analysis.seconds import SERIES
from lalelu.analysis.text import verdict
from lalelu.analysis.trace_events import between, trace_events
from lalelu.errors import UsageError
from lalelu.ledger.reader import Ledger

MOST_TRACED: Final = 200_000  # frames: 250 MB of JSON, about what Perfetto's page takes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the files that may be asked for."""
    parser.add_argument("--html", metavar="F", type=Path, help="write a page whose plots can be zoomed")
    parser.add_argument("--chart", metavar="F", type=Path, help="draw the run and its causes (.png or .svg)")
    parser.add_argument(
        "--trace", metavar="F", type=Path, help="write a trace for Perfetto (ui.perfetto.dev) or Chrome, JSON"
    )
    parser.add_argument(
        "--between", metavar="A:B", help="of the run, only these seconds go into --trace, as in 40:60.5"
    )


def check_options(args: argparse.Namespace) -> None:
    """Refuse what cannot be written before anything is read. Raises UsageError."""
    asked = [path for path in (args.html, args.chart, args.trace) if path is not None]
    if asked and len(args.ledgers) > 1:
        raise UsageError(
            f"--html, --chart and --trace tell of one run, and {len(args.ledgers)} ledgers are named; name one"
        )
    if args.chart is not None:
        from lalelu.bench.charts import check_suffix

        check_suffix(args.chart)
    if args.between is not None and args.trace is None:
        raise UsageError("--between cuts what --trace writes; give --trace, or leave --between out")
    _seconds(args.between)
    if asked:
        from lalelu.commands.run import check_target

        for path in asked:
            check_target(path)


def write_files(
    args: argparse.Namespace, ledger: Ledger, diagnosis: Diagnosis, broken: Sequence[str], said: Sequence[str]
) -> None:
    """Write the files that were asked for; `said`: what the header says of real time. Raises UsageError."""
    if args.html is not None:
        _put(args.html, render_page(_page(ledger, diagnosis, broken, said)))
    if args.chart is not None:
        from lalelu.bench.charts import write

        write(args.chart, panels(diagnosis, ledger.path.name))
    if args.trace is not None:
        _put(args.trace, json.dumps(_trace(ledger, diagnosis, _seconds(args.between)), separators=(",", ":")))


def panels(diagnosis: Diagnosis, name: str) -> list[Panel]:
    """Return the run's picture: each second's latency, and what the lost time went to."""
    seconds = diagnosis.seconds
    found: list[Panel] = [
        TracePanel(
            f"{name}: frame to row, {what} of each second", "ms", tuple(values.tolist()), colour=colour
        )
        for what, values, colour in (
            ("p50", seconds.frame_p50, "#2f81f7"),
            ("longest", seconds.frame_max, "#d1242f"),
        )
        if len(values)
    ]
    for causes in (diagnosis.frame_causes, diagnosis.note_causes):
        bars = tuple(
            Bar(f"{CAUSES[total.cause]}, {total.share:.0%}", total.ms)
            for total in causes.ranking
            if total.share >= SHOWN
        )
        if bars:
            title = f"what {causes.count} late {causes.kind}s of {causes.of} lost their time to"
            found.append(BarPanel(title, "ms, in all", bars))
    return found


def _page(ledger: Ledger, diagnosis: Diagnosis, broken: Sequence[str], said: Sequence[str]) -> PageData:
    columns = columns_of(ledger)
    latency_ns = latency_of_rows_ns(columns, diagnosis.cadence)
    start_ns = int(columns.captured_ns[0]) if len(columns) else 0
    note_ms = note_durations(columns.hits, ledger.notes)["note"]
    return PageData(
        title=f"Latency of {ledger.path.resolve().name}",
        verdict=tuple(verdict(diagnosis, broken)),
        diagnosis=diagnosis,
        at_s=np.asarray((columns.captured_ns - start_ns) * 1e-9, np.float64),
        frame_ms=np.asarray(latency_ns * 1e-6, np.float64),
        note_ms=note_ms[~np.isnan(note_ms)],
        series={name: f"{each.what}, {each.unit}" for name, each in SERIES.items()},
        facts=_facts(ledger.header, said),
    )


def _facts(header: Mapping[str, Any], said: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what the header tells; one that is damaged tells less."""
    facts = [tuple(line.partition(": ")[::2]) for line in said]
    for name in ("host", "versions", "runtime", "camera", "unavailable"):
        told = header.get(name)
        if isinstance(told, dict) and told:
            title = "not told by this machine" if name == "unavailable" else name
            facts.append(
                (title, ", ".join(f"{key} {value}" for key, value in told.items() if value not in ("", None)))
            )
    return tuple((name, value) for name, value in facts)


def _trace(ledger: Ledger, diagnosis: Diagnosis, seconds: tuple[float, float] | None) -> dict[str, Any]:
    start_ns = int(ledger.frames["captured_ns"][0]) if len(ledger.frames) else 0
    frames, notes, samples, events = ledger.frames, ledger.notes, ledger.samples, ledger.events
    phases, worst = diagnosis.phases, (*diagnosis.frame_causes.worst, *diagnosis.note_causes.worst)
    if seconds is not None:
        begin_ns, end_ns = (start_ns + round(second * 1e9) for second in seconds)
        frames, notes, samples = (
            between(rows, field, begin_ns, end_ns)
            for rows, field in ((frames, "captured_ns"), (notes, "sent_ns"), (samples, "at_ns"))
        )
        events = tuple(event for event in events if begin_ns <= event.at_ns < end_ns)
        phases = tuple(each for each in phases if each.first_s < seconds[1] and each.last_s > seconds[0])
        worst = tuple(one for one in worst if seconds[0] <= one.at_s < seconds[1])
    if len(frames) > MOST_TRACED:
        raise UsageError(
            f"--trace: {len(frames)} frames are too many for a trace, at most {MOST_TRACED} can be looked at; choose "
            "some with --between, as in --between 40:60"
        )
    told = trace_events(frames, notes, samples, events, phases, worst, start_ns=start_ns)
    return {"displayTimeUnit": "ms", "traceEvents": list(told)}


def _seconds(text: str | None) -> tuple[float, float] | None:
    """Return both ends of --between. Raises UsageError."""
    if text is None:
        return None
    try:
        begin, end = (float(part) for part in text.split(":"))
    except ValueError:
        begin, end = 1.0, 0.0
    if not 0.0 <= begin < end < 1e9:
        raise UsageError(
            f"--between is {text!r}; write two times in seconds, the earlier one first, as in 40:60.5"
        )
    return begin, end


def _put(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path} cannot be written ({exc.strerror}); name another place") from exc
