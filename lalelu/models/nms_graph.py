"""A detector that tells of each thing once: anchors and suppression as further operations of its graph. Pure.

Suppression goes in rounds, one for each thing that may be found: the best anchor takes in what overlaps it, and the
next round sees the rest. So the shapes are fixed, nothing is sorted, every runtime has the operations, and the result
is `lalelu.pose.anchors.strongest` of `decoded` to the last rounding. (ONNX's NonMaxSuppression gives as many boxes
as there are, cannot blend, and TFLite has none of its own.)
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from onnx import compose

from lalelu.errors import UsageError
from lalelu.models.graph import Array, Attr, Graph, Node, Spec, build
from lalelu.models.onnx_export import to_onnx
from lalelu.pose.anchors import CLIPPED, LAYOUTS, LEAST_SCORE, OVERLAP, TINY, Layout, ssd_anchors

MOST: Final = (
    4  # things that are told of: a player and three who walk behind; two hands and two of a neighbour's
)
DETECTIONS: Final = "detections"  # the output's name: (1, most, numbers) as `strongest` gives it
RAW: Final = "anchors"  # a detector's own output, by its name in the catalogue
FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)
BOOL: Final[np.dtype[Any]] = np.dtype(np.bool_)
_UNTYPED: Final = frozenset({"Cast", "GatherNd", "LogicalOr"})  # operations without the attribute T


def with_suppression(graph: Graph, *, most: int = MOST, blend: bool = True) -> Graph:
    """Return a detector's graph with the output `detections`, float32 (1, most, numbers), in its own output's place.

    Raises UsageError for a graph whose one output is none of a known detector's.
    """
    if len(graph.outputs) != 1:
        raise _unknown(", ".join(graph.outputs))
    ((name, source),) = graph.outputs.items()
    return _suppressed(graph, source, _layout_of_graph(graph, name), most, blend=blend)


def merge_detector(data: bytes, *, most: int = MOST, blend: bool = True) -> bytes:
    """Return the ONNX model `data` of a detector with the output `detections` in its own output's place.

    Its input stays: a picture in, things out. Raises UsageError where its one output is none of a known detector's.
    """
    model = onnx.load_model_from_string(data)
    if len(model.graph.output) != 1:
        raise _unknown(", ".join(value.name for value in model.graph.output))
    (output,) = model.graph.output
    shape = tuple(dim.dim_value for dim in output.type.tensor_type.shape.dim)
    layout = _layout(shape, output.name)
    alone = Graph((), {}, {RAW: Spec(shape, FLOAT)}, {RAW: RAW})
    behind = onnx.load_model_from_string(
        to_onnx(_suppressed(alone, RAW, layout, most, blend=blend), DETECTIONS)
    )
    behind.ir_version = model.ir_version
    behind = compose.add_prefix(behind, "nms_", rename_outputs=False)
    merged = compose.merge_models(model, behind, io_map=[(output.name, behind.graph.input[0].name)])
    onnx.checker.check_model(merged, full_check=True)
    return bytes(merged.SerializeToString())


def _layout_of_graph(graph: Graph, name: str) -> Layout:
    sides = {spec.shape[1] for spec in graph.inputs.values() if len(spec.shape) == len((1, 2, 2, 3))}
    for layout in LAYOUTS:
        if sides == {layout.side}:
            return layout
    raise _unknown(name)


def _layout(shape: tuple[int, ...], name: str) -> Layout:
    for layout in LAYOUTS:
        if shape == (1, layout.anchors, layout.numbers):
            return layout
    raise _unknown(f"{name} {shape}")


def _unknown(found: str) -> UsageError:
    known = " or ".join(f"(1, {layout.anchors}, {layout.numbers})" for layout in LAYOUTS)
    return UsageError(
        f"the model gives {found}; a detector gives one output of {known}: take blazepose-detector or handdetect"
    )


@dataclass
class _Writer:
    """Collects operations of TensorFlow's; every method returns the name of what it made."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def number(self, value: Any, dtype: np.dtype[Any] = FLOAT) -> str:  # noqa: ANN401 - whatever NumPy takes
        name = f"nms/c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def add(self, op: str, *inputs: str, **attrs: Attr) -> str:
        name = f"nms/{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, attrs if op in _UNTYPED else {"T": FLOAT, **attrs}))
        return name

    def columns(self, table: str, first: int, stop: int) -> str:
        """Take some columns of (rows, columns)."""
        ends = [self.number(numbers, INT) for numbers in ((0, first), (0, stop), (1, 1))]
        masks: dict[str, Attr] = {"begin_mask": 1, "end_mask": 1}
        none: dict[str, Attr] = {"ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
        return self.add("StridedSlice", table, *ends, Index=INT, **masks, **none)

    def reshape(self, tensor: str, *shape: int, dtype: np.dtype[Any] = FLOAT) -> str:
        return self.add("Reshape", tensor, self.number(shape, INT), Tshape=INT, T=dtype)

    def concat(self, axis: int, *tensors: str) -> str:
        return self.add("ConcatV2", *tensors, self.number(axis, INT), N=len(tensors), Tidx=INT)

    def reduce(self, op: str, tensor: str, axis: int) -> str:
        return self.add(op, tensor, self.number([axis], INT), Tidx=INT, keep_dims=True)

    def where(self, condition: str, yes: str, no: str) -> str:
        return self.add("SelectV2", condition, yes, no)

    def extents(self, sides: tuple[str, ...]) -> str:
        """Compute the areas of boxes given by left, top, right, bottom."""
        left, top, right, bottom = sides
        zero = self.number(0.0)
        width = self.add("Maximum", self.add("Sub", right, left), zero)
        return self.add("Mul", width, self.add("Maximum", self.add("Sub", bottom, top), zero))


def _suppressed(graph: Graph, source: str, layout: Layout, most: int, *, blend: bool) -> Graph:
    """Return the graph with what `decoded` and `strongest` compute behind the tensor `source`."""
    w = _Writer()
    count, width = layout.anchors, layout.numbers
    numbers = w.reshape(source, count, width)
    logits = w.add("Minimum", w.columns(numbers, 0, 1), w.number(CLIPPED))
    score = w.add("Sigmoid", w.add("Maximum", logits, w.number(-CLIPPED)))
    anchors = ssd_anchors(layout)
    places = w.add("Mul", w.columns(numbers, 1, width), w.number(1.0 / layout.side))
    centres = w.add("AddV2", w.columns(places, 0, 2), w.number(anchors))
    half = w.add("Mul", w.columns(places, 2, 4), w.number(0.5))
    points = w.add("AddV2", w.columns(places, 4, width - 1), w.number(np.tile(anchors, layout.points)))
    table = w.concat(1, w.add("Sub", centres, half), w.add("AddV2", centres, half), points)
    sides = tuple(w.columns(table, at, at + 1) for at in range(4))
    areas = w.extents(sides)
    zero = w.number(0.0)
    none = w.number(np.zeros((count, 1)))
    known = w.add("Greater", score, w.number(LEAST_SCORE))
    left = w.where(known, score, none)
    row_numbers = w.number(np.arange(count).reshape(-1, 1), INT)
    rows = []
    for _ in range(most):
        best = w.add("ArgMax", left, w.number(0, INT), Tidx=INT, output_type=INT)
        at = w.reshape(best, 1, 1, dtype=INT)
        top = w.reduce("Max", left, 0)
        mine = w.add("GatherNd", table, at, Tindices=INT, Tparams=FLOAT)
        box = tuple(w.columns(mine, i, i + 1) for i in range(4))
        shared = w.extents(
            (
                w.add("Maximum", sides[0], box[0]),
                w.add("Maximum", sides[1], box[1]),
                w.add("Minimum", sides[2], box[2]),
                w.add("Minimum", sides[3], box[3]),
            )
        )
        joined = w.add("Sub", w.add("AddV2", areas, w.extents(box)), shared)
        limit = w.add("Mul", w.add("Maximum", joined, w.number(TINY)), w.number(OVERLAP))
        taken = w.add("LogicalOr", w.add("Greater", shared, limit), w.add("Equal", row_numbers, at, T=INT))
        if blend:
            weights = w.where(taken, left, none)
            total = w.add("Maximum", w.reduce("Sum", weights, 0), w.number(TINY))
            mine = w.add("RealDiv", w.reduce("Sum", w.add("Mul", table, weights), 0), total)
        else:
            mine = w.add("Mul", mine, w.add("Cast", w.add("Greater", top, zero), SrcT=BOOL, DstT=FLOAT))
        rows.append(w.concat(1, top, mine))
        left = w.where(taken, none, left)
    made = w.reshape(w.concat(0, *rows), 1, most, width)
    return build(
        (*graph.nodes, *w.nodes), {**graph.constants, **w.constants}, graph.inputs, {DETECTIONS: made}
    )
