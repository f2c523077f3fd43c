"""The player's torso in one pose: where it is and how large. Pure."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.skeleton import COCO17

LEFT_SHOULDER: Final = COCO17.index("left_shoulder")
RIGHT_SHOULDER: Final = COCO17.index("right_shoulder")
LEFT_HIP: Final = COCO17.index("left_hip")
RIGHT_HIP: Final = COCO17.index("right_hip")

HIP_SCORE: Final = 0.3  # hips scored lower are hidden (a seated player behind a table): not used for the size
# From shoulders to hips in shoulder widths: joint centres of an adult are about 0.36 m apart and 0.5 m above
# the hips, 1.4; 29 people in COCO's photographs, many of them turned, have 1.7 at the median. A player turned
# sideways keeps the torso's length while the shoulders close up.
TORSO_LENGTH: Final = 1.5


@dataclass(frozen=True, slots=True)
class Torso:
    """Mid-shoulder and size of a person, in image heights."""

    x: float
    y: float
    size: float  # shoulder width as seen from the front
    score: float  # of the weaker shoulder, 0..1


def torso_of(xy: NDArray[np.float32], score: NDArray[np.float32]) -> Torso:
    """Measure the torso of a COCO pose: `xy` (17, 2) image heights, `score` (17,) 0..1."""
    places, scores = xy.tolist(), score.tolist()
    (lx, ly), (rx, ry) = places[LEFT_SHOULDER], places[RIGHT_SHOULDER]
    x, y = 0.5 * (lx + rx), 0.5 * (ly + ry)
    size = math.hypot(lx - rx, ly - ry)
    if min(scores[LEFT_HIP], scores[RIGHT_HIP]) >= HIP_SCORE:
        (hlx, hly), (hrx, hry) = places[LEFT_HIP], places[RIGHT_HIP]
        length = math.hypot(0.5 * (hlx + hrx) - x, 0.5 * (hly + hry) - y)
        size = max(size, length / TORSO_LENGTH)
    return Torso(x, y, size, min(scores[LEFT_SHOULDER], scores[RIGHT_SHOULDER]))
