"""The player's torso in one pose: where it is and how large. Pure."""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.skeleton import COCO17

# A pose in plain floats, while it is worked on: after an inference the caches are cold, and each of NumPy's calls
# costs as much as many of Python's.
Places: TypeAlias = Sequence[float]  # x, y, x, y, ... of 17 keypoints
Scores: TypeAlias = Sequence[float]  # of 17 keypoints, 0..1

LEFT_SHOULDER: Final = COCO17.index("left_shoulder")
RIGHT_SHOULDER: Final = COCO17.index("right_shoulder")
LEFT_HIP: Final = COCO17.index("left_hip")
RIGHT_HIP: Final = COCO17.index("right_hip")

HIP_SCORE: Final = 0.3  # hips scored lower are hidden (a seated player behind a table): not used for the size
# From shoulders to hips in shoulder widths: joint centres of an adult are about 0.36 m apart and 0.5 m above
# the hips, 1.4; 29 people in COCO's photographs, many of them turned, have 1.7 at the median. A player turned
# sideways keeps the torso's length while the shoulders close up.
TORSO_LENGTH: Final = 1.5


class Torso(NamedTuple):
    """Mid-shoulder and size of a person, in image heights."""

    x: float
    y: float
    size: float  # shoulder width as seen from the front
    score: float  # of the weaker shoulder, 0..1


def as_coco(skeleton: Sequence[str]) -> Callable[[Places, Scores], tuple[Places, Scores]]:
    """Return what gives places and scores by `skeleton` by COCO's; of a keypoint that is not there the score is 0."""
    if tuple(skeleton) == COCO17:
        return lambda places, scores: (places, scores)
    at = [skeleton.index(name) if name in skeleton else None for name in COCO17]

    def view(places: Places, scores: Scores) -> tuple[Places, Scores]:
        found: list[float] = []
        for index in at:
            found += (0.0, 0.0) if index is None else places[2 * index : 2 * index + 2]
        return found, [0.0 if index is None else scores[index] for index in at]

    return view


def torso_of(xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Sequence[str] = COCO17) -> Torso:
    """Measure the torso of a pose: `xy` (K, 2) image heights, `score` (K,) 0..1, keypoints by `skeleton`."""
    return torso_at(*as_coco(skeleton)(xy.reshape(-1).tolist(), score.tolist()))


def torso_at(places: Places, scores: Scores) -> Torso:
    """Measure the torso of a COCO pose in image heights."""
    lx, ly = places[2 * LEFT_SHOULDER], places[2 * LEFT_SHOULDER + 1]
    rx, ry = places[2 * RIGHT_SHOULDER], places[2 * RIGHT_SHOULDER + 1]
    x, y = 0.5 * (lx + rx), 0.5 * (ly + ry)
    size = math.hypot(lx - rx, ly - ry)
    if scores[LEFT_HIP] >= HIP_SCORE and scores[RIGHT_HIP] >= HIP_SCORE:
        hips_x = 0.5 * (places[2 * LEFT_HIP] + places[2 * RIGHT_HIP])
        hips_y = 0.5 * (places[2 * LEFT_HIP + 1] + places[2 * RIGHT_HIP + 1])
        size = max(size, math.hypot(hips_x - x, hips_y - y) / TORSO_LENGTH)
    return Torso(x, y, size, min(scores[LEFT_SHOULDER], scores[RIGHT_SHOULDER]))
