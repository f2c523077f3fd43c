"""Keep a network's last products exact where a runtime computes its convolutions in bf16. Pure.

Landmark networks end in a convolution over their whole last map, and its results are places of up to 256 px: bf16,
with 8 bits, would round those to whole pixels. Products and sums that are written out are computed in f32; there are
a quarter of a million of them, for 0.1 ms.
"""

from typing import Any, Final

import numpy as np

from lalelu.models.graph import Array, Attr, Graph, Node, build, unfuse
from lalelu.models.simplify import fold

FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)


def with_exact_ends(graph: Graph) -> Graph:
    """Return the graph with each convolution of a whole map into one cell written as products and sums."""
    plain = unfuse(graph)
    specs = fold(plain).specs
    constants: dict[str, Array] = dict(plain.constants)
    nodes: list[Node] = []
    for node in plain.nodes:
        weights = plain.constants.get(node.inputs[1]) if node.op == "Conv2D" else None
        if weights is None or specs[node.inputs[0]].shape != (1, *weights.shape[:3]) or weights.shape[0] == 1:
            nodes.append(node)
            continue
        shape = specs[node.name].shape  # (1, 1, 1, filters)
        constants |= {
            f"{node.name}/line": np.array((1, weights[..., 0].size), INT),
            f"{node.name}/rows": weights.reshape(-1, weights.shape[3]).T.copy(),
            f"{node.name}/axis": np.array([1], INT),
            f"{node.name}/to": np.array(shape, INT),
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
