"""Drive one camera through OpenCV's video capture. Opens a device."""

import os
from typing import Annotated, Final, Literal

import cv2
import numpy as np
from pydantic import Field

from lalelu.camera.pace import Pace
from lalelu.camera.port import CameraFacts
from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.types import Frame

SILENCE_S: Final = 2  # without a frame for so long, a camera is lost; OpenCV by itself waits for 10 s
STAMP_TRUST_NS: Final = 1_000_000_000  # a driver stamp further from now than this is of another clock


class OpenCVCamera:
    """`opencv:INDEX`: any camera that OpenCV opens; V4L2's own stamps where it passes them on."""

    class Options(AdapterOptions):
        """`target` is the camera's index. What is asked for and not granted stops the start."""

        size: Annotated[str, Field(pattern=r"^\d{2,4}x\d{2,4}$")] = "640x480"  # px
        fps: Annotated[float, Field(ge=24, le=240)] = 100.0
        format: Literal["MJPG", "YUYV", "GREY", "any"] = "MJPG"
        exposure: Annotated[float, Field(gt=0)] | None = (
            None  # the driver's unit (V4L2: 100 us); none = its own
        )

    def __init__(self, options: Options) -> None:
        self._options = options
        self._capture: cv2.VideoCapture | None = None
        self._period_ns = 0
        self._seq = -1
        self._last_ns = 0
        # V4L2 counts exposure in 100 us; a driver stamps when the exposure has ended
        self._half_exposure_ns = round((options.exposure or 0.0) * 50_000)

    def open(self) -> CameraFacts:
        """Open, set, read back and measure. Raises MissingError without a device, UsageError on a refusal."""
        if not self._options.target.isdigit():
            raise UsageError(
                f"camera opencv:{self._options.target} names no index; write opencv:0, opencv:1, ..."
            )
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our sentence says it
        # OpenCV reads it when it opens the first device
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SILENCE_S))
        capture = cv2.VideoCapture(int(self._options.target))
        if not capture.isOpened():
            raise MissingError(
                f"camera opencv:{self._options.target} is not there or in use; `lalelu devices` lists the cameras, "
                "and camera.uri: sim: plays without one"
            )
        self._capture = capture
        self._last_ns = 0  # while it was away, it delivered nothing that could be skipped
        width, height = self._configure(capture)
        fps = self._measure(capture)
        self._period_ns = round(1e9 / fps)
        exposure = self._options.exposure
        return CameraFacts(
            source=f"opencv:{self._options.target} ({capture.getBackendName()})",
            width=width,
            height=height,
            fps=fps,
            exposure_ms=None if exposure is None else exposure / 10,
            clock="the driver's stamp where it is monotonic, else arrival; less half the exposure where that is set",
            live=True,
        )

    def _configure(self, capture: cv2.VideoCapture) -> tuple[int, int]:
        """Ask for format, then size, then rate (drivers want this order) and check what was granted."""
        options = self._options
        width, height = (int(side) for side in options.size.split("x"))
        # one that the driver fills while we hold the other; OpenCV's own four would hold stale frames
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        if options.format != "any":
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*options.format))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, options.fps)
        if options.exposure is not None:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, 1)  # V4L2: 1 = manual
            capture.set(cv2.CAP_PROP_EXPOSURE, options.exposure)
            granted = capture.get(cv2.CAP_PROP_EXPOSURE)
            if abs(granted - options.exposure) > 0.1 * options.exposure:
                self._refuse(f"exposure {options.exposure:g} was asked for, the camera keeps {granted:g}")
        got = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if got != (width, height):
            self._refuse(
                f"size {options.size} was asked for, the camera gives {got[0]}x{got[1]}: ask for that"
            )
        return got

    def _measure(self, capture: cv2.VideoCapture) -> float:
        """Return the delivered frames per second."""
        pace = Pace(now_ns(), again=self._period_ns > 0)
        while capture.grab():
            arrived_ns = now_ns()
            if pace.take(arrived_ns, arrived_ns):
                return pace.fps
        self.close()
        raise LostError(f"camera opencv:{self._options.target} delivered no frame at start")

    def _refuse(self, what: str) -> None:
        self.close()
        raise UsageError(f"camera opencv:{self._options.target}: {what}")

    def read(self) -> Frame:
        """Wait for the next frame and decode it. Raises LostError when the camera has gone."""
        assert self._capture is not None, "open() comes first"
        if not self._capture.grab():
            raise LostError(
                f"camera opencv:{self._options.target} delivers no more frames; was it unplugged?"
            )
        arrived_ns = now_ns()
        stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        ended_ns = stamp_ns if 0 <= arrived_ns - stamp_ns < STAMP_TRUST_NS else arrived_ns
        captured_ns = max(ended_ns - self._half_exposure_ns, self._last_ns + 1)
        steps = max(1, round((captured_ns - self._last_ns) / self._period_ns)) if self._last_ns else 1
        self._last_ns = captured_ns
        self._seq += steps
        ok, image = self._capture.retrieve()
        if not ok:
            raise LostError(f"camera opencv:{self._options.target} sent a frame that cannot be decoded")
        return Frame(self._seq, captured_ns, arrived_ns, steps - 1, image.astype(np.uint8, copy=False))

    def close(self) -> None:
        """Release the camera."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
