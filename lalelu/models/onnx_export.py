"""Write a graph as ONNX. Pure (gives bytes).

TensorFlow's pictures are (N, H, W, C), ONNX's (N, C, H, W). Each tensor may exist in both layouts: an
operation asks for the one it needs, and a transpose stands only where nothing made that one. Operations that
work number by number stay in the layout of their inputs, so that the backbone has no transposes.
Whole numbers are int64 inside, as ONNX's indices are; only inputs and outputs keep TensorFlow's type.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lalelu.models.graph import Array, Graph, Node, Spec, UnsupportedError, unfuse
from lalelu.models.onnx_ops import EMITTERS
from lalelu.models.simplify import Typed, simplified

OPSET: Final = 17
IR_VERSION: Final = 8  # the oldest that has this opset, so that older runtimes read it
TO_NCHW: Final = (0, 3, 1, 2)
TO_NHWC: Final = (0, 2, 3, 1)

Layout: TypeAlias = Literal["plain", "nchw"]


def to_onnx(graph: Graph, name: str) -> bytes:
    """Convert a graph as TensorFlow wrote it; inputs and outputs keep names, shapes, types and layout.

    Raises UnsupportedError naming the operation that is not known.
    """
    typed = simplified(unfuse(graph))
    writer = OnnxWriter(typed)
    for node in typed.graph.nodes:
        if node.op not in EMITTERS:
            raise UnsupportedError(
                f"{node.op} {node.name!r} in the model's graph has no ONNX form in this converter"
            )
        EMITTERS[node.op](writer, node)
    model = writer.model(name)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


class OnnxWriter:
    """Collects ONNX nodes; emitters ask it for tensors and give it theirs."""

    def __init__(self, typed: Typed) -> None:
        self.graph = typed.graph
        self.specs = dict(typed.specs)
        self.makers = {node.name: node for node in typed.graph.nodes}
        self.users: dict[str, list[Node]] = {}
        for node in typed.graph.nodes:
            for name in node.inputs:
                self.users.setdefault(name, []).append(node)
        self._made: dict[tuple[str, Layout], str] = {}  # (tensor, layout) -> ONNX name
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's shape, in TensorFlow's layout."""
        return self.specs[tensor].shape

    def value(self, tensor: str) -> Array | None:
        """Return a constant's value, None for what depends on the picture."""
        return self.graph.constants.get(tensor)

    def constant(self, array: Array) -> str:
        """Store numbers (once) and return their ONNX name."""
        array = np.asarray(array, np.int64 if array.dtype.kind in "iu" else array.dtype, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._initializers:
            self._initializers[key] = numpy_helper.from_array(array, f"c{len(self._initializers)}")
        return str(self._initializers[key].name)

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, **attrs: Any) -> list[str]:  # noqa: ANN401 - ONNX attributes
        """Write one ONNX node and return its outputs' names."""
        names = [f"t{len(self._nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self._nodes.append(
            helper.make_node(op, list(inputs), names, name=f"{op}_{len(self._nodes)}", **attrs)
        )
        return names

    def give(self, tensor: str, onnx_name: str, layout: Layout = "plain") -> None:
        """Say which ONNX tensor holds TensorFlow's `tensor`, and in which layout."""
        self._made[tensor, layout] = onnx_name

    def source(self, tensor: str) -> str | None:
        """Return the ONNX name of a graph input in its own type, None for any other tensor."""
        return _public(tensor) if tensor in self.graph.inputs else None

    def layout(self, tensors: Sequence[str]) -> Layout:
        """Return the layout in which all of them are there already; `plain` when they differ."""
        varying = [name for name in tensors if name not in self.graph.constants]
        there = [(name, "nchw") in self._made and (name, "plain") not in self._made for name in varying]
        return "nchw" if there and all(there) else "plain"

    def get(self, tensor: str, layout: Layout = "plain") -> str:
        """Return the ONNX name of a tensor in a layout, transposing what has only the other."""
        if (tensor, layout) not in self._made:
            self._made[tensor, layout] = self._made_anew(tensor, layout)
        return self._made[tensor, layout]

    def _made_anew(self, tensor: str, layout: Layout) -> str:
        array = self.value(tensor)
        if array is not None:
            if layout == "nchw":
                array = array.reshape((1,) * (4 - array.ndim) + array.shape).transpose(TO_NCHW)
            return self.constant(array)
        other: Layout = "plain" if layout == "nchw" else "nchw"
        if (tensor, other) in self._made:
            return self._transposed(tensor, self._made[tensor, other], layout)
        if layout == "plain" and tensor in self.graph.inputs:
            name = _public(tensor)
            whole = (
                self.specs[tensor].dtype.kind == "i"
            )  # bytes are pictures: they stay narrow until they are cast
            return self.add("Cast", [name], to=onnx.TensorProto.INT64)[0] if whole else name
        return self._transposed(tensor, self.get(tensor, other), layout)

    def _transposed(self, tensor: str, name: str, layout: Layout) -> str:
        batch, height, width, channels = self.shape(tensor)
        if channels == 1 or height * width == 1:  # the numbers lie the same way in both layouts
            to = (batch, channels, height, width) if layout == "nchw" else (batch, height, width, channels)
            return self.reshape(name, to)
        return self.add("Transpose", [name], perm=TO_NCHW if layout == "nchw" else TO_NHWC)[0]

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        """Write a reshape of an ONNX tensor to a fixed shape."""
        return self.add("Reshape", [name, self.constant(np.array(shape, np.int64))])[0]

    def model(self, name: str) -> onnx.ModelProto:
        """Return the whole model."""
        outputs = []
        for public, source in self.graph.outputs.items():
            spec = self.specs[source]
            held = self.get(source)
            whole = spec.dtype.kind in "iu" and spec.dtype != np.int64
            if whole:
                held = self.add("Cast", [held], to=_onnx_type(spec))[0]
            self._nodes.append(helper.make_node("Identity", [held], [public], name=public))
            outputs.append(helper.make_tensor_value_info(public, _onnx_type(spec), spec.shape))
        inputs = [
            helper.make_tensor_value_info(_public(key), _onnx_type(spec), spec.shape)
            for key, spec in self.graph.inputs.items()
        ]
        graph = helper.make_graph(self._nodes, name, inputs, outputs, list(self._initializers.values()))
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="lalelu",
        )


def _public(tensor: str) -> str:
    return tensor.replace(":", "_")


def _onnx_type(spec: Spec) -> int:
    return int(helper.np_dtype_to_tensor_dtype(spec.dtype))
