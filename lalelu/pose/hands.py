"""Follow each wrist in MoveNet's own heatmaps, so that crossing arms keep their hands. Pure.

MoveNet sees each frame for itself: of all the places that look like a left wrist it takes the one nearest to
where the body's centre lets it expect one. When arms cross, or a hand lies in front of the body, that is often
the other hand, and then the right one again. The right place nearly always has a peak of its own in the
heatmap. Here the peaks of both wrists are weighed by where each wrist was in the frame before, and chosen
together, since two hands are rarely in one place. A wrist is then placed at the centre of the hill around its peak:
that wanders a tenth less than the place to which the network's offsets point.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.skeleton import COCO17

LEFT: Final = COCO17.index("left_wrist")
RIGHT: Final = COCO17.index("right_wrist")
# Tuned on rendered drummers of six looks, distances and angles, arms crossing: strokes found 89.6 -> 97 %,
# timing SD 8 -> 5 ms; the numbers marked * may change by half with less than 1 % of strokes lost.
REACH: Final = 0.11  # body units*: a peak this far from where the wrist was counts half
HAND_SPEED: Final = 5.0  # body units/s: how far a hand may have gone since, added to REACH
ELSEWHERE: Final = 0.12  # a far peak still counts this much: a lost hand is found again, or was never held
TOGETHER: Final = 0.12  # body units*: nearer peaks are one hand ...
ONE_HAND: Final = 0.05  # ... and both wrists there count this much
MOST_PEAKS: Final = 3  # of one wrist
# Cells to each side of a peak that place the wrist, by their squares: a lower hill beside it, the other hand's, hardly
# counts. Eight rendered films, Lightning and Thunder: strokes' timing SD 6.3 ms with the offsets of 3 x 3 cells, 5.6
# with first powers, 5.2 so, 5.3 with third ones; 5.7 with 3 and with 4 cells to each side.
AROUND: Final = 2

_Wrists: TypeAlias = tuple[tuple[float, float], tuple[float, float]]  # x, y of both, image heights
# weight, x, y (image heights), place: its number among the heatmaps' (row, column, side)
_Peak: TypeAlias = tuple[float, float, float, int]


class Heads(NamedTuple):
    """MoveNet's tensors before it chooses, as numbers one after the other; N = 48 or 64 cells a side.

    Cells lie row by row. Plain numbers, because a few dozen are read per frame, and each of NumPy's calls
    costs as much as many of them.
    """

    cells: int  # N
    heatmaps: Sequence[float]  # float32 (N, N, 2), left and right wrist, 0..1
    weighted: Sequence[float]  # float32 (N, N, 2): heatmaps over the distance from the expected place
    offsets: Sequence[float]  # float32 (N, N, 4): y, x of each wrist from the cell's corner, cells
    is_peak: NDArray[np.bool_]  # (N, N, 2): local maxima of the heatmaps that are high enough

    @classmethod
    def of(cls, arrays: Sequence[NDArray[Any]]) -> Self:
        """Return a look at the network's arrays, in the order of HEADS; it shows whatever is written to them."""
        heatmaps, weighted, offsets, is_peak = arrays
        return cls(len(is_peak), _numbers(heatmaps), _numbers(weighted), _numbers(offsets), is_peak)


def _numbers(array: NDArray[Any]) -> Sequence[float]:
    return memoryview(array.reshape(-1))  # type: ignore[arg-type]  # of floats, though typed as bytes


HEADS: Final = Heads._fields[1:]  # by the names that the network gives them


def shows_heads(names: Sequence[str]) -> bool:
    """Whether a network with these outputs shows what a HandTracker needs."""
    return set(HEADS) <= set(names)


def heads_of(names: Sequence[str]) -> tuple[int, ...]:
    """Return where the heads are among a network's outputs. Raises UsageError when they are not."""
    if not shows_heads(names):
        raise UsageError(
            f"pose.hands is track, which needs the network's {', '.join(HEADS)}; this model gives "
            f"{', '.join(names)} only: choose pose.hands: auto or network, or the catalogue's model"
        )
    return tuple(names.index(name) for name in HEADS)


class HandTracker:
    """Both wrists of one player, from frame to frame."""

    def __init__(self) -> None:
        self._last: _Wrists | None = None
        self._at_ns = 0

    def forget(self) -> None:
        """Begin anew: the next wrists are taken as the network says."""
        self._last = None

    def expect(self, captured_ns: int, wrists: tuple[float, float, float, float]) -> None:
        """Believe that the wrists were at x, y, x, y (left, right) then; of no use before they were found once."""
        if self._last is not None:
            self._last, self._at_ns = (wrists[:2], wrists[2:]), captured_ns

    def follow(
        self,
        captured_ns: int,
        heads: Heads,
        crop: Crop,
        unit: float,
        places: list[float],
        scores: list[float],
    ) -> None:
        """Put the wrists of the frame captured at `captured_ns` into `places` (x, y, x, y, ...) and `scores`.

        `unit` is the player's shoulder width; lengths are image heights. A wrist without any peak stays as the
        network says.
        """
        unit = max(unit, 1e-6)  # a player seen exactly from the side
        reach = unit * (REACH + HAND_SPEED * (captured_ns - self._at_ns) * 1e-9)
        lefts, rights = _peaks(heads, crop, self._last, reach)
        self._at_ns = captured_ns
        if not (lefts and rights):
            self._last = None
            return
        left, right = _chosen(lefts, rights, TOGETHER * unit)
        self._last = left[1:3], right[1:3]
        for wrist, peak in ((LEFT, left), (RIGHT, right)):
            place = peak[3]
            places[2 * wrist : 2 * wrist + 2] = _centre(heads, crop, place)
            scores[wrist] = min(heads.heatmaps[place], 1.0)


def _peaks(heads: Heads, crop: Crop, last: _Wrists | None, reach: float) -> tuple[list[_Peak], list[_Peak]]:
    """Return the best peaks of the left and of the right wrist, the heaviest first."""
    cells, _, weights, offsets, is_peak = heads
    scale = crop.side / cells
    left, top = crop.x - 0.5 * crop.side, crop.y - 0.5 * crop.side
    peaks: tuple[list[_Peak], list[_Peak]] = ([], [])
    marks = is_peak.tobytes()
    place = marks.find(1)
    while place >= 0:
        cell, side = place >> 1, place & 1
        x = left + (cell % cells + offsets[2 * place + 1]) * scale
        y = top + (cell // cells + offsets[2 * place]) * scale
        weight = weights[place]
        if last is not None:
            last_x, last_y = last[side]
            far = math.hypot(x - last_x, y - last_y) / reach
            weight *= max(1.0 / (1.0 + far * far), ELSEWHERE)
        if math.isfinite(weight + x + y):
            peaks[side].append((weight, x, y, place))
        place = marks.find(1, place + 1)
    for found in peaks:
        found.sort(reverse=True)
        del found[MOST_PEAKS:]
    return peaks


def _chosen(lefts: list[_Peak], rights: list[_Peak], near: float) -> tuple[_Peak, _Peak]:
    """Return the pair that counts most as the two wrists; the heavier peaks among equals."""
    best = -1.0
    chosen = lefts[0], rights[0]
    for left in lefts:
        for right in rights:
            weight = left[0] * right[0]
            if math.hypot(left[1] - right[1], left[2] - right[2]) < near:
                weight *= ONE_HAND
            if weight > best:
                best, chosen = weight, (left, right)
    return chosen


def _centre(heads: Heads, crop: Crop, place: int) -> tuple[float, float]:
    """Return where (x, y, image heights) the hill around a peak is centred, each cell by its height squared."""
    cells, heatmaps, _, _, _ = heads
    row, column = divmod(place >> 1, cells)
    left, right = max(column - AROUND, 0), min(column + AROUND + 1, cells)
    total = sum_x = sum_y = 0.0
    for i in range(max(row - AROUND, 0), min(row + AROUND + 1, cells)):
        begin = 2 * (i * cells + left) + (place & 1)
        for j, height in enumerate(heatmaps[begin : begin + 2 * (right - left) : 2], left):
            weight = height * height
            total += weight
            sum_x += weight * j
            sum_y += weight * i
    scale = crop.side / cells
    return (
        crop.x - 0.5 * crop.side + (sum_x / total + 0.5) * scale,
        crop.y - 0.5 * crop.side + (sum_y / total + 0.5) * scale,
    )
