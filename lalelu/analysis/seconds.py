"""What happened in each second of a run: latency, and everything that may explain it. Pure over arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Seconds:
    """One entry per second that has frames; ms per frame where nothing else is said, NaN = not told."""

    start_ns: int  # the first frame's capture; second 0 begins here
    second: NDArray[np.int64]  # (S,), ascending; a pause leaves numbers out
    frames: NDArray[np.int64]  # (S,), rows in that second
    missing: NDArray[np.int64]  # (S,), frames of the camera that left no row: skipped, or never delivered
    frame_p50: NDArray[np.float64]  # (S,), frame → row
    frame_p95: NDArray[np.float64]
    frame_max: NDArray[np.float64]
    inference_p50: NDArray[np.float64]
    inference_p95: NDArray[np.float64]
    series: dict[str, NDArray[np.float64]]  # (S,) each, by the names in SERIES
    competitor: tuple[str, ...]  # (S,), who else used the core most; empty = nobody, or not told
