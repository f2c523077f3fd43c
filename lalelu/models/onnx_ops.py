"""How each of TensorFlow's operations is written in ONNX: one small function per kind. Pure."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from lalelu.models.graph import Array, Node, UnsupportedError, tensor
from lalelu.models.kernels import Window, attr, slices, window

if TYPE_CHECKING:  # the writer imports this table
    from lalelu.models.onnx_export import OnnxWriter

Emit: TypeAlias = "Callable[[OnnxWriter, Node], None]"

EMITTERS: Final[dict[str, Emit]] = {}

# the same operation under ONNX's name, number by number
SAME: Final = {
    "Abs": "Abs",
    "Add": "Add",
    "AddN": "Sum",
    "AddV2": "Add",
    "Elu": "Elu",
    "Equal": "Equal",
    "Exp": "Exp",
    "Floor": "Floor",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "Log": "Log",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "Maximum": "Max",
    "Minimum": "Min",
    "Mul": "Mul",
    "Neg": "Neg",
    "RealDiv": "Div",
    "Reciprocal": "Reciprocal",
    "Relu": "Relu",
    "Select": "Where",
    "SelectV2": "Where",
    "Sigmoid": "Sigmoid",
    "Sqrt": "Sqrt",
    "Sub": "Sub",
    "Tanh": "Tanh",
}


def _emits(*ops: str) -> "Callable[[Emit], Emit]":
    def register(emit: "Emit") -> "Emit":
        for op in ops:
            EMITTERS[op] = emit
        return emit

    return register


@_emits(*SAME)
def _same(w: "OnnxWriter", node: Node) -> None:
    if node.op == "Select" and w.shape(node.inputs[0]) != w.shape(node.inputs[1]):
        raise UnsupportedError(f"Select {node.name!r} chooses whole rows; known: number by number")
    layout = w.layout(node.inputs)
    w.give(node.name, w.add(SAME[node.op], [w.get(i, layout) for i in node.inputs])[0], layout)


@_emits("Relu6")
def _relu6(w: "OnnxWriter", node: Node) -> None:
    layout = w.layout(node.inputs)
    low, high = (w.constant(np.array(x, np.float32)) for x in (0, 6))
    w.give(node.name, w.add("Clip", [w.get(node.inputs[0], layout), low, high])[0], layout)


@_emits("Square", "SquaredDifference")
def _square(w: "OnnxWriter", node: Node) -> None:
    layout = w.layout(node.inputs)
    inputs = [w.get(i, layout) for i in node.inputs]
    root = w.add("Sub", inputs)[0] if len(inputs) == 2 else inputs[0]
    w.give(node.name, w.add("Mul", [root, root])[0], layout)


@_emits("Rsqrt")
def _rsqrt(w: "OnnxWriter", node: Node) -> None:
    layout = w.layout(node.inputs)
    root = w.add("Sqrt", [w.get(node.inputs[0], layout)])
    w.give(node.name, w.add("Reciprocal", root)[0], layout)


@_emits("FloorDiv")
def _floor_div(w: "OnnxWriter", node: Node) -> None:
    inputs = [w.get(i) for i in node.inputs]
    quotient = w.add("Div", inputs)[0]
    if w.specs[node.name].dtype.kind == "f":
        quotient = w.add("Floor", [quotient])[0]
    elif not all(_never_negative(w, name) for name in node.inputs):
        # ONNX rounds towards zero, TensorFlow down: one less where a rest of the other sign is left
        rest = w.add("Sub", [inputs[0], w.add("Mul", [quotient, inputs[1]])[0]])[0]
        zero = w.constant(np.array(0))
        differ = w.add("Less", [w.add("Mul", [rest, inputs[1]])[0], zero])
        quotient = w.add("Sub", [quotient, w.add("Cast", differ, to=7)[0]])[0]  # 7 = INT64
    w.give(node.name, quotient)


def _never_negative(w: "OnnxWriter", name: str) -> bool:
    array = w.value(name)
    if array is not None:
        return bool(np.all(array >= 0))
    node = w.makers.get(name.partition(":")[0])
    if node is None:
        return False
    if node.op in {"AddV2", "FloorDiv", "Mul"}:
        return all(_never_negative(w, i) for i in node.inputs)
    if node.op == "Reshape":
        return _never_negative(w, node.inputs[0])
    if node.op == "Maximum":
        return any(_never_negative(w, i) for i in node.inputs)
    if node.op == "Cast":
        return w.specs[node.inputs[0]].dtype == np.bool_
    return node.op == "ArgMax" or (node.op == "TopKV2" and name == f"{node.name}:1")


@_emits("Cast")
def _cast(w: "OnnxWriter", node: Node) -> None:
    kind = attr(node, "DstT").kind
    to = {"b": 9, "i": 7, "u": 7, "f": 1}[kind]  # BOOL, INT64 (all whole numbers, inside), FLOAT
    source = node.inputs[0]
    layout = w.layout(node.inputs)
    w.give(node.name, w.add("Cast", [w.source(source) or w.get(source, layout)], to=to)[0], layout)


@_emits("Conv2D", "DepthwiseConv2dNative")
def _convolution(w: "OnnxWriter", node: Node) -> None:
    if not _is_biased(w, node):  # else the BiasAdd writes both at once
        w.give(node.name, _conv(w, node, ()), "nchw")


@_emits("BiasAdd")
def _bias_add(w: "OnnxWriter", node: Node) -> None:
    conv = w.makers.get(node.inputs[0])
    if conv is not None and conv.op in {"Conv2D", "DepthwiseConv2dNative"} and _is_biased(w, conv):
        w.give(node.name, _conv(w, conv, (w.get(node.inputs[1]),)), "nchw")
        return
    layout = w.layout(node.inputs)
    w.give(node.name, w.add("Add", [w.get(i, layout) for i in node.inputs])[0], layout)


def _is_biased(w: "OnnxWriter", conv: Node) -> bool:
    users = w.users.get(conv.name, ())
    return len(users) == 1 and users[0].op == "BiasAdd" and w.value(users[0].inputs[1]) is not None


def _conv(w: "OnnxWriter", node: Node, bias: tuple[str, ...]) -> str:
    weights = w.value(node.inputs[1])
    if weights is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has weights that depend on the picture; known: fixed ones"
        )
    height, width, channels, filters = weights.shape
    if node.op == "Conv2D":
        group = w.shape(node.inputs[0])[3] // channels
        weights = weights.transpose(3, 2, 0, 1)
    else:
        group = channels
        weights = weights.reshape(height, width, 1, channels * filters).transpose(3, 2, 0, 1)
    view = window(node, w.shape(node.inputs[0])[1:3], (height, width))
    inputs = [w.get(node.inputs[0], "nchw"), w.constant(weights), *bias]
    return w.add("Conv", inputs, group=group, dilations=view.dilations, **_view(view))[0]


@_emits("Conv2DBackpropInput")
def _transposed_convolution(w: "OnnxWriter", node: Node) -> None:
    weights = w.value(node.inputs[1])
    if weights is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has weights that depend on the picture; known: fixed ones"
        )
    size, source = w.shape(node.name)[1:3], w.shape(node.inputs[2])[1:3]
    view = window(node, size, weights.shape[:2])  # of the convolution that it turns around
    # what no window of that convolution reached
    rest = [
        n - (view.strides[i] * (source[i] - 1) + view.kernel[i] - sum(view.pads[i]))
        for i, n in enumerate(size)
    ]
    inputs = [w.get(node.inputs[2], "nchw"), w.constant(weights.transpose(3, 2, 0, 1))]
    made = w.add("ConvTranspose", inputs, group=1, dilations=(1, 1), output_padding=rest, **_view(view))
    w.give(node.name, made[0], "nchw")


@_emits("DepthToSpace")
def _depth_to_space(w: "OnnxWriter", node: Node) -> None:
    block = attr(node, "block_size")
    made = w.add("DepthToSpace", [w.get(node.inputs[0], "nchw")], blocksize=block, mode="DCR")
    w.give(node.name, made[0], "nchw")


@_emits("MatMul")
def _mat_mul(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.add("MatMul", [w.get(i) for i in node.inputs])[0])


def _view(view: Window) -> dict[str, Any]:
    (top, bottom), (left, right) = view.pads
    return {"kernel_shape": view.kernel, "strides": view.strides, "pads": (top, left, bottom, right)}


@_emits("MaxPool")
def _max_pool(w: "OnnxWriter", node: Node) -> None:
    view = window(node, w.shape(node.inputs[0])[1:3], tuple(attr(node, "ksize")[1:3]))
    w.give(node.name, w.add("MaxPool", [w.get(node.inputs[0], "nchw")], **_view(view))[0], "nchw")


@_emits("ResizeBilinear")
def _resize(w: "OnnxWriter", node: Node) -> None:
    centres, corners = (attr(node, key, False) for key in ("half_pixel_centers", "align_corners"))
    mode = "align_corners" if corners else "half_pixel" if centres else "asymmetric"
    batch, height, width, channels = w.shape(node.name)
    source = w.get(node.inputs[0], "nchw")
    sizes = w.constant(np.array([batch, channels, height, width]))
    made = w.add("Resize", [source, "", "", sizes], mode="linear", coordinate_transformation_mode=mode)
    w.give(node.name, made[0], "nchw")


@_emits("Reshape", "ExpandDims", "Squeeze")
def _reshape(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.reshape(w.get(node.inputs[0]), w.shape(node.name)))


@_emits("Identity", "StopGradient")
def _identity(w: "OnnxWriter", node: Node) -> None:
    layout = w.layout(node.inputs)
    w.give(node.name, w.get(node.inputs[0], layout), layout)


@_emits("Pack")
def _pack(w: "OnnxWriter", node: Node) -> None:
    shape = list(w.shape(node.name))
    axis = attr(node, "axis", 0) % len(shape)
    shape[axis] = 1
    w.give(node.name, w.add("Concat", [w.reshape(w.get(i), shape) for i in node.inputs], axis=axis)[0])


@_emits("Unpack")
def _unpack(w: "OnnxWriter", node: Node) -> None:
    axis = attr(node, "axis", 0) % len(w.shape(node.inputs[0]))
    for index in range(attr(node, "num")):
        part = w.add("Gather", [w.get(node.inputs[0]), w.constant(np.array(index))], axis=axis)
        w.give(tensor(node.name, index), part[0])


@_emits("ConcatV2")
def _concat(w: "OnnxWriter", node: Node) -> None:
    axis = _number(w, node, -1) % len(w.shape(node.name))
    parts = node.inputs[:-1]
    layout = w.layout(parts)
    if layout == "nchw":
        axis = (0, 2, 3, 1)[axis]
    w.give(node.name, w.add("Concat", [w.get(i, layout) for i in parts], axis=axis)[0], layout)


@_emits("Split")
def _split(w: "OnnxWriter", node: Node) -> None:
    count = attr(node, "num_split")
    parts = w.add("Split", [w.get(node.inputs[1])], count, axis=_number(w, node, 0))
    for index, part in enumerate(parts):
        w.give(tensor(node.name, index), part)


@_emits("StridedSlice")
def _strided_slice(w: "OnnxWriter", node: Node) -> None:
    begin, end, strides = (_array(w, node, i) for i in (1, 2, 3))
    shape = w.shape(node.inputs[0])
    index = slices(node, begin, end, strides)
    taken = sum(1 for i in index if i is not None and i is not Ellipsis)
    rest = (slice(None),) * (len(shape) - taken)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    ranges: list[range] = []
    for part, size in zip(
        [i for i in (*index[:at], *rest, *index[at + 1 :]) if i is not None], shape, strict=True
    ):
        first = part % size if isinstance(part, int) else 0
        ranges.append(range(first, first + 1) if isinstance(part, int) else range(size)[part])
    cut = [axis for axis, (r, size) in enumerate(zip(ranges, shape, strict=True)) if r != range(size)]
    name = w.get(node.inputs[0])
    if cut:
        # a stop before the first number (a step backwards) is any number far below zero
        stops = [ranges[a].stop if ranges[a].stop >= 0 else -shape[a] - 1 for a in cut]
        numbers = [[ranges[a].start for a in cut], stops, cut, [ranges[a].step for a in cut]]
        name = w.add("Slice", [name, *(w.constant(np.array(x, np.int64)) for x in numbers)])[0]
    same = tuple(len(r) for r in ranges) == w.shape(node.name)
    w.give(node.name, name if same else w.reshape(name, w.shape(node.name)))


@_emits("Transpose")
def _transpose(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.add("Transpose", [w.get(node.inputs[0])], perm=_array(w, node, 1).tolist())[0])


@_emits("Pad")
def _pad(w: "OnnxWriter", node: Node) -> None:
    layout = w.layout(node.inputs[:1])
    pads = _array(w, node, 1)[[0, 3, 1, 2]] if layout == "nchw" else _array(w, node, 1)
    made = w.add("Pad", [w.get(node.inputs[0], layout), w.constant(pads.T.reshape(-1))])
    w.give(node.name, made[0], layout)


@_emits("Tile")
def _tile(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.add("Tile", [w.get(node.inputs[0]), w.constant(_array(w, node, 1))])[0])


@_emits("GatherNd")
def _gather_nd(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.add("GatherND", [w.get(i) for i in node.inputs])[0])


@_emits("GatherV2")
def _gather(w: "OnnxWriter", node: Node) -> None:
    inputs = [w.get(i) for i in node.inputs[:2]]
    w.give(node.name, w.add("Gather", inputs, axis=_number(w, node, 2))[0])


@_emits("ArgMax")
def _arg_max(w: "OnnxWriter", node: Node) -> None:
    w.give(node.name, w.add("ArgMax", [w.get(node.inputs[0])], axis=_number(w, node, 1), keepdims=0)[0])


@_emits("Max", "Mean")
def _max(w: "OnnxWriter", node: Node) -> None:
    axes = _array(w, node, 1).reshape(-1).tolist()
    keep = int(attr(node, "keep_dims", False))
    w.give(node.name, w.add(f"Reduce{node.op}", [w.get(node.inputs[0])], axes=axes, keepdims=keep)[0])


@_emits("Sum")
def _sum(w: "OnnxWriter", node: Node) -> None:
    axes = w.constant(_array(w, node, 1).reshape(-1))
    keep = int(attr(node, "keep_dims", False))
    w.give(node.name, w.add("ReduceSum", [w.get(node.inputs[0]), axes], keepdims=keep)[0])


@_emits("TopKV2")
def _top_k(w: "OnnxWriter", node: Node) -> None:
    count = w.constant(np.array([_number(w, node, 1)]))
    values, indices = w.add("TopK", [w.get(node.inputs[0]), count], 2, axis=-1)
    w.give(node.name, values)
    w.give(tensor(node.name, 1), indices)


def _array(w: "OnnxWriter", node: Node, position: int) -> Array:
    array = w.value(node.inputs[position])
    if array is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has a setting that depends on the picture; known: fixed"
        )
    return array


def _number(w: "OnnxWriter", node: Node, position: int) -> int:
    return int(_array(w, node, position).reshape(()))
