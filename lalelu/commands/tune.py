"""`lalelu tune`: fit a kit to takes of which it is known what was meant. Reads takes, writes a kit."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lalelu.commands.kit import where_learned
from lalelu.commands.run import add_config_option, check_target
from lalelu.config.edit import edited
from lalelu.config.kit import KitConfig
from lalelu.config.learned import write_trees
from lalelu.config.loader import Loaded, check_file, kit_file, load_config, load_kit
from lalelu.config.positions import dotted
from lalelu.config.problem import ConfigError
from lalelu.console import say
from lalelu.errors import CheckFailedError, UsageError
from lalelu.hits import read_hits
from lalelu.replacement import replacing
from lalelu.take import read_take
from lalelu.takes.folder import name_of, take_file, truth_of
from lalelu.tuning import report
from lalelu.tuning.fitting import WINDOW_MS, fitting
from lalelu.tuning.learn import learn, played_by
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.parameters import GROUPS, changes
from lalelu.tuning.pattern import PATTERNS
from lalelu.tuning.practice import noted, practised
from lalelu.tuning.study import Tuned, search, spared
from lalelu.tuning.workers import Cluster, Processes

BAR = 30  # characters
TRIALS = 200
MOST_SEED = 2**32 - 1  # of NumPy's generators, which Optuna and scikit-learn use
OF_SEARCH = ("trials", "seconds", "jobs", "scheduler", "fit")  # options without a meaning for --learn


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Search the kit's options with which lalelu hears what was meant in takes: most hits right, then the least "
        "spread in time, then the fewest false ones. Every third block of time of each take is held back: its figures "
        "are the honest ones. True hits stand in NAME.truth.jsonl beside NAME.take.gz, or follow from a pattern that "
        "was played along with. Needs the extra `tune`."
    )
    parser.add_argument(
        "takes",
        nargs="+",
        metavar="TAKE",
        help="recorded keypoints: a file, or the name of a take in the folder",
    )
    parser.add_argument(
        "--truth", type=Path, nargs="+", metavar="F.jsonl", help="true hits, one file a take, in their order"
    )
    add_config_option(parser)
    parser.add_argument("--kit", metavar="KIT", help="the kit's name or file (the configured one)")
    parser.add_argument("--trials", type=int, metavar="N", help=f"kits tried ({TRIALS})")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after so long, if that is earlier")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (one for each core)")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster's, instead of --jobs")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search (%(default)s)")
    parser.add_argument(
        "--fit",
        metavar="PARTS",
        help=f"of {', '.join(GROUPS)}, by commas (strike; all where the truth names pads)",
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="grow a learned detector from the takes, instead of searching options, and compare it with the other",
    )
    parser.add_argument("--pattern", choices=tuple(PATTERNS), help="what was played where there is no truth")
    parser.add_argument("--bpm", type=float, metavar="N", help="its tempo, quarters a minute")
    parser.add_argument(
        "--window-ms",
        type=float,
        default=WINDOW_MS,
        metavar="MS",
        help="largest difference of a hit (%(default)g)",
    )
    parser.add_argument("--write", type=Path, metavar="F.yaml", help="the tuned kit; may be the kit itself")
    parser.add_argument(
        "--force", action="store_true", help="write also what is worse on the parts held back, or over a file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Tune, print a table and perhaps write; returns 0.

    Raises CheckFailedError where what was asked to be written is worse, UsageError for unusable files or options.
    """
    _check(args)
    loaded = load_config(args.config)
    kit, file = _kit(args, loaded)
    if args.write is not None:
        _check_write(args, file)
    say(f"tuning {kit.name} ({file})")
    lessons = [_lesson(args, loaded, kit, number) for number in range(len(args.takes))]
    groups = args.fit.split(",") if args.fit else None
    asked = fitting(loaded.config, kit, lessons, groups=groups, window_ms=args.window_ms)
    if args.learn:
        return _learn(args, kit, file, lessons, asked.judge)
    if not asked.parameters:
        raise UsageError(f"--fit is {args.fit}, but no pad has enough true hits in these takes; add strike")
    trials = args.trials or TRIALS
    with _workers(args, asked.judge, lessons) as workers:
        tuned = search(
            kit,
            asked.parameters,
            workers,
            window_ms=args.window_ms,
            trials=trials,
            seconds=args.seconds,
            seed=args.seed,
            advance=lambda done, before, best: _advance(done, trials, before, best),
        )
        tuned = spared(kit, tuned, workers)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    found = changes(kit, tuned.kit)
    _tell(args, lessons, tuned, found)
    if _may_write(args, tuned) and found:
        _write(args.write, file, {**where_learned(kit, file, args.write), **found})
    return 0


def _learn(
    args: argparse.Namespace, kit: KitConfig, file: Path, lessons: Sequence[Lesson], judge: Judge
) -> int:
    """Grow a learned detector, compare and perhaps write it and a kit that plays with it."""
    trees = learn(kit, lessons, judge, seed=args.seed)
    model, learned = kit.model_copy(update={"detector": "model"}), played_by(trees, kit)
    before, after = ([judge.play(lesson, each) for lesson in lessons] for each in (model, learned))
    tuned = Tuned(before, after, learned, 0)
    _tell(args, lessons, tuned, {("detector",): "learned"})
    if _may_write(args, tuned):
        named = write_trees(args.write, trees)
        _write(args.write, file, {("detector",): "learned", ("learned",): named})
    return 0


def _may_write(args: argparse.Namespace, tuned: Tuned) -> bool:
    """Whether a file is asked for; tells what is worse. Raises CheckFailedError where that forbids it."""
    if tuned.is_worse:
        say(report.WORSE)
        if args.write is not None and not args.force:
            raise CheckFailedError(f"{args.write} was not written; --force writes it all the same")
    return args.write is not None


def _check(args: argparse.Namespace) -> None:
    if args.truth is not None and len(args.truth) != len(args.takes):
        raise UsageError(
            f"--truth names {len(args.truth)} files for {len(args.takes)} takes; give one for each"
        )
    if (args.pattern is None) != (args.bpm is None):
        raise UsageError("--pattern and --bpm go together; give both, or none")
    for name, least in (("trials", 1), ("jobs", 1), ("seconds", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UsageError(f"--{name} is {value}; allowed are {least} and more")
    if not 0 <= args.seed <= MOST_SEED:
        raise UsageError(f"--seed is {args.seed}; allowed are 0 to {MOST_SEED}")
    if args.learn and (given := [name for name in OF_SEARCH if getattr(args, name) is not None]):
        raise UsageError(
            f"--{given[0]} is of the search for options, and --learn searches none; leave one out"
        )
    if not 0 < args.window_ms <= 10_000:
        raise UsageError(f"--window-ms is {args.window_ms:g}; allowed are values above 0 up to 10000")
    for group in args.fit.split(",") if args.fit else ():
        if group not in GROUPS:
            raise UsageError(f"--fit has {group!r}; allowed are {', '.join(GROUPS)}")


def _check_write(args: argparse.Namespace, file: Path) -> None:
    check_target(args.write)
    if args.write.exists() and not args.write.samefile(file) and not args.force:
        raise UsageError(
            f"--write is {args.write}, which is there already and is not the kit that is tuned; name another file, "
            f"tune that kit with --kit {args.write}, or add --force"
        )


def _kit(args: argparse.Namespace, loaded: Loaded) -> tuple[KitConfig, Path]:
    """Return the kit that is tuned, and its file."""
    if args.kit is not None:
        return load_kit(args.kit, None), kit_file(args.kit, None)
    base = None if loaded.source.path is None else loaded.source.path.parent
    return loaded.kit, kit_file(loaded.config.kit, base)


def _lesson(args: argparse.Namespace, loaded: Loaded, kit: KitConfig, number: int) -> Lesson:
    path = take_file(args.takes[number], loaded.config, os.environ)
    take = read_take(path)
    for problem in take.problems:
        say(problem)
    stem, beside = name_of(path), truth_of(path)
    truth = args.truth[number] if args.truth is not None else beside
    if args.truth is None and not beside.exists():
        practice = noted(take.header) if args.pattern is None else (args.pattern, args.bpm)
        if practice is None:
            raise UsageError(
                f"{path} has no {beside.name} beside it; name the true hits with --truth, "
                "or what was played with --pattern and --bpm"
            )
        found = practised(stem, take, loaded.config, kit, *practice)
        say(f"{stem}: {found.sentence()}")
        return Lesson(stem, take, found.truth, by_pattern=True)
    # where a pattern was played along with, the page has written what was meant
    return Lesson(
        stem, take, read_hits(truth), by_pattern=args.truth is None and noted(take.header) is not None
    )


def _workers(
    args: argparse.Namespace, judge: Judge, lessons: Sequence[Lesson]
) -> AbstractContextManager[Any]:
    if args.scheduler is not None:
        return Cluster(judge, lessons, address=args.scheduler)
    return Processes(judge, lessons, count=args.jobs or len(os.sched_getaffinity(0)))


def _advance(done: int, trials: int, before: float, best: float) -> None:
    """Move the bar on a terminal."""
    if sys.stderr.isatty():
        full = BAR * done // trials
        sys.stderr.write(
            f"\r\033[K[{'#' * full}{'.' * (BAR - full)}] {done} of {trials}  F1 {before:.3f} -> {best:.3f}"
        )
        sys.stderr.flush()


def _tell(args: argparse.Namespace, lessons: Sequence[Lesson], tuned: Tuned, found: dict[Any, Any]) -> None:
    names = [lesson.name for lesson in lessons]
    if args.json:
        print(json.dumps(report.as_json(names, tuned, found), allow_nan=False))
        return
    print(report.table(names, tuned))
    if found:
        print("\n".join(["", *(f"{dotted(where)}: {value}" for where, value in found.items())]))
    else:
        print(f"\n{report.NO_BETTER}")


def _write(target: Path, file: Path, found: dict[Any, Any]) -> None:
    """Write the kit's text with the new values, at once or not at all. Raises ConfigError where they are refused."""
    text = edited(file.read_bytes().decode("utf-8-sig"), found)
    with replacing(target.resolve(), _refused) as temporary:
        temporary.write_bytes(text.encode())
        problems = check_file(temporary)
        if problems:
            raise ConfigError(tuple(replace(problem, file=str(target)) for problem in problems))
    say(f"{target}: {len(found)} options changed")


def _refused(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written ({exc.strerror}); name another place with --write")
