"""The camera's pictures as people see them: upright, not mirrored, packed as JPEG. Uses OpenCV."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import CameraSection
from lalelu.pose.orientation import Orientation

QUALITY: Final = 70  # percent: 6..12 kB at 320 x 240


def orientation_of(camera: CameraSection) -> Orientation:
    """Return how the pictures of a camera lie; a take's keypoints are upright."""
    recorded = camera.uri.startswith("take:")
    return Orientation() if recorded else Orientation(camera.rotate, camera.mirror)


def upright(image: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """Return a picture (h, w, 3) BGR or (h, w, 1) grey as it is seen."""
    turned = np.rot90(image, -orientation.rotate // 90)
    return np.ascontiguousarray(turned[:, ::-1] if orientation.mirror else turned)


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Return a picture (h, w, 3) BGR or (h, w, 1) grey as a JPEG's bytes; none for one of a pixel, as takes have."""
    if min(image.shape[:2]) < 2:
        return b""
    cv2.setNumThreads(1)
    done, data = cv2.imencode(".jpg", image, (int(cv2.IMWRITE_JPEG_QUALITY), QUALITY))
    return data.tobytes() if done else b""
