import numpy as np
import onnxruntime
import pytest

from lalelu.models import onnx_export
from lalelu.models.graph import Node, Spec, build
from lalelu.models.picture import from_camera

RNG = np.random.default_rng(2)
F32 = np.dtype(np.float32)
SHAPE = (1, 8, 8, 3)
WEIGHTS = RNG.normal(size=(3, 3, 3, 4)).astype(np.float32)
BY_COLOUR = np.array([0.1, 0.2, 0.4], np.float32).reshape(1, 1, 1, 3)
SAME = np.full((1, 1, 1, 3), 0.0078, np.float32)
CAST = Node("cast", "Cast", ("input",), {"SrcT": np.dtype(np.int32), "DstT": F32})
CONVOLUTION = {"strides": [1, 2, 2, 1], "padding": "SAME", "data_format": "NHWC"}


def network(*middle, cast=CAST, weights="weights", output="conv"):
    """A network that looks at an RGB picture: `middle` between the cast and the first convolution."""
    last = middle[-1].name if middle else "cast"
    nodes = [
        cast,
        *middle,
        Node("kept", "Identity", ("weights",)),
        Node("conv", "Conv2D", (last, weights), CONVOLUTION),
    ]
    constants = {"weights": WEIGHTS, "scale": SAME, "offset": BY_COLOUR, "one": np.float32(1)}
    inputs = {"input": Spec(SHAPE, np.dtype(np.int32))}
    return build(nodes, {k: np.asarray(v) for k, v in constants.items()}, inputs, {"output_0": output})


def run(graph, picture):
    model = onnx_export.to_onnx(graph, "small")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return session.run(None, {given.name: picture})[0]


SCALED = [
    Node("less", "Sub", ("cast", "offset"), {"T": F32}),
    Node("scaled", "Mul", ("scale", "less"), {"T": F32}),
    Node("centred", "Sub", ("scaled", "one"), {"T": F32}),
]


@pytest.mark.parametrize("middle", [[], SCALED], ids=["plain", "scaled"])
@pytest.mark.parametrize("weights", ["weights", "kept"])
def test_a_network_that_takes_the_cameras_bytes_computes_the_same(middle, weights):
    rgb = network(*middle, weights=weights)
    bgr = from_camera(rgb)
    assert bgr.inputs == {"bgr": Spec(SHAPE, np.dtype(np.uint8))}
    picture = RNG.integers(0, 256, SHAPE, np.uint8)
    expected = run(rgb, picture[..., ::-1].astype(np.int32))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(run(bgr, picture), expected, rtol=1e-5, atol=1e-4)


def test_the_original_graph_stays_as_it_is():
    rgb = network(*SCALED)
    before = WEIGHTS.copy()
    from_camera(rgb)
    np.testing.assert_array_equal(rgb.constants["weights"], before)
    assert list(rgb.inputs) == ["input"]


def test_numbers_that_are_the_same_for_each_colour_become_one():
    bgr = from_camera(network(*SCALED))
    assert bgr.constants["scaled/bgr"].shape == ()
    np.testing.assert_array_equal(bgr.constants["less/bgr"], BY_COLOUR[..., ::-1])


@pytest.mark.parametrize(
    "graph",
    [
        network(Node("mixed", "Relu", ("cast",), {"T": F32})),
        network(Node("twice", "AddV2", ("cast", "cast"), {"T": F32})),
        network(output="cast"),
        network(
            Node("other", "Mul", ("cast", "scale"), {"T": F32}), cast=Node("cast", "Identity", ("input",))
        ),
    ],
    ids=["another operation", "a picture used twice", "no convolution", "no cast"],
)
def test_a_network_that_treats_its_picture_otherwise_is_left_alone(graph):
    assert from_camera(graph) is graph
