"""Convolutions turned around (TensorFlow's gradient of one), as the converter writes them."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from lalelu.models.graph import Node, Spec, build
from lalelu.models.kernels import same_pads
from lalelu.models.onnx_export import to_onnx

RNG = np.random.default_rng(6)


@pytest.mark.parametrize(
    ("stride", "kernel", "padding", "size"),
    [(2, 4, "SAME", 0), (2, 3, "SAME", 0), (2, 2, "VALID", 0), (2, 3, "VALID", 1), (1, 3, "SAME", 0)],
)
def test_a_convolution_turned_around_spreads_each_number_over_its_window(
    stride: int, kernel: int, padding: str, size: int
) -> None:
    x = RNG.normal(size=(1, 4, 3, 2)).astype(np.float32)
    weights = RNG.normal(size=(kernel, kernel, 5, 2)).astype(np.float32)  # height, width, out, in
    to = np.array([1, 4 * stride + size, 3 * stride + size, 5], np.int32)
    attrs = {"strides": [1, stride, stride, 1], "padding": padding}
    node = Node("y", "Conv2DBackpropInput", ("to", "w", "x"), attrs)
    spec = Spec(x.shape, np.dtype(np.float32))
    graph = build([node], {"to": to, "w": weights}, {"x": spec}, {"output_0": "y"})
    model = onnx.load_model_from_string(to_onnx(graph, "small"))
    (found,) = ReferenceEvaluator(model).run(None, {"x": x})
    spread = np.zeros((1, 3 * stride + kernel, 2 * stride + kernel, 5))
    for row, column in np.ndindex(4, 3):
        top, left = row * stride, column * stride
        spread[0, top : top + kernel, left : left + kernel] += np.einsum(
            "i,hwoi->hwo", x[0, row, column], weights
        )
    before = [same_pads(int(n), kernel, stride)[0] if padding == "SAME" else 0 for n in to[1:3]]
    whole = np.zeros(to + np.array([0, 20, 20, 0]))
    whole[:, : spread.shape[1], : spread.shape[2]] = spread
    expected = whole[:, before[0] : before[0] + to[1], before[1] : before[1] + to[2]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
