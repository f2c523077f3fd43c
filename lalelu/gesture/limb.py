"""One limb of one player, and what was made of it in a frame. Pure; lengths in body units."""

import math
from dataclasses import dataclass
from typing import Final

from lalelu.gesture.act import Point
from lalelu.gesture.motion import Motion
from lalelu.gesture.pads import Played, Refused
from lalelu.gesture.strike import Stroke, StrokeFinder
from lalelu.gesture.velocity import Speeds
from lalelu.gesture.witness import Witness
from lalelu.types import Hit

# Body units. Two wrists nearer than this are one wrist to the network: its noise is 0.03, a hand's width 0.2.
TOGETHER: Final = 0.15
APART: Final = 0.3  # and only so far from each other they are two again
# Of two strokes within the mask one is an echo only where both keypoints lie on one spot: two wrists side by side are
# a wrist's width (60 mm, 0.16) apart, two keypoints of one wrist their noise: 1.8 standard deviations in the mean.
ONE_HAND: Final = 0.08
ONE_HAND_NOISES: Final = 4.0


class Limb:
    """One limb: its motion, its strokes, and the same limb of the body's other side."""

    __slots__ = (
        "borrowed",
        "finder",
        "foretold",
        "last_hit_ns",
        "motion",
        "name",
        "other",
        "speeds",
        "witness",
    )

    def __init__(self, name: str, finder: StrokeFinder) -> None:
        self.name = name
        self.motion = Motion()
        self.finder = finder
        self.speeds = Speeds()
        self.other: Limb | None = None  # the same limb of the body's other side
        self.last_hit_ns: int | None = None
        self.foretold: Hit | None = None  # sounded before its end
        self.borrowed = False  # it has jumped onto the other one and moves with it
        self.witness: Witness | None = None  # only where verdicts are asked for

    def follow(self, before: "Limb") -> None:
        """Go on where the same limb of the kit before has stopped; a stroke on its way is found by its own rules."""
        self.motion, self.speeds = before.motion, before.speeds
        self.last_hit_ns, self.borrowed = before.last_hit_ns, before.borrowed
        if self.finder.is_like(before.finder):
            self.finder = before.finder

    def beside_other(self, distance: float) -> bool:
        """Whether both limbs are known and nearer than `distance` (body units)."""
        other = self.other
        return (
            other is not None
            and other.motion.frames > 0
            and math.hypot(self.motion.x - other.motion.x, self.motion.y - other.motion.y) < distance
        )

    def echoes(self, stroke: Stroke, mask_ns: int) -> bool:
        """Whether the network has put both limbs on one, so that the stroke is the other one's."""
        other = self.other
        if self.borrowed or other is None or other.last_hit_ns is None:
            return self.borrowed
        one_hand = max(ONE_HAND, ONE_HAND_NOISES * max(self.motion.noise, other.motion.noise))
        return abs(stroke.struck_ns - other.last_hit_ns) < mask_ns and self.beside_other(one_hand)


@dataclass(slots=True)
class Found:
    """What a limb's finder made of a frame."""

    limb: Limb
    point: Point
    stroke: Stroke | None
    echo: bool
    fate: Played | Refused | None = None
