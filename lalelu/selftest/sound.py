"""When a sound begins in a recording. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BEFORE_MS: Final = 20.0  # what is heard so long before a note is what it must rise above
AFTER_MS: Final = 300.0  # a sound that begins later is another one
LEAST: Final = 0.003  # of full scale, -50 dB: the noise of a quiet room by an ordinary microphone is less
RISE: Final = 4.0  # 12 dB above what was before


def onset(samples: NDArray[np.float32], rate: float, note: int) -> int | None:
    """Return at which of `samples` (N,) the sound of a note begins that was played at sample `note`.

    None where nothing rises above what was heard before it: silence, or earlier notes that ring on.
    """
    before = np.abs(samples[max(note - round(BEFORE_MS * 1e-3 * rate), 0) : note])
    after = np.abs(samples[note : note + round(AFTER_MS * 1e-3 * rate)])
    loud = np.flatnonzero(after > max(LEAST, RISE * float(before.max(initial=0.0))))
    return note + int(loud[0]) if len(loud) else None
