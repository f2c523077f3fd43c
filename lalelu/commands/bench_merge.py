"""`lalelu bench merge`: what it costs to have the camera's picture and the places in the graph. Starts processes."""

import argparse
import json
from collections.abc import Sequence
from typing import Final

from lalelu.bench.lineup import PRECISIONS
from lalelu.bench.merge_worker import Image, fitted
from lalelu.commands.bench_options import check_names
from lalelu.commands.model_merge import require_onnx, size
from lalelu.models import catalogue
from lalelu.models.camera_graph import FORMATS, Camera
from lalelu.models.looks import pictures
from lalelu.models.progress import StderrProgress

RUNTIMES: Final = tuple(name for name in PRECISIONS if name != "torch_compiled")  # it compiles for minutes
MOST_FRAMES: Final = 8  # that lie in each worker's memory


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this benchmark has."""
    parser.add_argument("--model", default="lightning,thunder", help="names, by commas (%(default)s)")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), help="names, by commas (%(default)s)")
    parser.add_argument("--format", choices=FORMATS, default="BGR", help="the frames' bytes (%(default)s)")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the frames, px (%(default)s)")
    parser.add_argument(
        "--on", default="sim:", metavar="SOURCE", help="photos, a film or sim: to look at (%(default)s)"
    )


def run(args: argparse.Namespace, models: Sequence[str], runtimes: Sequence[str], core: int) -> int:
    """Measure and print; 0 when done. Raises UsageError for an unknown runtime or model."""
    require_onnx("bench merge")
    from lalelu.bench.merge import compare, table

    check_names("--runtimes", runtimes, RUNTIMES)
    for model in models:
        catalogue.find(model)
    camera = Camera(*size(args.size), args.format)
    frames = _frames(args.on, camera)
    progress = StderrProgress()
    comparisons = [
        compare(
            model,
            runtimes,
            camera,
            frames,
            core=core,
            warmups=args.warmups,
            runs=args.runs,
            progress=progress.say,
        )
        for model in models
    ]
    if args.json:
        print(json.dumps({"merge": [comparison.as_json() for comparison in comparisons]}))
    else:
        print("\n\n".join(table(comparison) for comparison in comparisons))
    return 0


def _frames(source: str, camera: Camera) -> list[Image]:
    found = [picture.image for picture in pictures(source)]
    step = max(1, len(found) // MOST_FRAMES)
    return [fitted(image, camera.width, camera.height) for image in found[::step][:MOST_FRAMES]]
