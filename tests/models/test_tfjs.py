"""Reading TF.js graph models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lalelu.errors import UsageError
from lalelu.models import tfjs
from lalelu.models.graph import Node, Spec, UnsupportedError, unfuse

Topology = Callable[..., dict[str, Any]]


def test_the_tiny_network_is_read_whole(tiny: Any, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path)
    graph = tfjs.read(folder / "tiny.json", folder / "tiny.bin")
    assert [(node.name, node.op) for node in graph.nodes] == [
        ("cast", "Cast"),
        ("conv", "_FusedConv2D"),
        ("out", "Reshape"),
    ]
    assert graph.inputs == {"input": Spec((1, 8, 8, 3), np.dtype(np.int32))}
    assert graph.outputs == {"output_0": "out"}
    assert graph.constants["filters"].dtype == np.float32
    assert graph.constants["shape"].tolist() == [1, 1, 17, 3]
    assert graph.nodes[1].attrs["fused_ops"] == ["BiasAdd", "Relu6"]


@pytest.mark.parametrize(
    ("entry", "stored", "expected"),
    [
        ({"dtype": "float32"}, np.array([1.5, -2], np.float32), np.array([1.5, -2], np.float32)),
        (
            {"dtype": "float32", "quantization": {"dtype": "float16"}},
            np.array([0.5, 3], np.float16),
            np.array([0.5, 3], np.float32),
        ),
        (
            {"dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
            np.array([0, 255], np.uint8),
            np.array([-1, 126.5], np.float32),
        ),
        (
            {"dtype": "int32", "quantization": {"dtype": "uint16", "scale": 1.0, "min": -3.0}},
            np.array([0, 60_000], np.uint16),
            np.array([-3, 59_997], np.int32),
        ),
        ({"dtype": "bool"}, np.array([1, 0], np.uint8), np.array([True, False])),
    ],
)
def test_weights_are_stored_in_several_ways(
    topology: Topology, entry: dict[str, Any], stored: Any, expected: Any
) -> None:
    weight = {"name": "w", "shape": [2], **entry}
    graph = tfjs.parse(
        topology([("o", "AddV2", ["input", "w"], {})], [weight], (1, 2), "o:0"), stored.tobytes()
    )
    assert graph.constants["w"].dtype == expected.dtype
    assert graph.constants["w"].tolist() == expected.tolist()


def test_truncated_weights_are_one_clear_sentence(tiny: Any, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path)
    (folder / "tiny.bin").write_bytes(tiny.files["tiny.bin"][:-4])
    with pytest.raises(
        UsageError, match=r"tiny\.json with tiny\.bin is not a TF\.js graph model .*delete both"
    ):
        tfjs.read(folder / "tiny.json", folder / "tiny.bin")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"modelTopology": {}}', "\x00\xff"])
def test_what_is_no_model_is_one_clear_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is not a TF\.js graph model"):
        tfjs.read(tmp_path / "m.json", tmp_path / "m.bin")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.json cannot be read"):
        tfjs.read(tmp_path / "gone.json", tmp_path / "gone.bin")


def test_the_graph_is_ordered_and_what_nobody_needs_is_left_out(topology: Topology) -> None:
    nodes = [
        ("last", "Neg", ["first:0", "^unused"], {}),
        ("unused", "Neg", ["input"], {}),
        ("first", "Neg", ["input"], {}),
    ]
    graph = tfjs.parse(topology(nodes, [], (1, 2), "last"), b"")
    assert [(node.name, node.inputs) for node in graph.nodes] == [("first", ("input",)), ("last", ("first",))]


def test_a_graph_with_a_loop_is_refused(topology: Topology) -> None:
    nodes = [("a", "Neg", ["b"], {}), ("b", "Neg", ["a"], {})]
    with pytest.raises(UnsupportedError, match="has a loop through"):
        tfjs.parse(topology(nodes, [], (1, 2), "a"), b"")


def test_fused_convolutions_are_split_and_keep_their_name(tiny: Any) -> None:
    graph = tfjs.parse(json.loads(tiny.files["tiny.json"]), tiny.files["tiny.bin"])
    parts = unfuse(graph).nodes[1:4]
    assert [(node.name, node.op, node.inputs) for node in parts] == [
        ("conv/Conv2D", "Conv2D", ("cast", "filters")),
        ("conv/BiasAdd", "BiasAdd", ("conv/Conv2D", "bias")),
        ("conv", "Relu6", ("conv/BiasAdd",)),
    ]
    assert not {"fused_ops", "num_args"} & set(parts[0].attrs)


def test_an_unknown_fusion_is_refused(tiny: Any) -> None:
    graph = tfjs.parse(json.loads(tiny.files["tiny.json"]), tiny.files["tiny.bin"])
    conv = graph.nodes[1]
    prelu = Node(
        conv.name, conv.op, (*conv.inputs, "bias"), {**conv.attrs, "fused_ops": ["BiasAdd", "Prelu"]}
    )
    changed = type(graph)((graph.nodes[0], prelu), graph.constants, graph.inputs, {"output_0": "conv"})
    with pytest.raises(UnsupportedError, match=r"fuses BiasAdd\+Prelu with 4 inputs"):
        unfuse(changed)
