"""Keep a network's last products exact where a runtime computes its convolutions in bf16. Pure.

Landmark networks end in a convolution over their whole last map, or in a product with a matrix, and the results are
places of up to 256 px: bf16, with 8 bits, would round those to whole pixels. Products and sums that are written out are
computed in f32; there are a quarter of a million of them. (A rendered player's ankles, standing still, shake by 0.55 px
with it, 1.22 px without, 0.40 px where all is f32.)
"""

from typing import Any, Final

import numpy as np

from lalelu.models.graph import Array, Attr, Graph, Node, build, unfuse
from lalelu.models.simplify import fold

FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)


def with_exact_ends(graph: Graph) -> Graph:
    """Return the graph with convolutions of a whole map into one cell, and products with a matrix, written out."""
    plain = unfuse(graph)
    specs = fold(plain).specs
    constants: dict[str, Array] = dict(plain.constants)
    nodes: list[Node] = []
    for node in plain.nodes:
        weights = plain.constants.get(node.inputs[1]) if node.op in {"Conv2D", "MatMul"} else None
        if weights is None or not _is_an_end(node, weights.shape, specs[node.inputs[0]].shape):
            nodes.append(node)
            continue
        filters = weights.shape[-1]
        constants |= {
            f"{node.name}/line": np.array((1, weights.size // filters), INT),
            f"{node.name}/rows": weights.reshape(-1, filters).T.copy(),
            f"{node.name}/axis": np.array([1], INT),
            f"{node.name}/to": np.array(specs[node.name].shape, INT),
        }
        attrs: dict[str, Attr] = {"T": FLOAT}
        steps = (
            ("flat", "Reshape", (node.inputs[0], f"{node.name}/line"), {**attrs, "Tshape": INT}),
            ("products", "Mul", (f"{node.name}/flat", f"{node.name}/rows"), attrs),
            ("sums", "Sum", (f"{node.name}/products", f"{node.name}/axis"), {**attrs, "Tidx": INT}),
        )
        nodes += [Node(f"{node.name}/{name}", op, inputs, of) for name, op, inputs, of in steps]
        last = (f"{node.name}/sums", f"{node.name}/to")
        nodes.append(Node(node.name, "Reshape", last, {**attrs, "Tshape": INT}))
    return build(nodes, constants, plain.inputs, plain.outputs)


def _is_an_end(node: Node, weights: tuple[int, ...], source: tuple[int, ...]) -> bool:
    """Whether all numbers of `source` meet all weights: a product of one row, or a convolution of one place."""
    if node.op == "MatMul":
        return source == (1, weights[0]) and not (
            node.attrs.get("transpose_a") or node.attrs.get("transpose_b")
        )
    return weights[0] > 1 and source == (1, *weights[:3]) and node.attrs.get("padding") == "VALID"
