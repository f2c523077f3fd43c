"""The delay that the voice chooses for itself where the player asks for `auto`. Pure: times come in the arguments.

A note can keep its time only if its hit was handed over before. The less delay, the sooner the sound; but notes that
come too late for it are uneven, which is felt more than a little more delay (Jack, Stockman, McPherson 2016).
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

SHARE: Final = 0.99  # of the hits keep the delay
FIRST_MS: Final = (
    60  # strokes are sure 30 to 45 ms after their ends at 100 frames a second, and then cross the machine
)
# A note handed over this shortly before its time still keeps it: the voice is woken, and the port takes the note. A
# SCHED_FIFO thread wakes 0.06 ms late (p50), JACK takes a note there and back in 0.44 ms.
WAKE_NS: Final = 500_000
LEAST_MS: Final = 0  # no note before its stroke, even where strokes are predicted
MOST_MS: Final = 500  # as `timing.delay_ms` allows
WINDOW: Final = (
    200  # hits: the fewest of which 99 % leave out more than one, so that one stray hit changes nothing
)
BAR: Final = 8  # hits, a bar of quavers: the delay changes after whole ones
LOWER_MS: Final = 2  # at most, after one bar: a jitter of 3 ms is noticed (Jack, Stockman, McPherson 2016)


def kept_delay_ms(handed_ns: Iterable[int]) -> int:
    """Return the smallest whole delay (ms) that 99 % of the hits keep; FIRST_MS without any hit.

    `handed_ns`: how long after the end of its stroke each hit reached the voice; below 0 where it was predicted.
    """
    ordered = sorted(handed_ns)
    if not ordered:
        return FIRST_MS
    last_ns = ordered[math.ceil(SHARE * len(ordered)) - 1]
    return min(max(-(-(last_ns + WAKE_NS) // 1_000_000), LEAST_MS), MOST_MS)


class AutoDelay:
    """Keeps the delay at what the recent hits need: raised at once after a bar of hits, lowered step by step.

    It begins as if all recent hits had needed FIRST_MS.
    """

    def __init__(self) -> None:
        self.delay_ms = FIRST_MS
        self._handed_ns = deque([FIRST_MS * 1_000_000 - WAKE_NS] * WINDOW, maxlen=WINDOW)
        self._hits = 0

    def hit(self, handed_ns: int) -> bool:
        """Take in how long after the end of its stroke a hit reached the voice; whether `delay_ms` has changed."""
        self._handed_ns.append(handed_ns)
        self._hits += 1
        if self._hits % BAR:
            return False
        before = self.delay_ms
        self.delay_ms = max(kept_delay_ms(self._handed_ns), before - LOWER_MS)
        return self.delay_ms != before

    def __str__(self) -> str:
        return f"timing: the delay is now {self.delay_ms} ms: {100 * SHARE:.0f} % of hits keep it"
