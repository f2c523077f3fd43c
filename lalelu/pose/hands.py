"""Follow each wrist in MoveNet's own heatmaps, so that crossing arms keep their hands. Pure.

MoveNet sees each frame for itself: of all the places that look like a left wrist it takes the one nearest to
where the body's centre lets it expect one. When arms cross, or a hand lies in front of the body, that is often
the other hand, and then the right one again. The right place nearly always has a peak of its own in the
heatmap. Here the peaks of both wrists are weighed by where each wrist was in the frame before, and chosen
together, since two hands are rarely in one place. The place is then refined by the votes of the cells around.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.skeleton import COCO17

WRISTS: Final = (COCO17.index("left_wrist"), COCO17.index("right_wrist"))
# Tuned on rendered drummers of six looks, distances and angles, arms crossing: strokes found 89.6 -> 97 %,
# timing SD 8 -> 5 ms; the numbers marked * may change by half with less than 1 % of strokes lost.
REACH: Final = 0.11  # body units*: a peak this far from where the wrist was counts half
HAND_SPEED: Final = 5.0  # body units/s: how far a hand may have gone since, added to REACH
ELSEWHERE: Final = 0.12  # a far peak still counts this much: a lost hand is found again, or was never held
TOGETHER: Final = 0.12  # body units*: nearer peaks are one hand ...
ONE_HAND: Final = 0.05  # ... and both wrists there count this much
LEAST: Final = 0.08  # of the heatmap: lower peaks are noise, and kits believe nothing below 0.15
MOST_PEAKS: Final = 3  # of one wrist


class Heads(NamedTuple):
    """MoveNet's tensors before it chooses, without their batch axis; N = 48 or 64 cells a side."""

    heatmaps: NDArray[np.float32]  # (N, N, 2), left and right wrist, 0..1
    weighted: NDArray[np.float32]  # (N, N, 2): heatmaps over the distance from the expected place
    offsets: NDArray[np.float32]  # (N, N, 4): y, x of each wrist from the cell's corner, cells
    peaks: NDArray[np.float32]  # (N, N, 2): the heatmaps at their local maxima, 0 elsewhere


class _Peak(NamedTuple):
    weight: float
    x: float  # image heights
    y: float
    row: int
    column: int


def shows_heads(names: Sequence[str]) -> bool:
    """Whether a network with these outputs shows what a HandTracker needs."""
    return set(Heads._fields) <= set(names)


def heads_of(names: Sequence[str]) -> tuple[int, ...]:
    """Return where the heads are among a network's outputs. Raises UsageError when they are not."""
    if not shows_heads(names):
        raise UsageError(
            f"pose.hands is track, which needs the network's {', '.join(Heads._fields)}; this model gives "
            f"{', '.join(names)} only: choose pose.hands: auto or network, or the catalogue's model"
        )
    return tuple(names.index(name) for name in Heads._fields)


class HandTracker:
    """Both wrists of one player, from frame to frame."""

    def __init__(self) -> None:
        self._last: list[tuple[float, float]] | None = None  # of both wrists, image heights
        self._at_ns = 0

    def forget(self) -> None:
        """Begin anew: the next wrists are taken as the network says."""
        self._last = None

    def follow(
        self,
        captured_ns: int,
        heads: Heads,
        crop: Crop,
        unit: float,
        xy: NDArray[np.float32],
        score: NDArray[np.float32],
    ) -> None:
        """Put the wrists of the frame captured at `captured_ns` into `xy` (17, 2) and `score` (17,), in place.

        `unit` is the player's shoulder width; lengths are image heights. A wrist without any peak stays as the
        network says.
        """
        last = self._last
        unit = max(unit, 1e-6)  # a player seen exactly from the side
        reach = unit * (REACH + HAND_SPEED * (captured_ns - self._at_ns) * 1e-9)
        peaks = _peaks(heads, crop, last, reach)
        self._at_ns = captured_ns
        if not (peaks[0] and peaks[1]):
            self._last = None
            return
        chosen = max(
            ((left, right) for left in peaks[0] for right in peaks[1]),
            key=lambda pair: _together(pair[0], pair[1], TOGETHER * unit),
        )
        self._last = [(peak.x, peak.y) for peak in chosen]
        for side, (wrist, peak) in enumerate(zip(WRISTS, chosen, strict=True)):
            xy[wrist] = _vote(heads, side, crop, peak)
            score[wrist] = min(heads.heatmaps.item(peak.row, peak.column, side), 1.0)


def _peaks(
    heads: Heads, crop: Crop, last: list[tuple[float, float]] | None, reach: float
) -> tuple[list[_Peak], list[_Peak]]:
    """Return the best peaks of the left and of the right wrist, the heaviest first."""
    count = len(heads.peaks)
    scale = crop.side / count
    left, top = crop.x - 0.5 * crop.side, crop.y - 0.5 * crop.side
    peaks: tuple[list[_Peak], list[_Peak]] = ([], [])
    for place in np.flatnonzero(heads.peaks > LEAST).tolist():
        cell, side = divmod(place, 2)
        row, column = divmod(cell, count)
        x = left + (column + heads.offsets.item(row, column, 2 * side + 1)) * scale
        y = top + (row + heads.offsets.item(row, column, 2 * side)) * scale
        weight = heads.weighted.item(row, column, side)
        if last is not None:
            far = math.hypot(x - last[side][0], y - last[side][1]) / reach
            weight *= max(1.0 / (1.0 + far * far), ELSEWHERE)
        if math.isfinite(weight + x + y):
            peaks[side].append(_Peak(weight, x, y, row, column))
    for found in peaks:
        found.sort(reverse=True)
        del found[MOST_PEAKS:]
    return peaks


def _together(left: _Peak, right: _Peak, near: float) -> float:
    """Return how much two peaks count as the two wrists."""
    weight = left.weight * right.weight
    return weight * ONE_HAND if math.hypot(left.x - right.x, left.y - right.y) < near else weight


def _vote(heads: Heads, side: int, crop: Crop, peak: _Peak) -> tuple[float, float]:
    """Return the place (x, y, image heights) on which the cells around a peak agree, each by its height."""
    cells = len(heads.heatmaps)
    total = sum_x = sum_y = 0.0
    rows = range(max(peak.row - 1, 0), min(peak.row + 2, cells))
    columns = slice(max(peak.column - 1, 0), min(peak.column + 2, cells))
    for row in rows:
        heights = heads.heatmaps[row, columns, side].tolist()
        aside = heads.offsets[row, columns, 2 * side : 2 * side + 2].tolist()
        for column, (height, (dy, dx)) in enumerate(zip(heights, aside, strict=True), columns.start):
            total += height
            sum_x += height * (column + dx)
            sum_y += height * (row + dy)
    scale = crop.side / cells
    return (
        crop.x - 0.5 * crop.side + sum_x / total * scale,
        crop.y - 0.5 * crop.side + sum_y / total * scale,
    )
