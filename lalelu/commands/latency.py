"""`lalelu latency`: how long everything took in a recorded run, and whether it kept its budgets."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lalelu.analysis.latency import (
    STAGES,
    STATISTICS,
    TOTALS,
    as_json,
    broken,
    histogram_text,
    parse_budget,
    summarize,
    table,
)
from lalelu.errors import CheckFailedError
from lalelu.ledger.reader import read_ledger

_BUDGETS = (
    f"NAME is one of {', '.join((*STAGES, *TOTALS))} with one of {', '.join(STATISTICS)} behind a point, "
    "as in frame.p99=10ms, note.p99=12ms, hit.sd=1ms (units us, ms, s); or skipped=0.1%."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = "Show how long every stage of a recorded run took, in ms."
    parser.epilog = _BUDGETS
    parser.add_argument("ledgers", metavar="LEDGER", nargs="+", type=Path, help="a run's ledger directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--budget",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a limit that every ledger must keep, else exit 1; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Print the tables; return 0.

    Raises UsageError for what is no ledger or no budget, CheckFailedError when a budget breaks.
    """
    budgets = [parse_budget(text) for text in args.budget]
    failures: list[str] = []
    objects = []
    for path in args.ledgers:
        ledger = read_ledger(path)
        summary = summarize(ledger.frames, ledger.notes)
        problems = [f"{path}: {sentence}" for sentence in broken(summary, budgets)]
        failures += problems
        objects.append(
            {"ledger": str(path), **as_json(summary), "problems": list(ledger.problems), "broken": problems}
        )
        for problem in ledger.problems:
            print(problem, file=sys.stderr)
        if args.json:
            continue
        print("\n".join([str(path), *header_lines(ledger.header)]))
        if summary.frames == 0:
            print("This ledger has no frames: nothing was played, or nothing was recorded.")
        else:
            print(table(summary))
            print()
            print(histogram_text(summary.main))
        print()
    if args.json:
        print(json.dumps({"ledgers": objects}, ensure_ascii=False, allow_nan=False))
    if failures:
        raise CheckFailedError("; ".join(failures))
    return 0


def header_lines(header: Mapping[str, Any]) -> list[str]:
    """Return what a ledger's header says of real time and of lost rows, for people; what it lacks is left out.

    A header may come from a damaged file: what has another shape is left out too.
    """
    requests = header.get("requests")
    asked = [each for each in requests if isinstance(each, dict)] if isinstance(requests, list) else []
    lines = []
    granted = [_request(each) for each in asked if each.get("granted") is True]
    if granted:
        lines.append(f"real time granted: {', '.join(granted)}")
    lines += [
        f"real time refused: {_request(each)} ({each.get('detail', 'no reason is recorded')}{_remedy(each)})"
        for each in asked
        if each.get("granted") is False
    ]
    overruns = header.get("overruns")
    if isinstance(overruns, dict):
        lost = [f"{name} {count}" for name, count in overruns.items() if count]
        lines.append(f"rows lost before the disk: {', '.join(lost) or 'none'}")
    elif isinstance(overruns, int):
        lines.append(f"rows lost before the disk: {overruns or 'none'}")
    return lines


def _remedy(request: Mapping[str, Any]) -> str:
    return f"; {request['remedy']}" if request.get("remedy") else ""


def _request(request: Mapping[str, Any]) -> str:
    process = f"{request['process']}: " if "process" in request else ""
    return f"{process}{request.get('request', 'a request without a name')}"
