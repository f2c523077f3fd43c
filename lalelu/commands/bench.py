"""`lalelu bench`: what runs here, side by side, and what it costs. Starts processes, fetches models."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Final, cast

from lalelu.analysis.chart import Panel
from lalelu.bench import gesture, inference, instrument, loop, pipeline, reload
from lalelu.bench.lineup import PRECISIONS, Environment, line_up, line_up_in_auto, multiply_adds, products
from lalelu.bench.placement import PLACEMENTS, Placement
from lalelu.commands import bench_merge
from lalelu.commands.bench_options import check_names, core_of, names_in
from lalelu.commands.run import check_target
from lalelu.errors import UsageError
from lalelu.models import catalogue
from lalelu.models.progress import StderrProgress

PLAYED: Final = 1000  # inferences inside the running instrument, unless told otherwise
LEAST_FRAMES: Final = 10  # of a pipeline: a carried network has had its turn by then
MOST_THREADS: Final = 64  # as in pose.threads


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what may be measured, and the options."""
    subparsers = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    networks = subparsers.add_parser(
        "inference",
        help="runtimes on the pose networks",
        description="Compare runtimes on random pictures: a process each, one core, in turns.",
        allow_abbrev=False,
    )
    networks.add_argument(
        "--threads", default="1", help="threads of each network, by commas, as in 1,2 (%(default)s)"
    )
    networks.add_argument(
        "--placement",
        default="pinned",
        help=f"where they run, by commas: {', '.join(PLACEMENTS)} (%(default)s)",
    )
    networks.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="RUNTIME:LABEL=PATH",
        help="also this runtime of another environment with lalelu, by its interpreter; may be repeated",
    )
    networks.add_argument(
        "--instrument",
        type=int,
        nargs="?",
        const=PLAYED,
        metavar="N",
        help=f"at last so many inferences in a row inside the running instrument ({PLAYED})",
    )
    whole = subparsers.add_parser(
        "pipeline",
        help="frames a second, from the picture to hits",
        description="Compare whole pipelines on a rendered film in memory: runtimes, optical flow and hands; a process "
        "for each runtime, one core, in turns.",
        allow_abbrev=False,
    )
    step = subparsers.add_parser(
        "gesture",
        help="the cost of recognising strokes, and of deciding them early",
        description="Time the gesture step on a made-up performance: a process for each load, one core, in turns; "
        "then score made-up players for each lead.",
        allow_abbrev=False,
    )
    own = subparsers.add_parser(
        "loop",
        help="the loop's own work, and what its rows cost",
        description="Time the loop without camera and network, with and without its rows: a process each, one core, in "
        "turns.",
        allow_abbrev=False,
    )
    saved = subparsers.add_parser(
        "reload",
        help="what saved kits, taken over while playing, cost the loop",
        description="Have a playing loop take over the shipped kits again and again; a bare sleeper beside it, on one "
        "core, in turns.",
        allow_abbrev=False,
    )
    merge = subparsers.add_parser(
        "merge",
        help="networks with and without the camera's picture in their graph",
        description="Time what makes keypoints of a frame in memory: a process for each way, one core, in turns.",
        allow_abbrev=False,
    )
    bench_merge.configure(merge)
    for subject in (networks, whole):
        subject.add_argument("--model", default="lightning,thunder", help="names, by commas (%(default)s)")
        subject.add_argument(
            "--runtimes", default=",".join(PRECISIONS), help="names, by commas (%(default)s)"
        )
        subject.add_argument("--chart", type=Path, metavar="F", help="draw the figures, too (.png or .svg)")
    for subject, runs in (
        (networks, 2000),
        (whole, 200),
        (own, 2000),
        (step, 2000),
        (saved, 200),
        (merge, 2000),
    ):
        subject.add_argument(
            "--warmups", type=int, default=100, help="runs before the clock counts (%(default)s)"
        )
        subject.add_argument("--runs", type=int, default=runs, help="runs of each variant (%(default)s)")
        subject.add_argument("--core", type=int, help="the core they share (the last one allowed)")
        subject.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 when done."""
    core = core_of(args.core)
    least = LEAST_FRAMES if args.subject == "pipeline" else 1
    if args.runs < least or args.warmups < 0:
        raise UsageError(
            f"--runs is {args.runs} and --warmups {args.warmups}; allowed {least} or more, and 0 or more"
        )
    if args.subject == "gesture":
        return _gesture(core, args)
    if args.subject == "loop":
        return _loop(core, args)
    if args.subject == "reload":
        return _reload(core, args)
    runtimes = names_in(args.runtimes)
    if args.subject == "merge":
        return bench_merge.run(args, names_in(args.model), runtimes, core)
    check_names("--runtimes", runtimes, PRECISIONS)
    if args.chart is not None:
        from lalelu.bench import charts

        charts.check_suffix(args.chart)
        check_target(args.chart)
    measure = _pipeline if args.subject == "pipeline" else _inference
    return measure(names_in(args.model), runtimes, core, args)


def _gesture(core: int, args: argparse.Namespace) -> int:
    costs = gesture.measure(
        gesture.LOADS, core=core, warmups=args.warmups, runs=args.runs, progress=StderrProgress().say
    )
    print(json.dumps({"gesture": costs.as_json()}) if args.json else gesture.table(costs))
    return 0


def _loop(core: int, args: argparse.Namespace) -> int:
    costs = loop.measure(core=core, warmups=args.warmups, runs=args.runs, progress=StderrProgress().say)
    print(json.dumps({"loop": costs.as_json()}) if args.json else loop.table(costs))
    return 0


def _reload(core: int, args: argparse.Namespace) -> int:
    costs = reload.measure(core=core, warmups=args.warmups, runs=args.runs, progress=StderrProgress().say)
    print(json.dumps({"reload": costs.as_json()}) if args.json else reload.table(costs))
    return 0


def _inference(models: list[str], runtimes: list[str], core: int, args: argparse.Namespace) -> int:
    placements = _placements(args.placement)
    threads = _threads(args.threads)
    environments = [_environment(text) for text in args.python]
    if args.instrument is not None and args.instrument < 1:
        raise UsageError(f"--instrument is {args.instrument}; allowed 1 or more")
    for model in models:
        catalogue.find(model)  # an unknown one ends the command here
    progress = StderrProgress()
    found = []
    with tempfile.TemporaryDirectory(prefix="lalelu-bench-") as folder:
        ceiling = products(runtimes, core, Path(folder))
        for model in models:
            lineup = line_up(model, runtimes, core, progress, environments)
            variants = lineup.placed(placements, threads, core)
            found.append(
                inference.compare(
                    model,
                    [*variants, *ceiling],
                    core=core,
                    warmups=args.warmups,
                    runs=args.runs,
                    progress=progress.say,
                    left_out=lineup.left_out,
                    multiply_adds=multiply_adds(model, progress) if ceiling else None,
                )
            )
    played = [instrument.play(model, args.instrument, progress.say) for model in models if args.instrument]
    if args.json:
        told = [each.as_json() for each in found]
        print(json.dumps({"inference": told, "instrument": [each.as_json() for each in played]}))
    else:
        tables = [inference.table(each) for each in found]
        print("\n\n".join([*tables, instrument.table(played)] if played else tables))
    if args.chart is not None:
        from lalelu.bench import charts

        panels: list[Panel] = [charts.inference_panel(each) for each in found]
        charts.write(args.chart, [*panels, *charts.playing_panels(played)])
    return 0


def _pipeline(models: list[str], runtimes: list[str], core: int, args: argparse.Namespace) -> int:
    for model in models:
        if catalogue.find(model).family != "movenet_single":
            raise UsageError(
                f"--model has {model!r}, and flow follows one player; choose lightning or thunder"
            )
    progress = StderrProgress()
    found = []
    for model in models:
        lineup = line_up_in_auto(model, runtimes, core, progress)
        found.append(
            pipeline.compare(
                model,
                lineup.variants,
                core=core,
                warmups=args.warmups,
                runs=args.runs,
                progress=progress.say,
                left_out=lineup.left_out,
            )
        )
    if args.json:
        print(json.dumps({"pipeline": [each.as_json() for each in found]}))
    else:
        print("\n\n".join(pipeline.table(each) for each in found))
    if args.chart is not None:
        from lalelu.bench import charts

        charts.write(args.chart, [charts.pipeline_panel(each) for each in found])
    return 0


def _placements(text: str) -> list[Placement]:
    names = names_in(text)
    check_names("--placement", names, PLACEMENTS)
    return cast("list[Placement]", names)


def _threads(text: str) -> list[int]:
    names = names_in(text)
    if not all(name.isdecimal() and 1 <= int(name) <= MOST_THREADS for name in names):
        raise UsageError(f"--threads is {text!r}; allowed are numbers 1..{MOST_THREADS}, with commas between")
    return [int(name) for name in names]


def _environment(text: str) -> Environment:
    name, _, python = text.partition("=")
    runtime, _, label = name.partition(":")
    if runtime not in PRECISIONS or not label or not python:
        raise UsageError(
            f"--python is {text!r}; write RUNTIME:LABEL=PATH, as in tensorflow:2.17=old/bin/python, with one of the "
            f"runtimes {', '.join(PRECISIONS)}"
        )
    if shutil.which(python) is None:
        raise UsageError(f"--python {text}: {python} is no program; name that environment's bin/python")
    return Environment(runtime, label, python)
