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


def at_local_maxima(maps):
    """The reference: a cell's height where no neighbour exceeds it, else 0."""
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    around = np.max([framed[:, i : i + CELLS, j : j + CELLS] for i in range(3) for j in range(3)], axis=0)
    return np.where(maps >= around, maps, np.float32(0))


@pytest.mark.parametrize("seed", range(5))
def test_the_peaks_are_the_local_maxima_of_each_heatmap(network, seed):
    order = np.random.default_rng(seed).permutation(4 * CELLS * CELLS)
    x = (1.02 ** (order % 500)).reshape(1, CELLS, CELLS, 4).astype(np.float32)  # unequal ones differ by 2 %
    said = network(x)
    np.testing.assert_array_equal(said["output_0"], 2 * x)
    np.testing.assert_array_equal(said["heatmaps"], 2 * x[..., 1:3])
    np.testing.assert_array_equal(said["peaks"], at_local_maxima(2 * x[..., 1:3]))


def test_a_neighbour_higher_by_a_rounding_error_hides_no_peak(network):
    x = np.zeros((1, CELLS, CELLS, 4), np.float32)
    x[0, 5, 5, 1:3] = 0.8
    x[0, 5, 6, 1:3] = 0.803
    rows, columns = np.nonzero(network(x)["peaks"][0, :, :, 0])
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(5, 5), (5, 6)]


def test_a_graph_without_the_heads_stays_as_it_is():
    graph = build(
        [Node("double", "AddV2", ("x", "x"), {"T": np.dtype(np.float32)})],
        {},
        {"x": Spec((1, 2, 2, 1), np.dtype(np.float32))},
        {"output_0": "double"},
    )
    assert heads.expose(graph, {"heatmaps": Head("elsewhere", 0, 1)}) is graph
