"""Each operation on small graphs: the ONNX file, run by ONNX's own reference, against NumPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from lalelu.models.graph import Graph, Node, Spec, UnsupportedError, build
from lalelu.models.kernels import KERNELS, same_pads
from lalelu.models.onnx_export import to_onnx
from lalelu.models.onnx_ops import EMITTERS

RNG = np.random.default_rng(3)
F32 = np.dtype(np.float32)
I32 = np.dtype(np.int32)


def graph_of(
    nodes: list[Node], constants: Mapping[str, Any], shape: tuple[int, ...], dtype: Any = F32
) -> Graph:
    """A graph with one input `x`; its output is the last node's first."""
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    return build(nodes, arrays, {"x": Spec(shape, np.dtype(dtype))}, {"output_0": nodes[-1].name})


def run(graph: Graph, x: Any) -> tuple[Any, list[str]]:
    """The output for `x`, and the kinds of ONNX node that made it."""
    model = onnx.load_model_from_string(to_onnx(graph, "small"))
    (output,) = ReferenceEvaluator(model).run(None, {"x": x})
    return output, [node.op_type for node in model.graph.node]


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


def convolved(x: Any, weights: Any, stride: int, pads: tuple[tuple[int, int], tuple[int, int]]) -> Any:
    """Convolution as its definition says it: NHWC, weights (h, w, in, out)."""
    padded = np.pad(x[0], (*pads, (0, 0)))
    height, width = weights.shape[:2]
    rows = (padded.shape[0] - height) // stride + 1
    columns = (padded.shape[1] - width) // stride + 1
    out = np.zeros((1, rows, columns, weights.shape[3]))
    for i in range(rows):
        for j in range(columns):
            patch = padded[i * stride : i * stride + height, j * stride : j * stride + width]
            out[0, i, j] = np.einsum("hwc,hwco->o", patch, weights)
    return out


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (6, 3, 1, (1, 1)),
        (6, 3, 2, (0, 1)),  # even size, stride 2: the odd pixel goes after
        (7, 3, 2, (1, 1)),
        (6, 2, 1, (0, 1)),
        (5, 5, 1, (2, 2)),
        (6, 1, 2, (0, 0)),
        (4, 3, 4, (0, 0)),
    ],
)
def test_same_padding_puts_the_odd_pixel_after(
    size: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_pads(size, kernel, stride) == expected


@pytest.mark.parametrize("size", [(6, 7), (7, 6), (5, 5)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolution_pads_as_tensorflow_does(size: tuple[int, int], stride: int, padding: str) -> None:
    x = RNG.normal(size=(1, *size, 2)).astype(np.float32)
    weights = RNG.normal(size=(3, 3, 2, 4)).astype(np.float32)
    attrs = {"strides": [1, stride, stride, 1], "padding": padding}
    output, _ = run(graph_of([Node("y", "Conv2D", ("x", "w"), attrs)], {"w": weights}, x.shape), x)
    pads = tuple(same_pads(n, 3, stride) if padding == "SAME" else (0, 0) for n in size)
    np.testing.assert_allclose(output, convolved(x, weights, stride, pads), atol=1e-5)  # type: ignore[arg-type] # two pairs


@pytest.mark.parametrize("filters", [1, 2])
def test_depthwise_convolution_keeps_channels_apart(filters: int) -> None:
    x = RNG.normal(size=(1, 6, 6, 3)).astype(np.float32)
    weights = RNG.normal(size=(3, 3, 3, filters)).astype(np.float32)
    attrs = {"strides": [1, 2, 2, 1], "padding": "SAME", "dilations": [1, 1, 1, 1]}
    output, _ = run(
        graph_of([Node("y", "DepthwiseConv2dNative", ("x", "w"), attrs)], {"w": weights}, x.shape), x
    )
    pads = (same_pads(6, 3, 2),) * 2
    parts = [convolved(x[..., c : c + 1], weights[:, :, c : c + 1], 2, pads) for c in range(3)]
    np.testing.assert_allclose(output, np.concatenate(parts, -1), atol=1e-5)


def test_max_pool_ignores_its_padding() -> None:
    x = -1 - RNG.random((1, 5, 6, 2)).astype(np.float32)
    attrs = {"ksize": [1, 5, 5, 1], "strides": [1, 1, 1, 1], "padding": "SAME"}
    output, _ = run(graph_of([Node("y", "MaxPool", ("x",), attrs)], {}, x.shape), x)
    expected = [
        [x[0, max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].max((0, 1)) for j in range(6)] for i in range(5)
    ]
    np.testing.assert_array_equal(output[0], expected)


@pytest.mark.parametrize(
    ("attrs", "positions"),
    [
        ({"half_pixel_centers": True, "align_corners": False}, (np.arange(6) + 0.5) / 2 - 0.5),
        ({"half_pixel_centers": False, "align_corners": True}, np.arange(6) * 2 / 5),
        ({"half_pixel_centers": False, "align_corners": False}, np.arange(6) / 2),
    ],
)
def test_resize_has_the_three_coordinate_rules_of_tensorflow(attrs: dict[str, Any], positions: Any) -> None:
    x = RNG.normal(size=(1, 3, 3, 2)).astype(np.float32)
    graph = graph_of([Node("y", "ResizeBilinear", ("x", "size"), attrs)], {"size": ints(6, 6)}, x.shape)
    output, _ = run(graph, x)
    at = np.clip(positions, 0, 2)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(3)))  # (6, 3): linear
    np.testing.assert_allclose(output[0], np.einsum("ih,jw,hwc->ijc", weights, weights, x[0]), atol=1e-6)


def test_gather_nd_takes_points_of_a_picture_in_tensorflows_layout() -> None:
    x = RNG.normal(size=(1, 4, 5, 3)).astype(np.float32)
    same = {"strides": [1, 1, 1, 1], "padding": "VALID"}
    nodes = [Node("c", "Conv2D", ("x", "w"), same), Node("y", "GatherNd", ("c", "at"))]
    at = np.array([[0, 3, 4], [0, 1, 2]], np.int32)
    graph = graph_of(nodes, {"w": np.eye(3, dtype=np.float32)[None, None], "at": at}, x.shape)
    output, kinds = run(graph, x)
    np.testing.assert_array_equal(output, x[0, [3, 1], [4, 2]])
    assert kinds.count("Transpose") == 2


def test_top_k_and_arg_max_prefer_the_first_of_equals() -> None:
    x = np.array([[3, 9, 1, 9, 3, 0]], np.float32)
    top = graph_of(
        [Node("t", "TopKV2", ("x", "k")), Node("y", "Identity", ("t:1",))],
        {"k": ints(4).reshape(())},
        x.shape,
    )
    indices, _ = run(top, x)
    assert indices.tolist() == [[1, 3, 0, 4]]
    assert indices.dtype == np.int32
    attrs = {"output_type": I32}
    best, _ = run(
        graph_of([Node("y", "ArgMax", ("x", "axis"), attrs)], {"axis": ints(1).reshape(())}, x.shape), x
    )
    assert best.tolist() == [1]
    assert best.dtype == np.int32


def test_whole_division_rounds_down_on_both_sides_of_zero() -> None:
    x = ints(-7, -6, -1, 0, 1, 7)
    for divisor in (3, -3):
        graph = graph_of([Node("y", "FloorDiv", ("x", "d"))], {"d": np.int32(divisor)}, x.shape, I32)
        output, _ = run(graph, x)
        assert output.tolist() == (x // divisor).tolist()
        assert output.dtype == np.int32


def test_division_of_an_index_needs_no_correction() -> None:
    nodes = [Node("a", "ArgMax", ("x", "axis"), {"output_type": I32}), Node("y", "FloorDiv", ("a", "d"))]
    _, kinds = run(
        graph_of(nodes, {"axis": np.int32(1), "d": np.int32(2)}, (1, 6)), np.zeros((1, 6), np.float32)
    )
    assert kinds.count("Div") == 1
    assert "Less" not in kinds


@pytest.mark.parametrize(
    ("begin", "end", "strides", "masks", "index"),
    [
        ((1, 0), (3, 2), (1, 1), {}, np.s_[1:3, 0:2]),
        ((0, 3), (0, 0), (1, -1), {"begin_mask": 1, "end_mask": 3}, np.s_[:, 3::-1]),
        ((1, 0), (2, 0), (1, 1), {"shrink_axis_mask": 1, "begin_mask": 2, "end_mask": 2}, np.s_[1]),
        ((-1, 0), (0, 0), (1, 1), {"shrink_axis_mask": 1, "begin_mask": 2, "end_mask": 2}, np.s_[-1]),
        (
            (0, 0, 0),
            (0, 0, 0),
            (1, 1, 1),
            {"new_axis_mask": 2, "begin_mask": 5, "end_mask": 5},
            np.s_[:, None, :],
        ),
        ((0, 1), (0, 3), (1, 1), {"ellipsis_mask": 1}, np.s_[..., 1:3]),
        ((0, 0), (9, 4), (2, 1), {}, np.s_[0:9:2, 0:4]),
    ],
)
def test_strided_slice_is_numpys_indexing(
    begin: tuple[int, ...], end: tuple[int, ...], strides: tuple[int, ...], masks: dict[str, Any], index: Any
) -> None:
    x = RNG.normal(size=(4, 4)).astype(np.float32)
    constants = {"b": ints(*begin), "e": ints(*end), "s": ints(*strides)}
    output, _ = run(graph_of([Node("y", "StridedSlice", ("x", "b", "e", "s"), masks)], constants, x.shape), x)
    np.testing.assert_array_equal(output, x[index])


def test_operations_number_by_number_agree_with_numpy() -> None:
    x = RNG.uniform(0.1, 3, (2, 3)).astype(np.float32)
    y = RNG.uniform(0.1, 3, (2, 3)).astype(np.float32)
    unary = [
        "Abs",
        "Elu",
        "Exp",
        "Neg",
        "Reciprocal",
        "Relu",
        "Relu6",
        "Rsqrt",
        "Sigmoid",
        "Sqrt",
        "Square",
        "Tanh",
    ]
    binary = [
        "Add",
        "AddN",
        "AddV2",
        "FloorDiv",
        "Maximum",
        "Minimum",
        "Mul",
        "RealDiv",
        "SquaredDifference",
        "Sub",
    ]
    compare = ["Equal", "Greater", "GreaterEqual", "Less", "LessEqual"]
    for op in unary + binary + compare:
        inputs = ("x",) if op in unary else ("x", "c")
        node = Node("y", op, inputs)
        output, _ = run(graph_of([node], {"c": y}, x.shape), x)
        (expected,) = KERNELS[op].compute(node, [x, y][: len(inputs)])
        np.testing.assert_allclose(output, expected, rtol=1e-5, err_msg=op)


def test_packing_splitting_and_reducing_agree_with_numpy() -> None:
    x = RNG.normal(size=(2, 4, 6)).astype(np.float32)
    one, zero = np.int32(1), np.int32(0)
    cases: list[tuple[list[Node], dict[str, Any], Any]] = [
        ([Node("y", "Pack", ("x", "x"), {"axis": 1})], {}, np.stack([x, x], 1)),
        ([Node("u", "Unpack", ("x",), {"axis": 1, "num": 4}), Node("y", "Neg", ("u:2",))], {}, -x[:, 2]),
        (
            [Node("s", "Split", ("d", "x"), {"num_split": 3}), Node("y", "Neg", ("s:1",))],
            {"d": np.int32(2)},
            -x[..., 2:4],
        ),
        ([Node("y", "ConcatV2", ("x", "x", "d"), {"N": 2})], {"d": np.int32(-1)}, np.concatenate([x, x], -1)),
        ([Node("y", "Max", ("x", "d"), {"keep_dims": False})], {"d": zero}, x.max(0)),
        (
            [Node("y", "Sum", ("x", "d"), {"keep_dims": True})],
            {"d": ints(0, 2)},
            x.sum((0, 2), keepdims=True),
        ),
        ([Node("y", "Tile", ("x", "d"))], {"d": ints(1, 2, 1)}, np.tile(x, (1, 2, 1))),
        ([Node("y", "Transpose", ("x", "d"))], {"d": ints(2, 0, 1)}, x.transpose(2, 0, 1)),
        (
            [Node("y", "Pad", ("x", "d"))],
            {"d": np.array([[0, 1], [2, 0], [0, 0]])},
            np.pad(x, [(0, 1), (2, 0), (0, 0)]),
        ),
        ([Node("y", "ExpandDims", ("x", "d"))], {"d": one}, x[:, None]),
    ]
    for nodes, constants, expected in cases:
        output, _ = run(graph_of(nodes, constants, x.shape), x)
        np.testing.assert_allclose(output, expected, rtol=1e-5, err_msg=nodes[0].op)


def test_select_and_logic_agree_with_numpy() -> None:
    x = RNG.normal(size=(5,)).astype(np.float32)
    nodes = [
        Node("big", "Greater", ("x", "zero")),
        Node("small", "Less", ("x", "one")),
        Node("both", "LogicalAnd", ("big", "small")),
        Node("either", "LogicalOr", ("both", "big")),
        Node("not", "LogicalNot", ("either",)),
        Node("y", "Select", ("not", "x", "fill")),
    ]
    constants = {"zero": np.float32(0), "one": np.float32(1), "fill": np.full(5, 7, np.float32)}
    output, _ = run(graph_of(nodes, constants, x.shape), x)
    np.testing.assert_array_equal(output, np.where(x > 0, np.float32(7), x))


def test_shapes_ranges_and_grids_become_constants() -> None:
    scalar = {"shrink_axis_mask": 1}
    nodes = [
        Node("shape", "Shape", ("x",), {"out_type": I32}),
        Node("h", "StridedSlice", ("shape", "b", "e", "s"), scalar),
        Node("f", "Cast", ("h",), {"DstT": F32}),
        Node("r", "Range", ("zero", "f", "one")),
        Node("n", "Size", ("r",), {"out_type": I32}),
        Node("p", "Pack", ("n", "n"), {"axis": 0}),
        Node("ones", "Fill", ("p", "one")),
        Node("grid", "Mul", ("r", "ones")),
        Node("y", "AddV2", ("x", "grid")),
    ]
    constants = {"b": ints(1), "e": ints(2), "s": ints(1), "zero": np.float32(0), "one": np.float32(1)}
    x = RNG.normal(size=(4, 4)).astype(np.float32)
    output, kinds = run(graph_of(nodes, constants, x.shape), x)
    np.testing.assert_allclose(output, x + np.arange(4, dtype=np.float32), rtol=1e-6)
    assert kinds == ["Add", "Identity"]


def test_reshapes_that_undo_each_other_vanish() -> None:
    nodes = [
        Node("u", "Unpack", ("x",), {"axis": 0, "num": 1}),
        Node("e", "ExpandDims", ("u", "zero")),
        Node("s", "Squeeze", ("e",), {"squeeze_dims": [0]}),
        Node("p", "Pack", ("s",), {"axis": 0}),
        Node("y", "Neg", ("p",)),
    ]
    output, kinds = run(graph_of(nodes, {"zero": np.int32(0)}, (1, 3)), np.ones((1, 3), np.float32))
    assert output.tolist() == [[-1, -1, -1]]
    assert kinds == ["Neg", "Identity"]


def test_a_backbone_has_transposes_only_at_its_ends() -> None:
    same = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    nodes = [
        Node("c1", "Conv2D", ("x", "w"), same),
        Node("b1", "BiasAdd", ("c1", "bias")),
        Node("a1", "Relu6", ("b1",)),
        Node("c2", "DepthwiseConv2dNative", ("a1", "d"), same),
        Node("sum", "AddV2", ("a1", "c2")),
        Node("scaled", "Mul", ("sum", "bias")),
        Node("r", "ResizeBilinear", ("scaled", "size"), {"half_pixel_centers": True}),
        Node("j", "ConcatV2", ("r", "r", "last")),
        Node("y", "Sigmoid", ("j",)),
    ]
    constants = {
        "w": RNG.normal(size=(3, 3, 3, 3)).astype(np.float32),
        "d": RNG.normal(size=(3, 3, 3, 1)).astype(np.float32),
        "bias": RNG.normal(size=3).astype(np.float32),
        "size": ints(8, 8),
        "last": np.int32(3),
    }
    output, kinds = run(graph_of(nodes, constants, (1, 4, 4, 3)), np.ones((1, 4, 4, 3), np.float32))
    assert output.shape == (1, 8, 8, 6)
    assert " ".join(kinds) == "Transpose Conv Clip Conv Add Mul Resize Concat Sigmoid Transpose Identity"


def test_batch_normalisation_is_merged_into_the_convolution() -> None:
    x = RNG.normal(size=(1, 4, 4, 2)).astype(np.float32)
    scale, offset, mean = (RNG.normal(size=3).astype(np.float32) for _ in range(3))
    variance = RNG.uniform(0.5, 2, 3).astype(np.float32)
    weights = RNG.normal(size=(1, 1, 2, 3)).astype(np.float32)
    nodes = [
        Node("c", "Conv2D", ("x", "w"), {"strides": [1, 1, 1, 1], "padding": "VALID"}),
        Node("y", "FusedBatchNormV3", ("c", "s", "o", "m", "v"), {"epsilon": 0.001, "is_training": False}),
    ]
    constants = {"w": weights, "s": scale, "o": offset, "m": mean, "v": variance}
    output, kinds = run(graph_of(nodes, constants, x.shape), x)
    expected = (x @ weights[0, 0] - mean) / np.sqrt(variance + 0.001) * scale + offset
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert kinds == ["Transpose", "Conv", "Transpose", "Identity"]


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(UnsupportedError, match="NonMaxSuppressionV4 'y' in the model's graph is not known"):
        to_onnx(graph_of([Node("y", "NonMaxSuppressionV4", ("x",))], {}, (1, 2)), "small")


def test_a_shape_that_depends_on_the_picture_is_refused() -> None:
    nodes = [Node("i", "Cast", ("x",), {"DstT": I32}), Node("y", "Fill", ("i", "one"))]
    with pytest.raises(UnsupportedError, match="Fill 'y' has a shape that depends on the picture"):
        to_onnx(graph_of(nodes, {"one": np.float32(1)}, (2,)), "small")


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UnsupportedError, match="AddV2 'y' in the model's graph does not compute"):
        to_onnx(graph_of([Node("y", "AddV2", ("x", "c"))], {"c": np.zeros(3, np.float32)}, (2,)), "small")


def test_the_same_graph_gives_the_same_bytes() -> None:
    graph = graph_of([Node("y", "AddV2", ("x", "c"))], {"c": np.ones(2, np.float32)}, (2,))
    assert to_onnx(graph, "small") == to_onnx(graph, "small")


def test_whatever_can_be_written_can_also_be_shaped() -> None:
    assert set(EMITTERS) <= set(KERNELS)
