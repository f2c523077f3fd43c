"""Make a graph smaller without changing what it computes: fold, collapse reshapes, merge. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lalelu.models.graph import Array, Graph, Node, Spec, UnsupportedError, build, tensor
from lalelu.models.kernels import KERNELS, attr, compute

CONVOLUTIONS: Final = frozenset({"Conv2D", "DepthwiseConv2dNative"})
# with shapes known these only say "the same numbers in another shape"
RESHAPES: Final = frozenset({"Reshape", "ExpandDims", "Squeeze", "Identity", "StopGradient"})


@dataclass(frozen=True, slots=True)
class Typed:
    """A graph and what each of its tensors looks like (constants included)."""

    graph: Graph
    specs: Mapping[str, Spec]


def simplified(graph: Graph) -> Typed:
    """Return the smallest graph that these rewrites reach.

    Raises UnsupportedError naming the node for an operation that is not known, or whose shape is not fixed.
    """
    return fold(_reshapes_collapsed(fold(merge_batch_norm(fold(graph).graph))))


def fold(graph: Graph) -> Typed:
    """Replace by its value all that does not depend on the input, and find every shape."""
    constants: dict[str, Array] = dict(graph.constants)
    specs = {name: Spec(array.shape, array.dtype) for name, array in constants.items()} | dict(graph.inputs)
    for node in graph.nodes:
        if node.op not in KERNELS:
            raise UnsupportedError(
                f"{node.op} {node.name!r} in the model's graph is not known to this converter"
            )
        kernel = KERNELS[node.op]
        for position in kernel.needs:
            if node.inputs[position] not in constants:
                raise UnsupportedError(
                    f"{node.op} {node.name!r} has a shape that depends on the picture; known: fixed ones"
                )
        known = all(name in constants for name in node.inputs)
        arrays = [constants[name] if name in constants else _stand_in(specs[name]) for name in node.inputs]
        for index, array in enumerate(compute(node, arrays)):
            name = tensor(node.name, index)
            specs[name] = Spec(array.shape, array.dtype)
            if kernel.shape_only or (known and kernel.folds):
                constants[name] = array
    rest = [node for node in graph.nodes if node.name not in constants]
    return Typed(build(rest, constants, graph.inputs, graph.outputs), specs)


def _stand_in(spec: Spec) -> Array:
    if any(size < 0 for size in spec.shape):
        raise UnsupportedError(f"the model's input has the open shape {spec.shape}; known: fixed shapes only")
    return np.broadcast_to(np.zeros((), spec.dtype), spec.shape)


def merge_batch_norm(graph: Graph) -> Graph:
    """Turn a normalisation behind a convolution into other weights and a bias."""
    makers = {node.name: node for node in graph.nodes}
    uses = _uses(graph)
    constants = dict(graph.constants)
    replaced: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.op != "FusedBatchNormV3":
            continue
        conv = makers.get(node.inputs[0])
        fixed = all(name in constants for name in node.inputs[1:])
        of_its_own = conv is not None and conv.op in CONVOLUTIONS and uses[conv.name] == 1
        if conv is None or not of_its_own or not fixed or attr(node, "is_training", True):
            raise UnsupportedError(
                f"{node.op} {node.name!r} does not follow a convolution of its own with fixed numbers"
            )
        scale, offset, mean, variance = (constants[name].astype(np.float64) for name in node.inputs[1:5])
        factor = scale / np.sqrt(variance + attr(node, "epsilon", 1e-4))
        weights = constants[conv.inputs[1]]
        shaped = factor.reshape(weights.shape[2:]) if conv.op == "DepthwiseConv2dNative" else factor
        constants[f"{conv.name}/normalised"] = (weights * shaped).astype(np.float32)
        constants[f"{node.name}/offset"] = (offset - mean * factor).astype(np.float32)
        replaced[conv.name] = [
            Node(conv.name, conv.op, (conv.inputs[0], f"{conv.name}/normalised"), conv.attrs)
        ]
        replaced[node.name] = [Node(node.name, "BiasAdd", (conv.name, f"{node.name}/offset"))]
    nodes = [new for node in graph.nodes for new in replaced.get(node.name, [node])]
    return build(nodes, constants, graph.inputs, graph.outputs)


def _uses(graph: Graph) -> Counter[str]:
    return Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs.values()))


def _reshapes_collapsed(typed: Typed) -> Graph:
    """Write each chain of reshapes as one `Reshape` of its start, or as nothing where it ends as it began."""
    roots: dict[str, str] = {}  # a reshaped tensor -> the tensor whose numbers it holds
    renamed: dict[str, str] = {}
    constants = dict(typed.graph.constants)
    nodes: list[Node] = []
    for node in typed.graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        is_reshape = node.op in RESHAPES or (node.op in {"Pack", "Unpack"} and _is_single(node))
        if not is_reshape:
            nodes.append(Node(node.name, node.op, inputs, node.attrs))
            continue
        root = roots.get(inputs[0], inputs[0])
        shape = typed.specs[node.name].shape
        if shape == typed.specs[root].shape:
            renamed[node.name] = root
        else:
            roots[node.name] = root
            constants[f"{node.name}/to"] = np.array(shape, np.int64)
            nodes.append(Node(node.name, "Reshape", (root, f"{node.name}/to")))
    outputs = {name: renamed.get(source, source) for name, source in typed.graph.outputs.items()}
    return build(nodes, constants, typed.graph.inputs, outputs)


def _is_single(node: Node) -> bool:
    return len(node.inputs) == 1 if node.op == "Pack" else attr(node, "num") == 1
