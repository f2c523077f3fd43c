"""Find the flicker of lamps in the brightness of frames. Pure.

A lamp on the mains pulses at twice their frequency, faster than frames come: in the frames' brightness the pulse
appears at the distance from its frequency to the nearest multiple of the frame rate. It is looked for by the frames'
own stamps (a spectrum under a Hann window), and must stand out from what else moves in the picture. At 55 and 110
frames a second both mains appear at the same place, and 50 Hz is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAINS_HZ: Final = (50, 60)
WANDER_HZ: Final = 0.6  # of the pulse: the mains keep within 0.2 Hz, a camera's clock within 0.5 %
SLOWEST_HZ: Final = 3.0  # slower changes of brightness are the player and the clouds
LEAST_DEPTH: Final = 0.005  # of the mean brightness: one grey level in 200
LEAST_OVER_REST: Final = 6.0  # times the median of the spectrum: by chance in fewer than one of 10^9 looks
LEAST_FRAMES: Final = 40
LEAST_S: Final = 1.0  # to tell two frequencies apart that are 2 Hz from each other


@dataclass(frozen=True, slots=True)
class Flicker:
    """Lamps that pulse in the picture."""

    mains_hz: int
    depth: float  # amplitude over mean
    beat_hz: float  # how often a second the picture's brightness goes up and down


@dataclass(frozen=True, slots=True)
class Light:
    """What the frames' brightness tells of the lamps."""

    flicker: Flicker | None
    untold: tuple[
        int, ...
    ]  # mains (Hz) whose lamps this rate of frames hides: they pulse as often as frames come


def look_at_light(captured_ns: Sequence[int], levels: Sequence[float]) -> Light | None:
    """Return what is told by frames captured at `captured_ns` with mean brightness `levels`; None by too few."""
    times_s = (np.asarray(captured_ns, np.int64) - captured_ns[0]) * 1e-9
    level = np.asarray(levels, np.float64)
    mean = float(level.mean())
    if len(times_s) < LEAST_FRAMES or times_s[-1] < LEAST_S or mean <= 0:
        return None
    fps = 1.0 / float(np.median(np.diff(times_s)))
    trend = np.polynomial.Polynomial.fit(times_s, level, 2)
    ripple = (level - trend(times_s)) / mean
    beats = {mains: _beat_hz(2 * mains, fps) for mains in MAINS_HZ}
    told = {mains: beat for mains, beat in beats.items() if beat >= SLOWEST_HZ}
    untold = tuple(mains for mains in beats if mains not in told)
    found = [
        Flicker(mains, float(_amplitudes(times_s, ripple, _around(2.0 * mains)).max()), beat)
        for mains, beat in told.items()
    ]
    strongest = max(found, key=lambda each: each.depth, default=None)
    if strongest is None:
        return Light(None, untold)
    rest = float(np.median(_amplitudes(times_s, ripple, np.arange(SLOWEST_HZ, fps / 2, 0.5))))
    if strongest.depth < max(LEAST_DEPTH, LEAST_OVER_REST * rest):
        return Light(None, untold)
    return Light(strongest, untold)


def steady_exposure_ms(mains_hz: int, fps: float) -> float | None:
    """Return the exposure that sees one whole pulse of the lamps; None where a frame is shorter."""
    pulse_ms = 1000.0 / (2 * mains_hz)
    return pulse_ms if pulse_ms <= 1000.0 / fps * 1.001 else None


def _beat_hz(pulse_hz: float, fps: float) -> float:
    return abs(pulse_hz - fps * round(pulse_hz / fps))


def _around(hz: float) -> NDArray[np.floating[Any]]:
    return np.linspace(hz - WANDER_HZ, hz + WANDER_HZ, 13)


def _amplitudes(
    times_s: NDArray[np.floating[Any]], ripple: NDArray[np.floating[Any]], at_hz: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the amplitude (share of the mean) at each frequency, (F,)."""
    window = np.sin(np.pi * times_s / times_s[-1]) ** 2
    waves = np.exp(-2j * np.pi * np.outer(at_hz, times_s))
    amplitudes: NDArray[np.float64] = 2 * np.abs(waves @ (window * ripple)) / window.sum()
    return amplitudes
