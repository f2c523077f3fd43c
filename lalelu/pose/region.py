"""The turned square that a landmark network looks at: its person or hand upright, whichever way it lies. Pure."""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]

# The square stands still while what it shows stays within these slacks: each move of the square changes the network's
# picture, which shows as noise in the keypoints (as in `lalelu.pose.crop`).
LEASH: Final = 0.04  # of its side
SIZE_LEASH: Final = 0.08  # of its side
TURN_LEASH: Final = math.radians(6.0)


class Region(NamedTuple):
    """A square in the upright picture, in image heights. It may reach beyond the picture."""

    x: float  # centre
    y: float
    side: float
    # where its own right points, a unit vector: (1, 0) is a square that stands upright
    right_x: float = 1.0
    right_y: float = 0.0

    def point(self, across: float, down: float) -> Point:
        """Return the picture's point at a place in the square: 0..1 from its left and from its top."""
        a, b = (across - 0.5) * self.side, (down - 0.5) * self.side
        return self.x + a * self.right_x - b * self.right_y, self.y + a * self.right_y + b * self.right_x

    def points(self, shares: NDArray[Any]) -> NDArray[np.float32]:
        """Return the picture's points (N, 2) at places in the square (N, 2), as `point` does."""
        across, down = ((shares - 0.5) * self.side).T
        xy = np.empty(shares.shape, np.float32)
        xy[:, 0] = self.x + across * self.right_x - down * self.right_y
        xy[:, 1] = self.y + across * self.right_y + down * self.right_x
        return xy


def upright(start: Point, end: Point, *, scale: float) -> Region | None:
    """Return the square around `start` in which `end` is straight above; None where they are one point, or not finite.

    `scale`: its side, in twice the distance between them.
    """
    up_x, up_y = end[0] - start[0], end[1] - start[1]
    reach = math.hypot(up_x, up_y)
    if not (0.0 < reach < math.inf and math.isfinite(start[0] + start[1])):
        return None
    return Region(start[0], start[1], 2.0 * scale * reach, -up_y / reach, up_x / reach)


def dragged(old: Region | None, new: Region) -> Region:
    """Return the square to look at next: the old one where the new one is within the leash, else dragged after it."""
    if old is None:
        return new
    slack = LEASH * new.side
    x = min(max(old.x, new.x - slack), new.x + slack)
    y = min(max(old.y, new.y - slack), new.y + slack)
    side = min(max(old.side, new.side / (1.0 + SIZE_LEASH)), new.side * (1.0 + SIZE_LEASH))
    straight = old.right_x * new.right_x + old.right_y * new.right_y >= math.cos(TURN_LEASH)
    right = (old.right_x, old.right_y) if straight else (new.right_x, new.right_y)
    return Region(x, y, side, *right)
