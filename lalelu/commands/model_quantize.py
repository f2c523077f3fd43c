"""`lalelu model quantize`: write a network with coarser numbers, as ONNX. Runs networks, writes a file."""

import argparse
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.keypoint_agreement import LIMITS, parse_limit
from lalelu.commands.model_merge import require_onnx
from lalelu.errors import CheckFailedError, UsageError
from lalelu.models import variant
from lalelu.models.cache import write_whole
from lalelu.models.looks import Look, Viewer, pictures
from lalelu.models.progress import StderrProgress

if TYPE_CHECKING:
    from lalelu.models.mixed import Search

# Half of what photos are to hold: the simulated drummer is easier to see. A Thunder that drifts 3.3 px there (p99)
# drifts 35 px on labelled photos; the mix found with these limits drifts 4.6 px there.
DEFAULT_LIMITS: Final = ("drift.p99=3px", "lost=0.5%")
NEEDS_PEOPLE: Final = "oks"  # and no labels are given here


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Write a network as ONNX with its weights in 16 bits (f16, bf16), or with layers in int8: dynamic rounds "
        "pictures as they come, static by ranges measured on pictures, mixed like static but keeps in float what "
        "moves keypoints most, until the limits hold on every second picture, which calibration has not seen."
    )
    parser.epilog = (
        "See what it costs with `lalelu model compare MODEL MODEL@mixed --on ...`; play it with "
        "`lalelu model import MODEL --onnx FILE`."
    )
    parser.add_argument("model", metavar="MODEL", help="a name of the catalogue, or an .onnx file")
    parser.add_argument("--to", required=True, choices=variant.KINDS, help="what to make of it")
    parser.add_argument(
        "--calibrate",
        default="sim:",
        metavar="SOURCE",
        help="photos, a film or sim: that int8-static and mixed are fitted to (%(default)s, the simulated drummer)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write (the cache, where MODEL@KIND finds it)"
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="LAYER",
        help="layers that stay in float; * stands for anything",
    )
    parser.add_argument(
        "--limit",
        metavar="NAME=VALUE",
        action="append",
        help=f"what mixed must hold ({' and '.join(DEFAULT_LIMITS)}): {', '.join(LIMITS)}".replace("%", "%%"),
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Make the variant and say where it is; returns 0.

    Raises CheckFailedError when no mix holds the limits, MissingError without onnx or onnxruntime.
    """
    require_onnx("model quantize")
    from lalelu.models import quantize
    from lalelu.models.mixed import Mixer

    limits = [parse_limit(text) for text in args.limit or DEFAULT_LIMITS]
    if args.limit and args.to != "mixed":
        raise UsageError(
            f"--limit guides --to mixed; {args.to} has no choice: judge it with `lalelu model compare`"
        )
    if any(limit.name == NEEDS_PEOPLE for limit in limits):
        raise UsageError("--limit oks needs labelled people; state it to `lalelu model compare --people`")
    if args.keep and args.to in {"f16", "bf16"}:
        raise UsageError(
            f"--keep names layers that int8 would take; {args.to} computes as before, leave it out"
        )
    progress = StderrProgress()
    source = variant.parse(args.model, progress)
    out = args.out or _default_out(source, args)
    if out.suffix != ".onnx" or out == source.path:
        raise UsageError(f"--out is {out}; give another file, with the ending .onnx")
    model = quantize.read(source.path)
    if args.to in {"f16", "bf16"}:
        return _tell(args, out, quantize.narrowed(model, args.to), [], None)
    layers = quantize.layers(model)
    which = quantize.chosen(layers, args.keep)
    kept = [layer.name for layer in layers if layer not in which]
    if args.to == "int8-dynamic":
        return _tell(args, out, quantize.dynamic(model, which), kept, None)
    quantiser = quantize.StaticQuantiser(model)
    with closing(variant.Network(source)) as reference:
        reference.open()
        fitted, judging = _shown(args.calibrate, reference, judged=args.to == "mixed")
        progress.say(f"measuring ranges on {len(fitted)} pictures of {args.calibrate}")
        quantiser.calibrate(fitted)
        if args.to == "int8-static":
            return _tell(args, out, quantiser.written(which), kept, None)
        search, data = Mixer(reference, quantiser, judging).search(which, limits, progress.say)
    if data is None:
        raise CheckFailedError(
            f"no mix holds {' and '.join(limit.text for limit in limits)} on {len(judging)} people of "
            f"{args.calibrate}: nothing was written; state wider limits, or choose --to f16"
        )
    return _tell(args, out, data, [*kept, *search.steps[-1].kept], search)


def _default_out(source: variant.Variant, args: argparse.Namespace) -> Path:
    if args.model.partition("@")[0].endswith(".onnx"):
        return source.path.with_name(f"{source.path.stem}-{args.to}.onnx")
    return variant.quantised_path(args.model.partition("@")[0], args.to)


def _shown(
    source: str, reference: variant.Network, *, judged: bool
) -> tuple[list[NDArray[np.uint8]], list[Look]]:
    """Return what calibration is shown, whole pictures and close, and what judges: nothing, or every second one."""
    viewer = Viewer(reference)
    fitted: list[NDArray[np.uint8]] = []
    judging: list[Look] = []
    for at, picture in enumerate(pictures(source)):
        close = viewer.close_up(picture)
        if judged and at % 2 == 1:
            judging += [close] if close is not None else []
        else:
            fitted += [look.picture for look in (viewer.whole(picture), close) if look is not None]
    if judged and not judging:
        raise UsageError(
            f"nobody is seen in every second picture of {source}; --calibrate needs people to judge by"
        )
    return fitted, judging


def _tell(
    args: argparse.Namespace, out: Path, data: bytes, kept: Sequence[str], search: "Search | None"
) -> int:
    write_whole(out, data)
    if args.json:
        said: dict[str, Any] = {"path": str(out), "kind": args.to, "bytes": len(data), "kept": list(kept)}
        print(json.dumps({**said, "search": None if search is None else search.as_json()}, allow_nan=False))
        return 0
    print(f"{out}: {len(data) / 1e6:.2f} MB")
    print("\n".join(_lines(kept, search)))
    return 0


def _lines(kept: Sequence[str], search: "Search | None") -> Iterable[str]:
    if kept:
        yield f"in float: {', '.join(kept)}"
    if search is not None and search.steps[-1].time >= 1.0:
        yield f"no faster than the float model here: {search.steps[-1].time:.3f} of its time"
