"""Let TensorRT take over what it can of a SavedModel (TF-TRT). Needs a card and TensorFlow up to 2.17; uses files.

Written against the documented `TrtGraphConverterV2`: the last TensorFlow that has it is 2.17, with TensorRT 8.6.
"""

import importlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lalelu.errors import MissingError
from lalelu.models.graph import Array
from lalelu.models.savedmodel import WITH_HEADS, tensorflow

TftrtPrecision: TypeAlias = Literal["f32", "f16", "int8"]

LAST: Final = (2, 17)  # TensorFlow's release notes: 2.18 has it no more
MODES: Final[dict[TftrtPrecision, str]] = {"f32": "FP32", "f16": "FP16", "int8": "INT8"}
WORKSPACE_BYTES: Final = 1 << 30  # for TensorRT's tries of kernels


@dataclass(frozen=True, slots=True)
class Times:
    """How long each step took, s."""

    convert_s: float
    build_s: float
    save_s: float


def require() -> Any:  # noqa: ANN401 - TensorFlow's module without types
    """Return TensorFlow's module of TF-TRT. Raises MissingError where it or a card is not there."""
    tf = tensorflow()
    version = tuple(int(part) for part in tf.__version__.split(".")[:2])
    if version > LAST:
        raise MissingError(
            f"TF-TRT left TensorFlow with 2.18, and {tf.__version__} is installed; "
            "`pip install 'tensorflow[and-cuda]<2.18'` in an environment of its own brings it"
        )
    if not tf.config.list_physical_devices("GPU"):
        raise MissingError(
            f"TF-TRT needs an NVIDIA card, and TensorFlow {tf.__version__} finds none; install NVIDIA's driver and "
            "`tensorflow[and-cuda]<2.18`, or choose pose.device: cpu"
        )
    return importlib.import_module("tensorflow.python.compiler.tensorrt.trt_convert")


def convert(saved_model: Path, folder: Path, precision: TftrtPrecision, pictures: Sequence[Array]) -> Times:
    """Convert `saved_model` (of lalelu's own making), build its engines for this card and save it into `folder`.

    `pictures` are inputs of the network: the first is what engines are built for, and int8 finds its ranges by all
    of them. Raises MissingError where TF-TRT cannot run.
    """
    trt = require()
    started = time.perf_counter()
    converter = trt.TrtGraphConverterV2(
        input_saved_model_dir=str(saved_model),
        input_saved_model_signature_key=WITH_HEADS,
        precision_mode=MODES[precision],
        max_workspace_size_bytes=WORKSPACE_BYTES,
        use_calibration=precision == "int8",
    )

    def batches(some: Sequence[Array]) -> Iterable[tuple[Array]]:
        return ((picture,) for picture in some)

    if precision == "int8":
        converter.convert(calibration_input_fn=lambda: batches(pictures))
    else:
        converter.convert()
    converted = time.perf_counter()
    converter.build(input_fn=lambda: batches(pictures[:1]))
    built = time.perf_counter()
    converter.save(str(folder))
    return Times(converted - started, built - converted, time.perf_counter() - built)
