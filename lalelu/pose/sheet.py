"""Follow points around a few places from picture to picture: optical flow. Pure but for OpenCV's arithmetic.

Only small patches around the places are looked at. They are laid side by side on one sheet, each where its place is
expected, so that a fast hand has moved by what it has changed its speed only. Points are followed by Lucas-Kanade
(1981, as in OpenCV) forth and back; those count that come back home.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.pose.wrist import Way

# The numbers below were tried on rendered drummers of eight looks, distances and grooves, Thunder 3 frames late.
DISC: Final = 0.12  # shoulder widths: the points lie so near; 0.06..0.2 are equal, 0.3 is worse by a sixth
WIDEST_DISC: Final = 10.0  # px, so that patches hold the points and their windows
WINDOW: Final = 11  # px: with 9 hands are lost more often, with 13 they stick to what moves beside them
LEVELS: Final = 0  # above the picture: patches lie where places are expected; 1 takes in more beside them
PATCH: Final = 48  # px: disc, window, and some ten pixels of unexpected motion; 64 is equal, and slower
COLUMNS: Final = 4  # of patches on the sheet
ITERATIONS: Final = 5
FLAT: Final = 1e-4  # least eigenvalue of a window that has something to follow (OpenCV's default)
HOME: Final = 0.5  # px: a point followed forth and back comes back this near, or was lost (1 px: F1 -1.5)

Points: TypeAlias = NDArray[np.float64]  # (N, 2), camera px, pixel centres at +0.5


def _disc(count: int) -> Points:
    """Return points spread evenly over a disc of radius 1 (Vogel's sunflower)."""
    number = np.arange(count) + 0.5
    radius, angle = np.sqrt(number / count), number * math.pi * (3.0 - math.sqrt(5.0))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


class Sheet:
    """Patches of the newest picture around at most `most` places, and the points in them.

    A picture: `spread` the points, `follow` them, then `lay` the patches for the next picture. Places are numbered as
    the caller numbers them, below `most`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._side = PATCH
        self._last_pixel = np.zeros(2)
        self._sheets = [np.zeros((0, 0), np.uint8)] * 2  # the picture before, and this one
        self._origins = np.zeros((most, 2))  # top left of each place's patch, px
        self.parts: tuple[tuple[int, int], ...] = ()  # the places that are followed, and their points
        self.choose(())

    def resize(self, width: int, height: int) -> None:
        """Begin anew with pictures of this size, px."""
        self._side = side = min(PATCH, height, width)
        self._last_pixel = np.array([width - 1.0, height - 1.0])
        rows = -(-self._most // COLUMNS)
        self._sheets = [np.zeros((rows * side, COLUMNS * side), np.uint8) for _ in range(2)]
        self.choose(())

    def choose(self, parts: Sequence[tuple[int, int]]) -> None:
        """Follow these places from now on, each by so many points."""
        self.parts = tuple(parts)
        self._indices = [index for index, _ in parts]
        self._of = np.repeat(self._indices, [count for _, count in parts]).astype(np.intp)
        starts = np.cumsum([0, *(count for _, count in parts)]).tolist()
        self._own = {
            index: slice(first, first + count) for (index, count), first in zip(parts, starts, strict=False)
        }
        discs = [_disc(count) for _, count in parts]
        self._discs = np.concatenate(discs) if discs else np.zeros((0, 2))
        self._cells = np.zeros((self._most, 2))
        for number, index in enumerate(self._indices):
            self._cells[index] = number % COLUMNS * self._side, number // COLUMNS * self._side
        self._origins = np.full((self._most, 2), -1e6)  # none of the patches is laid

    def own(self, place: int) -> slice:
        """Return which of the points are this place's; none where it is not followed."""
        return self._own.get(place, slice(0))

    def spread(self, at: Points, unit: float) -> Points:
        """Return the points around the places `at`, for a player with shoulders `unit` px wide."""
        return at[self._of] + self._discs * min(DISC * unit, WIDEST_DISC)

    def follow(
        self, image: NDArray[np.uint8], points: Points, at: Points, motion: Points, allowed: NDArray[np.bool_]
    ) -> list[list[Way]]:
        """Return by place how those of its points moved from the last picture to `image` that came back home.

        The places `at` are expected to move by `motion`; points that are not `allowed` do not count.
        """
        before, after = self._origins, self._corners(at + motion)
        self._sheets.reverse()
        self._cut(image, after, self._indices)
        self._origins = after
        if not self.parts:
            return []
        of = self._of
        shift = self._cells[of] - 0.5  # OpenCV's pixel centres are whole numbers
        start = (points - before[of] + shift).astype(np.float32)
        guess = (points + motion[of] - after[of] + shift).astype(np.float32)
        rows = -(-len(self.parts) // COLUMNS) * self._side
        old, new = (sheet[:rows] for sheet in self._sheets)
        end, there = _tracked(old, new, start, guess)
        home, back = _tracked(new, old, end, start.copy())
        away = home - start
        inside = end - self._cells[of]
        good = allowed & there & back & (np.hypot(away[:, 0], away[:, 1]) < HOME)
        good &= (inside > 0.0).all(axis=1) & (inside < self._side - 1.0).all(axis=1)
        good &= (points > 0.5).all(axis=1) & (points < self._last_pixel + 0.5).all(axis=1)
        ways, keep = ((end - start) + (after - before)[of]).tolist(), good.tolist()
        return [
            [(x, y) for (x, y), ok in zip(ways[own], keep[own], strict=True) if ok]
            for own in self._own.values()
        ]

    def lay(self, image: NDArray[np.uint8], at: Points) -> None:
        """Cut anew the patches that their places `at` have left."""
        best = self._corners(at)
        off = np.abs(best - self._origins).max(axis=1)
        left = [index for index in self._indices if off[index] > self._side // 8]
        self._origins[left] = best[left]
        self._cut(image, self._origins, left)

    def _corners(self, at: Points) -> Points:
        """Return the top left corners of patches around `at`, whole px, within the picture."""
        corners: Points = np.rint(at - 0.5 * self._side)
        return np.minimum(np.maximum(corners, 0.0), self._last_pixel + 1.0 - self._side)

    def _cut(self, image: NDArray[np.uint8], origins: Points, indices: Sequence[int]) -> None:
        """Copy patches of `image` to the newest sheet, in grey."""
        side, sheet = self._side, self._sheets[1]
        for index in indices:
            x, y = map(int, origins[index].tolist())
            column, row = map(int, self._cells[index].tolist())
            patch, cell = image[y : y + side, x : x + side], sheet[row : row + side, column : column + side]
            if image.ndim == 2:  # grey
                np.copyto(cell, patch)
            else:
                cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY, dst=cell)


def _tracked(
    old: NDArray[np.uint8], new: NDArray[np.uint8], points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where the points of `old` are in `new`, and which were found."""
    ends: Any
    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        old,
        new,
        points,
        guess,
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ITERATIONS, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=FLAT,
    )
    return np.asarray(ends, np.float32), np.asarray(found[:, 0] != 0)
