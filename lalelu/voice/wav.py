"""Write sound to a WAV file, 16 bit. Makes a file."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError


def write_wav(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    """Write `samples` (N, channels) within -1..1, `rate` in Hz, replacing the file whole.

    Raises UsageError where the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    data = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    try:
        with partial.open("wb") as file, wave.open(file, "wb") as sound:
            sound.setnchannels(samples.shape[1])
            sound.setsampwidth(2)
            sound.setframerate(rate)
            sound.writeframes(data.tobytes())
        partial.replace(path)
    except OSError as exc:
        raise UsageError(
            f"sound file {path} cannot be written: {exc.strerror}; name a place that can"
        ) from exc
