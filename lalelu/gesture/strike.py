"""Find the end of downward strokes of one limb. Pure.

Air drumming has no rebound: the wrist moves nearly like a sinusoid. A stroke is armed by a fall that is
high, fast and clear of the measured noise, and ends when the wrist surely rises again. Its end (the lowest point) is
then placed between the frames by a parabola through the samples around it. With a lead its end is
predicted while it still falls; the real end then only ends the movement.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from lalelu.config.kit import StrikeSection
from lalelu.gesture.ending import lowest_point
from lalelu.gesture.motion import Motion
from lalelu.gesture.prediction import foresee

# The fastest hand plays 10 Hz (Fujii 2009): the highest peak speed of a sinusoid per its fall, 1/s
SPEED_PER_FALL: Final = math.pi * 10.0
SLOPE_S: Final = 0.1  # a fall's mean speed is taken over this time; the downstroke at 5 Hz lasts as long
SLOPE_SHARE: Final = 0.7  # of the least peak speed: a half sinusoid's mean is 0.64 of its peak
SLOPE_NOISES: Final = 6.0  # standard deviations by which a fall's mean speed must exceed rest
FALL_NOISES: Final = 6.0  # likewise for its height
RISE: Final = 0.008  # body units (3 mm): a hand that lands on a thigh does not come up again
RISE_SHARE: Final = 0.08  # of the peak speed: a sinusoid of 3 Hz reaches it 4 ms after its lowest point
RISE_NOISES: Final = 1.0  # standard deviations of the velocity; 0.8 sounds 5 ms earlier and hits landings
# Body units/s^2, 1.6 g at a shoulder width of 380 mm: a hand that is put down, or pauses, brakes more softly than one
# that plays. Softer strokes, and those that are barely fast enough, are not foreseen but wait for their real ends. Two
# mocap takes at 90, 100 and 120 frames a second: from 42 on a lead of 20 ms adds no false hit; 46 foresees 8 % fewer.
LEAST_BRAKING: Final = 42.0
SURE_SPEED: Final = 2.0  # of `min_speed`
FRESH_S: Final = 0.2  # a fall must have been fast this shortly ago
HISTORY: Final = 48  # samples: a quarter of a second at 200 frames a second


@dataclass(frozen=True, slots=True)
class Stroke:
    """The end of one downward stroke."""

    struck_ns: int
    x: float  # body units, at struck_ns
    y: float
    speed: float  # peak downward speed, body units/s
    fall: float  # body units, from where the movement began
    mean_speed: float  # fastest mean downward speed over SLOPE_S, body units/s
    predicted: bool = False  # told before it ended: time, place and fall are expected ones


def least_rise(motion: Motion, peak: float) -> float:
    """Return the upward speed (body units/s) that ends a fall of this peak speed."""
    return max(RISE_SHARE * peak, RISE_NOISES * motion.speed_noise)


def least_fall(options: StrikeSection, motion: Motion, peak: float) -> float:
    """Return how far (body units) a movement of this peak speed must fall to be a stroke."""
    return max(options.min_height, FALL_NOISES * motion.noise, peak / SPEED_PER_FALL)


def least_mean_speed(options: StrikeSection, motion: Motion, spread: float) -> float:
    """Return the mean speed (body units/s) that a stroke falls with; `spread` as `StrokeFinder.falling` has it."""
    return max(SLOPE_SHARE * options.min_speed, SLOPE_NOISES * motion.noise / spread)


class StrokeFinder:
    """One limb's strokes; `step` once for every frame that its Motion took in.

    `top` and `lowest` (body units), `peak` and `mean_speed` (body units/s, downward) are of the movement so far.
    `masked` is the last stroke that fell into the mask time; whoever wants to tell of it sets it back to None.
    `foretold`: the movement has been returned as a predicted stroke, and has not ended yet.
    """

    __slots__ = (
        "_earlier_ns",
        "_fast_ns",
        "_lead_s",
        "_options",
        "_peak_y",
        "_samples",
        "_struck_ns",
        "foretold",
        "lowest",
        "masked",
        "mean_speed",
        "peak",
        "top",
    )

    def __init__(self, options: StrikeSection, *, lead_s: float = 0.0) -> None:
        self._options = options
        self._lead_s = lead_s
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=HISTORY)  # captured_ns, x, y
        self._struck_ns: int | None = None
        self.masked: Stroke | None = None
        self._earlier_ns: int | None = None  # the last stroke before a predicted one
        self.foretold = False
        self.top = self.lowest = self.peak = self.mean_speed = self._peak_y = 0.0
        self._fast_ns = 0

    def restart(self) -> None:
        """Forget the movement so far (not the last hit: its mask time goes on)."""
        self._samples.clear()

    def step(self, captured_ns: int, x: float, y: float, motion: Motion) -> Stroke | None:
        """Return the stroke whose end has become sure, or is foreseen, with this keypoint (body units), else None."""
        self._samples.append((captured_ns, x, y))
        if not motion.settled or motion.y >= self.top or len(self._samples) < 3:
            self._begin(captured_ns, motion.y)
            return None
        options = self._options
        self.lowest = min(self.lowest, motion.y)
        if -motion.vy > self.peak:
            self.peak, self._peak_y = -motion.vy, motion.y
        mean_speed, spread = self.falling(captured_ns, y)
        self.mean_speed = max(self.mean_speed, mean_speed)
        if mean_speed >= options.min_speed:
            self._fast_ns = captured_ns
        elif (captured_ns - self._fast_ns) * 1e-9 > FRESH_S:
            self._begin(captured_ns, motion.y)
            return None
        if motion.vy <= 0.0:
            foresees = self._lead_s > 0.0 and not self.foretold and self._is_stroke(motion, spread)
            return self._foreseen(captured_ns, motion) if foresees else None
        if not self.rises(motion) or not (self.foretold or self._is_stroke(motion, spread)):
            return None
        stroke = self._finish()
        foretold = self.foretold
        self._begin(captured_ns, motion.y)
        if not foretold and self._is_masked(stroke.struck_ns):
            self.masked = stroke
            return None
        self._struck_ns = stroke.struck_ns
        return None if foretold else stroke

    def take_back(self) -> None:
        """Undo the stroke that was foreseen with the last frame: its real end will be told, or a later prediction."""
        self.foretold = False
        self._struck_ns = self._earlier_ns

    def rises(self, motion: Motion) -> bool:
        """Whether the wrist surely comes up again from the lowest point of the movement."""
        return (
            motion.vy >= least_rise(motion, self.peak) and motion.y - self.lowest >= RISE and motion.ay > 0.0
        )

    def _is_stroke(self, motion: Motion, spread: float) -> bool:
        """Whether the movement so far is high and fast enough."""
        options = self._options
        return (
            self.top - self.lowest >= least_fall(options, motion, self.peak)
            and self.peak >= options.min_speed
            and self.mean_speed >= least_mean_speed(options, motion, spread)
        )

    def _is_masked(self, struck_ns: int) -> bool:
        return self._struck_ns is not None and struck_ns - self._struck_ns < self._options.mask_ms * 1_000_000

    def _foreseen(self, captured_ns: int, motion: Motion) -> Stroke | None:
        """Return the stroke that will end after the lead; None while it is too early, or not clear enough."""
        if motion.ay < LEAST_BRAKING or self.peak < SURE_SPEED * self._options.min_speed:
            return None
        frame_s = (captured_ns - self._samples[-2][0]) * 1e-9
        within_s = self._lead_s + frame_s  # with the next frame it would be too late
        height = self.top - self._peak_y
        end = foresee(self._samples, peak=self.peak, height=height, noise=motion.noise, within_s=within_s)
        if end is None:
            return None
        struck_ns = captured_ns + round(end.in_s * 1e9)
        if self._is_masked(struck_ns):
            return None
        self._earlier_ns, self._struck_ns = self._struck_ns, struck_ns
        self.foretold = True
        x = motion.x + motion.vx * end.in_s * 0.5  # it slows down like the fall
        return Stroke(struck_ns, x, end.y, self.peak, self.top - end.y, self.mean_speed, predicted=True)

    def _begin(self, captured_ns: int, y: float) -> None:
        self.foretold = False
        self.top = self.lowest = self._peak_y = y
        self.peak = self.mean_speed = 0.0
        self._fast_ns = captured_ns

    def falling(self, captured_ns: int, y: float) -> tuple[float, float]:
        """Return the mean downward speed over SLOPE_S (at least 3 samples), and the spread of its stamps.

        The speed's standard deviation is a coordinate's noise over that spread (seconds).
        """
        count = 0
        sum_t = sum_tt = sum_y = sum_ty = 0.0
        for stamp_ns, _, sample_y in reversed(self._samples):
            t = (stamp_ns - captured_ns) * 1e-9
            if t < -SLOPE_S and count >= 3:
                break
            fall = sample_y - y
            count += 1
            sum_t += t
            sum_tt += t * t
            sum_y += fall
            sum_ty += t * fall
        squares = sum_tt - sum_t * sum_t / count
        return (sum_t * sum_y / count - sum_ty) / squares, math.sqrt(squares)

    def _finish(self) -> Stroke:
        """Place the stroke's lowest point between the frames."""
        end = lowest_point(self._samples, since_ns=self._fast_ns)
        return Stroke(end.at_ns, end.x, end.y, self.peak, self.top - self.lowest, self.mean_speed)
