"""Read a film file frame by frame, with the container's own stamps. Opens a file."""

from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError


class Film:
    """A film's frames in order: `grab()` steps, `retrieve()` decodes. Stamps start at 0 ns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.width = 0  # px
        self.height = 0  # px
        self.fps = 0.0
        self.promised = 0  # frames that the container says it has; 0 = it does not say
        self._capture: cv2.VideoCapture | None = None
        self._first_ms: float | None = None
        self._last_ns = -1

    def open(self) -> None:
        """Open the file. Raises UsageError when it is absent or no film that OpenCV can decode."""
        if not self.path.is_file():
            raise UsageError(f"film {self.path} is not there; give the path of a video file")
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our sentence says it
        capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        fps = capture.get(cv2.CAP_PROP_FPS) if capture.isOpened() else 0.0
        if fps <= 0:
            capture.release()
            raise UsageError(
                f"film {self.path} cannot be decoded; it must be a video file such as MP4, MKV or AVI"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self._capture = capture
        self.fps = fps
        self.promised = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def grab(self) -> int | None:
        """Step to the next frame and return its stamp (ns from the first frame), or None at the end.

        Raises UsageError when the container's stamps do not increase.
        """
        if self._capture is None or not self._capture.grab():
            return None
        stamp_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if self._first_ms is None:
            self._first_ms = stamp_ms
        stamp_ns = round((stamp_ms - self._first_ms) * 1e6)
        if stamp_ns <= self._last_ns:
            raise UsageError(
                f"film {self.path}: stamps do not increase ({stamp_ns} ns after {self._last_ns} ns); "
                "rewrite the container, for example with ffmpeg -i IN -fps_mode cfr OUT.mp4"
            )
        self._last_ns = stamp_ns
        return stamp_ns

    def retrieve(self) -> NDArray[np.uint8]:
        """Decode the frame last grabbed: uint8 (H, W, 3) BGR. Raises UsageError when it is damaged."""
        assert self._capture is not None, "open() comes first"
        ok, image = self._capture.retrieve()
        if not ok:
            raise UsageError(f"film {self.path}: the frame at {self._last_ns * 1e-9:.3f} s cannot be decoded")
        return image.astype(np.uint8, copy=False)

    def close(self) -> None:
        """Release the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
