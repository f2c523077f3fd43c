"""Give a model more to say: what it computes on its way, and the peaks in its heatmaps. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from lalelu.models.catalogue import HEATMAPS, PEAKS, Head
from lalelu.models.graph import Array, Attr, Graph, Node, producer

# A cell is a peak when none of its neighbours is higher by more than this: bf16 rounds by up to 0.4 %.
NEARLY: Final = 1.01
FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)
_EVERYTHING_BUT_CHANNELS: Final = 0b0111  # StridedSlice's mask over (batch, row, column, channel)


def expose(graph: Graph, heads: Mapping[str, Head]) -> Graph:
    """Return the graph with `heads` as further outputs; unchanged where it lacks one.

    Where the heads hold heatmaps (1, N, N, C), the output `peaks` is added, of the same shape: the heatmaps at
    their local maxima over 3 x 3 cells, 0 elsewhere. (To sort them here, by TopK, costs OpenVINO 0.3 ms.)
    """
    made = {node.name for node in graph.nodes}
    if not all(producer(head.tensor) in made for head in heads.values()):
        return graph
    constants: dict[str, Array] = dict(graph.constants)
    nodes = list(graph.nodes)
    outputs = dict(graph.outputs)
    for name, head in heads.items():
        ends = {"begin": (0, 0, 0, head.first), "end": (0, 0, 0, head.stop), "strides": (1, 1, 1, 1)}
        constants |= {f"{name}/{key}": np.array(numbers, INT) for key, numbers in ends.items()}
        source = (head.tensor, *(f"{name}/{key}" for key in ends))
        nodes.append(Node(f"{name}/slice", "StridedSlice", source, _slice_attrs()))
        outputs[name] = f"{name}/slice"
    if HEATMAPS in heads:
        constants["peaks/nearly"] = np.array(NEARLY, FLOAT)
        nodes.extend(_peaks(outputs[HEATMAPS]))
        outputs[PEAKS] = "peaks/height"
    return Graph(tuple(nodes), constants, graph.inputs, outputs)


def _slice_attrs() -> dict[str, Attr]:
    ends = _EVERYTHING_BUT_CHANNELS
    none = {"ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    return {"T": FLOAT, "Index": INT, "begin_mask": ends, "end_mask": ends, **none}


def _peaks(maps: str) -> Iterator[Node]:
    """Yield what finds the local maxima: a map times 1 where it is its neighbourhood's maximum, else 0."""
    pool: dict[str, Attr] = {
        "ksize": [1, 3, 3, 1],
        "strides": [1, 1, 1, 1],
        "padding": "SAME",
        "data_format": "NHWC",
    }
    yield Node("peaks/pool", "MaxPool", (maps,), {"T": FLOAT, **pool})
    yield Node("peaks/raised", "Mul", (maps, "peaks/nearly"), {"T": FLOAT})
    yield Node("peaks/is", "GreaterEqual", ("peaks/raised", "peaks/pool"), {"T": FLOAT})
    yield Node(
        "peaks/one", "Cast", ("peaks/is",), {"SrcT": np.dtype(np.bool_), "DstT": FLOAT, "Truncate": False}
    )
    yield Node("peaks/height", "Mul", (maps, "peaks/one"), {"T": FLOAT})
