"""Play the kick: find where a foot that comes down lands. Pure; lengths in body units.

A stomp ends otherwise than a stroke of the hand: the floor stops the foot within a frame or two, and it may stay
there. So what is looked for is a fall that is high, quick and clear of the noise, and whose speed collapses; the
landing is placed between the frames where the line through the falling keypoints meets the level after it.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lalelu.config.gestures import Kick
from lalelu.gesture.act import Act, Miss, Sight, Sound
from lalelu.gesture.motion import Motion
from lalelu.gesture.stomp_witness import Doubt, StompWitness
from lalelu.gesture.view import LimbView

# A foot falls 40..120 mm within 60..150 ms (free fall from 50 mm: 100 ms), 6 to 15 frames of 100 a second. Chosen on
# generated stomps of 50..120 mm at 1..4 Hz with 0.01..0.05 body units of noise; a network's ankles have 0.01.
SLOPE_S: Final = 0.042  # the speed is a line's slope over this time: 5 keypoints at 100 frames a second
FEWEST: Final = 3  # keypoints that make a slope, at low frame rates
LEVEL_S: Final = 0.032  # heights are means over this time: 4 keypoints at 100 frames a second
FALL_S: Final = 0.15  # the peak of the speed is looked for so far back
FIT_S: Final = 0.11  # the landing is placed by the keypoints of this time: 70 ms of fall and 30 ms of level
ENDS: Final = 8  # of a fall are tried around the keypoint at which it seems to end
SURE: Final = 7.0  # variances of one keypoint by which a landing must fit better than a fall that goes on
LOOK_S: Final = 0.5  # the top of the fall is looked for so far back
NEAR_TOP: Final = 0.15  # of the fall, below its top: there it begins
LONGEST_FALL_S: Final = 0.25  # from there; a foot that takes longer is put down
STOPPED: Final = 0.35  # of the peak speed: slower, the foot has landed
MEAN_SHARE: Final = 0.45  # of `min_speed`: the least mean speed. A half cosine's is 0.64 of its peak
FALL_NOISES: Final = 4.5  # standard deviations by which a fall must exceed rest
# A mean of n keypoints is as good as (n + this) / (1 + this) independent ones: the errors of neighbours are alike.
ALIKE: Final = 0.6
MOST_TILT: Final = 1.0  # sideways per downwards: a foot that plays goes down, one that walks goes along
HISTORY: Final = 128  # keypoints: more than LOOK_S at 240 frames a second


@dataclass(frozen=True, slots=True)
class Stomp:
    """The end of one stomp."""

    struck_ns: int
    top: float  # heights as `StompFinder.step` got them
    level: float
    speed: float  # peak downward speed, body units/s


@dataclass(slots=True)
class _Sample:
    captured_ns: int
    x: float
    y: float
    height: float = -math.inf  # mean of y over LEVEL_S
    speed: float = 0.0  # downward


class Foot:
    """One foot (or knee) as it moves in the picture, cleaned of keypoints that cannot be it.

    The picture's floor stands still, the shoulders do not: a player who nods, leans or gets up would
    otherwise move his feet. `height` is counted from where the foot was first seen, body units.
    """

    __slots__ = ("_limb", "_zero", "height", "motion", "x")

    def __init__(self, limb: str) -> None:
        self._limb = limb
        self.motion = Motion()
        self._zero: float | None = None  # image heights, y down
        self.x = self.height = 0.0

    def forget(self) -> None:
        """Begin anew with the next frame."""
        self.motion.forget()
        self._zero = None

    def see(self, sight: Sight) -> bool:
        """Take in a frame; False when `x` and `height` are not of this frame."""
        point = sight.points[self._limb]
        if point is None:
            return False
        image_x, image_y, unit = sight.in_image(*point)
        if self._zero is None:
            self._zero = image_y
        x, height = image_x / unit, (self._zero - image_y) / unit
        motion, now_ns = self.motion, sight.captured_ns
        motion.predict(now_ns)
        if not motion.take(now_ns, x, height):
            return False
        self.x, self.height = x, height
        return True


class StompFinder:
    """One foot's stomps; `step` once for every frame in which the foot was seen.

    `min_speed` (body units/s) and `min_height` (body units) are the least of a stomp's fall. `doubt` says why what
    looked like an end in the last frame is no stomp.
    """

    __slots__ = ("_mask_ns", "_min_height", "_min_speed", "_samples", "_struck_ns", "doubt")

    def __init__(self, *, min_speed: float, min_height: float, mask_ms: int) -> None:
        self._min_speed = min_speed
        self._min_height = min_height
        self._mask_ns = mask_ms * 1_000_000
        self._samples: deque[_Sample] = deque(maxlen=HISTORY)
        self._struck_ns: int | None = None
        self.doubt: Doubt | None = None

    @property
    def newest(self) -> tuple[float, float]:
        """Height (a mean over LEVEL_S) and downward speed at the last keypoint."""
        newest = self._samples[-1]
        return newest.height, newest.speed

    def is_armed(self, now_ns: int) -> bool:
        """Whether the last stomp's mask time is over."""
        return self._struck_ns is None or now_ns - self._struck_ns >= self._mask_ns

    def restart(self) -> None:
        """Forget the movement so far (not the last stomp: its mask time goes on)."""
        self._samples.clear()

    def step(self, captured_ns: int, x: float, y: float, noise: float) -> Stomp | None:
        """Return the stomp whose landing has become sure with this keypoint, else None.

        `noise`: standard deviation of one coordinate, body units.
        """
        samples = self._samples
        self.doubt = None
        samples.append(_Sample(captured_ns, x, y))
        if len(samples) < FEWEST + 1:
            return None
        level = [s.y for s in _latest(samples, LEVEL_S, 1)]
        samples[-1].height = sum(level) / len(level)
        speed = samples[-1].speed = -_line(_times(_latest(samples, SLOPE_S, FEWEST)))[0]
        peak = max(s.speed for s in _latest(samples, FALL_S, FEWEST))
        if peak < self._min_speed or speed > STOPPED * peak:
            return None
        stomp = self._landed(peak, noise)
        if isinstance(stomp, Doubt):
            self.doubt = stomp
            return None
        # It must rise again: what fell before says nothing about the next one.
        while samples and samples[0].captured_ns <= stomp.struck_ns:
            samples.popleft()
        for sample in samples:
            sample.height, sample.speed = stomp.level, 0.0
        if self._struck_ns is not None and stomp.struck_ns - self._struck_ns < self._mask_ns:
            self.doubt = Doubt("mask", (stomp.struck_ns - self._struck_ns) * 1e-6, self._mask_ns * 1e-6)
            return None
        self._struck_ns = stomp.struck_ns
        return stomp

    def _landed(self, peak: float, noise: float) -> Stomp | Doubt:
        """Return the stomp that has just ended, or why the fall was none, or may go on."""
        looked = _latest(self._samples, LOOK_S, FEWEST)
        newest = looked[-1]
        top = max(sample.height for sample in looked)
        fall = top - newest.height
        averaged = len(_latest(looked, LEVEL_S, 1))
        spread = noise * math.sqrt(2.0 * (1.0 + ALIKE) / (averaged + ALIKE))
        if fall < self._min_height:
            return Doubt("fall", fall, self._min_height)
        if fall < FALL_NOISES * spread:
            return Doubt("noise", fall, FALL_NOISES * spread)
        near = top - NEAR_TOP * fall
        start = max(k for k, sample in enumerate(looked) if sample.height >= near)
        falling = looked[start:]
        landing = None
        if len(falling) >= FEWEST:
            landing = _landing(_times(_latest(falling, FIT_S, FEWEST + 1)))
        if landing is None:
            return Doubt("end")
        ago_s, level, speed, gain = landing
        if speed < self._min_speed:
            return Doubt("speed", speed, self._min_speed)
        if gain < SURE * noise * noise:
            return Doubt("stop")
        struck_ns = newest.captured_ns - round(ago_s * 1e9)
        lasted_s = (struck_ns - falling[0].captured_ns) * 1e-9
        if not 0.0 < lasted_s <= LONGEST_FALL_S:
            return Doubt("long", lasted_s, LONGEST_FALL_S)
        if (1.0 - NEAR_TOP) * fall < MEAN_SHARE * self._min_speed * lasted_s:
            return Doubt("mean", (1.0 - NEAR_TOP) * fall / lasted_s, MEAN_SHARE * self._min_speed)
        begun = _latest(looked, LONGEST_FALL_S, 1)[0]
        aside, most = abs(newest.x - begun.x), MOST_TILT * fall + FALL_NOISES * noise
        if aside > most:
            return Doubt("tilt", aside, most)
        return Stomp(struck_ns, top, level, peak)


def _latest(samples: Sequence[_Sample], span_s: float, fewest: int) -> list[_Sample]:
    """Return the newest samples within `span_s`, at least `fewest`, by time."""
    begin_ns = samples[-1].captured_ns - round(span_s * 1e9)
    latest: list[_Sample] = []
    for sample in reversed(samples):
        if len(latest) >= fewest and sample.captured_ns < begin_ns:
            break
        latest.append(sample)
    return latest[::-1]


def _times(samples: Sequence[_Sample]) -> list[tuple[float, float]]:
    """Return the samples' times (s, the newest's is 0) and heights."""
    newest_ns = samples[-1].captured_ns
    return [((sample.captured_ns - newest_ns) * 1e-9, sample.y) for sample in samples]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the least-squares line's slope, its height at time 0 and the sum of its squared residuals."""
    return _hinge(points, 0.0)


def _hinge(points: Sequence[tuple[float, float]], end: float) -> tuple[float, float, float]:
    """Return the slope of a line that ends in a level at the time `end`, the level, and the squared residuals."""
    count = len(points)
    sum_t = sum_y = tt = ty = yy = 0.0
    for time, y in points:
        t = min(time - end, 0.0)
        sum_t += t
        sum_y += y
        tt += t * t
        ty += t * y
        yy += y * y
    mean_t, mean_y = sum_t / count, sum_y / count
    tt -= sum_t * mean_t
    ty -= sum_t * mean_y
    yy -= sum_y * mean_y
    slope = ty / tt if tt > 0.0 else 0.0
    return slope, mean_y - slope * mean_t, max(0.0, yy - slope * ty)


def _landing(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float] | None:
    """Return how long ago (s) a fall ended, its level and speed, and how much better that fits than a mere line.

    The fall is a line down to the level; of all its ends between the second keypoint and the last but one
    the one is taken that fits best, least squares. `points` are times and heights; the newest's time is 0.
    """
    times = [time for time, _ in points[1:-1]]
    middle = min(range(len(times)), key=lambda k: _hinge(points, times[k])[2])
    first, last = times[max(middle - 1, 0)], times[min(middle + 1, len(times) - 1)]
    ends = [first + (last - first) * k / ENDS for k in range(ENDS + 1)]
    end = min(ends, key=lambda end: _hinge(points, end)[2])
    slope, level, misfit = _hinge(points, end)
    return None if slope >= 0.0 else (-end, level, -slope, _line(points)[2] - misfit)


def view_of(foot: Foot, finder: StompFinder, limb: str, now_ns: int) -> LimbView | None:
    """Return a foot as it is seen, None where it is not."""
    if foot.motion.frames == 0:
        return None
    return LimbView(
        limb, foot.x, foot.height, foot.motion.vy, foot.motion.settled and finder.is_armed(now_ns)
    )


class KickPlayer:
    """Sounds a pad at every stomp of one limb (see PlayedGesture)."""

    commands = False

    def __init__(self, section: Kick) -> None:
        self.limbs: Sequence[str] = (section.limb,)
        self._section = section
        self._foot = Foot(section.limb)
        self._finder = StompFinder(
            min_speed=section.min_speed, min_height=section.min_height, mask_ms=section.mask_ms
        )
        self.witness: StompWitness | None = None  # only where verdicts are asked for

    def watch(self) -> None:
        """From now on return a Miss, too, for every fall that is over and was no stomp."""
        self.witness = StompWitness()

    def view(self, limb: str, now_ns: int) -> LimbView | None:
        """Return its foot as it is seen, by the name `limb`; None where it is not."""
        return view_of(self._foot, self._finder, limb, now_ns)

    def step(self, sight: Sight) -> Sequence[Act]:
        """Take in a frame and return the stomp whose landing has become sure with it."""
        foot = self._foot
        seen = foot.see(sight)
        if foot.motion.frames <= 1:
            self._finder.restart()
            if self.witness is not None:
                self.witness.restart()
        if not seen:
            return ()
        stomp = self._finder.step(sight.captured_ns, foot.x, foot.height, foot.motion.noise)
        missed = () if self.witness is None else self._missed(self.witness, sight.captured_ns, stomp)
        if stomp is None:
            return missed
        return (Sound(self._section.pad, self._section.limb, stomp.struck_ns, stomp.speed),)

    def _missed(self, witness: StompWitness, captured_ns: int, stomp: Stomp | None) -> tuple[Miss, ...]:
        height, speed = self._finder.newest
        found = witness.step(
            captured_ns,
            height,
            speed,
            least_speed=self._section.min_speed,
            noise=self._foot.motion.noise,
            doubt=self._finder.doubt,
            sounded=stomp is not None,
        )
        if found is None:
            return ()
        lowest_ns, doubt = found
        return (Miss(self._section.pad, self._section.limb, lowest_ns, doubt.rule, doubt.why),)

    def rest(self, at_ns: int) -> Sequence[Act]:  # noqa: ARG002  a stomp's sound ends by itself
        """Forget the movement so far."""
        if self.witness is not None:
            self.witness.restart()
        self._foot.forget()
        self._finder.restart()
        return ()
