"""How the camera's picture lies: rotation and mirroring as one affine map, and which row saw what. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

RowDelay: TypeAlias = Callable[[float, float], float]  # x, y in image heights -> ns after the middle row


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes the camera's picture upright and unmirrored.

    First the picture is turned by `rotate` degrees clockwise, then, where `mirror` says that the camera
    delivers a mirror picture, left and right are exchanged. A network that sees the result names the
    player's own left and right; nothing needs to be swapped afterwards.
    """

    rotate: Literal[0, 90, 180, 270] = 0
    mirror: bool = False

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height (px) of the upright picture for the camera's `width` and `height` (px)."""
        return (height, width) if self.rotate in (90, 270) else (width, height)

    def to_camera(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the (3, 3) map from the upright picture to the camera's, of `width` x `height` px.

        Both in px with pixel centres at +0.5: `[x_camera, y_camera, 1] = map @ [x_upright, y_upright, 1]`.
        """
        upright_width, _ = self.upright_size(width, height)
        mirror = np.array([[-1.0, 0.0, upright_width], [0, 1, 0], [0, 0, 1]]) if self.mirror else np.eye(3)
        turn = {
            0: [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
            90: [[0.0, 1, 0], [-1, 0, height], [0, 0, 1]],
            180: [[-1.0, 0, width], [0, -1, height], [0, 0, 1]],
            270: [[0.0, -1, width], [1, 0, 0], [0, 0, 1]],
        }[self.rotate]
        product: NDArray[np.float64] = np.array(turn) @ mirror
        return product

    def row_share(self, x: float, y: float, aspect: float) -> float:
        """Return on which of the camera's own rows a point lies: 0 the first row's edge, 1 the last's.

        `x`, `y` in image heights of the upright picture, which is `aspect` wide; beyond its edges it goes on evenly.
        """
        if self.mirror:
            x = aspect - x
        return {0: y, 90: 1.0 - x / aspect, 180: 1.0 - y, 270: x / aspect}[self.rotate]


def rolling_shutter(readout_ms: float, orientation: Orientation, aspect: float) -> RowDelay | None:
    """Return how many ns after the middle row a point was exposed, as a function of `row_share`'s x and y.

    `readout_ms` is the time from the first row's readout to the last's; None where it is 0: no row is late.
    """
    if readout_ms == 0.0:
        return None

    def delay_ns(x: float, y: float) -> float:
        return (orientation.row_share(x, y, aspect) - 0.5) * readout_ms * 1e6

    return delay_ns
