"""`lalelu score HITS TRUTH`: how well found hits agree with true ones. Reads files, prints."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from lalelu.analysis.scoring import Score, Spread, score, table
from lalelu.errors import UsageError
from lalelu.hits import HitRecord, read_hits


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "hits",
        type=Path,
        nargs="+",
        metavar="HITS",
        help="found hits (.jsonl); of several files, say of replays with other leads, one line each",
    )
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="true hits (.jsonl; time_s and limb)")
    parser.add_argument(
        "--window-ms", type=float, default=50.0, metavar="MS", help="largest difference (default 50)"
    )
    parser.add_argument(
        "--by", choices=("limb", "pad", "none"), default="limb", help="what must agree (default limb)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Score and print; returns 0. Raises UsageError for unusable files or options."""
    if not 0 < args.window_ms <= 10_000:
        raise UsageError(f"--window-ms is {args.window_ms:g}; allowed are values above 0 up to 10000")
    truth = read_hits(args.truth)
    results = [(str(path), _score(path, truth, args)) for path in args.hits]
    if len(results) == 1:
        result = results[0][1]
        print(json.dumps(asdict(result)) if args.json else text(result))
    elif args.json:
        print(json.dumps({"scores": [{"hits": name, **asdict(each)} for name, each in results]}))
    else:
        print(table(results))
    return 0


def _score(path: Path, truth: tuple[HitRecord, ...], args: argparse.Namespace) -> Score:
    found = read_hits(path)
    if args.by == "pad" and any(hit.pad is None for hit in (*found, *truth)):
        raise UsageError(
            f"--by pad needs a pad in every line of {path} and {args.truth}; use --by limb or add the pads"
        )
    return score(found, truth, window_ms=args.window_ms, by=args.by)


def text(result: Score) -> str:
    """Return the score as a few lines for people."""
    rank = "-" if result.velocity_rank is None else f"{result.velocity_rank:.2f}"
    counts = f"true {result.true}, found {result.found}, matched {result.matched}, doubles {result.doubles}"
    ahead = f"; {100.0 * result.foreseen:.0f} % before the stroke's end" if result.foreseen else ""
    lines = (
        f"{counts} (within {result.window_ms:g} ms, by {result.by})",
        f"precision {result.precision:.3f}  recall {result.recall:.3f}  F1 {result.f1:.3f}",
        f"false {_share(result.false, result.false_percent)}  missed {_share(result.missed, result.missed_percent)}",
        f"timing error   {_line(result.error_ms)}",
        f"decision after {_line(result.decision_ms)}{ahead}",
        f"note delay     {_line(result.note_delay_ms)}",
        f"velocity rank correlation {rank}",
    )
    return "\n".join(lines)


def _share(count: int, percent: float | None) -> str:
    return f"{count}" if percent is None else f"{count} ({percent:.1f} % of the true)"


def _line(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"mean {spread.mean:.1f}  SD {spread.sd:.1f}  p50 {spread.p50:.1f}  p95 {spread.p95:.1f} ms"
