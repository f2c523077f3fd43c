"""Where a hand is by the arm it is on, and what the hand network's output means. Pure.

Source: MediaPipe's hand landmark graphs (Google, 2021), MediaPipe Hands (Zhang and others, 2020).
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.pose.region import Point, Region
from lalelu.skeleton import HAND21

PRESENCE: Final = 0.5  # of a hand in the square, 0..1, below which nothing is believed
# The square around an arm's hand: its middle lies beyond the wrist by this share of the forearm (as `left_hand` in
# `lalelu.skeleton`), its side is this many shoulder widths, or forearms where those are longer (the arm is raised
# sideways of a player who turns). Tried on labelled photos and rendered players, 0.7 and 1.2 show fewer hands.
BEYOND: Final = 0.33
SHOULDERS: Final = 0.9
FOREARMS: Final = 1.0
# The square around known landmarks is twice the palm and the first joints, moved a tenth of it towards the fingers.
SCALE: Final = 2.0
SHIFT: Final = 0.1
_PALM: Final = [
    index for index, name in enumerate(HAND21) if not name.endswith(("_dip", "_tip")) and name != "thumb_ip"
]
_MIDDLE: Final = HAND21.index("middle_pip")
_BESIDE: Final = (HAND21.index("index_pip"), HAND21.index("ring_pip"))


def beyond(wrist: Point, elbow: Point, shoulders: float) -> Region | None:
    """Return the square around the hand of a forearm; None where that has no direction.

    `shoulders`: the player's shoulder width. All in image heights.
    """
    x, y = wrist[0] - elbow[0], wrist[1] - elbow[1]
    forearm = math.hypot(x, y)
    if not 0.0 < forearm < math.inf:
        return None
    side = max(SHOULDERS * shoulders, FOREARMS * forearm)
    return Region(wrist[0] + BEYOND * x, wrist[1] + BEYOND * y, side, -y / forearm, x / forearm)


def landmarks(output: NDArray[Any], region: Region, side: int) -> NDArray[np.float32] | None:
    """Return the 21 landmarks, (21, 2) image heights, of a hand network's answer to `region`; None if undefined.

    `side` of its picture, px.
    """
    numbers = output.reshape(len(HAND21), 3)[:, :2]
    if not np.isfinite(numbers).all():
        return None
    return region.points(numbers / side)


def around(xy: NDArray[np.float32]) -> Region | None:
    """Return the square to look at for the next frame's landmarks; None where these tell no direction."""
    points: Sequence[Sequence[float]] = xy.tolist()
    wrist, (first, second) = points[0], _BESIDE
    middle = [
        0.5 * (0.5 * (points[first][axis] + points[second][axis]) + points[_MIDDLE][axis]) for axis in (0, 1)
    ]
    up_x, up_y = middle[0] - wrist[0], middle[1] - wrist[1]
    reach = math.hypot(up_x, up_y)
    if not reach > 0.0:
        return None
    right = (-up_y / reach, up_x / reach)
    across = [points[at][0] * right[0] + points[at][1] * right[1] for at in _PALM]
    down = [points[at][1] * right[0] - points[at][0] * right[1] for at in _PALM]
    long = max(max(across) - min(across), max(down) - min(down))
    a = 0.5 * (max(across) + min(across))
    b = 0.5 * (max(down) + min(down)) - SHIFT * (max(down) - min(down))
    return Region(a * right[0] - b * right[1], a * right[1] + b * right[0], SCALE * long, *right)
