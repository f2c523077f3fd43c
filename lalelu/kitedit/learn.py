"""Learn-by-touch: where a pad is to lie and how hard it is played, from a few strokes meant for it. Pure.

Lengths in body units, speeds in body units a second, as in kits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.config.positions import Path, Value
from lalelu.config.zones import Box, Ellipse, Sector, Zone
from lalelu.errors import UsageError
from lalelu.gesture.velocity import ACCENT_SHARE, FIRST_FULL_SPEED
from lalelu.gesture.zones import REACH

ENOUGH: Final = 3  # strokes
MOST: Final = 32
# Of the slowest stroke shown: between a stroke that is meant and the hand's swing back, which has a half at most.
THRESHOLD_SHARE: Final = 0.5
LEAST_SENSITIVITY, MOST_SENSITIVITY = 0.1, 4.0  # what the schema allows


@dataclass(frozen=True, slots=True)
class Touch:
    """One stroke, wherever it ended."""

    x: float  # body units, to the player's right
    y: float  # body units, up from the shoulders
    speed: float  # at its fastest, downward


@dataclass(frozen=True, slots=True)
class Lesson:
    """What follows from the strokes."""

    changes: dict[Path, Value]  # of the kit
    sentence: str  # the same for the player


def learn(kit: KitConfig, pad: str, touches: Sequence[Touch], *, left_handed: bool = False) -> Lesson:
    """Return a pad's new place, threshold and sensitivity, from strokes that were meant for it.

    The zone keeps its size. Raises UsageError for strokes that are too few or too far apart, and for a pad that
    cannot be moved so.
    """
    section = kit.pads.get(pad)
    if section is None:
        raise UsageError(f"the kit has no pad {pad!r}; it has {', '.join(kit.pads)}")
    if section.zone is None:
        raise UsageError(f"pads.{pad} has no zone: only gestures play it; give it a zone first")
    if not ENOUGH <= len(touches) <= MOST:
        raise UsageError(
            f"{len(touches)} strokes were shown; {ENOUGH}..{MOST} are needed, on the same place each time"
        )
    x, y = median(touch.x for touch in touches), median(touch.y for touch in touches)
    farthest = max(math.hypot(touch.x - x, touch.y - y) for touch in touches)
    if farthest > REACH:
        raise UsageError(
            f"the strokes ended up to {farthest:.2f} shoulder widths from their middle, and {REACH:g} is allowed; "
            f"hit one place {ENOUGH} times"
        )
    shape, numbers = _moved(section.zone, f"pads.{pad}.zone", -x if left_handed else x, y)
    slowest, hardest = min(touch.speed for touch in touches), max(touch.speed for touch in touches)
    wanted = round(THRESHOLD_SHARE * slowest, 1)
    threshold = wanted if wanted > kit.strike.min_speed else None  # slower strokes are none anyway
    full_speed = FIRST_FULL_SPEED if kit.strike.full_speed == "auto" else kit.strike.full_speed
    sensitivity = round(ACCENT_SHARE * full_speed / hardest, 2) if hardest > 0.0 else MOST_SENSITIVITY
    sensitivity = min(max(sensitivity, LEAST_SENSITIVITY), MOST_SENSITIVITY)
    changes: dict[Path, Value] = {("pads", pad, "zone", shape): list(numbers)}
    if threshold != section.threshold:
        changes["pads", pad, "threshold"] = threshold
    if sensitivity != section.sensitivity:
        changes["pads", pad, "sensitivity"] = sensitivity
    least = f"{threshold:g}" if threshold is not None else f"{kit.strike.min_speed:g} (strike.min_speed)"
    sentence = (
        f"{pad} lies around {x:.2f}, {y:.2f} now; it sounds from {least} shoulder widths a second, "
        f"and your hardest stroke ({hardest:.1f}) plays {ACCENT_SHARE:.0%} of full strength"
    )
    return Lesson(changes, sentence)


def _moved(zone: Zone, name: str, x: float, y: float) -> tuple[str, tuple[float, ...]]:
    """Return a zone's shape and its numbers with its middle at (x, y)."""
    if zone.frame != "body":
        raise UsageError(
            f"{name} lies in the picture (frame: image), strokes lie around you; use frame: body"
        )
    numbers: tuple[float, ...]
    if isinstance(zone, Box):
        left, bottom, right, top = zone.box
        dx, dy = x - (left + right) / 2, y - (bottom + top) / 2
        shape, numbers = "box", (left + dx, bottom + dy, right + dx, top + dy)
    elif isinstance(zone, Ellipse):
        shape, numbers = "ellipse", (x, y, *zone.ellipse[2:])
    elif isinstance(zone, Sector):
        shape, numbers = "sector", (x, y, *zone.sector[2:])
    else:
        raise UsageError(f"{name} is a half plane, which has no middle; make it a box or an ellipse")
    return shape, tuple(round(number, 3) for number in numbers)
