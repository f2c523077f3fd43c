"""A pose that is held for a while tells lalelu something: stand by, tap the tempo, switch the kit. Pure."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from lalelu.config.gestures import Angle, Condition, Hold, InZone
from lalelu.gesture.act import Act, Sight, Taps, Tell
from lalelu.gesture.measure import Border, limbs_of, measure

_MS: Final = 1_000_000  # ns

# What is met stays so until it is missed by more than this: four times a keypoint's noise.
MARGIN: Final = 0.08  # body units
ANGLE_MARGIN_DEG: Final = 8.0  # that noise at both ends of a forearm of 0.7 body units, three times
SHAKE_MS: Final = 150  # the pose may be lost for so long: 3 frames of 24 a second, a keypoint that flickers
# A frame in which the pose is not met takes back so many times its own time: a hand that strikes through the zone,
# there for half of the time, never holds; a flicker costs little.
TOLL: Final = 3
LEFT_MS: Final = 300  # clearly left for so long, it counts again: longer than a shake, shorter than intent
UNSEEN_MS: Final = 1000  # the same where it cannot be seen: hands that are let down out of the picture

_Met: TypeAlias = Callable[[Sight], bool | None]


class HoldPlayer:
    """A hold of one player. It counts once, and again when the pose has been left.

    A pose in which the player is first seen, or that is held when `rest` is called, must be left first as well: the
    pose that switches kits would else go on switching. `mirror_at` as `Border` has it.
    """

    commands = True

    def __init__(self, section: Hold, mirror_at: float | None = None) -> None:
        limbs = [limb for condition in section.where for limb in _limbs(condition)]
        self.limbs: Sequence[str] = tuple(dict.fromkeys(limbs))
        self._section = section
        self._conditions = [_condition(condition, mirror_at) for condition in section.where]
        self._taps = section.command == "tap_tempo"
        self._tapping = False
        self._armed = False
        self._last_ns: int | None = None  # the frame before
        self._met_ns: int | None = None  # the pose was met last
        self._away_ns: int | None = None  # since then it has not been met
        self._unlike_ns: int | None = None  # since then it has been seen not to be met
        self._held_ns = 0  # how long it has been held

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return what it tells."""
        now_ns = sight.captured_ns
        gap_ns = 0 if self._last_ns is None else now_ns - self._last_ns
        self._last_ns = now_ns
        met = self._met(sight)
        if met:
            self._away_ns = self._unlike_ns = None
            lasts = self._met_ns is not None and now_ns - self._met_ns <= SHAKE_MS * _MS
            self._held_ns = self._held_ns + gap_ns if lasts else 0
            self._met_ns = now_ns
            return self._hold(now_ns)
        if self._away_ns is None:
            self._away_ns = now_ns
        if met is None:
            self._unlike_ns = None
        else:
            self._held_ns = max(0, self._held_ns - TOLL * gap_ns)
            if self._unlike_ns is None:
                self._unlike_ns = now_ns
        return self._leave(now_ns)

    def rest(self, at_ns: int) -> Sequence[Act]:  # noqa: ARG002 - taps end with the call
        """Stop the taps; the pose must be left before it counts."""
        self._armed = False
        self._last_ns = self._met_ns = self._away_ns = self._unlike_ns = None
        return self._stop_taps()

    def _met(self, sight: Sight) -> bool | None:
        """Whether the pose is met; None where that cannot be seen."""
        found = [condition(sight) for condition in self._conditions]
        if False in found:
            return False
        return None if None in found else True

    def _hold(self, now_ns: int) -> Sequence[Act]:
        """Return what the pose tells when it has been held for long enough."""
        section = self._section
        if not self._armed or self._held_ns < section.hold_ms * _MS:
            return ()
        self._armed = False
        if self._taps:
            self._tapping = True
            return (Taps(active=True, but=frozenset(self.limbs)),)
        if section.kit is not None:
            return (Tell("kit", now_ns, section.kit),)
        assert section.command in ("standby", "next_kit", "take")
        return (Tell(section.command, now_ns),)

    def _leave(self, now_ns: int) -> Sequence[Act]:
        """Return what ends when the pose has been lost for too long, and let it count again when it was left."""
        assert self._away_ns is not None
        unlike_ns = 0 if self._unlike_ns is None else now_ns - self._unlike_ns
        if unlike_ns >= LEFT_MS * _MS or now_ns - self._away_ns >= UNSEEN_MS * _MS:
            self._armed = True
        if self._met_ns is not None and now_ns - self._met_ns <= SHAKE_MS * _MS:
            return ()
        return self._stop_taps()

    def _stop_taps(self) -> Sequence[Act]:
        if not self._tapping:
            return ()
        self._tapping = False
        return (Taps(active=False),)


def _limbs(condition: Condition) -> tuple[str, ...]:
    return (condition.limb,) if isinstance(condition, InZone) else limbs_of(condition.by)


def _condition(section: Condition, mirror_at: float | None) -> _Met:
    """Return what tells whether a condition is met, with hysteresis; None where its limbs are not known."""
    if isinstance(section, InZone):
        return _in_zone(section.limb, Border(section.zone, mirror_at))
    margin = ANGLE_MARGIN_DEG if isinstance(section.by, Angle) else MARGIN
    seen = measure(section.by)
    least, most = sorted(section.between)

    def beyond(sight: Sight) -> float | None:
        value = seen(sight.points)
        return None if value is None else max(least - value, 0.0, value - most)

    return _sticky(beyond, margin)


def _in_zone(limb: str, border: Border) -> _Met:
    def outside(sight: Sight) -> float | None:
        point = sight.points[limb]
        return None if point is None else border.outside(border.place(sight, *point))

    return _sticky(outside, MARGIN)


def _sticky(distance: Callable[[Sight], float | None], margin: float) -> _Met:
    """Return what tells whether a distance is 0; once it was, it may be as large as `margin`."""
    met = False

    def is_met(sight: Sight) -> bool | None:
        nonlocal met
        missed = distance(sight)
        if missed is None:
            return None
        met = missed <= (margin if met else 0.0)
        return met

    return is_met
