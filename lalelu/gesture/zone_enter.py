"""A limb sounds a pad by entering a zone, like a bell that it touches. Pure; lengths in body units."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import hypot
from typing import Final

from lalelu.config.gestures import ZoneEnter
from lalelu.gesture.act import Act, Point, Sight, Sound
from lalelu.gesture.measure import Border, Place, limbs_of, measure, position
from lalelu.gesture.motion import Motion

_MS: Final = 1_000_000  # ns

GAP_MS: Final = 100  # unseen for longer (two frames of 24 a second), nobody knows when the limb came in
# So long it must be outside by more than the margin: five frames of 100 a second, two of 24. In one of them the
# keypoint of a hand that rests near the border can be as far out by noise alone.
OUT_MS: Final = 40
KNOWN_MS: Final = 250  # a measure that is not known at the moment of entering may be as old as this
# The speed of entering is the mean over this time: it errs by 0.3 body units/s where the keypoint's noise is 0.02,
# which over 20 ms would be 1.4.
SPEED_MS: Final = 100
HALVINGS: Final = 10  # of the way between two frames: a thousandth of a frame


class ZoneEnterPlayer:
    """A bell of one player. It sounds when the limb, seen outside by more than the margin, comes in.

    `mirror_at` as `Border` has it.
    """

    commands = False

    def __init__(self, section: ZoneEnter, mirror_at: float | None = None) -> None:
        by = () if section.by is None else limbs_of(section.by)
        self.limbs: Sequence[str] = tuple(dict.fromkeys((section.limb, *by)))
        self._section = section
        self._border = Border(section.zone, mirror_at)
        self._measure: Callable[[Mapping[str, Point | None]], float | None] | None = None
        if section.by is not None:
            self._measure = measure(section.by)
        self._pad: str | None = None if len(section.pads) > 1 else section.pads[0]
        self._measured_ns: int | None = None
        self._motion = Motion()
        self._recent: deque[tuple[int, float, float]] = deque()  # captured_ns, x, y: of SPEED_MS, at least 3
        self._seen_ns: int | None = None
        self._last: tuple[int, Place] | None = None  # the frame before, while the limb is followed
        self._out_ns: int | None = None  # since then it has been outside by more than the margin
        self._armed = False
        self._struck_ns: int | None = None

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return the sound when the limb has come in with it."""
        now_ns = sight.captured_ns
        self._choose(sight)
        point = sight.points[self._section.limb]
        if point is None or not self._follow(now_ns, *point):
            return ()
        motion = self._motion
        place = self._border.place(sight, motion.x, motion.y)
        outside = self._border.outside(place)
        last, self._last = self._last, (now_ns, place)
        if outside > 0.0:
            self._arm(now_ns, outside)
            return ()
        self._out_ns = None
        if not self._armed or last is None:
            return ()
        self._armed = False
        return self._sound(self._crossing(*last, now_ns, place))

    def rest(self, at_ns: int) -> Sequence[Act]:  # noqa: ARG002 - a bell rings out by itself
        """Forget where the limb was."""
        self._motion.forget()
        self._seen_ns = self._last = self._measured_ns = self._out_ns = None
        self._armed = False
        return ()

    def _arm(self, now_ns: int, outside: float) -> None:
        """Have the next entering sound when the limb has been clearly outside."""
        if outside <= self._section.margin or not self._motion.settled:
            self._out_ns = None
        elif self._out_ns is None:
            self._out_ns = now_ns
        elif now_ns - self._out_ns >= OUT_MS * _MS:
            self._armed = True

    def _choose(self, sight: Sight) -> None:
        """Keep in mind which of several pads the measure chooses."""
        section = self._section
        if self._measure is None or section.between is None or len(section.pads) == 1:
            return
        value = self._measure(sight.points)
        if value is not None:
            step = int(max(0.0, position(value, section.between)) * len(section.pads))
            self._pad = section.pads[min(step, len(section.pads) - 1)]
            self._measured_ns = sight.captured_ns
        elif self._measured_ns is None or sight.captured_ns - self._measured_ns > KNOWN_MS * _MS:
            self._pad = None

    def _follow(self, now_ns: int, x: float, y: float) -> bool:
        """Feed the limb's motion; False when this keypoint is one that the network has put elsewhere."""
        motion = self._motion
        seen_ns, self._seen_ns = self._seen_ns, now_ns
        recent = seen_ns is not None and now_ns - seen_ns <= GAP_MS * _MS
        if recent and motion.predict(now_ns):
            if motion.plausible(x, y):
                motion.correct(now_ns, x, y)
                self._recent.append((now_ns, x, y))
                while len(self._recent) > 3 and now_ns - self._recent[0][0] > SPEED_MS * _MS:
                    self._recent.popleft()
                return True
            if motion.skip(now_ns):
                return False
        motion.start(now_ns, x, y)
        self._recent.clear()
        self._recent.append((now_ns, x, y))
        self._armed = False
        self._last = self._out_ns = None
        return True

    def _crossing(self, last_ns: int, outer: Place, now_ns: int, inner: Place) -> int:
        """Return when the limb crossed the border between two frames, outside in the first, inside in the second."""
        before, after = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (before + after) * 0.5
            x, y, unit = (a + (b - a) * middle for a, b in zip(outer, inner, strict=True))
            if self._border.outside((x, y, unit)) > 0.0:
                before = middle
            else:
                after = middle
        return last_ns + round((before + after) * 0.5 * (now_ns - last_ns))

    def _speed(self) -> float:
        """Return the length of the mean velocity (least squares), body units/s."""
        count = len(self._recent)
        begin_ns = self._recent[0][0]
        times = [(stamp_ns - begin_ns) * 1e-9 for stamp_ns, _, _ in self._recent]
        middle = sum(times) / count
        squares = sum((time - middle) ** 2 for time in times)
        vx = sum((time - middle) * x for time, (_, x, _) in zip(times, self._recent, strict=True)) / squares
        vy = sum((time - middle) * y for time, (_, _, y) in zip(times, self._recent, strict=True)) / squares
        return hypot(vx, vy)

    def _sound(self, struck_ns: int) -> Sequence[Act]:
        section = self._section
        speed = self._speed()
        masked = self._struck_ns is not None and struck_ns - self._struck_ns < section.mask_ms * _MS
        if masked or speed < section.min_speed or self._pad is None:
            return ()
        self._struck_ns = struck_ns
        return (Sound(self._pad, section.limb, struck_ns, speed),)
