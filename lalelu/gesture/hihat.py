"""Play the hi-hat's pedal: how high a foot is over its lowest place says how open the cymbals are. Pure.

Lengths in body units, heights as Foot has them.
"""

import math
from collections.abc import Sequence
from typing import Final

from lalelu.config.gestures import HiHat
from lalelu.gesture.act import Act, Sight, Sound, StandIn, Value
from lalelu.gesture.kick import Foot, StompFinder, view_of
from lalelu.gesture.one_euro import OneEuro
from lalelu.gesture.view import LimbView

# Of the filter: 1 Hz takes the network's 0.01 body units of noise to 0.002, a step or two of a controller; a foot
# that moves at 1 body unit/s raises the cutoff to 11 Hz, so that the pedal lags by 15 ms.
MIN_CUTOFF_HZ: Final = 1.0
BETA: Final = 10.0  # Hz per body unit and second
FLOOR_RISES_S: Final = 60.0  # time constant: a hi-hat left open for 8 bars at 120 stays open (0.77 of it)
FLOOR_FALLS_S: Final = 0.15  # likewise: one keypoint that is too low does not move the floor
# A foot that is twice as high as wide open for so long is on no pedal: the player has gone elsewhere.
AWAY_HEIGHTS: Final = 2.0
AWAY_S: Final = 2.0
STEPS: Final = 127  # of a MIDI controller
PLAY: Final = 0.01  # body units, of the pedal: a foot at rest must not seem to move it
CHICK_SPEED: Final = 1.2  # downward, body units/s: a pedal that closes more slowly closes silently
CHICK_MASK_MS: Final = 120  # nobody closes it more than 8 times a second


class HiHatPlayer:
    """Opens and closes a pad's hi-hat, and sounds it where the foot closes it (see PlayedGesture)."""

    commands = False

    def __init__(self, section: HiHat) -> None:
        self.limbs: Sequence[str] = (section.limb,)
        self._section = section
        self._foot = Foot(section.limb)
        self._filter = OneEuro(MIN_CUTOFF_HZ, BETA)
        self._stomps = StompFinder(
            min_speed=CHICK_SPEED,
            min_height=(section.open_at - section.closed_at) * section.height,
            mask_ms=CHICK_MASK_MS,
        )
        self._floor: float | None = None
        self._floor_ns = self._near_ns = 0
        self._is_open = False
        self._value: float | None = None  # that was told last

    def view(self, limb: str, now_ns: int) -> LimbView | None:
        """Return its foot as it is seen, by the name `limb`; None where it is not."""
        return view_of(self._foot, self._stomps, limb, now_ns)

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return how far open the pedal is, and whether it has been closed."""
        foot, now_ns = self._foot, sight.captured_ns
        seen = foot.see(sight)
        if foot.motion.frames <= 1:
            self._stomps.restart()
        if not seen:
            return ()
        section = self._section
        height = self._filter.step(now_ns, foot.height)
        stomp = self._stomps.step(now_ns, foot.x, foot.height, foot.motion.noise)
        if stomp is not None:  # the filter need not wait: the foot has stopped
            self._filter.forget()
            height = self._filter.step(now_ns, stomp.level)
        self._follow_floor(now_ns, height)
        openness = self._openness(height)
        acts: list[Act] = []
        if section.to is not None:
            acts += self._told(1.0 - openness if section.invert else openness)
        if openness > section.open_at and not self._is_open:
            self._is_open = True
            acts.append(StandIn(section.pad, section.open_pad))
        elif openness < section.closed_at and self._is_open:
            self._is_open = False
            acts.append(StandIn(section.pad, None))
        if (
            stomp is not None
            and section.chick_pad is not None
            and openness < section.closed_at
            and self._openness(stomp.top) > section.open_at
        ):
            acts.append(Sound(section.chick_pad, section.limb, stomp.struck_ns, stomp.speed))
        return acts

    def rest(self, at_ns: int) -> Sequence[Act]:  # noqa: ARG002  what it sounds ends by itself
        """Close the hi-hat, silently, and forget where the pedal is."""
        self._foot.forget()
        self._filter.forget()
        self._stomps.restart()
        self._floor = self._value = None
        self._is_open = False
        return (StandIn(self._section.pad, None),)

    def _openness(self, height: float) -> float:
        assert self._floor is not None  # a height has been seen
        return min(max((height - self._floor - PLAY) / (self._section.height - PLAY), 0.0), 1.0)

    def _told(self, value: float) -> list[Act]:
        """Return the value where it has moved by a whole step or come to an end."""
        last = self._value
        if last is not None and (
            value == last or (abs(value - last) < 1.0 / STEPS and value not in (0.0, 1.0))
        ):
            return []
        self._value = value
        return [Value(value)]

    def _follow_floor(self, now_ns: int, height: float) -> None:
        """Let the floor sink to where the foot is, and rise very slowly."""
        if self._floor is None or height - self._floor < AWAY_HEIGHTS * self._section.height:
            self._near_ns = now_ns
        if self._floor is None or (now_ns - self._near_ns) * 1e-9 > AWAY_S:
            self._floor = height
        else:
            tau_s = FLOOR_FALLS_S if height < self._floor else FLOOR_RISES_S
            share = 1.0 - math.exp((self._floor_ns - now_ns) * 1e-9 / tau_s)
            self._floor += share * (height - self._floor)
        self._floor_ns = now_ns
