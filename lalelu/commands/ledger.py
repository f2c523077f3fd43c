"""`lalelu ledger`: recorded runs as Parquet, and many of them in one table. Reads and writes files."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Final

from lalelu.analysis.latency import aligned
from lalelu.errors import UsageError
from lalelu.ledger.fleet import Fleet, Line, survey
from lalelu.ledger.reader import read_ledger

_PERCENTILES: Final = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}
_COLUMNS: Final = (
    "machine", "version", "day", "runs", "frames", "skipped", "frame p50", "p99", "p99.9", "max",
    "notes", "late", "note p50", "p99", "hit SD",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    exporting = actions.add_parser(
        "export",
        help="write ledgers as Parquet, for DuckDB, Polars or pandas",
        description="Write ledgers as Parquet: a folder each. Needs the parquet extra.",
        allow_abbrev=False,
    )
    exporting.add_argument("ledgers", metavar="LEDGER", nargs="+", type=Path, help="a run's ledger directory")
    exporting.add_argument(
        "--to", metavar="DIR", type=Path, required=True, help="the folder that gets a folder for each ledger"
    )
    fleet = actions.add_parser(
        "fleet",
        help="a table of many runs: a line per machine, version and day",
        description="Sum up all ledgers and exports in folders, at any depth, without loading them.",
        allow_abbrev=False,
    )
    fleet.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="a folder with ledgers or exports"
    )
    for action in (exporting, fleet):
        action.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Carry out one sub-command; returns 0."""
    return _export(args) if args.action == "export" else _fleet(args)


def _export(args: argparse.Namespace) -> int:
    from lalelu.ledger.parquet import export

    names = [path.resolve().name.removesuffix(".ledger") for path in args.ledgers]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two of the ledgers are called {name}, and an export has its ledger's name; "
                "export them into different folders"
            )
    written = {}
    for path in args.ledgers:
        ledger = read_ledger(path)
        for problem in ledger.problems:
            print(problem, file=sys.stderr)
        written[str(path)] = str(export(ledger, args.to))
        print(f"{path}: {len(ledger.frames)} frames, {len(ledger.notes)} notes", file=sys.stderr)
    if args.json:
        print(json.dumps({"exports": written}))
    else:
        print("\n".join(written.values()))
    return 0


def _fleet(args: argparse.Namespace) -> int:
    for folder in args.folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder; name one with ledgers or exports in it")
    fleet = survey(args.folders)
    for problem in fleet.problems:
        print(problem, file=sys.stderr)
    if args.json:
        print(json.dumps(_as_json(fleet), allow_nan=False))
        return 0
    rows = [_COLUMNS, *(_cells(*group, line) for group, line in fleet.lines.items())]
    print("\n".join(aligned(rows, 3)))
    print("(ms; day: on which a run began, UTC; frame: frame → row, note: frame → note, hit: hit → note)")
    return 0


def _cells(machine: str, version: str, day: str, line: Line) -> tuple[str, ...]:
    frame, note, hit = (line.tallies[name] for name in ("frame", "note", "hit"))
    seen = line.frames + line.skipped
    share = f"{line.skipped / seen:.3%}" if seen else "-"
    late = f"{line.late / note.count:.2%}" if note.count else "-"
    numbers = [
        *(frame.percentile(percent) for percent in _PERCENTILES.values()),
        frame.high if frame.count else math.nan,
    ]
    feel = [note.percentile(50.0), note.percentile(99.0), hit.sd]
    return (
        machine, version, day, str(line.ledgers), str(line.frames), share, *map(_ms, numbers),
        str(note.count), late, *map(_ms, feel),
    )  # fmt: skip


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _as_json(fleet: Fleet) -> dict[str, object]:
    lines = [
        {
            "machine": machine,
            "version": version,
            "day": day,
            "ledgers": line.ledgers,
            "frames": line.frames,
            "skipped": line.skipped,
            "late_notes": line.late,
            "durations_ms": {
                name: {
                    "count": tally.count,
                    "max": _number(tally.high),
                    "sd": _number(tally.sd),
                    **{key: _number(tally.percentile(percent)) for key, percent in _PERCENTILES.items()},
                }
                for name, tally in line.tallies.items()
            },
        }
        for (machine, version, day), line in fleet.lines.items()
    ]
    return {"lines": lines, "problems": list(fleet.problems)}


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
