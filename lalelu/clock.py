"""The one clock: CLOCK_MONOTONIC in integer nanoseconds. Asks the operating system for the time."""

import time
from typing import Final

_MOMENT_NS: Final = 1_000_000  # who was kept from a processor between two readings reads again
_TRIES: Final = 10

now_ns = time.monotonic_ns


def slept_ns() -> int:
    """Return how long the machine has slept since it was started: CLOCK_MONOTONIC stands still meanwhile."""
    return _ahead_ns(time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)


def day_ns() -> int:
    """Return the time of day at which the machine was started, as its clock is set now."""
    return _ahead_ns(time.CLOCK_REALTIME, time.CLOCK_BOOTTIME)


def _ahead_ns(clock: int, other: int) -> int:
    """Return how far one clock is ahead of another; both are read at one moment."""
    for _ in range(_TRIES):
        before = time.clock_gettime_ns(other)
        told = time.clock_gettime_ns(clock)
        if time.clock_gettime_ns(other) - before < _MOMENT_NS:
            break
    return told - before


def sleep_until(due_ns: int) -> None:
    """Sleep until CLOCK_MONOTONIC reaches `due_ns` (ns); returns at once when it has passed."""
    remaining = due_ns - time.monotonic_ns()
    if remaining > 0:
        time.sleep(remaining * 1e-9)
