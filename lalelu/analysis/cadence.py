"""The camera's own clock, fitted: when each frame was to be expected, and which never came. Pure over arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames that the camera numbered without a break: until it was opened again, or paused."""

    first: int  # index of its first row
    last: int  # index behind its last row
    period_ns: float
    phase_ns: int  # the fitted capture of its first row


@dataclass(frozen=True, slots=True)
class Cadence:
    """What the camera promised and kept."""

    segments: tuple[Segment, ...]
    period_ns: float  # of all segments, by the number of their frames; NaN with fewer than two frames
    nominal_fps: float  # what the header says, else the nearest whole number; NaN where that is no rate
    drift_ppm: float  # of the period against the nominal one, by CLOCK_MONOTONIC; more = the camera is slow
    jitter_ms: float  # SD of captured against the fit
    worst_ms: float  # the largest distance from the fit, either way
    skipped: int  # frames that the camera delivered and nobody took
    lost: int  # frames that the camera numbered and never delivered
    error_ns: NDArray[np.int64]  # (N,), captured - fitted
    gaps: NDArray[np.int64]  # (N,), frames missing just before this row
