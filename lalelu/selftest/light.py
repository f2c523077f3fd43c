"""When a camera saw a light go on: the step in the brightness of its frames, placed between frames. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_STEP: Final = 2.0  # grey levels of the whole picture's mean; a lamp in a corner of it makes some
LEAST_OF_NOISE: Final = 8.0  # a step is so many times the dark frames' spread
SETTLED: Final = 3  # the last frames of a flash tell how bright it is
HALF: Final = 0.5  # of the step: a frame that shows so much of it shows the light


@dataclass(frozen=True, slots=True)
class Watched:
    """One flash and the frames around it."""

    lit_ns: int  # the light was told to go on
    levels: NDArray[np.float64]  # (N,), the pictures' mean brightness, grey levels
    captured_ns: NDArray[np.int64]  # (N,), middle of the exposure
    arrived_ns: NDArray[np.int64]  # (N,), complete in memory


@dataclass(frozen=True, slots=True)
class Seen:
    """A flash that the camera saw."""

    seen_ms: (
        float  # from the order to the step that the frames show, by their stamps: the light's own delay, or a
    )
    # camera whose stamps are off
    frame_ms: float  # from the order until the first frame that shows the light is complete in memory


def look(flash: Watched, exposure_ns: float) -> Seen | None:
    """Find the step, or None where the camera saw none.

    A frame that was open while the light went on is as bright as the share of its exposure that was lit; the step lies
    that share before its exposure's end. Where none was, it lies between the two exposures.
    """
    before = flash.arrived_ns < flash.lit_ns
    if not before.any() or len(flash.levels) - before.sum() < SETTLED + 1:
        return None
    dark = float(np.median(flash.levels[before]))
    step = float(np.median(flash.levels[-SETTLED:])) - dark
    spread = float(np.abs(flash.levels[before] - dark).max())
    if step < max(LEAST_STEP, LEAST_OF_NOISE * spread):
        return None
    shares = (flash.levels - dark) / step
    faint = max(spread / step, 1.0 / LEAST_OF_NOISE / 2)  # less is noise
    first = int(np.argmax(~before & (shares > faint)))
    ends_ns = flash.captured_ns + exposure_ns / 2
    if shares[first] < 1.0 - faint:
        step_ns = ends_ns[first] - shares[first] * exposure_ns
    else:  # wholly lit: it went on between the exposure before and this one
        step_ns = (ends_ns[first - 1] + ends_ns[first] - exposure_ns) / 2
    shown = int(np.argmax(~before & (shares >= HALF)))
    return Seen((step_ns - flash.lit_ns) * 1e-6, (int(flash.arrived_ns[shown]) - flash.lit_ns) * 1e-6)


def all_seen(flashes: Sequence[Watched], exposure_ns: float) -> list[Seen]:
    """Return what was seen of all flashes; those that were not are left out."""
    return [seen for flash in flashes if (seen := look(flash, exposure_ns)) is not None]
