"""Render the simulated drummer's film as a camera would send it, for the guest to play into a device node."""

from pathlib import Path

import cv2

from lalelu.camera.port import ADAPTERS
from lalelu.registry import from_uri

SIZE = "320x240"
SECONDS = 10  # of the player's time
URI = f"sim:?groove=rock&fps=24&size={SIZE}&seconds={SECONDS}"


def film(path: Path) -> None:
    """Write all frames as YUYV, one behind the other."""
    camera = from_uri("camera", ADAPTERS, URI)
    with path.open("wb") as out:
        for seq in range(round(camera.options.fps * SECONDS)):
            out.write(cv2.cvtColor(camera.render(seq), cv2.COLOR_BGR2YUV_YUYV).tobytes())
