"""What stands behind a network so that it gives keypoints in the picture's unit, as a graph. Pure.

Each takes what the network gives (`said`) and `taken` of `camera_graph`, and gives `keypoints` (K, 3): x and y in
image heights of the upright picture, and the score.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from lalelu.models.camera_graph import TAKEN
from lalelu.models.graph import Array, Graph
from lalelu.models.graph_writer import FLOAT, GraphWriter

# none: the middle of the highest cell. quarter: a quarter of a cell towards the higher neighbour on each axis (Newell,
# Yang, Deng 2016; Xiao, Wu, Wei 2018). centroid: the centre of mass of the cells around the highest.
Refine: TypeAlias = Literal["none", "quarter", "centroid"]

REFINES: Final[tuple[Refine, ...]] = get_args(Refine)
KEYPOINTS: Final = "keypoints"  # the public names
SAID: Final = "said"  # what the network gives
QUARTER: Final = 0.25
# Cells on each side: trained targets are Gaussians with an SD of 2 cells (Xiao 2018), of which one more than the
# nearest neighbours still stands clear of noise.
REACH: Final = 2
_LEAST_MASS: Final = 1e-6  # where nothing is positive the centre stays


def movenet_keypoints(shape: Sequence[int]) -> Graph:
    """Return the graph behind a single-pose MoveNet, whose output (1, 1, K, 3) holds y, x, score."""
    w = GraphWriter("keypoints")
    said = w.reshape(w.input(SAID, shape, FLOAT), shape[-2], 3)
    return _placed(w, w.gather(said, [1, 0, 2], 1))


def heatmap_keypoints(shape: Sequence[int], *, channels_last: bool, refine: Refine) -> Graph:
    """Return the graph behind a network that gives one map for each keypoint.

    `shape` is (1, K, rows, columns), with `channels_last` (1, rows, columns, K). The score is the map's highest number.
    """
    w = GraphWriter("keypoints")
    maps = w.input(SAID, shape, FLOAT)
    if channels_last:
        maps, shape = w.transpose(maps, 0, 3, 1, 2), (shape[0], shape[3], *shape[1:3])
    _, count, rows, columns = shape
    flat = w.reshape(maps, count, rows * columns)
    score = w.highest(flat, 1, keep=True)
    peak = w.where_highest(flat, 1)
    row = w.number("FloorDiv", peak, columns)
    column = w.number("Sub", peak, w.number("Mul", row, columns))
    cell = w.concat([w.reshape(column, count, 1), w.reshape(row, count, 1)], 1)  # (K, 2): x, y
    place = w.number("AddV2", w.cast(cell, FLOAT), 0.5)
    if refine != "none":
        aside = _quarter if refine == "quarter" else _centroid
        place = w.number("AddV2", place, aside(w, flat, cell, (count, rows, columns)))
    place = w.number("Mul", place, np.array([1.0 / columns, 1.0 / rows]))
    return _placed(w, w.concat([place, score], 1))


def _quarter(w: GraphWriter, flat: str, cell: str, shape: tuple[int, int, int]) -> str:
    """Write a quarter of a cell to the higher side on each axis, (K, 2); none beside the map's edge."""
    steps = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    around, exists = _around(w, flat, cell, steps, shape)
    pairs = (shape[0], 2, 2)  # x and y; ahead and behind
    around, exists = w.reshape(around, *pairs), w.reshape(exists, *pairs)
    ahead, behind = (w.reshape(w.gather(around, [side], 2), shape[0], 2) for side in (0, 1))
    inside = w.number("Minimum", *(w.reshape(w.gather(exists, [side], 2), shape[0], 2) for side in (0, 1)))
    signs = [w.cast(w.number("Greater", *pair), FLOAT) for pair in ((ahead, behind), (behind, ahead))]
    return w.number("Mul", w.number("Mul", w.number("Sub", *signs), QUARTER), inside)


def _centroid(w: GraphWriter, flat: str, cell: str, shape: tuple[int, int, int]) -> str:
    """Write how far the centre of mass of what is positive around each peak lies from it, (K, 2), cells."""
    reach = range(-REACH, REACH + 1)
    steps = np.array([[x, y] for y in reach for x in reach])
    around, exists = _around(w, flat, cell, steps, shape)
    mass = w.number("Mul", w.number("Maximum", around, 0.0), exists)
    moment = w.total(w.number("Mul", w.reshape(mass, shape[0], len(steps), 1), steps), 1)
    return w.number("RealDiv", moment, w.number("Maximum", w.total(mass, 1, keep=True), _LEAST_MASS))


def _around(
    w: GraphWriter, flat: str, cell: str, steps: Array, shape: tuple[int, int, int]
) -> tuple[str, str]:
    """Write the numbers at `steps` (N, 2) from each cell (K, 2), (K, N), and whether each is on the map, 1.0 or 0.0."""
    count, rows, columns = shape
    wanted = w.number("AddV2", w.reshape(cell, count, 1, 2), steps)
    found = w.number("Maximum", w.number("Minimum", wanted, np.array([columns - 1, rows - 1])), 0)
    exists = w.cast(w.number("Equal", found, wanted), FLOAT)
    exists = w.number(
        "Minimum", *(w.reshape(w.gather(exists, [axis], 2), count, len(steps)) for axis in (0, 1))
    )
    index = w.total(w.number("Mul", found, np.array([1, columns])), 2)
    index = w.number("AddV2", index, rows * columns * np.arange(count).reshape(-1, 1))
    listed = w.gather(w.reshape(flat, count * rows * columns), w.reshape(index, count * len(steps)), 0)
    return w.reshape(listed, count, len(steps)), exists


def _placed(w: GraphWriter, found: str) -> Graph:
    """Finish the graph: `found` (K, 3) holds x and y in shares of what was cut out, and the score."""
    taken = w.input(TAKEN, (4,), FLOAT)
    scale = w.concat([w.gather(taken, [2, 3], 0), np.ones(1)], 0)
    offset = w.concat([w.gather(taken, [0, 1], 0), np.zeros(1)], 0)
    return w.graph({KEYPOINTS: w.number("AddV2", w.number("Mul", found, scale), offset)})
