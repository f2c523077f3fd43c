"""What a detector makes of a player at the moment, for whoever shows it. Pure; body units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimbView:
    """One limb that may play a pad. x to the player's right, y up; `vy` upward, body units a second.

    A foot's y counts from where it was first seen: it plays by how far it falls, wherever the shoulders are.
    """

    limb: str
    x: float
    y: float
    vy: float
    armed: bool  # a stroke now would count: the limb is seen, and its mask time is over


@dataclass(frozen=True, slots=True)
class PlayerView:
    """One player: where the body frame lies in the picture (image heights), and the limbs that are seen."""

    place: tuple[float, float]  # of the body frame's origin, between the shoulders
    size: float  # of one body unit
    side: float  # the player's right points to the picture's left (-1) or right (+1)
    limbs: tuple[LimbView, ...]
