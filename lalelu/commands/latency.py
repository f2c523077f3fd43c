"""`lalelu latency`: how long everything took in a recorded run, why, and whether it kept its budgets."""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lalelu.analysis.comparison import TOLERANCE_MS, TOLERANCE_SHARE, Comparison, compare
from lalelu.analysis.diagnosis import diagnose, timed
from lalelu.analysis.latency import STAGES, STATISTICS, TOTALS, broken, parse_budget, quantity
from lalelu.analysis.plain import plain, plain_comparison
from lalelu.analysis.text import comparison_text, sections
from lalelu.commands.latency_files import add_options, check_options, write_files
from lalelu.errors import CheckFailedError
from lalelu.ledger.reader import read_ledger
from lalelu.voice.port import SOUND

_BUDGETS = (
    f"NAME is one of {', '.join((*STAGES, *TOTALS))} with one of {', '.join(STATISTICS)} behind a point, "
    "as in frame.p99=10ms, note.p99=12ms, hit.sd=1ms (units us, ms, s); or skipped=0.1%."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Show how long every stage of a recorded run took, in ms, and why it took longer at times."
    )
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

    parser.add_argument(
        "--compare",
        metavar="OTHER",
        type=Path,
        help="another ledger; exit 1 when LEDGER is slower beyond noise",
    )
    parser.add_argument(
        "--tolerance",
        metavar="VALUE",
        help="the smallest difference of interest to --compare, as in 0.2ms or 5%% "
        f"(the larger one of {TOLERANCE_MS:g}ms and {TOLERANCE_SHARE * 100:g}%%)",
    )

    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the ledgers tell; return 0.

    Raises UsageError for what is no ledger or no budget, CheckFailedError when a budget breaks or --compare finds
    a ledger slower.
    """
    check_options(args)
    budgets = [parse_budget(text) for text in args.budget]
    tolerance = _tolerance(args.tolerance)
    other = None if args.compare is None else timed(read_ledger(args.compare))
    failures: list[str] = []
    objects = []
    for path in args.ledgers:
        ledger = read_ledger(path)
        diagnosis = diagnose(ledger, budgets)
        sentences = broken(diagnosis.summary, budgets)
        problems = [f"{path}: {sentence}" for sentence in sentences]
        failures += problems
        told: dict[str, Any] = {"problems": list(ledger.problems), "broken": problems}
        against = None if other is None else compare(timed(ledger), other, *tolerance)
        if against is not None:
            told["comparison"] = {"other": str(args.compare), **plain_comparison(against)}
            failures += _slower(path, args.compare, against)
        for problem in ledger.problems:
            print(problem, file=sys.stderr)
        write_files(args, ledger, diagnosis, sentences, header_lines(ledger.header))
        if args.json:
            objects.append({"ledger": str(path), **plain(diagnosis), **told})
            continue
        print("\n".join([str(path), *header_lines(ledger.header)]))
        if diagnosis.summary.frames == 0:
            print("This ledger has no frames: nothing was played, or nothing was recorded.")
        else:
            width = shutil.get_terminal_size((100, 24)).columns
            print("\n\n".join(sections(diagnosis, width, sentences)))
        if against is not None:
            print(f"\n{comparison_text(against, str(args.compare))}")
        print()
    if args.json:
        print(json.dumps({"ledgers": objects}, ensure_ascii=False, allow_nan=False))
    if failures:
        raise CheckFailedError("; ".join(failures))
    return 0


def _tolerance(text: str | None) -> tuple[float, float]:
    """Return the tolerance in ms and as a share."""
    if text is None:
        return TOLERANCE_MS, TOLERANCE_SHARE
    value = quantity("tolerance", text, {"us": 1e-3, "ms": 1.0, "%": 0.01})
    return (0.0, value) if text.endswith("%") else (value, 0.0)


def _slower(path: Path, other: Path, against: Comparison) -> list[str]:
    return [
        f"{path}: {each.duration}.{each.statistic} is {each.change_ms:.3f} ms slower than in {other} "
        f"({each.low_ms:.3f} .. {each.high_ms:.3f})"
        for each in against.effects
        if each.verdict == "slower"
    ]


def header_lines(header: Mapping[str, Any]) -> list[str]:
    """Return what a ledger's header says of real time and of lost rows, for people; what it lacks is left out.

    A header may come from a damaged file: what has another shape is left out too.
    """
    requests = header.get("requests")
    asked = [each for each in requests if isinstance(each, dict)] if isinstance(requests, list) else []
    lines = []
    granted = [
        _request(each) for each in asked if each.get("granted") is True and each.get("request") != SOUND
    ]
    if granted:
        lines.append(f"real time granted: {', '.join(granted)}")
    lines += [
        f"real time refused: {_request(each)} ({each.get('detail', 'no reason is recorded')}{_remedy(each)})"
        for each in asked
        if each.get("granted") is False
    ]
    lines += [
        f"sound: {each.get('detail', 'nothing is recorded')}"
        for each in asked
        if each.get("request") == SOUND
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
