"""What single-shot detectors mean: boxes around anchors, and one detection for each thing among many. Pure.

Sources: SSD (Liu and others 2016) for anchors and suppression; BlazeFace (Bazarevsky and others 2019) for anchors of
one size and for blending, which shakes less from frame to frame than keeping the best box alone.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


class Layout(NamedTuple):
    """How a detector lays its anchors over its picture, and what it tells of each."""

    side: int  # of its picture, px
    layers: tuple[tuple[int, int], ...]  # px from anchor to anchor, anchors at each place
    points: int  # keypoints of each thing

    @property
    def anchors(self) -> int:
        """How many there are."""
        return sum(count * (-(-self.side // stride)) ** 2 for stride, count in self.layers)

    @property
    def numbers(self) -> int:
        """How many numbers there are for each anchor: score, box (centre, size), points."""
        return 5 + 2 * self.points


_LAYERS: Final = ((8, 2), (16, 2), (32, 6))
# Points: middle of the hips, one that tells the whole body's size and direction, middle of the shoulders, one that
# tells the upper body's (MediaPipe's pose detection, 2021). The box is around the face.
PERSON: Final = Layout(224, _LAYERS, 4)
# Points: wrist, first joints of index, middle, ring and little finger, two of the thumb's (MediaPipe's palm detection,
# 2020). The box is around the palm.
HAND: Final = Layout(256, _LAYERS, 7)
LAYOUTS: Final = (PERSON, HAND)

LEAST_SCORE: Final = 0.5  # of a thing, 0..1 (MediaPipe's)
OVERLAP: Final = 0.3  # of two boxes, intersection over union: more, and they are of one thing (MediaPipe's)
CLIPPED: Final = (
    80.0  # logits beyond are bounded: an f32 exponential stays finite, and the sigmoid is 0 or 1 to 1e-34
)
BOX: Final = slice(1, 5)  # of a detection's numbers: left, top, right, bottom
TINY: Final = 1e-9  # an area to divide by where boxes have none


def ssd_anchors(layout: Layout) -> NDArray[np.float32]:
    """Return the anchors' places, (N, 2) x, y in fractions of the picture, in the detector's order."""
    places = []
    for stride, count in layout.layers:
        cells = -(-layout.side // stride)
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        places.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, 0))
    return np.concatenate(places).astype(np.float32)


def decoded(raw: Floats, layout: Layout, anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a detector says of every anchor, (N, numbers), from its output (1, N, numbers).

    Score 0..1; left, top, right, bottom; x, y of each point: in fractions of the picture.
    """
    numbers = raw.reshape(-1, layout.numbers)
    places = numbers[:, 1:] / np.float32(layout.side)
    centres = places[:, :2] + anchors
    half = 0.5 * places[:, 2:4]
    points = places[:, 4:].reshape(-1, layout.points, 2) + anchors[:, None]
    scores = 1.0 / (1.0 + np.exp(-np.clip(numbers[:, :1], -CLIPPED, CLIPPED)))
    made = np.concatenate([scores, centres - half, centres + half, points.reshape(len(points), -1)], 1)
    return made.astype(np.float32)


def strongest(
    table: NDArray[np.float32],
    most: int,
    *,
    least: float = LEAST_SCORE,
    overlap: float = OVERLAP,
    blend: bool = True,
) -> NDArray[np.float32]:
    """Return up to `most` different things, (most, numbers), the best first; zeros where there are fewer.

    The best of those scored above `least` takes in all that overlap it by more than `overlap`, then the best of the
    rest, and so on. `blend` puts box and points at their mean, weighted by score; else they are the best one's own.
    """
    found = np.zeros((most, table.shape[1]), np.float32)
    scores = np.where(table[:, 0] > least, table[:, 0], np.float32(0.0))
    areas = _areas(table[:, BOX])
    for row in found:
        best = int(np.argmax(scores))
        if not scores[best] > 0.0:
            break
        left, top = np.maximum(table[:, 1:3], table[best, 1:3]).T
        right, bottom = np.minimum(table[:, 3:5], table[best, 3:5]).T
        shared = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
        # products, no division: boxes without an area have no share of anything
        taken = shared > overlap * np.maximum(areas + areas[best] - shared, TINY)
        taken[best] = True
        row[:] = table[best]
        if blend:
            weights = np.where(taken, scores, np.float32(0.0))
            row[1:] = weights @ table[:, 1:] / weights.sum()
        scores = np.where(taken, np.float32(0.0), scores)
    return found


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(
        boxes[:, 3] - boxes[:, 1], 0
    )
    return areas
