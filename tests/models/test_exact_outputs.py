"""A network's last products written out: the same numbers, and no rounding where a runtime computes in bf16."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from lalelu.models.exact_outputs import with_exact_ends
from lalelu.models.graph import Graph, Node, Spec, build
from lalelu.models.onnx_export import to_onnx

F32 = np.dtype(np.float32)
RNG = np.random.default_rng(4)
PLACE = {"strides": [1, 1, 1, 1], "dilations": [1, 1, 1, 1], "padding": "VALID", "T": F32}


def network(kernel: int, size: int) -> Graph:
    """A map (1, size, size, 8), a convolution to 5 places around 200."""
    constants = {
        "w": RNG.normal(size=(kernel, kernel, 8, 5)).astype(np.float32),
        "b": np.full(5, 200.0, np.float32),
    }
    nodes = [
        Node("a", "Abs", ("x",)),
        Node("y", "_FusedConv2D", ("a", "w", "b"), {**PLACE, "fused_ops": ["BiasAdd"]}),
    ]
    return build(nodes, constants, {"x": Spec((1, size, size, 8), F32)}, {"output_0": "y"})


def product() -> Graph:
    constants = {"w": RNG.normal(size=(8, 5)).astype(np.float32)}
    return build([Node("y", "MatMul", ("x", "w"))], constants, {"x": Spec((1, 8), F32)}, {"output_0": "y"})


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    return np.asarray(ReferenceEvaluator(to_onnx(graph, "small")).run(None, {"x": x})[0])


def operations(graph: Graph) -> set[str]:
    return {node.op for node in graph.nodes}


@pytest.mark.parametrize("graph", [network(2, 2), network(3, 3), product()])
def test_the_numbers_stay_and_the_convolution_goes(graph: Graph) -> None:
    (spec,) = graph.inputs.values()
    x = RNG.normal(size=spec.shape).astype(np.float32)
    exact = with_exact_ends(graph)
    assert operations(exact).isdisjoint({"Conv2D", "_FusedConv2D", "MatMul"})
    np.testing.assert_allclose(run(exact, x), run(graph, x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("graph", [network(1, 1), network(1, 4), network(2, 4)])
def test_a_convolution_of_more_places_than_one_stays(graph: Graph) -> None:
    assert "Conv2D" in operations(with_exact_ends(graph))


def test_places_of_hundreds_of_pixels_keep_their_fractions_in_bf16(tmp_path) -> None:
    from lalelu.pose.runtimes.openvino import one_core

    core = one_core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not compute in bf16")
    graph = network(2, 2)
    x = RNG.normal(size=(1, 2, 2, 8)).astype(np.float32)
    path = tmp_path / "exact.onnx"
    path.write_bytes(to_onnx(with_exact_ends(graph), "exact"))
    model = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    np.testing.assert_allclose(model([x])[0], run(graph, x), atol=0.25)
