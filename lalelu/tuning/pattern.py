"""Patterns to play along with: bars of strokes, as a groove of the simulated drummer keeps time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lalelu.camera.simulated.groove import LEFT, LIMBS, RIGHT
from lalelu.config.kit import KitConfig
from lalelu.errors import UsageError
from lalelu.skeleton import mirrored

BEATS: Final = 4  # of every pattern's bar
LEAST_BPM, MOST_BPM = 30.0, 300.0


@dataclass(frozen=True, slots=True)
class Meant:
    """One stroke of a pattern, from the start of its bar."""

    time_s: float
    limb: str
    pad: str


# (beat of the bar from 0, hand, pad)
PATTERNS: Final[dict[str, tuple[tuple[float, int, str], ...]]] = {
    "rock": (*((k / 2, RIGHT, "hihat") for k in range(8)), (1.0, LEFT, "snare"), (3.0, LEFT, "snare")),
    "ride": (*((k / 2, RIGHT, "ride") for k in range(8)), (1.0, LEFT, "snare"), (3.0, LEFT, "snare")),
    "single": tuple((k / 2, (RIGHT, LEFT)[k % 2], "snare") for k in range(8)),
    "fill": tuple(
        (k / 2, (RIGHT, LEFT)[k % 2], pad)
        for k, pad in enumerate(("snare", "snare", "tom", "tom", "floor_tom", "tom", "floor_tom", "snare"))
    ),
}


def bar_s(bpm: float) -> float:
    """Return how long a bar is. Raises UsageError for a tempo that nobody plays."""
    if not LEAST_BPM <= bpm <= MOST_BPM:
        raise UsageError(f"the tempo is {bpm:g} a minute; allowed {LEAST_BPM:g} to {MOST_BPM:g}")
    return BEATS * 60.0 / bpm


def bar_of(name: str, bpm: float, kit: KitConfig, *, left_handed: bool = False) -> tuple[Meant, ...]:
    """Return one bar of a pattern, by time, as a player of the kit plays it.

    Raises UsageError for a pattern that is not known, or that needs a pad that the kit does not have.
    """
    if name not in PATTERNS:
        raise UsageError(f"the pattern is {name[:40]!r}; allowed are {', '.join(PATTERNS)}")
    beat_s = bar_s(bpm) / BEATS
    missing = {pad for _, _, pad in PATTERNS[name]} - kit.pads.keys()
    if missing:
        raise UsageError(
            f"the pattern {name} needs the pads {', '.join(sorted(missing))}, which the kit {kit.name} does not have; "
            "choose another pattern or kit"
        )
    limbs: Sequence[str] = [mirrored(limb) for limb in LIMBS] if left_handed else LIMBS
    strokes = [Meant(beat * beat_s, limbs[hand], pad) for beat, hand, pad in PATTERNS[name]]
    return tuple(sorted(strokes, key=lambda stroke: (stroke.time_s, stroke.limb)))
