import numpy as np
import onnxruntime
import pytest

from lalelu.models import heads, onnx_export
from lalelu.models.catalogue import Head
from lalelu.models.graph import Node, Spec, build

CELLS = 12


@pytest.fixture
def network():
    """A network of one step: twice what is given; its channels 1 and 2 are heatmaps."""
    graph = build(
        [Node("double", "AddV2", ("x", "x"), {"T": np.dtype(np.float32)})],
        {},
        {"x": Spec((1, CELLS, CELLS, 4), np.dtype(np.float32))},
        {"output_0": "double"},
    )
    exposed = heads.expose(graph, {"heatmaps": Head("double", 1, 3)})
    session = onnxruntime.InferenceSession(
        onnx_export.to_onnx(exposed, "small"), providers=["CPUExecutionProvider"]
    )
    return lambda x: dict(
        zip([o.name for o in session.get_outputs()], session.run(None, {"x": x}), strict=True)
    )


def local_maxima(heat):
    """The reference: cells that no neighbour exceeds, the highest first."""
    framed = np.pad(heat, 1, constant_values=-np.inf)
    around = np.max([framed[i : i + CELLS, j : j + CELLS] for i in range(3) for j in range(3)], axis=0)
    cells = np.flatnonzero(heat >= around)
    return cells[np.argsort(-heat.ravel()[cells], kind="stable")]


@pytest.mark.parametrize("seed", range(5))
def test_the_peaks_are_the_highest_local_maxima_of_each_heatmap(network, seed):
    x = np.random.default_rng(seed).permutation(4 * CELLS * CELLS).astype(np.float32)
    x = np.sqrt(x + 1).reshape(1, CELLS, CELLS, 4) ** 8  # neighbours differ by more than rounding does
    said = network(x)
    np.testing.assert_array_equal(said["output_0"], 2 * x)
    np.testing.assert_array_equal(said["heatmaps"], 2 * x[..., 1:3])
    assert said["peaks"].dtype == np.int32
    for side in (0, 1):
        expected = local_maxima(x[0, :, :, 1 + side])[: heads.MOST_PEAKS]
        got = said["peaks"][side]
        heights = x[0, :, :, 1 + side].ravel()
        assert set(expected.tolist()) <= set(got.tolist()) | {
            c for c in expected if heights[c] <= heights[got].min()
        }
        assert (np.diff(heights[got]) <= 0).all()


def test_a_neighbour_higher_by_a_rounding_error_hides_no_peak(network):
    x = np.zeros((1, CELLS, CELLS, 4), np.float32)
    x[0, 5, 5, 1:3] = 0.8
    x[0, 5, 6, 1:3] = 0.803
    assert set(network(x)["peaks"][0, :2].tolist()) == {5 * CELLS + 5, 5 * CELLS + 6}


def test_a_graph_without_the_heads_stays_as_it_is():
    graph = build(
        [Node("double", "AddV2", ("x", "x"), {"T": np.dtype(np.float32)})],
        {},
        {"x": Spec((1, 2, 2, 1), np.dtype(np.float32))},
        {"output_0": "double"},
    )
    assert heads.expose(graph, {"heatmaps": Head("elsewhere", 0, 1)}) is graph
