"""The one clock: CLOCK_MONOTONIC in integer nanoseconds. Asks the operating system for the time."""

import time

now_ns = time.monotonic_ns


def boot_ns() -> int:
    """Return CLOCK_BOOTTIME: CLOCK_MONOTONIC and the time that the machine has slept (ns)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def sleep_until(due_ns: int) -> None:
    """Sleep until CLOCK_MONOTONIC reaches `due_ns` (ns); returns at once when it has passed."""
    remaining = due_ns - time.monotonic_ns()
    if remaining > 0:
        time.sleep(remaining * 1e-9)
