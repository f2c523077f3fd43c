"""A learned detector's file: ONNX that others run as we do, and that is refused when it is anything else."""

import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from lalelu.config.learned import read_trees, write_trees
from lalelu.errors import UsageError
from lalelu.gesture.learned import FEATURES
from lalelu.gesture.trees import DEPTH, LEAVES, MOST_TREES, NODES, Ensemble, Node, Trees, decoded
from lalelu.models.tree_ensemble import DOMAIN, OPERATOR, from_onnx, to_onnx


def random_trees(count=20):
    """Trees of all shapes: where half of the leaves are alike, some of the nodes above them are leaves."""
    rng = np.random.default_rng(4)
    leaf = rng.normal(size=(count, LEAVES)).astype(np.float32)
    for tree in range(count):
        for size in (2, 4, 8, 16):
            begin = size * rng.integers(LEAVES // size)
            leaf[tree, begin : begin + size] = leaf[tree, begin]
    feature = rng.integers(0, FEATURES, (count, NODES))
    return Ensemble(0.75, feature, rng.normal(size=(count, NODES)).astype(np.float32), leaf)


ROWS = np.random.default_rng(5).normal(size=(200, FEATURES)).astype(np.float32)


def scores(trees):
    played = Trees(decoded(trees.text))
    return [played.score(row) for row in ROWS]


def test_what_is_written_is_read_again_and_what_repeats_is_written_once():
    trees = random_trees()
    data = to_onnx(trees, FEATURES)
    assert scores(from_onnx(data, "mine.onnx")) == scores(trees)
    (node,) = onnx.load_model_from_string(data).graph.node
    counts = {each.name: len(helper.get_attribute_value(each)) for each in node.attribute}
    assert 20 * DEPTH < counts["nodes_modes"] < 20 * (NODES + LEAVES)


@pytest.mark.parametrize("baseline", [-2.0, 0.75, 30.0])  # the last: every score is above 0
def test_onnx_runtime_gives_the_same_scores_and_labels(baseline):
    trees = random_trees().surer(0.75 - baseline)
    session = onnxruntime.InferenceSession(to_onnx(trees, FEATURES), providers=["CPUExecutionProvider"])
    labels, both = session.run(["label", "scores"], {"features": ROWS})
    mine = scores(trees)
    assert both[:, 1] == pytest.approx(mine, abs=1e-4)
    assert (both[:, 0] == 0.0).all()
    sure = np.abs(mine) > 1e-4
    assert (labels == (np.array(mine) > 0.0))[sure].all()
    assert sure.sum() > 150


def changed(**attributes):
    """The file of a stump, with other attributes of its operator; None = without it."""
    nodes = {
        0: Node(feature=1, threshold=0.5, left=1, right=2),
        1: Node(-1.0),
        2: Node(1.0),
    }  # tree 1 of the file
    model = onnx.load_model_from_string(to_onnx(Ensemble.of(0.0, [nodes]), FEATURES))
    (node,) = model.graph.node
    kept = [each for each in node.attribute if each.name not in attributes]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(
        helper.make_attribute(name, value) for name, value in attributes.items() if value is not None
    )
    return model


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"post_transform": "LOGISTIC"}, "no logarithms of odds"),
        ({"classlabels_int64s": [0, 1, 2]}, "no logarithms of odds"),
        ({"nodes_modes": ["LEAF", "BRANCH_GT", "LEAF", "LEAF"]}, "BRANCH_GT"),
        ({"nodes_modes": ["LEAF", "BRANCH_LEQ", "LEAF"]}, "shorter"),
        ({"nodes_truenodeids": [0, 0, 0, 0]}, f"more than {DEPTH} levels"),
        ({"nodes_truenodeids": [0, -1, 0, 0]}, "tree 0 has no node -1"),
        ({"nodes_treeids": [0, 2, 2, 2]}, "not numbered from 0"),
        ({"nodes_treeids": [0, 1, 1, 2]}, "has no node"),
        ({"nodes_featureids": [0, FEATURES, 0, 0]}, "features"),
        ({"nodes_featureids": [0, -1, 0, 0]}, "below 0"),
        ({"nodes_values": [0.0, float("inf"), 0.0, 0.0]}, "trees"),
        ({"base_values": [0.0, 0.0]}, "no logarithms of odds"),
        (
            {"nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"], "nodes_nodeids": [1, 0, 1, 2]},
            "single leaf",
        ),
        ({"class_weights": [0.0, float("nan"), 0.0, 0.0, 0.0, 0.0]}, "trees"),
        ({"class_weights": None}, "has no class_weights"),
        ({"class_weights": [1, 2, 3, 4, 5, 6]}, "cannot be read as an ONNX model"),
        ({"post_transform": 3}, "cannot be read as an ONNX model"),
    ],
)
def test_another_ensemble_is_refused_with_the_reason(attributes, why, tmp_path):
    data = changed(**attributes).SerializeToString()
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(ValueError, match=f"is no learned detector .*{why}"):
        read_trees(tmp_path / "x.onnx", hashlib.sha256(data).hexdigest())


def test_too_many_trees_are_refused(tmp_path):
    named = write_trees(tmp_path / "mine.yaml", Ensemble.of(0.0, [{0: Node()}] * (MOST_TREES + 1)))
    with pytest.raises(ValueError, match=f"0 to {MOST_TREES}"):
        read_trees(tmp_path / named["file"], named["sha256"])


def test_a_file_that_is_no_onnx_or_a_network_is_refused():
    with pytest.raises(UsageError, match="cannot be read as an ONNX model"):
        from_onnx(b"\x00other", "mine.onnx")
    model = changed()
    model.graph.node.append(helper.make_node("Identity", ["label"], ["same"]))
    with pytest.raises(ValueError, match=f"no single {OPERATOR}"):
        from_onnx(model.SerializeToString(), "mine.onnx")
    assert DOMAIN in [each.domain for each in model.opset_import]
