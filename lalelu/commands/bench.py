"""`lalelu bench`: runtimes, merged networks, the gesture step, side by side here. Starts processes, fetches models."""

import argparse
import json
import os
from importlib.util import find_spec
from typing import Final, Literal

from lalelu.bench import gesture
from lalelu.bench.inference import Comparison, compare, table
from lalelu.bench.worker import Variant
from lalelu.commands import bench_merge
from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue
from lalelu.models.progress import StderrProgress
from lalelu.models.store import onnx_path
from lalelu.pose.build import MODEL_FILES
from lalelu.registry import did_you_mean

# runtime -> the precisions it is measured in on a CPU
PRECISIONS: Final[dict[str, tuple[Literal["f32", "bf16"], ...]]] = {
    "openvino": ("bf16", "f32"),
    "onnxruntime": ("f32",),
    "litert": ("f32",),
    "tensorflow": ("f32",),
    "torch": ("bf16", "f32"),
    "torch_compiled": ("bf16", "f32"),
}
MODULES: Final = {"litert": "ai_edge_litert", "torch_compiled": "torch"}  # the others' are called as they are
EXTRAS: Final = {"torch_compiled": "torch"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare what may be measured, and the options."""
    subparsers = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    inference = subparsers.add_parser(
        "inference",
        help="runtimes on the pose networks",
        description="Compare runtimes on random pictures: a process each, one core, in turns.",
        allow_abbrev=False,
    )
    inference.add_argument("--model", default="lightning,thunder", help="names, by commas (%(default)s)")
    inference.add_argument("--runtimes", default=",".join(PRECISIONS), help="names, by commas (%(default)s)")
    step = subparsers.add_parser(
        "gesture",
        help="the cost of recognising strokes, and of deciding them early",
        description="Time the gesture step on a made-up performance: a process for each load, one core, in turns; "
        "then score made-up players for each lead.",
        allow_abbrev=False,
    )
    merge = subparsers.add_parser(
        "merge",
        help="networks with and without the camera's picture in their graph",
        description="Time what makes keypoints of a frame in memory: a process for each way, one core, in turns.",
        allow_abbrev=False,
    )
    bench_merge.configure(merge)
    for subject in (inference, step, merge):
        subject.add_argument(
            "--warmups", type=int, default=100, help="runs before the clock counts (%(default)s)"
        )
        subject.add_argument("--runs", type=int, default=2000, help="runs of each variant (%(default)s)")
        subject.add_argument("--core", type=int, help="the core they share (the last one allowed)")
        subject.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Measure and print; 0 when done."""
    core = _core(args.core)
    if args.runs < 1 or args.warmups < 0:
        raise UsageError(
            f"--runs is {args.runs} and --warmups {args.warmups}; allowed 1 or more, and 0 or more"
        )
    if args.subject == "gesture":
        return _gesture(core, args)
    runtimes = _names(args.runtimes)
    if args.subject == "merge":
        return bench_merge.run(args, _names(args.model), runtimes, core)
    for name in runtimes:
        if name not in PRECISIONS:
            raise UsageError(
                f"--runtimes has {name!r}; known are {', '.join(PRECISIONS)}{did_you_mean(name, PRECISIONS)}"
            )
    comparisons = [_compare(model, runtimes, core, args) for model in _names(args.model)]
    if args.json:
        print(json.dumps({"inference": [comparison.as_json() for comparison in comparisons]}))
    else:
        print("\n\n".join(table(comparison) for comparison in comparisons))
    return 0


def _gesture(core: int, args: argparse.Namespace) -> int:
    costs = gesture.measure(
        gesture.LOADS, core=core, warmups=args.warmups, runs=args.runs, progress=StderrProgress().say
    )
    print(json.dumps({"gesture": costs.as_json()}) if args.json else gesture.table(costs))
    return 0


def _compare(model: str, runtimes: list[str], core: int, args: argparse.Namespace) -> Comparison:
    progress = StderrProgress()
    variants: list[Variant] = []
    left_out: dict[str, str] = {}
    catalogue.find(model)  # an unknown one ends the command here
    for runtime in runtimes:
        if (
            find_spec(MODULES.get(runtime, runtime)) is None
        ):  # asked before a file is made, which may need it too
            extra = EXTRAS.get(runtime, runtime)
            left_out[runtime] = f"not installed; `pip install 'lalelu[{extra}]'` brings it"
            continue
        try:
            path = str(MODEL_FILES.get(runtime, onnx_path)(model, progress=progress))
        except (MissingError, UsageError) as exc:  # the latter: there is only the user's own ONNX file
            left_out[runtime] = str(exc)
            continue
        variants += [Variant(runtime, precision, model, path, core) for precision in PRECISIONS[runtime]]
    return compare(
        model,
        variants,
        core=core,
        warmups=args.warmups,
        runs=args.runs,
        progress=progress.say,
        left_out=left_out,
    )


def _core(asked: int | None) -> int:
    allowed = os.sched_getaffinity(0)
    if asked is None:
        return max(allowed)
    if asked not in allowed:
        raise UsageError(f"--core is {asked}; this process may use {sorted(allowed)}")
    return asked


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"a list of names is {text!r}; write one name or more, with commas between")
    return list(dict.fromkeys(names))
