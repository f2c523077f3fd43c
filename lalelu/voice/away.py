"""Tell that this process has not run for a while: the machine has slept, or somebody has stopped it. Pure."""

from typing import Final

SLEPT_NS: Final = 500_000_000  # by which CLOCK_BOOTTIME goes ahead of CLOCK_MONOTONIC: only sleep does that
STOPPED_NS: Final = (
    1_000_000_000  # between two looks that are 50 ms apart: nothing that still plays is so late
)


class Away:
    """Looks at the clocks once a turn of a loop that turns at least every 50 ms."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def look(self, monotonic_ns: int, boottime_ns: int) -> str | None:
        """Return how this process was away since the last look; None where it was not. The clocks are ns."""
        last, self._last = self._last, (monotonic_ns, boottime_ns)
        if last is None:
            return None
        gone_ns = monotonic_ns - last[0]
        slept_ns = boottime_ns - last[1] - gone_ns
        if slept_ns > SLEPT_NS:
            return f"the machine has slept for {slept_ns * 1e-9:.1f} s"
        if gone_ns > STOPPED_NS:
            return f"the voice has stood still for {gone_ns * 1e-9:.1f} s"
        return None
