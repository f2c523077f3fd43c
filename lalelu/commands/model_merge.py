"""`lalelu model merge`: a network that takes the camera's own frames and gives keypoints. Writes a file."""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lalelu.errors import MissingError, UsageError
from lalelu.models.camera_graph import FORMATS, Camera
from lalelu.models.keypoint_graph import CELLS_AT, REFINES
from lalelu.models.merge_options import ENDINGS, KINDS, NORMALISES, Reading
from lalelu.models.progress import StderrProgress
from lalelu.pose.orientation import Orientation


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Put into a network's graph what lalelu does before and behind it: cutting the player out of the camera's own "
        "frame, scaling, colours; and the keypoints' places in the picture. One call then makes keypoints of a frame."
    )
    parser.epilog = "What it costs in time: `lalelu bench merge`."
    parser.add_argument("model", metavar="MODEL", help="a name of the catalogue, or your own .onnx file")
    parser.add_argument("--format", choices=FORMATS, default="BGR", help="the frame's bytes (%(default)s)")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="of the frame, px (%(default)s)")
    parser.add_argument(
        "--rotate", type=int, choices=(0, 90, 180, 270), default=0, help="degrees clockwise, as camera.rotate"
    )
    parser.add_argument("--mirror", action="store_true", help="as camera.mirror")
    parser.add_argument(
        "--as", dest="kind", choices=KINDS, default="onnx", help="the kind of file (%(default)s)"
    )
    parser.add_argument(
        "--slim", action="store_true", help="simplify it with onnxslim (needs the slim extra)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (the cache)")
    own = parser.add_argument_group("your own file")
    own.add_argument("--order", choices=("RGB", "BGR"), help="the colours that it takes (RGB)")
    own.add_argument(
        "--normalise",
        choices=NORMALISES,
        help="what it takes: 0..255 (none), 0..1 (unit), -1..1 (symmetric), or less ImageNet's mean, by its deviation",
    )
    own.add_argument(
        "--refine", choices=REFINES, default="parabola", help="heatmaps between cells (%(default)s)"
    )
    own.add_argument(
        "--cells-at", choices=CELLS_AT, default="centre", help="what a cell stands for (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Write the merged network and say where it is and what it takes and gives; returns 0."""
    require_onnx("model merge")
    from lalelu.models import merged_file

    camera = Camera(*size(args.size), args.format, Orientation(args.rotate, args.mirror))
    out = args.out or merged_file.default_path(args.model, camera, args.kind, slimmed=args.slim)
    ending = ENDINGS[args.kind]
    if out.suffix != ending or out == merged_file.own_file(args.model):
        raise UsageError(
            f"--out is {out}; give another file, with the ending {ending or 'of a folder: none'}"
        )
    order = None if args.order is None else args.order.lower()
    reading = Reading(order, args.normalise, args.refine, args.cells_at)
    merged_file.make(
        args.model,
        camera,
        out,
        kind=args.kind,
        slimmed=args.slim,
        reading=reading,
        progress=StderrProgress(),
    )
    said: dict[str, Any] = {"path": str(out), "bytes": _bytes(out)}
    if args.kind == "onnx":
        said |= _tensors(out)
        for kind in ("inputs", "outputs"):
            for name, what in said[kind].items():
                print(f"{kind[:-1]} {name}: {what}", file=sys.stderr)
    print(json.dumps(said) if args.json else f"{out}: {said['bytes'] / 1e6:.2f} MB")
    return 0


def require_onnx(command: str) -> None:
    """Raise MissingError where the library that reads and writes networks is not installed."""
    if find_spec("onnx") is None:
        raise MissingError(
            f"`lalelu {command}` needs the module 'onnx', which is not installed; `pip install onnx` brings it"
        )


def size(text: str) -> tuple[int, int]:
    """Read WxH. Raises UsageError for anything else."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size is {text!r}; write the width and height in px, as 640x480")
    return int(width), int(height)


def _bytes(path: Path) -> int:
    return sum(
        file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
    )


def _tensors(path: Path) -> dict[str, dict[str, str]]:
    import onnx
    from onnx import helper

    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    told = {}
    for kind, values in (("inputs", graph.input), ("outputs", graph.output)):
        told[kind] = {
            value.name: f"{helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)} "
            f"{tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)}"
            for value in values
            if value.name not in weights
        }
    return told
