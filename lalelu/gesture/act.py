"""What gestures see and do: a frame of one player, and acts that the player's detector turns into events. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from lalelu.gesture.body import BodyFrame
from lalelu.gesture.verdict import Rule

Point: TypeAlias = tuple[float, float]  # body units, x to the right, y up


@dataclass(slots=True)
class Sight:
    """One player in one frame, as a right-handed player: for a left-handed one all is mirrored already.

    `points` holds every limb that the kit's gestures need (body units), None where it is not known now.
    """

    captured_ns: int
    points: Mapping[str, Point | None]
    body: BodyFrame
    handed: float = 1.0  # -1 for a left-handed player

    def in_image(self, x: float, y: float) -> tuple[float, float, float]:
        """Return a point's place in the picture and the length of a body unit there: image heights, y down."""
        return *self.body.in_image(x * self.handed, y), self.body.size


@dataclass(frozen=True, slots=True)
class Sound:
    """Play a pad as if `limb` had struck it at this speed; the pad's own rules hold. `speed` None = `velocity`."""

    pad: str
    limb: str
    struck_ns: int
    speed: float | None  # peak speed, body units/s
    velocity: int = 100  # MIDI, where no speed says how strong


@dataclass(frozen=True, slots=True)
class Miss:
    """A movement of `limb` that is over and does not play `pad`, and why; only where verdicts are asked for."""

    pad: str
    limb: str
    lowest_ns: int
    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """End what a pad sounds, `at_ns`."""

    pad: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class StandIn:
    """From now on `other` sounds where `pad` is struck; None = the pad itself again."""

    pad: str
    other: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """Set the gesture's target."""

    value: float  # 0..1


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell lalelu something; `kit` is the name of one to switch to."""

    command: Literal["standby", "next_kit", "take", "kit"]
    at_ns: int
    kit: str | None = None


@dataclass(frozen=True, slots=True)
class Taps:
    """From now on strokes of limbs other than `but` set the tempo instead of sounding; or no longer."""

    active: bool
    but: frozenset[str] = frozenset()


Act: TypeAlias = Sound | Miss | End | StandIn | Value | Tell | Taps


class PlayedGesture(Protocol):
    """One gesture of one player."""

    @property
    def commands(self) -> bool:
        """Whether it tells lalelu something, and so is watched even while nothing may sound."""

    @property
    def limbs(self) -> Sequence[str]:
        """The limbs that it must be shown, of a right-handed player."""

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame, with strictly later stamps each time, and return what it does."""

    def rest(self, at_ns: int) -> Sequence[Act]:
        """Take in that nothing of it is played any more (standby, the player has gone): end what it sounds.

        The next `step` begins anew.
        """
