"""Cut a square out of the camera's picture for the network: scaled, turned, in its order of colours. Pure.

The square is laid on whole camera pixels, and the caller is told where: then `cv2.resize` does what an affine
warp would, in half the time, and no keypoint is shifted.
"""

from typing import Any, Final, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.pose.crop import Crop
from lalelu.pose.orientation import Orientation

# Bilinear sampling looks at 2 x 2 pixels: at 2 camera pixels or more per network pixel it would skip some,
# and edges would flicker. There the picture is halved first, by averaging, as often as needed.
SKIPPING_RATIO: Final = 2.0
COLOUR_DIMENSIONS: Final = 3
_TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}

_Row: TypeAlias = tuple[float, float, float]


class _Placed(NamedTuple):
    """Where a square lies on the camera's picture, halved as often as `halvings` says; px of that picture."""

    halvings: int
    left: int
    top: int
    size: int
    taken: Crop  # the same square in the upright picture


class Sampler:
    """Fills the network's picture; buffers are made when the camera's size or the square's changes.

    `bgr`: the network takes the colours as cameras give them; else red before green before blue.
    """

    def __init__(self, side: int, orientation: Orientation, *, bgr: bool = False) -> None:
        self._side = side
        self._orientation = orientation
        self._bgr = bgr
        self._turn = _TURNS.get(orientation.rotate)
        self._rgb = np.zeros((side, side, 3), np.uint8)
        self._shape: tuple[int, ...] = ()
        self._to_camera = self._to_upright = _rows(np.eye(3))
        self._upright_height = 1
        self._is_plain = False
        self._halves: list[NDArray[np.uint8]] = []
        self._sampled = self._turned = self._square = np.zeros((0, 0), np.uint8)
        self._filled: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom in `_square`
        self._asked: Crop | None = None  # last time; it mostly stands still, and then so does `_placed`
        self._placed: _Placed

    def sample(self, image: NDArray[np.uint8], crop: Crop, out: NDArray[Any]) -> Crop:
        """Write `crop` of the camera's `image`, (H, W, 3) BGR or (H, W) grey, to `out` (side, side, 3).

        Values 0..255 in the dtype of `out`, which is contiguous; black outside the picture. Returns the square
        really sampled: the nearest on whole pixels.
        """
        if image.shape != self._shape:
            self._take_size(image.shape)
        if crop != self._asked:
            self._placed = self._place(crop)
            self._asked = crop
        halvings, left, top, size, taken = self._placed
        if halvings:
            image = halved(image, halvings, self._halves)
        square = self._cut(image, left, top, size)
        if self._is_plain and out.dtype == np.uint8:
            cv2.resize(square, (self._side, self._side), dst=out, interpolation=cv2.INTER_LINEAR)
        else:
            cv2.resize(square, (self._side, self._side), dst=self._sampled, interpolation=cv2.INTER_LINEAR)
            self._write(out)
        return taken

    def _place(self, crop: Crop) -> _Placed:
        height = self._upright_height
        side = crop.side * height
        x, y = _at(self._to_camera, crop.x * height, crop.y * height)
        halvings = halvings_for(side / self._side)
        unit = 1 << halvings
        size = max(round(side / unit), 1)
        left, top = round(x / unit - 0.5 * size), round(y / unit - 0.5 * size)
        x, y = _at(self._to_upright, (left + 0.5 * size) * unit, (top + 0.5 * size) * unit)
        return _Placed(halvings, left, top, size, Crop(x / height, y / height, size * unit / height))

    def _take_size(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        self._shape = shape
        to_camera = self._orientation.to_camera(width, height)
        self._to_camera, self._to_upright = _rows(to_camera), _rows(np.linalg.inv(to_camera))
        _, self._upright_height = self._orientation.upright_size(width, height)
        turned = self._turn is not None or self._orientation.mirror
        self._is_plain = self._bgr and not turned and len(shape) == COLOUR_DIMENSIONS
        self._asked = None
        self._halves = []
        self._sampled = np.zeros((self._side, self._side, *shape[2:]), np.uint8)
        self._turned = np.zeros_like(self._sampled)
        self._square = np.zeros((0, 0, *shape[2:]), np.uint8)

    def _cut(self, image: NDArray[np.uint8], left: int, top: int, size: int) -> NDArray[np.uint8]:
        """Return the square, with black where it reaches beyond the picture."""
        height, width = image.shape[:2]
        if left >= 0 and top >= 0 and left + size <= width and top + size <= height:
            return image[top : top + size, left : left + size]
        # where the picture lies in the square; empty when the player left far to one side
        x0, y0 = min(max(-left, 0), size), min(max(-top, 0), size)
        x1, y1 = max(min(width - left, size), x0), max(min(height - top, size), y0)
        if self._square.shape[0] != size:
            self._square = np.zeros((size, size, *image.shape[2:]), np.uint8)
        elif self._filled != (x0, y0, x1, y1):
            self._square.fill(0)
        self._filled = (x0, y0, x1, y1)
        self._square[y0:y1, x0:x1] = image[top + y0 : top + y1, left + x0 : left + x1]
        return self._square

    def _write(self, out: NDArray[Any]) -> None:
        picture = self._sampled
        if self._turn is not None:
            picture = cv2.rotate(picture, self._turn, dst=self._turned)  # type: ignore[assignment]  # stays uint8
        if self._orientation.mirror:
            picture = cv2.flip(picture, 1, dst=picture)  # type: ignore[assignment]  # stays uint8
        if picture.ndim != COLOUR_DIMENSIONS:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR, dst=self._rgb)  # type: ignore[assignment]  # stays uint8
        elif not self._bgr:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=self._rgb)  # type: ignore[assignment]  # stays uint8
        np.copyto(out, picture)


def halvings_for(pixel: float) -> int:
    """Return how often to halve a picture of which each pixel of the network's covers `pixel` px."""
    halvings = 0
    while pixel / (1 << halvings) >= SKIPPING_RATIO:
        halvings += 1
    return halvings


def halved(image: NDArray[np.uint8], halvings: int, halves: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the picture averaged down; an odd last row or column is left out.

    `halves` are the buffers for pictures of this size, of one number of halvings after the other; at first none.
    """
    while len(halves) < halvings:
        height, width = (halves[-1] if halves else image).shape[:2]
        halves.append(np.zeros((max(height // 2, 1), max(width // 2, 1), *image.shape[2:]), np.uint8))
    for half in halves[:halvings]:
        height, width = half.shape[:2]
        even = image[: 2 * height, : 2 * width]
        cv2.resize(even, (width, height), dst=half, interpolation=cv2.INTER_AREA)
        image = half
    return image


def _rows(matrix: NDArray[np.floating[Any]]) -> tuple[_Row, _Row]:
    """Return the two rows of an affine map that count, as plain floats: NumPy's calls cost more per frame."""
    first, second = matrix[:2].tolist()
    return tuple(first), tuple(second)


def _at(rows: tuple[_Row, _Row], x: float, y: float) -> tuple[float, float]:
    """Return where an affine map puts a point."""
    (a, b, c), (d, e, f) = rows
    return a * x + b * y + c, d * x + e * y + f
