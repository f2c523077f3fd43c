"""Play a film file as if it were a camera, paced by its stamps. Opens a file."""

from pathlib import Path

from lalelu.camera.film import Film
from lalelu.camera.port import CameraFacts
from lalelu.clock import now_ns, sleep_until
from lalelu.errors import EndOfStreamError
from lalelu.registry import AdapterOptions
from lalelu.types import Frame


class VideoCamera:
    """`video:FILE`: frames fall due at the film's own pace; those that nobody took in time are skipped."""

    class Options(AdapterOptions):
        """`target` is the film's path."""

    def __init__(self, options: Options) -> None:
        self._film = Film(Path(options.target))
        self._start_ns: int | None = None
        self._seq = -1

    def open(self) -> CameraFacts:
        """Open the film. Raises UsageError when it cannot be decoded."""
        self._film.open()
        return CameraFacts(
            source=f"film {self._film.path.name}",
            width=self._film.width,
            height=self._film.height,
            fps=self._film.fps,
            exposure_ms=None,
            clock="the container's stamps, from the first read on",
        )

    def read(self) -> Frame:
        """Wait for the next frame that is due. Raises EndOfStreamError once the last was due."""
        stamp_ns = self._grab()
        if self._start_ns is None:
            self._start_ns = now_ns() - stamp_ns
        self._seq += 1
        skipped = 0
        period_ns = round(1e9 / self._film.fps)
        # A frame more than a period late has a successor that is due: that one is the newest.
        while now_ns() > self._start_ns + stamp_ns + period_ns:
            stamp_ns = self._grab()
            self._seq += 1
            skipped += 1
        due_ns = self._start_ns + stamp_ns
        sleep_until(due_ns)
        return Frame(self._seq, due_ns, due_ns, skipped, self._film.retrieve())

    def _grab(self) -> int:
        stamp_ns = self._film.grab()
        if stamp_ns is None:
            raise EndOfStreamError(f"film {self._film.path.name} has ended")
        return stamp_ns

    def close(self) -> None:
        """Release the film."""
        self._film.close()
