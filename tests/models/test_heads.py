import numpy as np
import onnxruntime
import pytest

from lalelu.models import heads, onnx_export
from lalelu.models.catalogue import Head
from lalelu.models.graph import Node, Spec, build

CELLS = 12


F32 = np.dtype(np.float32)
TWICE = Node("made", "AddV2", ("x", "x"), {"T": F32})
CONVOLVED = Node("made", "Conv2D", ("x", "w"), {"strides": [1, 1, 1, 1], "padding": "SAME", "T": F32})


def network_of(node):
    """A network of one operation; its channels 1 and 2 are heatmaps."""
    graph = build(
        [node],
        {"w": np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32)},
        {"x": Spec((1, CELLS, CELLS, 4), np.dtype(np.float32))},
        {"output_0": "made"},
    )
    exposed = heads.expose(graph, {"heatmaps": Head("made", 1, 3)})
    model = onnx_export.to_onnx(exposed, "small")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda x: dict(
        zip([o.name for o in session.get_outputs()], session.run(None, {"x": x}), strict=True)
    )


@pytest.fixture
def network():
    """A network that says twice what it is given."""
    return network_of(TWICE)


@pytest.mark.parametrize("node", [TWICE, CONVOLVED], ids=["computed", "convolved"])
def test_a_head_is_some_channels_number_by_number(node):
    x = np.random.default_rng(0).normal(size=(1, CELLS, CELLS, 4)).astype(np.float32)
    said = network_of(node)(x)
    assert np.ptp(said["output_0"]) > 0.5
    np.testing.assert_array_equal(said["heatmaps"], said["output_0"][..., 1:3])


def is_peak(maps):
    """The reference: where no neighbour exceeds a cell, and it is high enough."""
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    around = np.max([framed[:, i : i + CELLS, j : j + CELLS] for i in range(3) for j in range(3)], axis=0)
    return (maps >= around) & (maps >= heads.LEAST)


@pytest.mark.parametrize("seed", range(5))
def test_the_peaks_are_the_local_maxima_of_each_heatmap(network, seed):
    order = np.random.default_rng(seed).permutation(4 * CELLS * CELLS)
    x = (
        (0.5 * 1.02 ** -(order % 200)).reshape(1, CELLS, CELLS, 4).astype(np.float32)
    )  # unequal: by 2 % at least
    said = network(x)
    np.testing.assert_array_equal(said["output_0"], 2 * x)
    np.testing.assert_array_equal(said["heatmaps"], 2 * x[..., 1:3])
    assert said["is_peak"].dtype == np.bool_
    assert said["is_peak"].any()
    np.testing.assert_array_equal(said["is_peak"], is_peak(2 * x[..., 1:3]))


def test_a_neighbour_higher_by_a_rounding_error_hides_no_peak(network):
    x = np.zeros((1, CELLS, CELLS, 4), np.float32)
    x[0, 5, 5, 1:3] = 0.8
    x[0, 5, 6, 1:3] = 0.803
    rows, columns = np.nonzero(network(x)["is_peak"][0, :, :, 0])
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(5, 5), (5, 6)]


@pytest.mark.parametrize(("height", "count"), [(0.9 * heads.LEAST, 0), (1.1 * heads.LEAST, 1)])
def test_a_low_peak_is_none(network, height, count):
    x = np.zeros((1, CELLS, CELLS, 4), np.float32)
    x[0, 5, 5, 1] = height / 2
    assert np.count_nonzero(network(x)["is_peak"]) == count


def test_a_graph_without_the_heads_stays_as_it_is():
    graph = build(
        [Node("double", "AddV2", ("x", "x"), {"T": np.dtype(np.float32)})],
        {},
        {"x": Spec((1, 2, 2, 1), np.dtype(np.float32))},
        {"output_0": "double"},
    )
    assert heads.expose(graph, {"heatmaps": Head("elsewhere", 0, 1)}) is graph
