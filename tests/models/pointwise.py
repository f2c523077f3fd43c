"""A network of a few thousand numbers with the shapes of a single-pose MoveNet and its kinds of convolution."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
CHANNELS = 16


def write(path: Path, *, opset: int = 17, named: bool = True) -> Path:
    """Write it: bgr -> 3 x 3 -> 1 x 1 -> depthwise -> 1 x 1 -> 1 x 1 to 51 numbers, between 0 and 1."""
    rng = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> TensorProto:
        fan = int(np.prod(shape[1:]))
        return numpy_helper.from_array(rng.normal(0.0, fan**-0.5, shape).astype(np.float32), name)

    numbers = [
        numpy_helper.from_array(np.array(1 / 255, np.float32), "scale"),
        weights("first", CHANNELS, 3, 3, 3),
        weights("wide", 2 * CHANNELS, CHANNELS, 1, 1),
        weights("depthwise", 2 * CHANNELS, 1, 3, 3),
        weights("slim", CHANNELS, 2 * CHANNELS, 1, 1),
        weights("last", 51, CHANNELS, 1, 1),
        numpy_helper.from_array(np.array([1, 1, 17, 3], np.int64), "shape"),
    ]
    same = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Cast", ["bgr"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["picture"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["picture", "first"], ["a"], strides=[2, 2], **same),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "wide"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "depthwise"], ["e"], group=2 * CHANNELS, **same),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Conv", ["f", "slim"], ["g"], kernel_shape=[1, 1]),
        helper.make_node("Conv", ["g", "last"], ["h"], kernel_shape=[1, 1]),
        helper.make_node("GlobalAveragePool", ["h"], ["i"]),
        helper.make_node("Sigmoid", ["i"], ["j"]),
        helper.make_node("Reshape", ["j", "shape"], ["output_0"]),
    ]
    for node in nodes if named else ():
        node.name = f"{node.op_type}_{node.output[0]}"
    graph = helper.make_graph(
        nodes,
        "pointwise",
        [helper.make_tensor_value_info("bgr", TensorProto.UINT8, (1, SIDE, SIDE, 3))],
        [helper.make_tensor_value_info("output_0", TensorProto.FLOAT, (1, 1, 17, 3))],
        numbers,
    )
    opsets = [helper.make_opsetid("", opset)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    onnx.checker.check_model(onnx.load(path))
    return path


def pictures(count: int) -> list[np.ndarray]:
    """Return pictures that it takes."""
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]
