"""Write and read boosted trees as an ONNX file: one TreeEnsembleClassifier of ai.onnx.ml. Pure.

It takes `features`, float32 (N, F), and gives `label`, int64 (N,): 1 = yes, and `scores`, float32 (N, 2): 0, and the
logarithm of the odds. `value <= threshold` goes to the true side. Tree 0 is one leaf, the baseline: ONNX Runtime 1.32
forgets the leaves of two classes that have `base_values`.
"""

from collections import defaultdict
from typing import Any, Final

import onnx
from onnx import TensorProto, helper

from lalelu import __version__
from lalelu.gesture.trees import MOST_TREES, Ensemble, Node
from lalelu.models import onnx_file

OPERATOR: Final = "TreeEnsembleClassifier"
DOMAIN: Final = "ai.onnx.ml"
_OPSETS: Final = {"": 17, DOMAIN: 3}  # all that runs ONNX since 2022 has them
_IR_VERSION: Final = 8  # of the same year
_BRANCH, _LEAF = "BRANCH_LEQ", "LEAF"
_CLASSES: Final = (0, 1)


def to_onnx(trees: Ensemble, features: int) -> bytes:
    """Return an ONNX file of trees that take so many features."""
    grown = [{0: Node(trees.baseline)}, *(trees.nodes(tree) for tree in range(len(trees.feature)))]
    rows = [(tree, number, node) for tree, nodes in enumerate(grown) for number, node in nodes.items()]
    # each leaf counts for both classes, so that the scores are sums however many leaves are above 0
    leaves = [(tree, number, node.value) for tree, number, node in rows if node.left is None]
    classifier = helper.make_node(
        OPERATOR,
        ["features"],
        ["label", "scores"],
        domain=DOMAIN,
        nodes_treeids=[tree for tree, _, _ in rows],
        nodes_nodeids=[number for _, number, _ in rows],
        nodes_featureids=[node.feature for _, _, node in rows],
        nodes_values=[node.threshold for _, _, node in rows],
        nodes_modes=[_LEAF if node.left is None else _BRANCH for _, _, node in rows],
        nodes_truenodeids=[node.left or 0 for _, _, node in rows],
        nodes_falsenodeids=[node.right or 0 for _, _, node in rows],
        class_treeids=[tree for tree, _, _ in leaves for _ in _CLASSES],
        class_nodeids=[number for _, number, _ in leaves for _ in _CLASSES],
        class_ids=[*_CLASSES] * len(leaves),
        class_weights=[weight for _, _, value in leaves for weight in (0.0, value)],
        classlabels_int64s=_CLASSES,
        post_transform="NONE",
    )
    graph = helper.make_graph(
        [classifier],
        "learned detector",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", features])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(_CLASSES)]),
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()],
        ir_version=_IR_VERSION,
        producer_name="lalelu",
        producer_version=__version__,
    )
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def from_onnx(data: bytes, name: str) -> Ensemble:
    """Return the trees of an ONNX file as `to_onnx` writes them, called `name` in errors.

    Raises UsageError for what is no ONNX file, and ValueError for one of something else.
    """
    nodes = onnx_file.parse(data, name).graph.node
    if [(node.domain, node.op_type) for node in nodes] != [(DOMAIN, OPERATOR)]:
        raise ValueError(f"it is a network, and no single {OPERATOR}")
    told = {each.name: helper.get_attribute_value(each) for each in nodes[0].attribute}
    try:
        return _read(told)
    except KeyError as exc:
        raise ValueError(f"its {OPERATOR} has no {exc.args[0]}") from exc


def _read(told: dict[str, Any]) -> Ensemble:
    """Return the trees of the operator's attributes. Raises KeyError for a missing one, and ValueError."""
    rule = (told["post_transform"], list(told["classlabels_int64s"]), "base_values" in told)
    if rule != (b"NONE", list(_CLASSES), False):
        raise ValueError("its scores are no logarithms of odds of the classes 0 and 1")
    weights: defaultdict[tuple[int, int], float] = defaultdict(float)
    of_leaf = ("class_treeids", "class_nodeids", "class_ids", "class_weights")
    for tree, number, of_class, weight in zip(*(told[column] for column in of_leaf), strict=True):
        weights[tree, number] += weight if of_class else -weight
    trees: defaultdict[int, dict[int, Node]] = defaultdict(dict)
    of_node = (
        "nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_featureids", "nodes_values", "nodes_truenodeids",
        "nodes_falsenodeids",
    )  # fmt: skip
    for tree, number, mode, *rest in zip(*(told[column] for column in of_node), strict=True):
        if mode == _LEAF.encode():
            trees[tree][number] = Node(weights[tree, number])
        elif mode == _BRANCH.encode():
            feature, threshold, left, right = rest
            trees[tree][number] = Node(feature=feature, threshold=threshold, left=left, right=right)
        else:
            raise ValueError(f"its nodes ask for {mode.decode(errors='replace')}, not for {_BRANCH}")
    if sorted(trees) != list(range(len(trees))) or len(trees) > 1 + MOST_TREES:
        raise ValueError(f"its trees are not numbered from 0 to {MOST_TREES}")
    if list(trees.get(0, {})) != [0]:
        raise ValueError("its tree 0 is no single leaf")
    return Ensemble.of(trees[0][0].value, [trees[tree] for tree in range(1, len(trees))])
