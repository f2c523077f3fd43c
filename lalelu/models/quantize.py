"""Write a network with coarser numbers: ONNX in, ONNX out. Runs ONNX Runtime for calibration, in a temporary folder.

What becomes int8 are convolutions of 1 x 1 cells, at their inputs and weights: they are nine tenths of the arithmetic.
Depthwise ones stay as they are: in int8, OpenVINO computes them a third slower than in bf16 (measured on Lightning),
and they hand their result to the next layer in int8 all the same. So do heads that give few numbers.
"""

import fnmatch
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

from lalelu.errors import MissingError, UsageError
from lalelu.models import onnx_file
from lalelu.models.picture import BGR
from lalelu.registry import did_you_mean

LEAST_CHANNELS: Final = 16  # a 1 x 1 convolution with fewer at either end is not worth its conversions
LEAST_OPSET: Final = 13  # the first in which each channel may have a scale of its own
SMALL: Final = 64  # numbers; smaller constants (shapes, scales) are not worth narrowing
POINTWISE: Final = (1, 1)
_F16_RANGE: Final = (float(np.finfo(np.float16).min), float(np.finfo(np.float16).max))
# This mark keeps ONNX Runtime from advising to simplify the graph first; it is simple.
_SIMPLE: Final = ("onnx.quant.pre_process", "onnxruntime.quant")


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution that can be computed in int8."""

    name: str
    weights: int


def read(path: Path) -> onnx.ModelProto:
    """Read a model; every node gets a name. Raises UsageError for a file that is none, or too old for this."""
    model = onnx_file.read(path)
    opset = max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=0)
    if opset < LEAST_OPSET:
        raise UsageError(f"{path} has opset {opset}; quantising needs {LEAST_OPSET} or later: export it anew")
    for at, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{at}"
    return shape_inference.infer_shapes(model)


def layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Return what can become int8, in the graph's order. Raises UsageError for a model that is quantised already."""
    if any(
        node.op_type in {"QuantizeLinear", "DequantizeLinear", "ConvInteger"} for node in model.graph.node
    ):
        raise UsageError("the model is in int8 already; quantise the float model that it was made of")
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        shape = weights.get(node.input[1], ()) if node.op_type == "Conv" else ()
        if shape[2:] == POINTWISE and min(shape[:2]) >= LEAST_CHANNELS:
            found.append(Layer(node.name, int(np.prod(shape))))
    return tuple(found)


def chosen(found: Sequence[Layer], keep: Iterable[str]) -> tuple[Layer, ...]:
    """Return the layers that none of the names or patterns (`Conv_1*`) in `keep` matches.

    Raises UsageError for one that matches nothing, and where nothing is left.
    """
    names = [layer.name for layer in found]
    kept: set[str] = set()
    for pattern in keep:
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise UsageError(
                f"--keep {pattern!r} is no layer that would become int8; they are {', '.join(names)}"
                f"{did_you_mean(pattern, names)}"
            )
        kept.update(matching)
    left = tuple(layer for layer in found if layer.name not in kept)
    if not left:
        raise UsageError("no layer is left to become int8; keep fewer, or choose --to f16")
    return left


def narrowed(model: onnx.ModelProto, kind: Literal["f16", "bf16"]) -> bytes:
    """Return the model with its weights stored in 16 bits; it computes as before, in what the runtime chooses."""
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    graph = slim.graph
    wide = [
        tensor
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= SMALL
    ]
    casts = []
    for tensor in wide:
        narrow = _narrow(numpy_helper.to_array(tensor), f"{tensor.name}/{kind}", kind)
        casts.append(
            helper.make_node(
                "Cast", [narrow.name], [tensor.name], name=f"{tensor.name}/wide", to=onnx.TensorProto.FLOAT
            )
        )
        graph.initializer.remove(tensor)
        graph.initializer.append(narrow)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return _checked(slim)


def _narrow(array: NDArray[np.float32], name: str, kind: Literal["f16", "bf16"]) -> onnx.TensorProto:
    if kind == "f16":
        return numpy_helper.from_array(np.clip(array, *_F16_RANGE).astype(np.float16), name)
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to the nearest, ties to even
    return onnx.TensorProto(
        name=name,
        data_type=onnx.TensorProto.BFLOAT16,
        dims=array.shape,
        raw_data=rounded.astype("<u2").tobytes(),
    )


def dynamic(model: onnx.ModelProto, which: Sequence[Layer]) -> bytes:
    """Return the model with int8 weights in `which`, whose inputs are measured and rounded anew at each inference."""
    quantization = _quantization()
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    helper.set_model_props(marked, dict([_SIMPLE]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dynamic.onnx"
        quantization.quantize_dynamic(
            marked,
            path,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=[layer.name for layer in which],
            weight_type=quantization.QuantType.QUInt8,  # the only one that ONNX Runtime's convolution takes
        )
        made = onnx.load(path)
    del made.metadata_props[:]
    return _checked(made)


class StaticQuantiser:
    """Writes a model with any of its layers in int8, from ranges that were measured once."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._ranges: Any = None
        self.layers = layers(model)

    def calibrate(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Measure the range of every convolution's input over pictures (S, S, 3) BGR."""
        quantization = _quantization()
        with tempfile.TemporaryDirectory() as folder:
            plain, augmented = Path(folder) / "plain.onnx", Path(folder) / "augmented.onnx"
            onnx.save(self._model, plain)
            calibrator = quantization.create_calibrator(
                plain,
                op_types_to_calibrate=["Conv"],
                augmented_model_path=str(augmented),
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )
            calibrator.collect_data(_Feed(_fed(self._model, pictures)))
            self._ranges = calibrator.compute_data()

    def written(self, which: Sequence[Layer]) -> bytes:
        """Return the model with `which` in int8: whole numbers between QuantizeLinear and DequantizeLinear."""
        assert self._ranges is not None, "calibrate() comes first"
        quantization = _quantization()
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        quantizer = quantization.QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=quantization.QuantType.QInt8,
            activation_qType=quantization.QuantType.QUInt8,
            tensors_range=self._ranges,
            nodes_to_quantize=[layer.name for layer in which],
            nodes_to_exclude=[],
            op_types_to_quantize=["Conv"],
            # A layer's result stays as wide as it is computed: where the next one is not in int8, rounding it would
            # cost time and keypoints for nothing.
            extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"]},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        return _checked(quantizer.model.model)


class _Feed:
    """What ONNX Runtime's calibration asks for pictures."""

    def __init__(self, inputs: Iterator[dict[str, NDArray[Any]]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next picture, None after the last."""
        return next(self._inputs, None)


def _fed(model: onnx.ModelProto, pictures: Iterable[NDArray[np.uint8]]) -> Iterator[dict[str, NDArray[Any]]]:
    weights = {tensor.name for tensor in model.graph.initializer}
    (spec,) = (value for value in model.graph.input if value.name not in weights)
    dtype = helper.tensor_dtype_to_np_dtype(spec.type.tensor_type.elem_type)
    for picture in pictures:
        colours = picture if spec.name == BGR else picture[..., ::-1]
        yield {spec.name: np.ascontiguousarray(colours[None], dtype)}


def _checked(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _quantization() -> Any:  # noqa: ANN401 - a module without types
    try:
        from onnxruntime import quantization
    except ModuleNotFoundError as exc:
        raise MissingError(
            "quantising to int8 needs the module 'onnxruntime', which is not installed; "
            "`pip install 'lalelu[onnxruntime]'` brings it, or choose --to f16 or bf16"
        ) from exc
    return quantization
