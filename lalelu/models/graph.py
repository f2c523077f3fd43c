"""A TensorFlow graph as plain values: nodes in order, constants, inputs and outputs. Pure.

A tensor is named as in TensorFlow: `node` for a node's first output, `node:1` for its second.
"""

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError

Array: TypeAlias = NDArray[Any]
# bool, int, float, str; numpy dtype for a type; tuple for a shape (-1 = open); list for a list
Attr: TypeAlias = bool | int | float | str | np.dtype[Any] | tuple[int, ...] | list[Any]

ACTIVATIONS: Final = frozenset({"Relu", "Relu6", "Elu", "Sigmoid", "Tanh"})
UNFUSED: Final = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
FUSION_ATTRS: Final = frozenset(
    {"fused_ops", "num_args", "num_host_args", "epsilon", "leakyrelu_alpha", "TArgs"}
)


class UnsupportedError(UsageError):
    """The model holds something that this converter does not know."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a tensor looks like."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of TensorFlow's."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attrs: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations in an order in which they can run."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, Spec]
    outputs: Mapping[str, str]  # public name -> tensor


def tensor(name: str, index: int = 0) -> str:
    """Return the name of a node's output number `index`."""
    return name if index == 0 else f"{name}:{index}"


def normal(name: str) -> str:
    """Return a tensor's one spelling: `node:0` is `node`."""
    return name.removesuffix(":0")


def producer(name: str) -> str:
    """Return the name of the node that makes a tensor."""
    return name.rpartition(":")[0] if ":" in name else name


def build(
    nodes: Iterable[Node],
    constants: Mapping[str, Array],
    inputs: Mapping[str, Spec],
    outputs: Mapping[str, str],
) -> Graph:
    """Return the graph of what the outputs need, in order.

    Control inputs are dropped: a pose network has no state. Raises UnsupportedError for a graph with a loop
    or with an input that nothing makes.
    """
    by_name = {
        node.name: Node(
            node.name, node.op, tuple(normal(i) for i in node.inputs if not i.startswith("^")), node.attrs
        )
        for node in nodes
    }
    wanted = {name: normal(source) for name, source in outputs.items()}
    needs: dict[str, list[str]] = {}
    stack = [producer(source) for source in wanted.values()]
    while stack:
        name = stack.pop()
        if name in needs or name in constants or name in inputs:
            continue
        if name not in by_name:
            raise UnsupportedError(
                f"the model's graph uses {name!r}, which nothing in it makes; fetch the model again"
            )
        needs[name] = [producer(i) for i in by_name[name].inputs]
        stack.extend(needs[name])
    try:
        order = list(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as exc:
        raise UnsupportedError(
            f"the model's graph has a loop through {exc.args[1][0]!r}; loops are not known"
        ) from exc
    kept = tuple(by_name[name] for name in order if name in needs)
    used = {i for node in kept for i in node.inputs} | set(wanted.values())
    return Graph(kept, {k: v for k, v in constants.items() if k in used}, dict(inputs), wanted)


def unfuse(graph: Graph) -> Graph:
    """Split TensorFlow's fused convolutions and products into their steps: bias and activation follow.

    The last part keeps the fused node's name. Raises UnsupportedError for a fusion of something else.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.extend(_parts(node) if node.op in UNFUSED else [node])
    return Graph(tuple(nodes), graph.constants, graph.inputs, graph.outputs)


def _parts(node: Node) -> list[Node]:
    found = node.attrs.get("fused_ops")
    fused: list[str] = found if isinstance(found, list) else []
    known = fused[:1] in ([], ["BiasAdd"]) and (
        not fused[1:] or (len(fused) == 2 and fused[1] in ACTIVATIONS)
    )
    if not known or len(node.inputs) != 2 + len(fused[:1]):
        raise UnsupportedError(
            f"{node.op} {node.name!r} fuses {'+'.join(fused)} with {len(node.inputs)} inputs; "
            f"known: BiasAdd, then one of {', '.join(sorted(ACTIVATIONS))}"
        )
    steps = [UNFUSED[node.op], *fused]
    names = [f"{node.name}/{step}" for step in steps[:-1]] + [node.name]
    attrs = {k: v for k, v in node.attrs.items() if k not in FUSION_ATTRS}
    dtype = {"T": node.attrs.get("T", np.dtype(np.float32))}
    parts = [Node(names[0], steps[0], node.inputs[:2], attrs)]
    for number, (name, step) in enumerate(zip(names[1:], steps[1:], strict=True)):
        bias = node.inputs[2:] if step == "BiasAdd" else ()
        extra = {"data_format": node.attrs.get("data_format", "NHWC")} if step == "BiasAdd" else {}
        parts.append(Node(name, step, (names[number], *bias), {**dtype, **extra}))
    return parts
