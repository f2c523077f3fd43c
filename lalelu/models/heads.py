"""Give a model more to say: what it computes on its way, and where its heatmaps have peaks. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from lalelu.models.catalogue import HEATMAPS, Head
from lalelu.models.graph import Array, Attr, Graph, Node, producer, unfuse
from lalelu.models.picture import from_camera
from lalelu.models.simplify import fold

IS_PEAK: Final = "is_peak"  # the output that marks the peaks
# A cell is a peak when none of its neighbours is higher by more than this: bf16 rounds by up to 0.4 %.
NEARLY: Final = 1.01
LEAST: Final = 0.08  # of the heatmap: lower peaks are noise, and kits believe nothing below 0.15
FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)
# Channels of what these make are taken by a convolution of 1 x 1 cells with ones and zeros: the numbers stay where
# the network's own convolutions keep them. To slice them, OpenVINO lays all channels out anew, for 0.1 ms. What is
# computed in f32 behind the convolutions is sliced: a convolution would round it where the rest computes in bf16.
_CONVOLVED: Final = frozenset({"BiasAdd", "Conv2D", "_FusedConv2D"})
_EVERYTHING_BUT_CHANNELS: Final = 0b0111  # StridedSlice's mask over (batch, row, column, channel)


def expose(graph: Graph, heads: Mapping[str, Head]) -> Graph:
    """Return the graph with `heads` as further outputs and the camera's picture as input.

    Unchanged where it lacks a head, or where there is none. Where the heads hold heatmaps (1, N, N, C), the
    output `is_peak` is added, bool, of the same shape: true at the local maxima over 3 x 3 cells that reach LEAST.
    (To sort them here, by TopK, costs OpenVINO 0.3 ms.)
    """
    made = {node.name: node.op for node in graph.nodes}
    if not heads or not all(producer(head.tensor) in made for head in heads.values()):
        return graph
    constants: dict[str, Array] = dict(graph.constants)
    nodes = list(graph.nodes)
    outputs = dict(graph.outputs)
    specs = fold(unfuse(graph)).specs
    for name, head in heads.items():
        if made[producer(head.tensor)] in _CONVOLVED:
            constants[f"{name}/chosen"] = _chosen(head, specs[head.tensor].shape[-1])
            nodes.append(Node(f"{name}/head", "Conv2D", (head.tensor, f"{name}/chosen"), _convolution()))
        else:
            ends = {"begin": (0, 0, 0, head.first), "end": (0, 0, 0, head.stop), "strides": (1, 1, 1, 1)}
            constants |= {f"{name}/{key}": np.array(numbers, INT) for key, numbers in ends.items()}
            source = (head.tensor, *(f"{name}/{key}" for key in ends))
            nodes.append(Node(f"{name}/head", "StridedSlice", source, _slice_attrs()))
        outputs[name] = f"{name}/head"
    if HEATMAPS in heads:
        constants["peaks/nearly"] = np.array(NEARLY, FLOAT)
        constants["peaks/least"] = np.array(NEARLY * LEAST, FLOAT)
        nodes.extend(_peaks(outputs[HEATMAPS]))
        outputs[IS_PEAK] = "peaks/is"
    return from_camera(Graph(tuple(nodes), constants, graph.inputs, outputs))


def _chosen(head: Head, channels: int) -> Array:
    """Return the weights of a convolution that leaves only the head's channels."""
    everything: Array = np.eye(channels, dtype=FLOAT)
    return everything[:, head.first : head.stop].reshape(1, 1, channels, -1)


def _convolution() -> dict[str, Attr]:
    same = [1, 1, 1, 1]
    return {"T": FLOAT, "strides": same, "dilations": same, "padding": "VALID", "data_format": "NHWC"}


def _slice_attrs() -> dict[str, Attr]:
    ends = _EVERYTHING_BUT_CHANNELS
    none = {"ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    return {"T": FLOAT, "Index": INT, "begin_mask": ends, "end_mask": ends, **none}


def _peaks(maps: str) -> Iterator[Node]:
    """Yield what finds the local maxima: where a map reaches both its neighbourhood's maximum and LEAST."""
    pool: dict[str, Attr] = {
        "ksize": [1, 3, 3, 1],
        "strides": [1, 1, 1, 1],
        "padding": "SAME",
        "data_format": "NHWC",
    }
    yield Node("peaks/pool", "MaxPool", (maps,), {"T": FLOAT, **pool})
    yield Node("peaks/wanted", "Maximum", ("peaks/pool", "peaks/least"), {"T": FLOAT})
    yield Node("peaks/raised", "Mul", (maps, "peaks/nearly"), {"T": FLOAT})
    yield Node("peaks/is", "GreaterEqual", ("peaks/raised", "peaks/wanted"), {"T": FLOAT})
