"""A measure of the body sets a target: a controller, the pitch wheel, an OSC value. Pure."""

from collections.abc import Sequence
from typing import Final

from lalelu.config.gestures import ControlGesture
from lalelu.gesture.act import Act, Sight, Value
from lalelu.gesture.measure import limbs_of, measure, position
from lalelu.gesture.one_euro import OneEuro

STEPS: Final = 16_383  # of a 14-bit MIDI value, the finest that an output takes but OSC


class ControlPlayer:
    """A control of one player: its value follows the measure, smoothed, and stays while limbs are not known."""

    commands = False

    def __init__(self, section: ControlGesture) -> None:
        self.limbs: Sequence[str] = limbs_of(section.by)
        self._measure = measure(section.by)
        self._between = section.between
        self._filter = OneEuro(section.min_cutoff_hz, section.beta)
        self._step: int | None = None  # that was told last

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return the value when it has changed."""
        seen = self._measure(sight.points)
        if seen is None:
            return ()
        # Cut off before the filter: a hand that comes back from far beyond the range is heard at once.
        wanted = min(max(position(seen, self._between), 0.0), 1.0)
        step = round(self._filter.step(sight.captured_ns, wanted) * STEPS)
        if step == self._step:
            return ()
        self._step = step
        return (Value(step / STEPS),)

    def rest(self, at_ns: int) -> Sequence[Act]:  # noqa: ARG002 - nothing sounds that could end
        """Forget the past; the target keeps its value."""
        self._filter.forget()
        self._step = None
        return ()
