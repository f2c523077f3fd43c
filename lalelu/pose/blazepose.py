"""What BlazePose's detector and landmark network mean. Pure.

Source: MediaPipe's pose detection and pose landmark graphs (Google, 2021), BlazePose (Bazarevsky and others, 2020).
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lalelu.pose.anchors import CLIPPED, PERSON, decoded, ssd_anchors, strongest
from lalelu.pose.crop import Crop
from lalelu.pose.region import Point, Region, upright
from lalelu.skeleton import BLAZEPOSE33

SCALE: Final = 1.25  # of the square, for a margin around the body
MOST: Final = 4  # people that are told of: a player and three who walk behind
PRESENCE: Final = 0.5  # of a person in the square, 0..1, below which nobody is followed any more
_NUMBERS: Final = (
    5  # of a landmark: x, y, z (px of the network's picture), visibility, presence (before the sigmoid)
)
# After the 33 keypoints come points that only say where the body is: the first is the middle of the hips, the second
# tells the whole body's size and direction.
_HIPS: Final = len(BLAZEPOSE33)
_REACH: Final = _HIPS + 1


class Found(NamedTuple):
    """Somebody whom the detector found, in image heights."""

    score: float  # 0..1
    shoulders: Point  # the middle between them
    region: Region  # to look at for the landmarks


class Seen(NamedTuple):
    """Somebody's keypoints, in image heights, and where to look for them in the next frame."""

    xy: NDArray[np.float32]  # (33, 2)
    score: NDArray[np.float32]  # (33,), 0..1
    region: Region | None


class PersonDetector:
    """Finds people in a whole picture: one colour square, out come anchors (or detections, from a merged graph)."""

    def __init__(self) -> None:
        self._anchors = ssd_anchors(PERSON)

    def decode(self, output: NDArray[Any], square: Crop) -> list[Found]:
        """Return the people in what the network said of `square`, the surest first."""
        if output.shape == (1, PERSON.anchors, PERSON.numbers):
            rows = strongest(decoded(output, PERSON, self._anchors), MOST)
        else:
            rows = output[0]
        left, top = square.x - 0.5 * square.side, square.y - 0.5 * square.side
        found = []
        for row in rows.tolist():
            points = [
                (left + x * square.side, top + y * square.side)
                for x, y in zip(row[5::2], row[6::2], strict=True)
            ]
            region = upright(points[0], points[1], scale=SCALE) if row[0] > 0.0 else None
            if region is not None:
                found.append(Found(row[0], points[2], region))
        return found


class PersonLandmarks:
    """Finds the keypoints of who fills a turned square; its picture shows that square upright."""

    def __init__(self, side: int) -> None:
        self._side = float(side)

    def decode(self, landmarks: NDArray[Any], region: Region) -> Seen:
        """Turn the network's 39 landmarks for `region` into keypoints.

        Always finite: a keypoint that the network left undefined lies at the square's centre with score 0.
        """
        numbers = landmarks.reshape(-1, _NUMBERS)[: _REACH + 1]
        good = np.isfinite(numbers).all(1)
        if not good.all():
            numbers = np.where(
                good[:, None], numbers, (0.5 * self._side, 0.5 * self._side, 0.0, -CLIPPED, 0.0)
            )
        xy = region.points(numbers[:, :2] / self._side)
        score = 1.0 / (1.0 + np.exp(-np.clip(numbers[:, 3], -CLIPPED, CLIPPED)))
        (x0, y0), (x1, y1) = xy[_HIPS:].tolist()
        after = upright((x0, y0), (x1, y1), scale=SCALE) if good[_HIPS:].all() else None
        return Seen(xy[:_HIPS], score[:_HIPS].astype(np.float32), after)
