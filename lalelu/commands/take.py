"""`lalelu take start|stop|list|compare`: record while an instrument plays; what other kits make of a take."""

import argparse
import json
import os
import sys
from pathlib import Path

from lalelu.asks import ask
from lalelu.commands.run import add_config_option
from lalelu.commands.status import living
from lalelu.config.loader import load_config, load_kit
from lalelu.console import say
from lalelu.errors import MissingError, UsageError
from lalelu.hits import read_hits
from lalelu.session import Session
from lalelu.take import Take, read_take
from lalelu.takes.comparison import compare
from lalelu.takes.folder import Library, TakeInfo, take_file, takes_folder, truth_of
from lalelu.takes.replaying import on_one_kit, play


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands below `lalelu take`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, what, run_it in (
        ("start", "begin to record the keypoints of the instrument that plays", _start),
        ("stop", "end that recording, and wait until it is packed", _stop),
    ):
        sub = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        sub.add_argument(
            "--instrument", type=int, metavar="PID", help="of several, the one that `lalelu status` calls so"
        )
        sub.set_defaults(action_run=run_it)
        if name == "start":
            sub.add_argument(
                "--film",
                action=argparse.BooleanOptionalAction,
                help="keep the picture too, small, 15 times a second (default: takes.film)",
            )
    what = "list the takes"
    listing = commands.add_parser("list", help=what, description=what, allow_abbrev=False)
    add_config_option(listing)
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    listing.set_defaults(action_run=_list)
    what = "replay a take on two kits and tell the difference"
    comparing = commands.add_parser("compare", help=what, description=what, allow_abbrev=False)
    comparing.add_argument("take", metavar="TAKE", help="a file, or the name of a take in the folder")
    add_config_option(comparing)
    comparing.add_argument("--kit", metavar="KIT", help="a kit's name or file (default: the configured one)")
    comparing.add_argument(
        "--with", dest="other", required=True, metavar="KIT", help="the kit to compare it with"
    )
    comparing.add_argument(
        "--truth", type=Path, metavar="F.jsonl", help="true hits (default: TAKE.truth.jsonl, where it is)"
    )
    comparing.add_argument("--json", action="store_true", help="print one JSON object")
    comparing.set_defaults(action_run=_compare)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    return int(args.action_run(args))


def _start(args: argparse.Namespace) -> int:
    say(str(ask(_instrument(args.instrument), {"do": "record", "film": args.film})["said"]))
    return 0


def _stop(args: argparse.Namespace) -> int:
    say(str(ask(_instrument(args.instrument), {"do": "stop"})["said"]))
    return 0


def _instrument(wanted: int | None) -> Session:
    """Return the session that is asked. Raises MissingError where there is none, UsageError where there are several."""
    found = [session for session in living(os.environ) if wanted in (None, session.leader)]
    if not found:
        which = "" if wanted is None else f" {wanted}"
        raise MissingError(f"no instrument{which} is running; start one with `lalelu run`")
    if len(found) > 1:
        pids = ", ".join(str(session.leader) for session in found)
        raise UsageError(f"several instruments are running ({pids}); choose one with --instrument")
    return found[0]


def _list(args: argparse.Namespace) -> int:
    library = Library(takes_folder(load_config(args.config).config, os.environ))
    takes = library.takes()
    if args.json:
        told = {"folder": str(library.folder), "takes": [take.plain() for take in takes]}
        sys.stdout.write(json.dumps(told) + "\n")
        return 0
    say(f"{len(takes)} takes in {library.folder}")
    for take in takes:
        sys.stdout.write(_line(take) + "\n")
    return 0


def _line(take: TakeInfo) -> str:
    if take.problem:
        return f"{take.name}: {take.problem}"
    facts = [
        f"{take.seconds:.1f} s",
        f"{take.fps:g} fps",
        f"{take.players} player{'' if take.players == 1 else 's'}",
        "no truth" if take.truth is None else f"{take.truth} true hits",
        take.source,
        *(["with film"] if take.film else []),
        *([take.note] if take.note else []),
    ]
    return f"{take.name}: {', '.join(facts)}"


def _compare(args: argparse.Namespace) -> int:
    loaded = load_config(args.config)
    path = take_file(args.take, loaded.config, os.environ)
    take = _whole(path)
    truth_file = args.truth or truth_of(path)
    truth = read_hits(truth_file) if args.truth or truth_file.exists() else None
    kits = [loaded.kit if ref is None else load_kit(ref, None) for ref in (args.kit, args.other)]
    config = on_one_kit(loaded.config)
    before, after = (play(take, config, [kit]).hits for kit in kits)
    result = compare(before, after, truth)
    if args.json:
        sys.stdout.write(json.dumps({"kits": [kit.name for kit in kits], **result.plain()}) + "\n")
        return 0
    sys.stdout.write(f"{result.sentence}\n")
    for pad, sentence in result.pad_sentences.items():
        sys.stdout.write(f"  {pad}: {sentence}\n")
    return 0


def _whole(path: Path) -> Take:
    take = read_take(path)
    for problem in take.problems:
        say(problem)
    return take
