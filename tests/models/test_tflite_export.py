"""Graphs as TFLite files, run by LiteRT and compared with what the ONNX conversion computes."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue, fetch, onnx_export, store, tflite_export
from lalelu.models.graph import Node, Spec, UnsupportedError, build

F32 = np.dtype(np.float32)
TOLERANCE = 1e-4  # both compute in f32, in another order


@pytest.fixture(autouse=True)
def litert(expect):
    if find_spec("ai_edge_litert") is None:
        expect("litert", "it is not installed")


def run(data: bytes, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return {
        detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()
    }


def run_onnx(data: bytes, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    named = zip([value.name for value in session.get_inputs()], inputs, strict=True)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(named)), strict=True))


def network(*nodes: Node, **constants: np.ndarray):
    """A network of 8 x 8 cells with 4 channels, from `x` to `y`."""
    return build(nodes, constants, {"x": Spec((1, 8, 8, 4), F32)}, {"output_0": "y"})


def convolution(op="Conv2D", **attrs):
    same = {"strides": [1, 2, 2, 1], "dilations": [1, 1, 1, 1], "padding": "SAME", "T": F32}
    return Node("c", op, ("x", "w"), {**same, **attrs})


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


BIAS = Node("b", "BiasAdd", ("c", "bias"))
RELU = Node("y", "Relu6", ("b",))
AFTER = Node("y", "Abs", ("c",))
SLICE = {
    "begin_mask": 0b0111,
    "end_mask": 0b0111,
    "ellipsis_mask": 0,
    "new_axis_mask": 0,
    "shrink_axis_mask": 0,
}
ENDS = {"begin": np.array([0, 0, 0, 1]), "end": np.array([0, 0, 0, 3]), "steps": np.array([1, 1, 1, 1])}


@pytest.mark.parametrize(
    "graph",
    [
        network(convolution(), BIAS, RELU, w=numbers(3, 3, 4, 6), bias=numbers(6)),
        network(convolution(), AFTER, w=numbers(3, 3, 4, 6)),
        network(
            Node("c", "Conv2DBackpropInput", ("to", "w", "x"), {"strides": [1, 2, 2, 1], "padding": "SAME"}),
            AFTER,
            to=np.array([1, 16, 16, 6], np.int32),
            w=numbers(3, 3, 6, 4),
        ),
        network(convolution("DepthwiseConv2dNative"), BIAS, RELU, w=numbers(3, 3, 4, 2), bias=numbers(8)),
        network(
            convolution(padding="EXPLICIT", explicit_paddings=[0, 0, 2, 0, 0, 1, 0, 0]),
            AFTER,
            w=numbers(3, 3, 4, 6),
        ),
        network(
            convolution(padding="VALID", dilations=[1, 2, 2, 1], strides=[1] * 4),
            AFTER,
            w=numbers(3, 3, 4, 6),
        ),
        network(Node("y", "StridedSlice", ("x", "begin", "end", "steps"), SLICE), **ENDS),
        network(Node("y", "Reciprocal", ("x",))),
        network(Node("y", "AddN", ("x", "x", "x"))),
        network(Node("y", "AddN", ("x", "x"))),
        network(Node("y", "DepthToSpace", ("x",), {"block_size": 2})),
        network(
            Node("c", "Mean", ("x", "axis"), {"keep_dims": False}),
            Node("y", "MatMul", ("c", "w")),
            axis=np.array([1, 2]),
            w=numbers(4, 3),
        ),
        network(
            Node("c", "Max", ("x", "axis"), {"keep_dims": True}),
            Node("y", "Sub", ("x", "c")),
            axis=np.array([1, 2]),
        ),
    ],
    ids=[
        "fused",
        "without bias",
        "turned around",
        "by channel",
        "padded by hand",
        "dilated",
        "slice",
        "reciprocal",
        "sum",
        "sum of two",
        "spread",
        "mean and product",
        "max",
    ],
)
def test_a_small_network_computes_what_its_onnx_form_does(graph):
    x = numbers(1, 8, 8, 4)
    found = run(tflite_export.to_tflite(graph, "small"), x)
    expected = run_onnx(onnx_export.to_onnx(graph, "small"), x)
    assert set(found) == {"output_0"}
    np.testing.assert_allclose(found["output_0"], expected["output_0"], rtol=1e-5, atol=TOLERANCE)


def test_bias_and_activation_are_inside_of_the_convolution():
    from ai_edge_litert.interpreter import Interpreter

    data = tflite_export.to_tflite(
        network(convolution(), BIAS, RELU, w=numbers(3, 3, 4, 6), bias=numbers(6)), "small"
    )
    interpreter = Interpreter(model_content=data)
    assert [op["op_name"] for op in interpreter._get_ops_details()] == ["CONV_2D"]


def test_a_bias_that_the_outside_sees_stays_outside_of_the_activation():
    graph = network(convolution(), BIAS, RELU, w=numbers(3, 3, 4, 6), bias=numbers(6))
    graph = build(graph.nodes, graph.constants, graph.inputs, {"output_0": "y", "before": "b"})
    x = 10 * numbers(1, 8, 8, 4)
    found = run(tflite_export.to_tflite(graph, "small"), x)
    assert list(found) == ["output_0", "before"]
    assert found["before"].max() > 6
    np.testing.assert_array_equal(found["output_0"], found["before"].clip(0, 6))


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (network(Node("y", "BatchMatMulV2", ("x", "x"))), "BatchMatMulV2 'y' .* is not known"),
        (network(convolution(), AFTER, w=numbers(3, 3, 2, 6)), "groups of channels; known: one group"),
        (
            network(
                Node("y", "StridedSlice", ("x", "begin", "end", "steps"), SLICE),
                **{**ENDS, "steps": np.array([1, 1, 1, 2])},
            ),
            "has the step 2; known: 1",
        ),
    ],
)
def test_what_cannot_be_written_is_named(graph, sentence):
    with pytest.raises(UnsupportedError, match=sentence):
        tflite_export.to_tflite(graph, "small")


@pytest.mark.model
@pytest.mark.parametrize(
    "model",
    [
        "lightning",
        "thunder",
        "multipose",
        "efficientpose",
        "posenet",
        "blazepose-detector",
        "blazepose-full",
        "handdetect",
        "handlandmark-lite",
    ],
)
def test_a_pose_network_computes_what_its_onnx_form_does(expect, shared_dir, model):
    try:
        files = store.onnx_path(model), store.tflite_path(model)
    except MissingError as exc:
        expect("model", str(exc))
    photo = cv2.imread(str(shared_dir / "poses/coco/000000000790.jpg"))
    size = catalogue.find(model).size
    picture = cv2.resize(photo, (size, size))[None].astype(np.int32 if model == "multipose" else np.uint8)
    expected = run_onnx(files[0].read_bytes(), picture)
    found = run(files[1].read_bytes(), picture)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        # places and displacements in pixels, and logits, are larger than fractions
        limit = TOLERANCE * max(1.0, float(np.abs(array).max()))
        np.testing.assert_allclose(found[name], array, rtol=0, atol=limit, err_msg=name)


def test_a_model_is_written_once_and_a_damaged_file_again(tiny: Any, told: Any):
    tiny.put(fetch.folder())
    path = store.tflite_path("tiny", progress=told)
    assert told.lines == ["converting tiny to TFLite"]
    data = path.read_bytes()
    shutil.rmtree(fetch.folder())
    assert store.tflite_path("tiny", progress=told) == path
    path.write_bytes(data[:-10])
    tiny.put(fetch.folder())
    assert store.tflite_path("tiny", progress=told).read_bytes() == data
    assert [line.partition(" is damaged")[0] for line in told.lines[1:]] == [
        str(path),
        "converting tiny to TFLite",
    ]
    assert run(data, np.full((1, 8, 8, 3), 128, np.int32))["output_0"].shape == (1, 1, 17, 3)


def test_a_model_of_the_users_own_is_refused_in_one_sentence(tiny: Any, tmp_path: Path):
    tiny.put(fetch.folder())
    own = tmp_path / "own.onnx"
    own.write_bytes(store.onnx_path("tiny").read_bytes())
    store.import_onnx("tiny", own)
    with pytest.raises(UsageError, match=r"own import .* of which there is no TFLite file; .*--remove"):
        store.tflite_path("tiny")
