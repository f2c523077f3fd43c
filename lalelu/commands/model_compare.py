"""`lalelu model compare`: what a variant of a network costs in keypoints, and gains in time. Runs networks, prints."""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from lalelu.analysis.keypoint_agreement import LIMITS, broken, parse_limit
from lalelu.errors import CheckFailedError, UsageError
from lalelu.models import compare_pictures, variant
from lalelu.models.compare import BLOCK, TURNS, compare, row_figures, table
from lalelu.models.looks import looks, read_people
from lalelu.models.progress import StderrProgress


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = "Run variants of a network on the same pictures of people, in turns on one thread."
    parser.epilog = (
        f"VARIANT is MODEL[@PART[,PART]...]: a name of the catalogue or an .onnx file, then a precision "
        f"({', '.join(variant.PRECISIONS)}), a runtime ({', '.join(variant.READ_ONNX)}), or what `lalelu model "
        f"quantize` made ({', '.join(variant.MADE)}). The first one is the reference. NAME of a limit is one of "
        f"{', '.join(LIMITS)}, as in drift.p99=6px, lost=1%, wrists=0%, oks=0.7 (at least), time=0.95 (of the "
        "reference's)."
    )
    parser.add_argument("variants", metavar="VARIANT", nargs="+", help="what to compare; the reference first")
    parser.add_argument(
        "--on",
        required=True,
        metavar="SOURCE",
        help="a folder of photos, a film, or sim: (the simulated drummer)",
    )
    parser.add_argument(
        "--people", type=Path, metavar="FILE", help="who is in the photos: keypoint labels in COCO's format"
    )
    parser.add_argument(
        "--limit",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what every variant but the first must hold, else exit 1; may be repeated",
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write what each variant saw, side by side, as PNG files"
    )
    parser.add_argument(
        "--turns",
        type=int,
        default=TURNS,
        metavar="N",
        help=f"how often each variant is timed, {BLOCK} inferences a turn (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Compare and print; returns 0. Raises CheckFailedError when a limit breaks."""
    limits = [parse_limit(text) for text in args.limit]
    if limits and len(args.variants) == 1:
        raise UsageError("--limit judges variants against the first one; name a second variant")
    if args.turns < 1:
        raise UsageError(f"--turns is {args.turns}; allowed 1 or more")
    people = None if args.people is None else read_people(args.people)
    progress = StderrProgress()
    variants = [variant.parse(text, progress) for text in args.variants]
    with ExitStack() as opened:
        networks = []
        for each in variants:
            network = variant.Network(each)
            opened.callback(network.close)
            progress.say(f"opening {each.name}")
            network.open()
            networks.append(network)
        shown = looks(args.on, networks[0], people)
        comparison, found = compare(args.on, networks, shown, progress.say, args.turns)
    if args.pictures is not None:
        compare_pictures.write(args.pictures, args.variants, shown, found)
    failures = {row.variant: broken(row_figures(row), limits) for row in comparison.rows[1:]}
    if args.json:
        print(json.dumps({**comparison.as_json(), "broken": failures}, allow_nan=False))
    else:
        print(table(comparison))
    if any(failures.values()):
        raise CheckFailedError(
            "; ".join(f"{name}: {sentence}" for name, told in failures.items() for sentence in told)
        )
    return 0
