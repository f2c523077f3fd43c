"""The operations of detectors and landmark networks: the ONNX file, run by ONNX's own reference, against NumPy."""

import numpy as np
import pytest
from test_onnx_export import F32, RNG, graph_of, run

from lalelu.models.graph import Node, UnsupportedError
from lalelu.models.onnx_export import to_onnx


def test_depth_to_space_lays_channels_out_over_squares() -> None:
    x = RNG.normal(size=(1, 2, 3, 8)).astype(np.float32)
    output, _ = run(graph_of([Node("y", "DepthToSpace", ("x",), {"block_size": 2})], {}, x.shape), x)
    assert output.shape == (1, 4, 6, 2)
    for row, column in ((0, 0), (3, 1), (2, 5)):
        first = 2 * (2 * (row % 2) + column % 2)
        np.testing.assert_array_equal(output[0, row, column], x[0, row // 2, column // 2, first : first + 2])


@pytest.mark.parametrize("keep", [True, False])
def test_a_mean_over_the_map_agrees_with_numpy(keep: bool) -> None:
    x = RNG.normal(size=(1, 4, 3, 2)).astype(np.float32)
    node = Node("y", "Mean", ("x", "axes"), {"keep_dims": keep})
    output, _ = run(graph_of([node], {"axes": np.array([1, 2], np.int32)}, x.shape), x)
    np.testing.assert_allclose(output, x.mean((1, 2), keepdims=keep), atol=1e-6)


def test_a_fused_product_is_a_product_a_bias_and_an_activation() -> None:
    x = RNG.normal(size=(1, 5)).astype(np.float32)
    weights, bias = RNG.normal(size=(5, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
    attrs = {"fused_ops": ["BiasAdd", "Relu"], "T": F32, "transpose_a": False, "transpose_b": False}
    output, _ = run(
        graph_of([Node("y", "_FusedMatMul", ("x", "w", "b"), attrs)], {"w": weights, "b": bias}, x.shape), x
    )
    np.testing.assert_allclose(output, np.maximum(x @ weights + bias, 0), rtol=1e-5, atol=1e-6)


def test_a_product_with_something_turned_is_refused() -> None:
    graph = graph_of([Node("y", "MatMul", ("x", "w"), {"transpose_b": True})], {"w": np.eye(5)}, (1, 5))
    with pytest.raises(UnsupportedError, match="turns one of its inputs"):
        to_onnx(graph, "small")
