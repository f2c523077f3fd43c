"""The 1 euro filter: calm at rest, quick in movement. Pure.

Casiez, Roussel and Vogel 2012: a low-pass filter whose cutoff grows with the speed of what it filters.
"""

import math
from typing import Final

SPEED_CUTOFF_HZ: Final = 1.0  # of the speed's own filter, as the paper recommends
GAP_S: Final = 0.25  # unseen for longer, the past says nothing


class OneEuro:
    """Filters one value on the frames' own stamps.

    `beta` is by how many Hz the cutoff grows with every unit of speed (the value's unit a second).
    """

    __slots__ = ("_beta", "_last_ns", "_min_cutoff_hz", "_raw", "_speed", "_value")

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._last_ns: int | None = None
        self._raw = self._value = self._speed = 0.0

    def forget(self) -> None:
        """Start anew with the next value."""
        self._last_ns = None

    def step(self, captured_ns: int, value: float) -> float:
        """Take in a value, with strictly later stamps each time, and return the filtered one."""
        gap_s = 0.0 if self._last_ns is None else (captured_ns - self._last_ns) * 1e-9
        if not 0.0 < gap_s <= GAP_S:
            self._raw = self._value = value
            self._speed = 0.0
        else:
            # Between raw values: from the filtered one, the speed would be too high by a factor that grows
            # with the frame rate, and so would mean something else at every rate.
            speed = (value - self._raw) / gap_s
            self._speed += _gain(SPEED_CUTOFF_HZ, gap_s) * (speed - self._speed)
            cutoff_hz = self._min_cutoff_hz + self._beta * abs(self._speed)
            self._value += _gain(cutoff_hz, gap_s) * (value - self._value)
            self._raw = value
        self._last_ns = captured_ns
        return self._value


def _gain(cutoff_hz: float, gap_s: float) -> float:
    """Return how much of a new value counts."""
    turn = 2.0 * math.pi * cutoff_hz * gap_s
    return turn / (1.0 + turn)
