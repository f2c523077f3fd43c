"""Pictures from a camera's bytes: MJPG, YUYV, NV12 and GREY. Pure.

Each decoder is made for one size and layout, and its picture is borrowed until the next call: buffers are reused,
except by JPEG's, whose library makes a new one each time. A decoder returns None for what is no whole picture.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.camera.v4l2.options import FormatName

Picture: TypeAlias = NDArray[np.uint8]  # (H, W, 3) BGR, or (H, W) grey
Decoder: TypeAlias = Callable[[NDArray[np.uint8]], Picture | None]
Scale: TypeAlias = Literal[1, 2, 4]

# Lines that a reduced picture keeps, so that the square around the player (0.68 picture heights at 0.2 for the
# shoulders) still has the 192 px of the smaller network. Wrists of rendered drummers, Lightning, px of 480 at the
# median, near and far: 2.9 and 1.6 from 480 lines, 2.8 and 1.9 from 720 halved, 3.4 and 2.6 from 480 halved.
LEAST_LINES: Final = 360
_REDUCED: Final[dict[Scale, int]] = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
}


def scale_for(height: int) -> Scale:
    """Return by how much a JPEG of `height` px is reduced without taking from what the network sees."""
    if height >= 4 * LEAST_LINES:
        return 4
    return 2 if height >= 2 * LEAST_LINES else 1


def decoder_for(name: FormatName, width: int, height: int, stride: int, scale: Scale) -> Decoder:
    """Return the decoder for pictures of `width` x `height` px, rows `stride` bytes apart (MJPG: none)."""
    if name == "MJPG":
        return _mjpg(width, height, scale)
    make = {"YUYV": _yuyv, "NV12": _nv12, "GREY": _grey}[name]
    return make(width, height, stride)


def least_stride(name: FormatName, width: int) -> int:
    """Return the bytes of a row without padding."""
    return {"MJPG": 0, "YUYV": 2 * width, "NV12": width, "GREY": width}[name]


def _mjpg(width: int, height: int, scale: Scale) -> Decoder:
    shape = (-(-height // scale), -(-width // scale), 3)
    flags = _REDUCED[scale] | cv2.IMREAD_IGNORE_ORIENTATION

    def decode(data: NDArray[np.uint8]) -> Picture | None:
        if data.size == 0:
            return None
        try:
            picture = cv2.imdecode(data, flags)
        except cv2.error:  # so it says of some damaged headers
            return None
        # a picture of another size is another camera's, or a damaged header
        if picture is None or picture.shape != shape:
            return None
        return picture.astype(np.uint8, copy=False)

    return decode


def _yuyv(width: int, height: int, stride: int) -> Decoder:
    out = np.zeros((height, width, 3), np.uint8)

    def decode(data: NDArray[np.uint8]) -> Picture | None:
        if data.size < (height - 1) * stride + 2 * width:
            return None
        rows = np.ndarray((height, width, 2), np.uint8, data, strides=(stride, 2, 1))
        cv2.cvtColor(rows, cv2.COLOR_YUV2BGR_YUYV, dst=out)
        return out

    return decode


def _nv12(width: int, height: int, stride: int) -> Decoder:
    out = np.zeros((height, width, 3), np.uint8)
    lines = height * 3 // 2  # the colours follow the grey lines, at half the height

    def decode(data: NDArray[np.uint8]) -> Picture | None:
        if data.size < (lines - 1) * stride + width:
            return None
        rows = np.ndarray((lines, width), np.uint8, data, strides=(stride, 1))
        cv2.cvtColor(rows, cv2.COLOR_YUV2BGR_NV12, dst=out)
        return out

    return decode


def _grey(width: int, height: int, stride: int) -> Decoder:
    out = np.zeros((height, width), np.uint8)

    def decode(data: NDArray[np.uint8]) -> Picture | None:
        if data.size < (height - 1) * stride + width:
            return None
        # Copied, though it could be looked at where it is: 0.08 ms, and the driver has its buffer back at once.
        np.copyto(out, np.ndarray((height, width), np.uint8, data, strides=(stride, 1)))
        return out

    return decode
