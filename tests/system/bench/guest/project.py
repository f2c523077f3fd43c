"""Play a film of raw YUYV pictures into a v4l2loopback node, over and over. Run by the package's Python.

project.py FILM DEVICE WIDTH HEIGHT FPS
"""

import fcntl
import sys
import time
from pathlib import Path

import videodev2 as v4l2

from lalelu.camera.v4l2 import system


def main(film: str, device: str, width: int, height: int, fps: float) -> None:
    """Write a picture a period, by the absolute clock."""
    pictures = Path(film).read_bytes()
    size = width * height * 2
    form = v4l2.v4l2_format(type=v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT)
    pix = form.fmt.pix
    pix.width, pix.height, pix.pixelformat = width, height, v4l2.V4L2_PIX_FMT_YUYV
    pix.field, pix.bytesperline, pix.sizeimage = v4l2.V4L2_FIELD_NONE, width * 2, size
    with Path(device).open("wb", buffering=0) as node:
        fcntl.ioctl(node, system.S_FMT, form)
        due_s = time.monotonic()
        while True:
            for start in range(0, len(pictures), size):
                node.write(memoryview(pictures)[start : start + size])
                due_s += 1 / fps
                time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
