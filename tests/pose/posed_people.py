"""Poses to test with: what MoveNet would say about a person who stands somewhere."""

import numpy as np
from numpy.typing import NDArray

from lalelu.pose.crop import Crop
from lalelu.skeleton import COCO17

# x to the picture's right, y down, in shoulder widths from mid-shoulder; the person faces the camera
STANDING = {
    "nose": (0.0, -0.6),
    "left_eye": (0.1, -0.7),
    "right_eye": (-0.1, -0.7),
    "left_ear": (0.2, -0.65),
    "right_ear": (-0.2, -0.65),
    "left_shoulder": (0.5, 0.0),
    "right_shoulder": (-0.5, 0.0),
    "left_elbow": (0.7, 0.8),
    "right_elbow": (-0.7, 0.8),
    "left_wrist": (0.6, 1.3),
    "right_wrist": (-0.6, 1.3),
    "left_hip": (0.35, 1.5),
    "right_hip": (-0.35, 1.5),
    "left_knee": (0.35, 2.6),
    "right_knee": (-0.35, 2.6),
    "left_ankle": (0.35, 3.7),
    "right_ankle": (-0.35, 3.7),
}


def person(x: float, y: float, size: float, **moved: tuple[float, float]) -> NDArray[np.float32]:
    """(17, 2) image heights of someone with mid-shoulder at x, y; `moved` in shoulder widths."""
    places = {**STANDING, **moved}
    return np.array([(x + places[n][0] * size, y + places[n][1] * size) for n in COCO17], np.float32)


def movenet_output(xy: NDArray[np.float32], crop: Crop, score: float = 0.8) -> NDArray[np.float32]:
    """(1, 1, 17, 3) what MoveNet answers when it sees `xy` in `crop`."""
    fractions = (xy - (crop.x - crop.side / 2, crop.y - crop.side / 2)) / crop.side
    rows = np.column_stack((fractions[:, 1], fractions[:, 0], np.full(len(xy), score)))
    return rows.astype(np.float32).reshape(1, 1, 17, 3)
