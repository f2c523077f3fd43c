"""A catalogued network's graph: as the package has it, and as it plays. Reads files."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.models import heads, tfjs
from lalelu.models.catalogue import Model, Normalisation
from lalelu.models.exact_outputs import with_exact_ends
from lalelu.models.graph import Array, Graph, Node, Spec, UnsupportedError, build
from lalelu.models.picture import from_camera

WHITE: Final = 255.0  # the brightest colour of a picture
PICTURE: Final = "picture"  # the input that is added
FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)


def read(row: Model, folder: Path) -> Graph:
    """Read a network from the package's files in `folder`: for one picture, with the outputs that the row names.

    Raises UsageError where the files are no such network.
    """
    graph = tfjs.read(*(folder / file.name for file in row.files))
    if len(graph.inputs) != 1:
        raise UnsupportedError(f"model {row.name!r} has the inputs {', '.join(graph.inputs)}; known: one")
    (name,) = graph.inputs
    given = tuple(graph.outputs.values())
    outputs = {output.name: output.tensor or given[0] for output in row.outputs}
    return build(graph.nodes, graph.constants, {name: Spec(row.input_shape, row.input_dtype)}, outputs)


def as_played(graph: Graph, row: Model) -> Graph:
    """Return the graph as lalelu runs it: it takes the camera's bytes where it can, and shows the row's heads."""
    if row.normalisation is None:
        return heads.expose(graph, row.heads)
    played = from_camera(normalised(graph, row.normalisation))
    return with_exact_ends(played) if row.family.endswith("_landmarks") else played


def normalised(graph: Graph, normalisation: Normalisation) -> Graph:
    """Return the graph of a float32 picture (1, H, W, 3) with the input `picture`, int32 RGB 0..255, in its place."""
    ((name, spec),) = graph.inputs.items()
    mean, deviation = (np.array(numbers) for numbers in (normalisation.mean, normalisation.deviation))
    constants: dict[str, Array] = {
        f"{PICTURE}/scale": (1.0 / (WHITE * deviation)).astype(FLOAT),
        f"{PICTURE}/offset": (mean / deviation).astype(FLOAT),
    }
    nodes = (
        Node(f"{PICTURE}/float", "Cast", (PICTURE,), {"SrcT": INT, "DstT": FLOAT}),
        Node(f"{PICTURE}/scaled", "Mul", (f"{PICTURE}/float", f"{PICTURE}/scale"), {"T": FLOAT}),
        Node(name, "Sub", (f"{PICTURE}/scaled", f"{PICTURE}/offset"), {"T": FLOAT}),
    )
    return build(
        (*nodes, *graph.nodes),
        {**graph.constants, **constants},
        {PICTURE: Spec(spec.shape, INT)},
        graph.outputs,
    )
