"""What TensorFlow's operations compute, in NumPy: for folding constants and for finding shapes. Pure.

Shapes are found by computing on zeros, so that each operation stands here once. Convolution, pooling and
resizing are too slow for that: they only tell their output's shape.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from lalelu.models.graph import Array, Node, UnsupportedError

Compute: TypeAlias = Callable[[Node, Sequence[Array]], Sequence[Array]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How one operation is computed."""

    compute: Compute
    needs: tuple[int, ...] = ()  # inputs whose values decide the output's shape; -1 = all
    shape_only: bool = False  # the values of the inputs do not matter, so the result is always known
    folds: bool = True  # the result holds true values (else zeros of the right shape)


KERNELS: Final[dict[str, Kernel]] = {}


def _kernel(
    *ops: str, needs: tuple[int, ...] = (), shape_only: bool = False, folds: bool = True
) -> Callable[[Compute], Compute]:
    def register(compute: Compute) -> Compute:
        for op in ops:
            KERNELS[op] = Kernel(compute, needs, shape_only, folds)
        return compute

    return register


def _elementwise(op: str, function: Callable[..., Any]) -> None:
    def compute(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
        result = np.asarray(function(*inputs))
        # NumPy widens some results (an int divided); TensorFlow keeps the type, except for a comparison
        return [result if result.dtype == np.bool_ else result.astype(inputs[-1].dtype, copy=False)]

    KERNELS[op] = Kernel(compute)


ELEMENTWISE: Final[Mapping[str, Callable[..., Any]]] = {
    "Abs": np.abs,
    "Add": np.add,
    "AddN": lambda *x: sum(x[1:], start=x[0]),
    "AddV2": np.add,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "Equal": np.equal,
    "Exp": np.exp,
    "Floor": np.floor,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Identity": np.asarray,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "Log": np.log,
    "LogicalAnd": np.logical_and,
    "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "RealDiv": np.divide,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: np.clip(x, 0, 6),
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Select": np.where,
    "SelectV2": np.where,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "SquaredDifference": lambda x, y: np.square(x - y),
    "StopGradient": np.asarray,
    "Sub": np.subtract,
    "Tanh": np.tanh,
}
for _op, _function in ELEMENTWISE.items():
    _elementwise(_op, _function)


def compute(node: Node, inputs: Sequence[Array]) -> list[Array]:
    """Return a node's outputs; raises UnsupportedError when they do not fit together."""
    try:
        with np.errstate(all="ignore"):  # zeros that only stand for a shape may be divided by
            return [np.asarray(array) for array in KERNELS[node.op].compute(node, inputs)]
    except (ValueError, IndexError, TypeError) as exc:
        raise UnsupportedError(
            f"{node.op} {node.name!r} in the model's graph does not compute: {exc}"
        ) from exc


def attr(node: Node, name: str, default: Any = None) -> Any:  # noqa: ANN401 - attributes are of any type
    """Return an attribute's value; with no default it must be there (UnsupportedError)."""
    value = node.attrs.get(name, default)
    if value is None:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has no attribute {name!r}; the model's graph is not complete"
        )
    return value


def slices(node: Node, begin: Array, end: Array, strides: Array) -> tuple[Any, ...]:
    """Return StridedSlice's masks and numbers as a NumPy index."""
    masks = {
        key: int(attr(node, f"{key}_mask", 0))
        for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    index: list[Any] = []
    for i, (first, last, step) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(first)
        else:
            index.append(
                slice(None if masks["begin"] & bit else first, None if masks["end"] & bit else last, step)
            )
    return tuple(index)


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return TensorFlow's SAME padding before and after (the odd one goes after)."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True)
class Window:
    """A convolution's or pool's window over height and width."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)

    def output(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return (height, width) of the result for an input of (height, width)."""
        return tuple(
            (n + sum(self.pads[i]) - (self.kernel[i] - 1) * self.dilations[i] - 1) // self.strides[i] + 1
            for i, n in enumerate(size)
        )


def window(node: Node, size: tuple[int, ...], kernel: tuple[int, int]) -> Window:
    """Return the window of a convolution or pool over an input of (height, width)."""
    if attr(node, "data_format", "NHWC") != "NHWC":
        raise UnsupportedError(
            f"{node.op} {node.name!r} has the layout {node.attrs['data_format']}; known: NHWC"
        )
    strides = tuple(attr(node, "strides")[1:3])
    dilations = tuple(attr(node, "dilations", [1, 1, 1, 1])[1:3]) or (1, 1)
    padding = attr(node, "padding")
    if padding == "SAME":
        pads = tuple(same_pads(size[i], kernel[i], strides[i], dilations[i]) for i in (0, 1))
    elif padding == "VALID":
        pads = ((0, 0), (0, 0))
    elif padding == "EXPLICIT":
        flat = attr(node, "explicit_paddings")
        pads = ((flat[2], flat[3]), (flat[4], flat[5]))
    else:
        raise UnsupportedError(
            f"{node.op} {node.name!r} has the padding {padding!r}; known: SAME, VALID, EXPLICIT"
        )
    return Window(kernel, strides, dilations, pads)  # type: ignore[arg-type] # tuples of two, from slices of four


def _zeros(shape: Sequence[int]) -> Array:
    return np.broadcast_to(np.zeros((), np.float32), tuple(shape))


@_kernel("Conv2D", "DepthwiseConv2dNative", folds=False)
def _convolution(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    x, weights = inputs[:2]
    channels = weights.shape[3] * (weights.shape[2] if node.op == "DepthwiseConv2dNative" else 1)
    size = window(node, x.shape[1:3], weights.shape[:2]).output(x.shape[1:3])
    return [_zeros((x.shape[0], *size, channels))]


@_kernel("Conv2DBackpropInput", needs=(0,), folds=False)
def _transposed_convolution(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [_zeros(inputs[0].tolist())]


@_kernel("MaxPool", folds=False)
def _max_pool(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    x = inputs[0]
    size = window(node, x.shape[1:3], tuple(attr(node, "ksize")[1:3])).output(x.shape[1:3])
    return [_zeros((x.shape[0], *size, x.shape[3]))]


@_kernel("ResizeBilinear", needs=(1,), folds=False)
def _resize(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    x, size = inputs
    return [_zeros((x.shape[0], *size.tolist(), x.shape[3]))]


@_kernel("FusedBatchNormV3", folds=False)
def _batch_norm(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [_zeros(inputs[0].shape), *([_zeros(inputs[1].shape)] * 5)]


@_kernel("DepthToSpace")
def _depth_to_space(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    block = attr(node, "block_size")
    batch, height, width, channels = inputs[0].shape
    parts = inputs[0].reshape(batch, height, width, block, block, channels // block**2)
    return [parts.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * block, width * block, -1)]


@_kernel("MatMul")
def _mat_mul(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    if attr(node, "transpose_a", False) or attr(node, "transpose_b", False):
        raise UnsupportedError(f"MatMul {node.name!r} turns one of its inputs; known: as they stand")
    return [inputs[0] @ inputs[1]]


@_kernel("BiasAdd")
def _bias_add(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0] + inputs[1]]


@_kernel("Cast")
def _cast(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0].astype(attr(node, "DstT"))]


@_kernel("Shape", shape_only=True)
def _shape(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.array(inputs[0].shape, attr(node, "out_type", np.dtype(np.int32)))]


@_kernel("Size", shape_only=True)
def _size(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.array(inputs[0].size, attr(node, "out_type", np.dtype(np.int32)))]


@_kernel("Reshape", needs=(1,))
def _reshape(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0].reshape(inputs[1].tolist())]


@_kernel("ExpandDims", needs=(1,))
def _expand_dims(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.expand_dims(inputs[0], int(inputs[1].reshape(())))]


@_kernel("Squeeze")
def _squeeze(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    axes = node.attrs.get("squeeze_dims") or node.attrs.get("axis")
    return [np.squeeze(inputs[0], tuple(axes) if isinstance(axes, list) else None)]


@_kernel("Pack")
def _pack(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.stack(inputs, attr(node, "axis", 0))]


@_kernel("Unpack")
def _unpack(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return list(np.moveaxis(inputs[0], attr(node, "axis", 0), 0))


@_kernel("ConcatV2", needs=(-1,))
def _concat(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.concatenate(inputs[:-1], int(inputs[-1]))]


@_kernel("Split", needs=(0,))
def _split(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return np.split(inputs[1], attr(node, "num_split"), int(inputs[0]))


@_kernel("StridedSlice", needs=(1, 2, 3))
def _strided_slice(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0][slices(node, *inputs[1:])]]


@_kernel("Transpose", needs=(1,))
def _transpose(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0].transpose(inputs[1].tolist())]


@_kernel("Pad", needs=(1,))
def _pad(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.pad(inputs[0], inputs[1].tolist())]


@_kernel("Tile", needs=(1,))
def _tile(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.tile(inputs[0], inputs[1].tolist())]


@_kernel("Range", needs=(0, 1, 2))
def _range(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    start, stop, step = (float(x.reshape(())) for x in inputs)
    return [np.arange(start, stop, step).astype(inputs[0].dtype)]


@_kernel("Fill", needs=(0,))
def _fill(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.full(inputs[0].tolist(), inputs[1])]


@_kernel("GatherNd")
def _gather_nd(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [inputs[0][tuple(np.moveaxis(inputs[1], -1, 0))]]


@_kernel("GatherV2", needs=(2,))
def _gather(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.take(inputs[0], inputs[1], int(inputs[2]))]


@_kernel("ArgMax", needs=(1,))
def _arg_max(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    return [np.argmax(inputs[0], int(inputs[1])).astype(attr(node, "output_type", np.dtype(np.int64)))]


REDUCTIONS: Final[Mapping[str, Callable[..., Any]]] = {"Max": np.max, "Mean": np.mean, "Sum": np.sum}


@_kernel(*REDUCTIONS, needs=(1,))
def _reduce(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    axes, keep = tuple(inputs[1].reshape(-1).tolist()), bool(node.attrs.get("keep_dims"))
    return [np.asarray(REDUCTIONS[node.op](inputs[0], axes, keepdims=keep), inputs[0].dtype)]


@_kernel("TopKV2", needs=(1,))
def _top_k(_node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
    order = np.argsort(-inputs[0], -1, kind="stable")[..., : int(inputs[1])]
    return [np.take_along_axis(inputs[0], order, -1), order.astype(np.int32)]
