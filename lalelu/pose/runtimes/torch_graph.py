"""An ONNX model as a PyTorch module: one line of its forward pass for each operation. Reads a model file.

The module is written with `torch.fx`, so that running it costs no interpreting, and a compiler sees plain calls.
Known are the operations that lalelu's own converter writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # comes with onnx, without types
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional

from lalelu.errors import UsageError
from lalelu.pose.port import TensorSpec
from lalelu.pose.runtimes.model_file import unusable

Emit: TypeAlias = "Callable[[_Writer, onnx.NodeProto, dict[str, Any]], torch.fx.Node]"

EMITTERS: Final[dict[str, Emit]] = {}
# the same operation under PyTorch's name
SAME: Final[dict[str, Callable[..., Any]]] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "And": torch.logical_and,
    "Elu": functional.elu,
    "Equal": torch.eq,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "MatMul": torch.matmul,
    "Log": torch.log,
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Or": torch.logical_or,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
    "Where": torch.where,
}
DTYPES: Final = {
    1: torch.float32,
    2: torch.uint8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
}  # ONNX's numbers


@dataclass(frozen=True, slots=True)
class Built:
    """A module, and what it takes and gives (a tuple of tensors)."""

    module: torch.fx.GraphModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def build(path: Path, convolutions: torch.dtype) -> Built:
    """Return the module of an ONNX file; its convolutions compute in the given type, all before the outputs.

    Raises MissingError for a file that is no ONNX model, UsageError for an operation that is not known.
    """
    try:
        graph = onnx.load(path).graph
    except (DecodeError, OSError, ValueError) as exc:
        raise unusable(path, "it is no whole ONNX model") from exc
    writer = _Writer(
        {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}, convolutions, str(path)
    )
    inputs = tuple(_spec(value) for value in graph.input if value.name not in writer.constants)
    outputs = tuple(map(_spec, graph.output))
    if not inputs or not outputs:
        raise unusable(path, "it has no inputs or no outputs")
    for spec in inputs:
        writer.made[spec.name] = writer.graph.placeholder(spec.name)
    for node in graph.node:
        writer.write(node)
    results = tuple(
        writer.graph.call_method("to", (writer.get(spec.name), _dtype(spec.dtype))) for spec in outputs
    )
    writer.graph.output(results)
    module = torch.fx.GraphModule(writer.root, writer.graph)
    return Built(module.eval().requires_grad_(False), inputs, outputs)


@dataclass
class _Writer:
    """Collects the calls; emitters ask it for tensors and numbers."""

    constants: dict[str, NDArray[Any]]
    convolutions: torch.dtype
    file: str
    root: torch.nn.Module = field(default_factory=torch.nn.Module)
    graph: torch.fx.Graph = field(default_factory=torch.fx.Graph)
    made: dict[str, torch.fx.Node] = field(default_factory=dict)

    def write(self, node: onnx.NodeProto) -> None:
        """Write one ONNX operation."""
        attrs = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type in SAME:
            results = [self.call(SAME[node.op_type], *map(self.get, node.input))]
        elif node.op_type in EMITTERS:
            result = EMITTERS[node.op_type](self, node, attrs)
            several = len(node.output) > 1
            results = (
                [self.graph.call_function(_item, (result, i)) for i in range(len(node.output))]
                if several
                else [result]
            )
        else:
            raise UsageError(
                f"{self.file} holds the operation {node.op_type}, which runtime 'torch' does not know; "
                "choose pose.runtime: openvino or onnxruntime"
            )
        self.made.update(zip(node.output, results, strict=True))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> torch.fx.Node:  # noqa: ANN401 - of any type
        """Write one call of PyTorch's."""
        return self.graph.call_function(function, args, kwargs)

    def get(self, name: str) -> torch.fx.Node:
        """Return a tensor's node; a constant is kept in the module."""
        if name not in self.made:
            self.made[name] = self.keep(torch.from_numpy(self.constants[name].copy()))
        return self.made[name]

    def keep(self, tensor: Tensor) -> torch.fx.Node:
        """Return the node of numbers that belong to the module."""
        name = f"c{len(list(self.root.buffers()))}"
        self.root.register_buffer(name, tensor)
        return self.graph.get_attr(name)

    def numbers(self, name: str) -> list[int]:
        """Return a constant's whole numbers. Raises UsageError where they depend on the picture."""
        if name not in self.constants:
            raise UsageError(
                f"{self.file} has a shape that depends on the picture, which runtime 'torch' does not know; "
                "choose pose.runtime: openvino or onnxruntime"
            )
        return [int(number) for number in self.constants[name].reshape(-1)]


def _emits(*ops: str) -> Callable[[Emit], Emit]:
    def register(emit: Emit) -> Emit:
        for op in ops:
            EMITTERS[op] = emit
        return emit

    return register


@_emits("Conv")
def _conv(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    weights, *bias = (
        torch.from_numpy(w.constants[name].copy()).to(w.convolutions) for name in node.input[1:]
    )
    source = w.graph.call_method("to", (w.get(node.input[0]), w.convolutions))
    padded, pads = _pads(w, source, attrs["pads"], 0.0)
    kept = w.keep(weights.contiguous(memory_format=torch.channels_last))
    return w.call(
        functional.conv2d,
        padded,
        kept,
        *map(w.keep, bias),
        stride=tuple(attrs["strides"]),
        padding=pads,
        dilation=tuple(attrs["dilations"]),
        groups=attrs["group"],
    )


@_emits("ConvTranspose")
def _conv_transpose(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    weights, *bias = (
        torch.from_numpy(w.constants[name].copy()).to(w.convolutions) for name in node.input[1:]
    )
    top, left, bottom, right = attrs["pads"]
    made = w.call(
        functional.conv_transpose2d,
        w.graph.call_method("to", (w.get(node.input[0]), w.convolutions)),
        w.keep(weights),
        *map(w.keep, bias),
        stride=tuple(attrs["strides"]),
        output_padding=tuple(attrs.get("output_padding", (0, 0))),
        groups=attrs.get("group", 1),
    )
    return w.call(functional.pad, made, (-left, -right, -top, -bottom))  # PyTorch would crop both ends alike


@_emits("MaxPool")
def _max_pool(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    source, pads = _pads(w, w.get(node.input[0]), attrs["pads"], float("-inf"))
    return w.call(
        functional.max_pool2d, source, tuple(attrs["kernel_shape"]), tuple(attrs["strides"]), padding=pads
    )


def _pads(
    w: _Writer, source: torch.fx.Node, pads: Sequence[int], value: float
) -> tuple[torch.fx.Node, tuple[int, int]]:
    """Return the tensor, padded where one side has more than the other, and what the operation is to pad itself."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return source, (top, left)
    return w.call(functional.pad, source, (left, right, top, bottom), value=value), (0, 0)


@_emits("Resize")
def _resize(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    mode, at = (attrs[name].decode() for name in ("mode", "coordinate_transformation_mode"))
    if mode != "linear" or at not in {"half_pixel", "align_corners"}:
        raise UsageError(
            f"{w.file} resizes by {mode} {at}, which runtime 'torch' does not know; "
            "choose pose.runtime: openvino or onnxruntime"
        )
    size, corners = tuple(w.numbers(node.input[3])[2:]), at == "align_corners"
    return w.call(functional.interpolate, w.get(node.input[0]), size, mode="bilinear", align_corners=corners)


@_emits("Cast")
def _cast(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.graph.call_method("to", (w.get(node.input[0]), DTYPES[attrs["to"]]))


@_emits("Clip")
def _clip(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    low, high = (float(w.constants[name]) for name in node.input[1:])
    return w.call(functional.hardtanh, w.get(node.input[0]), low, high)


@_emits("Reshape")
def _reshape(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.reshape, w.get(node.input[0]), tuple(w.numbers(node.input[1])))


@_emits("Transpose")
def _transpose(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.permute, w.get(node.input[0]), tuple(attrs["perm"]))


@_emits("Identity")
def _identity(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    return w.get(node.input[0])


@_emits("Slice")
def _slice(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    starts, stops, axes, steps = (w.numbers(name) for name in node.input[1:])
    result = w.get(node.input[0])
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        result = w.call(_sliced, result, axis, start, stop, step)
    return result


@_emits("Concat")
def _concat(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.cat, tuple(map(w.get, node.input)), attrs["axis"])


@_emits("Split")
def _split(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.chunk, w.get(node.input[0]), len(node.output), attrs["axis"])


@_emits("Gather")
def _gather(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    if node.input[1] in w.constants and w.constants[node.input[1]].ndim == 0:
        (index,) = w.numbers(node.input[1])
        return w.call(torch.select, w.get(node.input[0]), attrs["axis"], index)
    return w.call(torch.index_select, w.get(node.input[0]), attrs["axis"], w.get(node.input[1]))


@_emits("GatherND")
def _gather_nd(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    return w.call(_gathered, *map(w.get, node.input))


@_emits("Tile")
def _tile(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.tile, w.get(node.input[0]), tuple(w.numbers(node.input[1])))


@_emits("Pad")
def _pad(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    numbers = w.numbers(node.input[1])
    half = len(numbers) // 2
    around = [n for axis in reversed(range(half)) for n in (numbers[axis], numbers[half + axis])]
    return w.call(functional.pad, w.get(node.input[0]), tuple(around))


@_emits("ArgMax")
def _arg_max(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.argmax, w.get(node.input[0]), attrs["axis"], bool(attrs["keepdims"]))


@_emits("ReduceMax")
def _reduce_max(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.amax, w.get(node.input[0]), tuple(attrs["axes"]), bool(attrs["keepdims"]))


@_emits("ReduceMean")
def _reduce_mean(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.mean, w.get(node.input[0]), tuple(attrs["axes"]), bool(attrs["keepdims"]))


@_emits("DepthToSpace")
def _depth_to_space(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(_spread, w.get(node.input[0]), attrs["blocksize"])


@_emits("ReduceSum")
def _reduce_sum(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    return w.call(torch.sum, w.get(node.input[0]), tuple(w.numbers(node.input[1])), bool(attrs["keepdims"]))


@_emits("Sum")
def _sum(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    first, *rest = map(w.get, node.input)
    for term in rest:
        first = w.call(torch.add, first, term)
    return first


@_emits("Div")
def _div(w: _Writer, node: onnx.NodeProto, _: dict[str, Any]) -> torch.fx.Node:
    return w.call(_divided, *map(w.get, node.input))


@_emits("TopK")
def _top_k(w: _Writer, node: onnx.NodeProto, attrs: dict[str, Any]) -> torch.fx.Node:
    (count,) = w.numbers(node.input[1])
    return w.call(torch.topk, w.get(node.input[0]), count, attrs["axis"])


def _item(several: Sequence[Tensor], index: int) -> Tensor:
    return several[index]


def _sliced(tensor: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    return tensor[(slice(None),) * axis + (slice(start, stop, step),)]


def _spread(x: Tensor, block: int) -> Tensor:
    """Lay channels out over squares of `block` x `block` cells, the square's rows first (ONNX's order DCR)."""
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, block, block, channels // block**2, height, width)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * block, width * block)


def _gathered(tensor: Tensor, indices: Tensor) -> Tensor:
    return tensor[tuple(indices.unbind(-1))]


def _divided(a: Tensor, b: Tensor) -> Tensor:
    """ONNX rounds quotients of whole numbers towards zero."""
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    dims = value.type.tensor_type.shape.dim
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return TensorSpec(value.name, tuple(dim.dim_value for dim in dims), np.dtype(dtype))


def _dtype(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype
