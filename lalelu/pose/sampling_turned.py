"""Cut a turned square out of the camera's picture for a network, in its order of colours. Pure."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.pose.orientation import Orientation
from lalelu.pose.region import Region
from lalelu.pose.sampling import COLOUR_DIMENSIONS, halved, halvings_for

_BILINEAR: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class TurnedSampler:
    """Fills the network's picture; buffers are made when the camera's size changes.

    `bgr`: the network takes the colours as cameras give them; else red before green before blue.
    """

    def __init__(self, side: int, orientation: Orientation, *, bgr: bool) -> None:
        self._side = side
        self._orientation = orientation
        self._bgr = bgr
        self._rgb = np.zeros((side, side, 3), np.uint8)
        self._shape: tuple[int, ...] = ()
        self._to_camera = np.eye(3)
        self._upright_height = 1
        self._halves: list[NDArray[np.uint8]] = []
        self._sampled = np.zeros((0, 0), np.uint8)
        self._asked: Region | None = None  # last time; it mostly stands still, and then so does the map
        self._halvings = 0
        self._map = np.eye(2, 3)

    def sample(self, image: NDArray[np.uint8], region: Region, out: NDArray[Any]) -> None:
        """Write `region` of the camera's `image`, (H, W, 3) BGR or (H, W) grey, to `out` (side, side, 3).

        Values 0..255 in the dtype of `out`, which is contiguous; black outside the picture.
        """
        if image.shape != self._shape:
            self._take_size(image.shape)
        if region != self._asked:
            self._place(region)
        if self._halvings:
            image = halved(image, self._halvings, self._halves)
        plain = self._bgr and out.dtype == np.uint8 and image.ndim == COLOUR_DIMENSIONS
        picture: Any = out if plain else self._sampled
        size = (self._side, self._side)
        cv2.warpAffine(image, self._map, size, dst=picture, flags=_BILINEAR, borderMode=cv2.BORDER_CONSTANT)
        if plain:
            return
        if picture.ndim != COLOUR_DIMENSIONS:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR, dst=self._rgb)
        elif not self._bgr:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=self._rgb)
        np.copyto(out, picture)

    def _place(self, region: Region) -> None:
        height = self._upright_height
        pixel = region.side * height / self._side  # of the network's, in the camera's
        self._halvings = halvings_for(pixel)
        cosine, sine = region.right_x * pixel, region.right_y * pixel
        left, top = region.point(0.0, 0.0)
        to_upright = np.array([[cosine, -sine, left * height], [sine, cosine, top * height], [0.0, 0.0, 1.0]])
        matrix = self._to_camera @ to_upright  # both with pixel centres at +0.5
        matrix[:2] /= 1 << self._halvings
        self._map = matrix[:2]
        self._map[:, 2] += 0.5 * (matrix[:2, 0] + matrix[:2, 1]) - 0.5  # OpenCV's pixel centres are whole
        self._asked = region

    def _take_size(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        self._shape = shape
        self._to_camera = self._orientation.to_camera(width, height)
        _, self._upright_height = self._orientation.upright_size(width, height)
        self._asked = None
        self._halves = []
        self._sampled = np.zeros((self._side, self._side, *shape[2:]), np.uint8)
