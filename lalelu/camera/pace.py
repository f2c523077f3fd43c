"""Learn a camera's rate from a stream's first frames. Pure."""

import statistics
from itertools import pairwise
from typing import Final

SETTLING_FRAMES: Final = 5  # do not count: a stream's first ones come irregularly ...
SETTLING_NS: Final = 150_000_000  # ... for so long, where the rate is low
PROBE_FRAMES: Final = 30  # timed at the start ...
PROBE_NS: Final = 2_000_000_000  # ... or as many as come in this time
AGAIN_FRAMES: Final = 10  # timed when the camera is back: playing waits, 0.5 s at 30 fps ...
AGAIN_NS: Final = 500_000_000  # ... or as many as come in this time, ...
LEAST_FRAMES: Final = 4  # ... but no fewer: of three gaps one may be a missed frame's


class Pace:
    """Takes the first frames of a stream that began at `began_ns`; `again`: of a camera that was open before."""

    def __init__(self, began_ns: int, *, again: bool) -> None:
        self._wanted, patience_ns = (AGAIN_FRAMES, AGAIN_NS) if again else (PROBE_FRAMES, PROBE_NS)
        self._enough_ns = began_ns + patience_ns
        self._first_ns: int | None = None
        self._settling = 0  # frames that did not count
        self._times_ns: list[int] = []

    def take(self, arrived_ns: int, timed_ns: int) -> bool:
        """Take a frame that came at `arrived_ns` and is timed by another clock, perhaps; whether it was the last."""
        if self._first_ns is None:
            self._first_ns = arrived_ns
        if self._settling < SETTLING_FRAMES and arrived_ns - self._first_ns < SETTLING_NS:
            self._settling += 1
            return False
        self._times_ns.append(timed_ns)
        count = len(self._times_ns)
        return count >= self._wanted or (count >= LEAST_FRAMES and arrived_ns > self._enough_ns)

    @property
    def fps(self) -> float:
        """Frames a second, by the median gap: a missed frame is no gap."""
        return 1e9 / max(statistics.median(b - a for a, b in pairwise(self._times_ns)), 1)
