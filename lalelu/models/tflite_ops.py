"""How each of TensorFlow's operations is written in TFLite: one small function per kind. Pure."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from lalelu.models.graph import Array, Node, UnsupportedError, tensor
from lalelu.models.kernels import attr, slices, window

if TYPE_CHECKING:  # the writer imports this table
    from lalelu.models.tflite_export import TfliteWriter

Emit: TypeAlias = "Callable[[TfliteWriter, Node], None]"

EMITTERS: Final[dict[str, Emit]] = {}

# the same operation under TFLite's name, number by number, without options ...
SAME: Final = {
    "Abs": "ABS",
    "Elu": "ELU",
    "Equal": "EQUAL",
    "Exp": "EXP",
    "Floor": "FLOOR",
    "FloorDiv": "FLOOR_DIV",
    "FloorMod": "FLOOR_MOD",
    "GatherNd": "GATHER_ND",
    "Greater": "GREATER",
    "GreaterEqual": "GREATER_EQUAL",
    "Less": "LESS",
    "LessEqual": "LESS_EQUAL",
    "Log": "LOG",
    "LogicalAnd": "LOGICAL_AND",
    "LogicalNot": "LOGICAL_NOT",
    "LogicalOr": "LOGICAL_OR",
    "Maximum": "MAXIMUM",
    "Minimum": "MINIMUM",
    "Neg": "NEG",
    "Pad": "PAD",
    "Relu": "RELU",
    "Relu6": "RELU6",
    "Rsqrt": "RSQRT",
    "Select": "SELECT",
    "SelectV2": "SELECT_V2",
    "Sigmoid": "LOGISTIC",
    "Sqrt": "SQRT",
    "Square": "SQUARE",
    "SquaredDifference": "SQUARED_DIFFERENCE",
    "Tanh": "TANH",
    "Tile": "TILE",
    "TopKV2": "TOPK_V2",
    "Transpose": "TRANSPOSE",
}
# ... and with a table of options (a fused activation, none)
ARITHMETIC: Final = {
    "Add": ("ADD", "AddOptions"),
    "AddV2": ("ADD", "AddOptions"),
    "BiasAdd": ("ADD", "AddOptions"),
    "Mul": ("MUL", "MulOptions"),
    "RealDiv": ("DIV", "DivOptions"),
    "Sub": ("SUB", "SubOptions"),
}
CONVOLUTIONS: Final = frozenset({"Conv2D", "DepthwiseConv2dNative"})
ACTIVATIONS: Final = {"Relu": "RELU", "Relu6": "RELU6"}  # that a convolution takes in


def _emits(*ops: str) -> "Callable[[Emit], Emit]":
    def register(emit: "Emit") -> "Emit":
        for op in ops:
            EMITTERS[op] = emit
        return emit

    return register


@_emits(*SAME)
def _same(w: "TfliteWriter", node: Node) -> None:
    outputs = [w.tensor(tensor(node.name, i)) for i in range(2 if node.op == "TopKV2" else 1)]
    w.add(SAME[node.op], [w.tensor(i) for i in node.inputs], outputs)


@_emits(*ARITHMETIC)
def _arithmetic(w: "TfliteWriter", node: Node) -> None:
    op, table = ARITHMETIC[node.op]
    w.add(op, [w.tensor(i) for i in node.inputs], [w.tensor(node.name)], table=table)


@_emits("Reciprocal")
def _reciprocal(w: "TfliteWriter", node: Node) -> None:
    one = w.constant(np.array(1, np.float32))
    w.add("DIV", [one, w.tensor(node.inputs[0])], [w.tensor(node.name)], table="DivOptions")


@_emits("AddN")
def _add_n(w: "TfliteWriter", node: Node) -> None:
    if len(node.inputs) == 2:  # XNNPACK knows a sum of two
        w.add("ADD", [w.tensor(i) for i in node.inputs], [w.tensor(node.name)], table="AddOptions")
        return
    w.add("ADD_N", [w.tensor(i) for i in node.inputs], [w.tensor(node.name)], table="AddNOptions")


@_emits("Cast")
def _cast(w: "TfliteWriter", node: Node) -> None:
    w.add("CAST", [w.tensor(node.inputs[0])], [w.tensor(node.name)], table="CastOptions")


@_emits("Conv2D", "DepthwiseConv2dNative")
def _convolution(w: "TfliteWriter", node: Node) -> None:
    weights = w.value(node.inputs[1])
    if weights is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has weights that depend on the picture; known: fixed ones"
        )
    last, bias, activation = _taken_in(w, node)
    height, width, channels, filters = weights.shape
    shape = w.shape(node.inputs[0])
    if node.op == "Conv2D" and shape[3] != channels:
        raise UnsupportedError(f"Conv2D {node.name!r} has groups of channels; known: one group")
    view = window(node, (shape[1], shape[2]), (height, width))
    source, padding = _padded(w, node, view.pads)
    options = {
        "padding": getattr(w.schema.Padding, padding),
        "strideH": view.strides[0],
        "strideW": view.strides[1],
        "dilationHFactor": view.dilations[0],
        "dilationWFactor": view.dilations[1],
        "fusedActivationFunction": getattr(w.schema.ActivationFunctionType, activation),
    }
    if node.op == "Conv2D":
        op, table, ordered = "CONV_2D", "Conv2DOptions", weights.transpose(3, 0, 1, 2)
    else:
        op, table = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        ordered = weights.reshape(1, height, width, channels * filters)
        options["depthMultiplier"] = filters
    if bias is None:
        bias = np.zeros(w.shape(last.name)[3], np.float32)
    inputs = [source, w.constant(ordered), w.constant(bias)]
    w.add(op, inputs, [w.tensor(last.name)], table=table, **options)


def _taken_in(w: "TfliteWriter", node: Node) -> tuple[Node, Array | None, str]:
    """Return the last node of a convolution with its bias and activation, the bias, and the activation's name."""
    bias: Array | None = None
    activation = "NONE"
    user = _only_user(w, node)
    if user is not None and user.op == "BiasAdd" and (bias := w.value(user.inputs[1])) is not None:
        w.taken_in.add(user.name)
        node, user = user, _only_user(w, user)
    if user is not None and user.op in ACTIVATIONS:
        w.taken_in.add(user.name)
        node, activation = user, ACTIVATIONS[user.op]
    return node, bias, activation


def _only_user(w: "TfliteWriter", node: Node) -> Node | None:
    users = w.users.get(node.name, [])
    return users[0] if len(users) == 1 and not w.is_output(node.name) else None


def _padded(w: "TfliteWriter", node: Node, pads: tuple[tuple[int, int], tuple[int, int]]) -> tuple[int, str]:
    """Return the tensor to convolve or pool, and TFLite's word for its padding."""
    source = w.tensor(node.inputs[0])
    padding = attr(node, "padding")
    if padding == "EXPLICIT" and any(map(any, pads)):
        batch, height, width, channels = w.shape(node.inputs[0])
        wider = (batch, height + sum(pads[0]), width + sum(pads[1]), channels)
        padded = w.temporary(wider, w.specs[node.inputs[0]].dtype)
        around = w.constant(np.array([(0, 0), *pads, (0, 0)], np.int32))
        w.add("PAD", [source, around], [padded])
        source = padded
    return source, "SAME" if padding == "SAME" else "VALID"


@_emits("DepthToSpace")
def _depth_to_space(w: "TfliteWriter", node: Node) -> None:
    block = attr(node, "block_size")
    source, target = w.tensor(node.inputs[0]), w.tensor(node.name)
    w.add("DEPTH_TO_SPACE", [source], [target], table="DepthToSpaceOptions", blockSize=block)


@_emits("MatMul")
def _mat_mul(w: "TfliteWriter", node: Node) -> None:
    weights = w.value(node.inputs[1])
    if weights is None:
        raise UnsupportedError(
            f"MatMul {node.name!r} has weights that depend on the picture; known: fixed ones"
        )
    bias = w.constant(np.zeros(weights.shape[1], np.float32))
    inputs = [w.tensor(node.inputs[0]), w.constant(weights.T), bias]
    w.add("FULLY_CONNECTED", inputs, [w.tensor(node.name)], table="FullyConnectedOptions")


@_emits("MaxPool")
def _max_pool(w: "TfliteWriter", node: Node) -> None:
    _, height, width, _ = w.shape(node.inputs[0])
    size = attr(node, "ksize")
    view = window(node, (height, width), (size[1], size[2]))
    if attr(node, "padding") not in {"SAME", "VALID"}:
        raise UnsupportedError(
            f"MaxPool {node.name!r} has the padding {attr(node, 'padding')!r}; known: SAME, VALID"
        )
    w.add(
        "MAX_POOL_2D",
        [w.tensor(node.inputs[0])],
        [w.tensor(node.name)],
        table="Pool2DOptions",
        padding=getattr(w.schema.Padding, attr(node, "padding")),
        filterHeight=view.kernel[0],
        filterWidth=view.kernel[1],
        strideH=view.strides[0],
        strideW=view.strides[1],
    )


@_emits("Conv2DBackpropInput")
def _transposed_convolution(w: "TfliteWriter", node: Node) -> None:
    weights = w.value(node.inputs[1])
    padding = attr(node, "padding")
    if weights is None or padding not in {"SAME", "VALID"}:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has weights that depend on the picture, or the padding {padding!r}; "
            "known: fixed ones, SAME, VALID"
        )
    strides = attr(node, "strides")
    shape = w.constant(np.array(w.shape(node.name), np.int32))
    inputs = [shape, w.constant(weights.transpose(2, 0, 1, 3)), w.tensor(node.inputs[2])]
    w.add(
        "TRANSPOSE_CONV",
        inputs,
        [w.tensor(node.name)],
        table="TransposeConvOptions",
        padding=getattr(w.schema.Padding, padding),
        strideH=strides[1],
        strideW=strides[2],
    )


@_emits("ResizeBilinear")
def _resize(w: "TfliteWriter", node: Node) -> None:
    w.add(
        "RESIZE_BILINEAR",
        [w.tensor(i) for i in node.inputs],
        [w.tensor(node.name)],
        table="ResizeBilinearOptions",
        alignCorners=attr(node, "align_corners", False),
        halfPixelCenters=attr(node, "half_pixel_centers", False),
    )


@_emits("Reshape")
def _reshape(w: "TfliteWriter", node: Node) -> None:
    w.reshape(w.tensor(node.inputs[0]), w.tensor(node.name), w.shape(node.name))


@_emits("Pack")
def _pack(w: "TfliteWriter", node: Node) -> None:
    axis = attr(node, "axis", 0) % len(w.shape(node.name))
    inputs = [w.tensor(i) for i in node.inputs]
    w.add("PACK", inputs, [w.tensor(node.name)], table="PackOptions", axis=axis, valuesCount=len(inputs))


@_emits("Unpack")
def _unpack(w: "TfliteWriter", node: Node) -> None:
    count = attr(node, "num")
    axis = attr(node, "axis", 0) % len(w.shape(node.inputs[0]))
    outputs = [w.tensor(tensor(node.name, index)) for index in range(count)]
    w.add("UNPACK", [w.tensor(node.inputs[0])], outputs, table="UnpackOptions", axis=axis, num=count)


@_emits("ConcatV2")
def _concat(w: "TfliteWriter", node: Node) -> None:
    axis = int(_array(w, node, -1)) % len(w.shape(node.name))
    inputs = [w.tensor(i) for i in node.inputs[:-1]]
    w.add("CONCATENATION", inputs, [w.tensor(node.name)], table="ConcatenationOptions", axis=axis)


@_emits("Split")
def _split(w: "TfliteWriter", node: Node) -> None:
    count = attr(node, "num_split")
    outputs = [w.tensor(tensor(node.name, index)) for index in range(count)]
    inputs = [w.tensor(i) for i in node.inputs]
    w.add("SPLIT", inputs, outputs, table="SplitOptions", numSplits=count)


@_emits("StridedSlice")
def _strided_slice(w: "TfliteWriter", node: Node) -> None:
    shape = w.shape(node.inputs[0])
    index = slices(node, *(_array(w, node, position) for position in (1, 2, 3)))
    taken = sum(1 for part in index if part is not None and part is not Ellipsis)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    every = (*index[:at], *((slice(None),) * (len(shape) - taken)), *index[at + 1 :])
    begins: list[int] = []
    sizes: list[int] = []
    for part, size in zip((part for part in every if part is not None), shape, strict=True):
        found = range(size)[part]
        if isinstance(found, int):
            found = range(found, found + 1)
        if found.step != 1:
            raise UnsupportedError(f"StridedSlice {node.name!r} has the step {found.step}; known: 1")
        begins.append(found.start)
        sizes.append(len(found))
    source, cut = w.tensor(node.inputs[0]), tuple(sizes)
    if cut != shape:
        same = cut == w.shape(node.name)
        part = w.tensor(node.name) if same else w.temporary(cut, w.specs[node.name].dtype)
        ends = [w.constant(np.array(numbers, np.int32)) for numbers in (begins, sizes)]
        w.add("SLICE", [source, *ends], [part])
        if same:
            return
        source = part
    w.reshape(source, w.tensor(node.name), w.shape(node.name))


@_emits("GatherV2")
def _gather(w: "TfliteWriter", node: Node) -> None:
    inputs = [w.tensor(i) for i in node.inputs[:2]]
    axis = int(_array(w, node, 2))
    w.add("GATHER", inputs, [w.tensor(node.name)], table="GatherOptions", axis=axis)


@_emits("ArgMax")
def _arg_max(w: "TfliteWriter", node: Node) -> None:
    w.add(
        "ARG_MAX",
        [w.tensor(i) for i in node.inputs],
        [w.tensor(node.name)],
        table="ArgMaxOptions",
        outputType=w.schema.TensorType.INT32,
    )


@_emits("Max", "Mean", "Sum")
def _reduce(w: "TfliteWriter", node: Node) -> None:
    axes = w.constant(_array(w, node, 1).reshape(-1))
    w.add(
        {"Max": "REDUCE_MAX", "Mean": "MEAN", "Sum": "SUM"}[node.op],
        [w.tensor(node.inputs[0]), axes],
        [w.tensor(node.name)],
        table="ReducerOptions",
        keepDims=bool(attr(node, "keep_dims", False)),
    )


def _array(w: "TfliteWriter", node: Node, position: int) -> Array:
    array = w.value(node.inputs[position])
    if array is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has a setting that depends on the picture; known: fixed"
        )
    return array
