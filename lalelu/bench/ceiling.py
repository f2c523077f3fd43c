"""What a core could do at best: a matrix product as a model, and the multiply-adds that a network needs. Uses files."""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from lalelu.bench.inference import PRODUCT_SIDE

_OPSET: Final = 17
_IR_VERSION: Final = 9  # read by every runtime's release of the last years


def write_product(path: Path) -> None:
    """Write a model that multiplies a float32 matrix of PRODUCT_SIDE rows and columns by a constant one."""
    shape = (PRODUCT_SIDE, PRODUCT_SIDE)
    matrix = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "matrix"], ["output_0"])],
        "matrix product",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output_0", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION), path)


def multiply_adds(path: Path) -> int | None:
    """Count the multiply-adds of a model's convolutions and matrix products; None where its shapes are open."""
    graph = shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes[value.name] = tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type not in {"Conv", "Gemm", "MatMul"}:
            continue
        weights, made = shapes.get(node.input[1], ()), shapes.get(node.output[0], ())
        if not weights or not all((*weights, *made)):
            return None
        # a convolution's weights lie (out, in, height, width): as many a number as one output channel has
        total += int(np.prod(made)) * _depth(node, weights)
    return total


def _depth(node: onnx.NodeProto, weights: tuple[int, ...]) -> int:
    if node.op_type == "Conv":
        return int(np.prod(weights[1:]))
    turned = any(each.name == "transB" and each.i for each in node.attribute)
    return weights[-1] if turned else weights[-2]
