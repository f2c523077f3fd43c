"""Tell that this process has not run for a while: the machine has slept, or somebody has stopped it. Pure."""

from typing import Final

SLEPT_NS: Final = 500_000_000  # no shorter sleep of the machine is believed
STOPPED_NS: Final = 1_000_000_000  # between two looks that are 50 ms apart: nothing is so late


class Away:
    """Looks at the clocks once a turn of a loop that turns at least every 50 ms."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def look(self, at_ns: int, slept_ns: int) -> str | None:
        """Return how this process was away since the last look; None where it was not.

        `slept_ns`: how long the machine has slept in all, which CLOCK_MONOTONIC, `at_ns`, does not count.
        """
        last, self._last = self._last, (at_ns, slept_ns)
        if last is None:
            return None
        stood, slept = at_ns - last[0], slept_ns - last[1]
        if slept > SLEPT_NS:
            return f"the machine has slept for {slept * 1e-9:.1f} s"
        if stood > STOPPED_NS:
            return f"the voice has stood still for {stood * 1e-9:.1f} s"
        return None
