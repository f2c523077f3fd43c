"""One model file on one runtime: how people name it, and how it is asked for a person. Reads model files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.models.progress import Progress
from lalelu.pose.crop import Crop
from lalelu.pose.movenet import MoveNetSinglePose, keypoints_at
from lalelu.pose.port import RUNTIMES, Runtime, RuntimeFacts
from lalelu.registry import did_you_mean, load

Precision: TypeAlias = Literal["auto", "f32", "bf16"]
Kind: TypeAlias = Literal["int8-dynamic", "int8-static", "f16", "bf16", "mixed"]

PRECISIONS: Final = ("f32", "bf16")
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
READ_ONNX: Final = ("openvino", "onnxruntime")
# How a variant names what was made; `bf16` alone is how a runtime computes.
MADE: Final[dict[str, Kind]] = {("bf16-weights" if kind == "bf16" else kind): kind for kind in KINDS}


def quantised_path(model: str, kind: str) -> Path:
    """Return where `lalelu model quantize` puts a catalogue model's variant unless told otherwise."""
    return cache_dir() / "quantised" / f"{model}-{kind}.onnx"


@dataclass(frozen=True, slots=True)
class Variant:
    """A model file, the runtime that runs it, and in which arithmetic."""

    name: str  # as it was asked for
    path: Path
    runtime: str
    precision: Precision


def parse(text: str, progress: Progress | None = None) -> Variant:
    """Read MODEL[@PART[,PART]...]: MODEL a catalogue's name or an .onnx file; parts in any order.

    A part is a precision (f32, bf16), a runtime (openvino, onnxruntime), or what `lalelu model quantize` made of the
    catalogue's model (f16, bf16-weights, int8-static, mixed, ...). Raises UsageError for what is none of these.
    """
    model, _, rest = text.partition("@")
    runtime, precision, kind = READ_ONNX[0], "auto", ""
    for part in rest.split(",") if rest else ():
        if part in PRECISIONS:
            precision = part
        elif part in READ_ONNX:
            runtime = part
        elif part in MADE:
            kind = MADE[part]
        else:
            known = (*PRECISIONS, *READ_ONNX, *MADE)
            raise UsageError(
                f"variant {text!r}: {part!r} is no part of one; known are {', '.join(known)}"
                f"{did_you_mean(part, known)}"
            )
    return Variant(text, _path(text, model, kind, progress), runtime, cast("Precision", precision))


def _path(text: str, model: str, kind: str, progress: Progress | None) -> Path:
    if model.endswith(".onnx"):
        if kind:
            raise UsageError(
                f"variant {text!r}: {kind} is looked for beside a catalogue's name; name its own file"
            )
        if not Path(model).is_file():
            raise UsageError(f"variant {text!r}: there is no file {model}; give the path of an ONNX file")
        return Path(model)
    row = catalogue.find(model)
    if row.family != "movenet_single":
        raise UsageError(
            f"variant {text!r}: {model} is of the family {row.family}; compare and quantise lightning or thunder"
        )
    if not kind:
        return store.onnx_path(model, progress=progress)
    path = quantised_path(model, kind)
    if not path.is_file():
        raise UsageError(
            f"variant {text!r}: {path} is not there; `lalelu model quantize {model} --to {kind}` makes it"
        )
    return path


class Network:
    """An opened variant that is shown square pictures and tells where it sees the person's 17 keypoints."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.side = 0  # px, of the pictures that it takes
        self.precision = ""  # in force
        self._decoder = MoveNetSinglePose()
        self._runtime: Runtime = load("runtime", RUNTIMES, variant.runtime)(
            variant.path, precision=variant.precision, threads=1
        )
        self._is_bgr = False
        self._input: NDArray[Any]
        self._keypoints = 0  # which of the outputs holds them

    def open(self) -> RuntimeFacts:
        """Load the file. Raises what the runtime raises, and UsageError for a model of another kind."""
        facts = self._runtime.open()
        self.side = self._decoder.input_side(facts)
        self.precision = facts.precision
        self._is_bgr = self._decoder.takes_bgr(facts)
        self._keypoints = keypoints_at(facts)
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return facts

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Take (S, S, 3) BGR as the next picture."""
        np.copyto(self._input[0], picture if self._is_bgr else picture[..., ::-1])

    def infer(self) -> Sequence[NDArray[Any]]:
        """Run once on the picture last shown."""
        return self._runtime.infer(self._input)

    def keypoints(self, crop: Crop) -> tuple[list[float], list[float]]:
        """Run once on the picture last shown, cut from `crop`: places (x, y, ..., image heights) and scores."""
        return self._decoder.decode(self.infer()[self._keypoints], crop)

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._runtime.close()
