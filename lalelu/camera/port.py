"""The camera port: what the engine asks of any source of frames, and the list of adapters."""

from dataclasses import dataclass
from typing import Final, Protocol

from lalelu.types import Frame

ADAPTERS: Final[dict[str, str]] = {
    "sim": "lalelu.camera.simulated.camera:SimulatedCamera",
    "video": "lalelu.camera.video:VideoCamera",
    "take": "lalelu.camera.take:TakeCamera",
    "v4l2": "lalelu.camera.v4l2.camera:V4L2Camera",
    "opencv": "lalelu.camera.opencv:OpenCVCamera",
}


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What an opened camera really delivers (read back, not what was asked for)."""

    source: str  # for people and the ledger: device name, file, or what is simulated
    width: int  # px
    height: int  # px
    fps: float  # promised by the device; the ledger shows what came
    exposure_ms: float | None  # where known
    clock: str  # where captured_ns comes from, in words
    busy_ms: float = 0.0  # processor time that read() takes, as far as it is known: decoding
    grey: bool = False  # pictures are (H, W)
    readout_ms: float = 0.0  # rolling shutter, from the first row's readout to the last's
    live: bool = False  # a device that films: its pictures always have noise
    asked_fps: float | None = None  # of a device that counts its frames itself, and may deliver another rate


class Camera(Protocol):
    """A source of frames. Constructors keep; `open()` acts.

    An adapter is built by `registry.from_uri` and carries its option schema as `Options`.
    """

    def open(self) -> CameraFacts:
        """Start the device. Raises MissingError when it is not there, UsageError when it refuses an option."""

    def read(self) -> Frame:
        """Wait for a frame not yet read and return the newest one; older ones are counted in `skipped`.

        Raises LostError when the device has gone, EndOfStreamError after a finite source's last frame.
        """

    def close(self) -> None:
        """Release the device; safe to call twice and before `open()`."""
