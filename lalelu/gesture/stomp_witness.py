"""Watch one foot's falls beside its finder, and tell why one was no stomp. Pure; lengths in body units.

It decides nothing: what the finder doubted last, and most of the way through its tests, is taken for the reason.
"""

from typing import Final, NamedTuple

from lalelu.gesture.verdict import Rule
from lalelu.gesture.witness import SMALL, SMALL_NOISES

SETTLED_S: Final = 0.25  # without a lower place: the fall is over. A stomp's landing is sure long before

# What the finder asks of a fall, in its order: the rule that is broken, and the sentence.
DOUBTS: Final[dict[str, tuple[Rule, str]]] = {
    "peak": (
        "too_slow",
        "peak speed {seen:.2f} shoulder widths/s, a stomp needs {least:g} (the kick's min_speed)",
    ),
    "fall": (
        "too_short_fall",
        "fell {seen:.3f} shoulder widths, a stomp needs {least:g} (the kick's min_height)",
    ),
    "noise": (
        "noise",
        "fell {seen:.3f} shoulder widths, needed {least:.3f} to be clear of the keypoint's noise; more light helps",
    ),
    "end": ("soft_end", "no place was found at which its fall stopped"),
    "speed": (
        "too_slow",
        "fell at {seen:.2f} shoulder widths/s, a stomp needs {least:g} (the kick's min_speed)",
    ),
    "stop": ("soft_end", "its fall ended too softly: the floor stops a stomp within a frame or two"),
    "long": ("braked", "its fall took {seen:.2f} s, a stomp's at most {least:g} s: the foot was put down"),
    "mean": (
        "too_slow",
        "mean speed {seen:.2f} shoulder widths/s, a stomp needs {least:.2f} (a share of min_speed)",
    ),
    "tilt": (
        "sideways",
        "went {seen:.2f} shoulder widths sideways, a fall like this may go {least:.2f}: a step",
    ),
    "mask": (
        "masked",
        "{seen:.0f} ms after this foot's last stomp, deaf for {least:.0f} (the kick's mask_ms)",
    ),
}
_ORDER: Final = list(DOUBTS)


class Doubt(NamedTuple):
    """Why the finder takes a fall for no stomp: what it measured, and the least (or most) that there must be."""

    test: str  # of DOUBTS
    seen: float = 0.0
    least: float = 0.0

    @property
    def rule(self) -> Rule:
        """The rule that is broken."""
        return DOUBTS[self.test][0]

    @property
    def why(self) -> str:
        """The same in a sentence for the player."""
        return DOUBTS[self.test][1].format(seen=self.seen, least=self.least)


class StompWitness:
    """One foot's falls; `step` once for every frame in which the foot was seen, after its finder."""

    __slots__ = ("_doubt", "_low", "_low_ns", "_peak", "_sounded", "_top")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the movement so far."""
        self._top = self._low = float("-inf")  # heights
        self._low_ns = 0
        self._begin()

    def _begin(self) -> None:
        self._peak = 0.0
        self._doubt: Doubt | None = None
        self._sounded = False

    def step(
        self,
        captured_ns: int,
        height: float,
        speed: float,
        *,
        least_speed: float,
        noise: float,
        doubt: Doubt | None,
        sounded: bool,
    ) -> tuple[int, Doubt] | None:
        """Return when a fall that is over now had its lowest place, and why it was no stomp; else None.

        `speed` is downward, `doubt` what the finder has just said, `sounded` whether it found a stomp.
        """
        small = max(SMALL, SMALL_NOISES * noise)
        self._sounded = self._sounded or sounded
        if height >= self._top:  # it has not begun to fall
            self._top = self._low = height
            self._low_ns = captured_ns
            self._begin()
            return None
        self._peak = max(self._peak, speed)
        if doubt is not None and (
            self._doubt is None or _ORDER.index(doubt.test) >= _ORDER.index(self._doubt.test)
        ):
            self._doubt = doubt
        if height < self._low:
            self._low, self._low_ns = height, captured_ns
        risen = height - self._low >= small
        if not risen and captured_ns - self._low_ns < SETTLED_S * 1e9:
            return None
        told = None
        if not self._sounded and self._top - self._low >= small:
            if self._peak < least_speed:
                told = self._low_ns, Doubt("peak", self._peak, least_speed)
            else:
                told = self._low_ns, self._doubt or Doubt("stop")
        self._top = self._low = height
        self._low_ns = captured_ns
        self._begin()
        return told
