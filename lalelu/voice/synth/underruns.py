"""Tell from how far ahead a sound card asks for samples when it has had none to play. Pure.

No API of miniaudio's tells it. A card that has run out of samples falls behind the clock and stays there; calls that
come late catch up.
"""

import math
from typing import Final

# Underruns within this time count as one. So long a busy machine does not have every call late, and clocks do not
# differ by more than 0.5 ms.
WINDOW_NS: Final = 500_000_000
LEAST_MS: Final = 1.0  # by which a card falls behind


class Underruns:
    """Counts them. `see` is told at each call how much longer the card can play than the clock asks for."""

    def __init__(self) -> None:
        self.count = 0
        self.silent_ms = 0.0  # in all
        self._before = self._most = -math.inf  # the most in the window before, and in this one; ms
        self._since_ns = 0

    def begin(self, at_ns: int) -> None:
        """Forget what was so far: a card that starts asks at once for what it plays only later."""
        self.count, self.silent_ms = 0, 0.0
        self._before = self._most = -math.inf
        self._since_ns = at_ns

    def see(self, ahead_ms: float, at_ns: int) -> None:
        """Take in a call; an underrun is noticed half a second to a second later."""
        if at_ns < self._since_ns + WINDOW_NS:
            self._most = max(self._most, ahead_ms)
            return
        if self._before - self._most >= LEAST_MS:
            self.count += 1
            self.silent_ms += self._before - self._most
        self._before, self._most, self._since_ns = self._most, ahead_ms, at_ns

    def __str__(self) -> str:
        return (
            f"{self.count} underruns ({self.silent_ms:.0f} ms of silence)" if self.count else "no underruns"
        )
