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
from lalelu.pose.port import CellsAt

# none: the middle of the highest cell. quarter: a quarter of a cell towards the higher neighbour on each axis (Newell,
# Yang, Deng 2016). centroid: the centre of mass of the cells around the highest. parabola: the top of the parabola
# through the logarithms of three cells on each axis (Zhang and others, 2020): exact where the map is a bell curve.
Refine: TypeAlias = Literal["none", "quarter", "centroid", "parabola"]

REFINES: Final[tuple[Refine, ...]] = get_args(Refine)
CELLS_AT: Final[tuple[CellsAt, ...]] = get_args(CellsAt)
KEYPOINTS: Final = "keypoints"  # the public names
SAID: Final = "said"  # what the network gives
QUARTER: Final = 0.25
# Cells on each side: a map's bell curve has an SD of 2 cells where training draws it as Xiao, Wu, Wei 2018.
REACH: Final = 2
_LEAST_MASS: Final = 1e-6  # where nothing is positive the centre stays
FAINT: Final = 1e-4  # below it only noise is left of a map, and a logarithm would be of nothing


def movenet_keypoints(shape: Sequence[int]) -> Graph:
    """Return the graph behind a single-pose MoveNet, whose output (1, 1, K, 3) holds y, x, score."""
    w = GraphWriter("keypoints")
    said = w.reshape(w.input(SAID, shape, FLOAT), shape[-2], 3)
    return _placed(w, w.gather(said, [1, 0, 2], 1))


def heatmap_keypoints(
    shape: Sequence[int], *, channels_last: bool, refine: Refine = "parabola", cells_at: CellsAt = "centre"
) -> Graph:
    """Return the graph behind a network that gives one map for each keypoint.

    `shape` is (1, K, rows, columns), with `channels_last` (1, rows, columns, K). The score is the map's highest number,
    0..1.
    """
    w = GraphWriter("keypoints")
    maps = w.input(SAID, shape, FLOAT)
    if channels_last:
        maps, shape = w.transpose(maps, 0, 3, 1, 2), (shape[0], shape[3], *shape[1:3])
    _, count, rows, columns = shape
    flat = w.reshape(maps, count, rows * columns)
    score = w.number("Maximum", w.number("Minimum", w.highest(flat, 1, keep=True), 1.0), 0.0)
    peak = w.where_highest(flat, 1)
    row = w.number("FloorDiv", peak, columns)
    column = w.number("Sub", peak, w.number("Mul", row, columns))
    cell = w.concat([w.reshape(column, count, 1), w.reshape(row, count, 1)], 1)  # (K, 2): x, y
    place = w.cast(cell, FLOAT)
    if cells_at == "centre":
        place = w.number("AddV2", place, 0.5)
    if refine != "none":
        aside = {"quarter": _quarter, "centroid": _centroid, "parabola": _parabola}[refine]
        place = w.number("AddV2", place, aside(w, flat, cell, (count, rows, columns)))
    place = w.number("Mul", place, np.array([1.0 / columns, 1.0 / rows]))
    return _placed(w, w.concat([place, score], 1))


def _neighbours(
    w: GraphWriter, flat: str, cell: str, shape: tuple[int, int, int]
) -> tuple[tuple[str, str], str]:
    """Write the cells behind and ahead on each axis, (K, 2) each, and where both are on the map, 1.0 or 0.0."""
    around, exists = _around(w, flat, cell, np.array([[-1, 0], [1, 0], [0, -1], [0, 1]]), shape)
    pairs = (shape[0], 2, 2)  # x and y; behind and ahead
    both = [
        [w.reshape(w.gather(w.reshape(one, *pairs), [side], 2), shape[0], 2) for side in (0, 1)]
        for one in (around, exists)
    ]
    return (both[0][0], both[0][1]), w.number("Minimum", *both[1])


def _quarter(w: GraphWriter, flat: str, cell: str, shape: tuple[int, int, int]) -> str:
    """Write a quarter of a cell to the higher side on each axis, (K, 2); none beside the map's edge."""
    (behind, ahead), inside = _neighbours(w, flat, cell, shape)
    signs = [w.cast(w.number("Greater", *pair), FLOAT) for pair in ((ahead, behind), (behind, ahead))]
    return w.number("Mul", w.number("Mul", w.number("Sub", *signs), QUARTER), inside)


def _parabola(w: GraphWriter, flat: str, cell: str, shape: tuple[int, int, int]) -> str:
    """Write where the parabola through three logarithms has its top, -0.5..0.5 cells from the peak, (K, 2)."""
    sides, _ = _neighbours(w, flat, cell, shape)
    behind, peak, ahead = (
        w.number("Log", w.number("Maximum", one, FAINT))
        for one in (sides[0], w.highest(flat, 1, keep=True), sides[1])
    )
    bend = w.number("Sub", w.number("AddV2", behind, ahead), w.number("Mul", peak, 2.0))
    slope = w.number("Mul", w.number("Sub", behind, ahead), 0.5)
    off = w.number("RealDiv", slope, w.number("Minimum", bend, -FAINT))
    return w.number("Maximum", w.number("Minimum", off, 0.5), -0.5)


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
