"""`lalelu model tune`: the fastest runtime within a limit, for machine and camera. Runs networks, writes a file."""

import argparse
import difflib
import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from lalelu.analysis.keypoint_agreement import LIMITS, Limit, parse_limit
from lalelu.bench import tune
from lalelu.bench.lineup import PRECISIONS, not_installed
from lalelu.bench.tune import Candidate, Options, Tuning
from lalelu.camera import port as camera_port
from lalelu.camera.port import Camera, CameraFacts
from lalelu.commands.bench_options import check_names, core_of, names_in
from lalelu.commands.run import add_config_option
from lalelu.config.edit import edited
from lalelu.config.loader import Loaded, load_config
from lalelu.console import say
from lalelu.errors import CheckFailedError, MissingError, UsageError
from lalelu.models import catalogue, store
from lalelu.models.progress import StderrProgress
from lalelu.models.variant import KINDS, quantised_path
from lalelu.pose.build import MODEL_FILES
from lalelu.registry import from_uri
from lalelu.replacement import replacing

# On the simulated drummer, who is easier to see than people are.
DEFAULT_LIMITS: Final = ("drift.p95=3px", "lost=1%")
NOT_HERE: Final = ("oks", "time")  # limits that need labelled people, or a time to compare with
FPS: Final = 100.0  # with --size, unless told otherwise
SMALLEST, LARGEST = 64, 8192  # px of a side


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Time the installed runtimes on frames of the camera's size, compare their keypoints with the most exact of "
        "the models in f32, and print the `pose:` section of the fastest one within the limits."
    )
    parser.epilog = (
        f"NAME of a limit is one of {', '.join(name for name in LIMITS if name not in NOT_HERE)}, as in "
        "drift.p95=6px or lost=1%. Models that `lalelu model quantize` made take part once they are imported."
    )
    add_config_option(parser)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--camera", metavar="URI", help="camera instead of the configured one")
    size.add_argument("--size", metavar="WxH", help="instead of opening a camera: what it delivers, px")
    parser.add_argument(
        "--fps",
        type=float,
        metavar="N",
        help=f"frames a second that are to be kept up with ({FPS:g} with --size)",
    )
    parser.add_argument(
        "--models", metavar="NAMES", help="models to choose among, by commas (the configured one)"
    )
    parser.add_argument(
        "--runtimes", default=",".join(PRECISIONS), metavar="NAMES", help="by commas (%(default)s)"
    )
    parser.add_argument(
        "--limit",
        metavar="NAME=VALUE",
        action="append",
        help=f"what must hold ({' and '.join(DEFAULT_LIMITS)}); may be repeated".replace("%", "%%"),
    )
    parser.add_argument(
        "--on",
        default="sim:",
        metavar="SOURCE",
        help="people to compare keypoints on: photos, a film, sim: (sim:)",
    )
    parser.add_argument("--frames", type=int, default=500, metavar="N", help="timed, of each (%(default)s)")
    parser.add_argument("--core", type=int, metavar="N", help="the core they share (the last one allowed)")
    parser.add_argument("--write", action="store_true", help="put the options into the configuration file")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Measure, print and, with --write, write; returns 0. Raises CheckFailedError when nothing holds the limits."""
    limits = _limits(args.limit or DEFAULT_LIMITS)
    if args.frames < 1:
        raise UsageError(f"--frames is {args.frames}; allowed 1 or more")
    loaded = load_config(args.config)
    file = _file(loaded) if args.write else None
    core = core_of(args.core)
    models = _models(args.models or loaded.config.pose.model)
    progress = StderrProgress()
    candidates, left_out = _candidates(models, _runtimes(args.runtimes), progress)
    camera = _camera(args, loaded)
    tuning = tune.measure(
        loaded,
        camera,
        candidates,
        limits,
        source=args.on,
        core=core,
        warmups=min(100, args.frames),
        frames=args.frames,
        progress=progress.say,
        left_out=left_out,
    )
    options = None if tuning.chosen is None else tune.options_for(loaded.config, tuning.chosen.candidate)
    _tell(args, tuning, options, tune.advice(tuning, loaded.config))
    if options is None:
        raise CheckFailedError(
            f"nothing holds {' and '.join(limit.text for limit in limits)}; state wider limits with --limit"
        )
    if file is not None:
        write(file, options)
    return 0


def _tell(args: argparse.Namespace, tuning: Tuning, options: Options | None, advice: str) -> None:
    if args.json:
        print(json.dumps({**tuning.as_json(), "pose": options, "advice": advice or None}, allow_nan=False))
        return
    print(tune.table(tuning))
    if advice:
        print(f"\n{advice}")
    if options is not None:
        print("\n".join(["", "pose:", *(f"  {option}: {value}" for option, value in options.items())]))


def write(file: Path, options: Options) -> None:
    """Change the options of `pose` in a configuration, at once or not at all, and show what changed (stderr).

    Raises ConfigError where the file would not be valid any more, UsageError where it cannot be written.
    """
    file = file.resolve()  # a link stays one
    before = file.read_bytes().decode()  # with the line ends that it has
    after = edited(before, {("pose", option): value for option, value in options.items()})
    with replacing(file, _refused) as temporary:
        temporary.write_bytes(after.encode())
        load_config(temporary)  # its kits lie beside it
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    changed = [line for line in list(compared)[2:] if not line.startswith("@@")]
    say("\n".join([f"{file}:", *changed]) if changed else f"{file}: as it was")


def _refused(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written ({exc.strerror}); leave --write out")


def _file(loaded: Loaded) -> Path:
    file = next((file for file in loaded.files if str(file) == loaded.origin), None)
    if file is None:
        raise UsageError(
            "--write needs a configuration, and there is none; name a copy of lalelu.yaml with --config"
        )
    return file


def _limits(texts: Sequence[str]) -> list[Limit]:
    limits = [parse_limit(text) for text in texts]
    for limit in limits:
        if limit.name in NOT_HERE:
            raise UsageError(
                f"--limit {limit.text}: {limit.name} is no limit here; state it to `lalelu model compare`"
            )
    return limits


def _camera(args: argparse.Namespace, loaded: Loaded) -> CameraFacts:
    """Return what the camera delivers: as told, or as it says once it is opened."""
    if args.fps is not None and not 1.0 <= args.fps <= 1000.0:
        raise UsageError(f"--fps is {args.fps:g}; allowed 1 to 1000")
    if args.size is not None:
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", args.size)
        width, height = map(int, match.groups()) if match else (0, 0)
        if not SMALLEST <= min(width, height) <= max(width, height) <= LARGEST:
            raise UsageError(
                f"--size is {args.size!r}; write WIDTHxHEIGHT, {SMALLEST} to {LARGEST} px, as in 640x480"
            )
        return CameraFacts("--size", width, height, args.fps or FPS, None, "none")
    section = loaded.config.camera
    camera: Camera = from_uri("camera", camera_port.ADAPTERS, args.camera or section.uri)
    try:
        with closing(camera):
            facts = camera.open()
    except MissingError as exc:
        raise MissingError(f"{exc}; or say what it delivers, as in --size 640x480 --fps 100") from exc
    return facts if args.fps is None else replace(facts, fps=args.fps)


def _models(text: str) -> list[str]:
    models = names_in(text)
    for name in models:
        if catalogue.find(name).family != "movenet_single":
            raise UsageError(
                f"{name} cannot be tuned: its people are not compared yet; choose lightning or thunder with --models"
            )
    return models


def _runtimes(text: str) -> list[str]:
    runtimes = names_in(text)
    check_names("--runtimes", runtimes, PRECISIONS)
    return runtimes


def _candidates(
    models: Sequence[str], runtimes: Sequence[str], progress: StderrProgress
) -> tuple[list[Candidate], dict[str, str]]:
    """Return what is installed here, and what is left out and why; the models' files are in the cache afterwards."""
    candidates: list[Candidate] = []
    left_out: dict[str, str] = {}
    for runtime in runtimes:
        if (why := not_installed(runtime)) is not None:
            left_out[runtime] = why
            continue
        for model in models:
            try:
                MODEL_FILES.get(runtime, store.onnx_path)(model, progress=progress)
            except (MissingError, UsageError) as exc:  # the latter: there is only the user's own ONNX file
                left_out[f"{model} {runtime}"] = str(exc)
                continue
            candidates += [Candidate(model, runtime, precision) for precision in PRECISIONS[runtime]]
    if not candidates:
        raise MissingError(f"no runtime can run {' or '.join(models)} here: {'; '.join(left_out.values())}")
    for model in models:
        for kind in KINDS:
            if (made := quantised_path(model, kind)).is_file():
                left_out[f"{model} {kind}"] = (
                    f"`lalelu model import {model} --onnx {made}` lets it take part as {model}"
                )
    return candidates, left_out
