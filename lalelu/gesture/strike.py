"""Find the end of downward strokes of one limb. Pure.

Air drumming has no rebound: the wrist moves nearly like a sinusoid. A stroke is armed by a fall that is
high, fast and clear of the measured noise, and ends when the wrist surely rises again after it has braked hard and
stood still. Its end (the lowest point) is then placed between the frames by a parabola through the samples around it.
With a lead its end is predicted while it still falls; the real end then only ends the movement.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lalelu.config.kit import StrikeSection
from lalelu.gesture.ending import lowest_point
from lalelu.gesture.motion import Motion
from lalelu.gesture.prediction import foresee
from lalelu.gesture.turn import measure_turn

Unturned: TypeAlias = Literal["soft_end", "sideways"]

# The highest peak speed of a sinusoid per its fall, 1/s: the fastest hand plays 10 Hz (Fujii 2009), and a filtered fall
# is measured up to a fifth too short.
SPEED_PER_FALL: Final = math.pi * 12.0
SLOPE_S: Final = 0.1  # a fall's mean speed is taken over this time; the downstroke at 5 Hz lasts as long
SLOPE_SHARE: Final = 0.7  # of the least peak speed: a half sinusoid's mean is 0.64 of its peak
SLOPE_NOISES: Final = 3.0  # standard deviations by which a fall's mean speed must exceed that share
FALL_NOISES: Final = 6.0  # by which its height must exceed rest
RISE: Final = 0.008  # body units (3 mm): a hand that lands on a thigh does not come up again
RISE_SHARE: Final = 0.08  # of the peak speed: a sinusoid of 3 Hz reaches it 4 ms after its lowest point
RISE_NOISES: Final = 1.0  # standard deviations of the velocity; 0.8 sounds 5 ms earlier and hits landings
# A stroke's braking, all of it chosen on half of the takes and films and checked on the others: over this share of the
# time that the fall takes at its mean speed (a sinusoid: from its fastest point on), but no longer than TURN_S.
TURN_SHARE: Final = 0.85
TURN_S: Final = 0.16
SHORTEST_TURN_S: Final = 0.025  # that time at 10 Hz
# Body units/s^2: the softest stroke that must sound (1.5 Hz, 1.7 body units/s) has 15, the mocap takes' 20 and more; a
# hand that is lowered or talks 0..10. In addition so many standard deviations: in noise a soft end waits to be clear.
LEAST_TURN: Final = 11.0
TURN_NOISES: Final = 2.0
TURN_PER_SPEED: Final = 3.0  # 1/s, likewise, of the mean speed; strokes have 6 and more (a sinusoid of 1 Hz)
# Of the mean speed: so fast a hand may pass its lowest point sideways (one standard deviation is forgiven). Strokes
# have 0.5 at most, from pad to pad as well, a fist filmed from the side 0.8; circles and most dancing 1.3.
SIDEWAYS: Final = 0.8
# A rise that has not ended a stroke so long after the lowest point no longer does: longer only lets circles sound.
LATEST_S: Final = 0.08
# Body units/s^2, 1.6 g at a shoulder width of 380 mm: a hand that is put down, or pauses, brakes more softly than one
# that plays. Softer strokes, and those that are barely fast enough, are not foreseen but wait for their real ends. Two
# mocap takes at 90, 100 and 120 frames a second: from 42 on a lead of 20 ms adds no false hit; 46 foresees 8 % fewer.
LEAST_BRAKING: Final = 42.0
SURE_SPEED: Final = 2.0  # of `min_speed`
FRESH_S: Final = 0.2  # a fall must have been fast this shortly ago
# A predicted stroke that has not ended by then has not happened: predictions err by 10 ms (SD), and 95 % of the real
# ends are sure after 33 ms.
OVERDUE_NS: Final = 60_000_000
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
    return SLOPE_SHARE * options.min_speed + SLOPE_NOISES * motion.noise / spread


class StrokeFinder:
    """One limb's strokes; `step` once for every frame that its Motion took in.

    `top` and `lowest` (body units), `peak` and `mean_speed` (body units/s, downward) are of the movement so far;
    `mean_speed` is the one that stands out of the noise most clearly.
    `masked` is the last stroke that fell into the mask time; whoever wants to tell of it sets it back to None.
    `foretold`: the movement has been returned as a predicted stroke, and has not ended yet.
    `overdue`: this frame has shown that the predicted stroke does not happen, or happens much later; told once.
    `unturned`: why the rise that the last frame showed does not end a stroke, else None.
    """

    __slots__ = (
        "_clear",
        "_earlier_ns",
        "_fast_ns",
        "_lead_s",
        "_lowest_ns",
        "_missed",
        "_options",
        "_peak_y",
        "_samples",
        "_struck_ns",
        "_top_ns",
        "foretold",
        "lowest",
        "masked",
        "mean_speed",
        "overdue",
        "peak",
        "top",
        "unturned",
    )

    def __init__(self, options: StrikeSection, *, lead_s: float = 0.0) -> None:
        self._options = options
        self._lead_s = lead_s
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=HISTORY)  # captured_ns, x, y
        self._struck_ns: int | None = None
        self.masked: Stroke | None = None
        self._earlier_ns: int | None = None  # the last stroke before a predicted one
        self.overdue = self._missed = False
        self.unturned: Unturned | None = None
        self.top = self.lowest = self.peak = self.mean_speed = self._peak_y = 0.0
        self._clear = -math.inf
        self._fast_ns = self._lowest_ns = self._top_ns = 0

    def is_like(self, other: "StrokeFinder") -> bool:
        """Whether the other one finds the same strokes."""
        return (type(self), self._options, self._lead_s) == (type(other), other._options, other._lead_s)

    def restart(self) -> None:
        """Forget the movement so far (not the last hit: its mask time goes on)."""
        self._samples.clear()

    def step(self, captured_ns: int, x: float, y: float, motion: Motion) -> Stroke | None:
        """Return the stroke whose end has become sure, or is foreseen, with this keypoint (body units), else None."""
        self._samples.append((captured_ns, x, y))
        self.unturned = None
        self.overdue = False
        if not motion.settled or motion.y >= self.top or len(self._samples) < 3:
            self._begin(captured_ns, motion.y)
            return None
        options = self._options
        if motion.y < self.lowest:
            self.lowest, self._lowest_ns = motion.y, captured_ns
        if -motion.vy > self.peak:
            self.peak, self._peak_y = -motion.vy, motion.y
        mean_speed, spread = self.falling(captured_ns, y)
        clear = mean_speed - SLOPE_NOISES * motion.noise / spread
        if clear > self._clear:
            self._clear, self.mean_speed = clear, mean_speed
        if mean_speed >= options.min_speed:
            self._fast_ns = captured_ns
        elif (captured_ns - self._fast_ns) * 1e-9 > FRESH_S:
            self._begin(captured_ns, motion.y)
            return None
        if self.foretold and not self._missed and self._struck_ns is not None:
            self.overdue = self._missed = captured_ns - self._struck_ns > OVERDUE_NS
        if motion.vy <= 0.0:
            foresees = self._lead_s > 0.0 and not self.foretold and self._is_stroke(motion)
            return self._foreseen(captured_ns, motion) if foresees else None
        if not self._ends(captured_ns, motion):
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

    def _ends(self, captured_ns: int, motion: Motion) -> bool:
        """Whether the wrist surely rises, and a stroke, or what was foretold as one, has ended."""
        if not self.rises(motion) or not (self.foretold or self._is_stroke(motion)):
            return False
        if self.foretold:
            return True
        self.unturned = self._unturned(captured_ns, motion)
        if self.unturned is None:
            return True
        if (captured_ns - self._lowest_ns) * 1e-9 > LATEST_S:
            self._begin(captured_ns, motion.y)
        return False  # until then the next frames may show more

    def _is_stroke(self, motion: Motion) -> bool:
        """Whether the movement so far is high and fast enough."""
        options = self._options
        return (
            self.top - self.lowest >= least_fall(options, motion, self.peak)
            and self.peak >= options.min_speed
            and self._clear >= SLOPE_SHARE * options.min_speed
        )

    def _unturned(self, captured_ns: int, motion: Motion) -> Unturned | None:
        """Return why a fall that is high and fast enough does not end as a stroke does, None when it does."""
        braking_s = TURN_SHARE * (self.top - self.lowest) / self.mean_speed
        risen_s = (captured_ns - self._lowest_ns) * 1e-9
        turn = measure_turn(self._samples, min(max(braking_s, SHORTEST_TURN_S), TURN_S) + risen_s)
        if turn is None:
            return None
        noise = motion.measured_noise
        if abs(turn.across) > SIDEWAYS * self.mean_speed + noise * turn.across_doubt:
            return "sideways"
        least = max(LEAST_TURN, TURN_PER_SPEED * self.mean_speed) + TURN_NOISES * noise * turn.braking_doubt
        if turn.braking < least:
            return "soft_end"
        return None

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
        self.foretold = self._missed = False
        self.top = self.lowest = self._peak_y = y
        self.peak = self.mean_speed = 0.0
        self._clear = -math.inf
        self._fast_ns = self._lowest_ns = self._top_ns = captured_ns

    def falling(self, captured_ns: int, y: float) -> tuple[float, float]:
        """Return the mean downward speed, and the spread of its stamps, over SLOPE_S at most: since the top.

        At least 3 samples. The speed's standard deviation is a coordinate's noise over that spread (seconds).
        """
        count = 0
        sum_t = sum_tt = sum_y = sum_ty = 0.0
        for stamp_ns, _, sample_y in reversed(self._samples):
            t = (stamp_ns - captured_ns) * 1e-9
            if (t < -SLOPE_S or stamp_ns < self._top_ns) and count >= 3:
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
