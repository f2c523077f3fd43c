"""Follow one limb: place, velocity and acceleration, from noisy keypoints at irregular times. Pure.

A Kalman filter with white jerk on both axes, on the frames' own stamps (Bar-Shalom, Li and Kirubarajan
2001, section 6.2.3); both axes share one covariance. The measurement noise is measured while playing, across the
movement, where the filter's lag does not show. What cannot be a hand (a wrist that jumps onto the other one) is held
back.
"""

import math
from typing import Final

# White-jerk spectral density, body units^2/s^5. A sinusoid of 0.3 body units at 3 Hz has a jerk of 2000 rms/2,
# correlated over a twentieth of a second. Halving or doubling it moves F1 by less than 0.02 on noisy takes.
JERK_DENSITY: Final = 1.2e5
# Body units/s: so fast a hand jerks twice as much, for the jerk of a sinusoid grows with its speed. From 50 on, hands
# that strike at 23 (7 Hz x 400 mm) are lost; 3..30 find all of them, and all others up to 10 Hz.
SWIFT: Final = 12.0
# Standard deviation of one coordinate, body units; 1 body unit is about 100 px of a 480-line picture. The filter and
# the rules of a stroke's size take no less than LEAST_NOISE: a network's errors are larger in movement than at rest.
LEAST_NOISE: Final = 0.01
QUIETEST: Final = 0.004  # less is not believed: rendered hands at rest shake by 0.002..0.004
MOST_NOISE: Final = 0.035  # beyond, the wish to be sure would swallow real strokes
NOISE_TAU_S: Final = 2.0
FIRST_NOISE: Final = 0.02  # at first; it counts like one frame in the mean of the first ones
FIRST_FRAMES: Final = 20  # over which that mean is taken
CLIP: Final = 1.0  # an error counts at most 1 standard deviation in the noise's estimate
CLIPPED_MEAN: Final = 0.5161  # mean of min(z^2, CLIP) for a standard normal z
# Variance of the third difference of noise of variance 1 that has a memory of 0.3 from frame to frame (20 without).
THIRD_DIFFERENCE: Final = 12.0
TINY: Final = 1e-12  # body units^2: two keypoints in one place have no direction
# Motion blur, rolling shutter and a network's lag: a moving point is off by its speed times this, seconds.
BLUR_S: Final = 0.004
# Likewise for what is plausible: the worst errors in movement are twice the usual ones. On 17 rendered films seen by
# Lightning half as much loses 17 strokes of 1742 more.
GATE_BLUR_S: Final = 0.008
GATE: Final = 30.0  # squared normalised innovation (2 axes); chance alone exceeds it once in 3 million frames
# Body units: a hand that was held comes back this near to where it was expected, or is taken up anew after
# HOLD_S. The prediction's own doubt grows so fast that it would soon admit a jump onto the other wrist.
RETURN: Final = 0.25
HOLD_S: Final = 0.08  # implausible for longer: the limb really is there
GAP_S: Final = 0.25  # unseen for longer, the past says nothing
SETTLED: Final = 4  # frames after a start until velocity and acceleration mean something
FIRST_SPEED_VARIANCE: Final = 16.0  # (body units/s)^2: hands move at some 4 body units/s
FIRST_ACCELERATION_VARIANCE: Final = 2500.0  # (body units/s^2)^2


class Motion:
    """The state of one limb; call `predict`, then `take`, once a frame with strictly later stamps.

    `x`, `y` body units, `vx`, `vy` body units/s, `ay` body units/s^2, as of the last corrected frame.
    """

    __slots__ = (
        "_ax",
        "_blur",
        "_heard",
        "_jerk",
        "_last_ns",
        "_outlier_ns",
        "_p00",
        "_p01",
        "_p02",
        "_p11",
        "_p12",
        "_p22",
        "_seen",
        "_spread",
        "_step_s",
        "_variance",
        "_vx1",
        "_vy1",
        "_x1",
        "_y1",
        "ay",
        "frames",
        "vx",
        "vy",
        "x",
        "y",
    )  # fmt: skip

    def __init__(self) -> None:
        self.frames = 0  # corrected frames since the last start
        self._last_ns = 0
        self._outlier_ns: int | None = None
        self._variance = self._spread = FIRST_NOISE * FIRST_NOISE
        self._heard = 1  # frames that the noise was measured in
        self._seen = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))  # the last keypoints, the newest first
        self.x = self.y = self.vx = self.vy = self._ax = self.ay = 0.0
        self._p00 = self._p01 = self._p02 = self._p11 = self._p12 = self._p22 = 0.0
        self._x1 = self._y1 = self._vx1 = self._vy1 = self._step_s = self._blur = self._jerk = 0.0

    @property
    def settled(self) -> bool:
        """Whether velocity and acceleration can be believed."""
        return self.frames >= SETTLED

    @property
    def noise(self) -> float:
        """Standard deviation of one coordinate of this keypoint, body units; LEAST_NOISE or more."""
        return math.sqrt(self._variance)

    @property
    def measured_noise(self) -> float:
        """The same as it was measured; QUIETEST or more."""
        return math.sqrt(self._spread)

    @property
    def speed_noise(self) -> float:
        """Standard deviation of `vy`, body units/s."""
        return math.sqrt(self._p11)

    def forget(self) -> None:
        """Start anew with the next frame."""
        self.frames = 0

    def predict(self, captured_ns: int) -> bool:
        """Look ahead to this frame; False when nothing (recent) is known and the limb must start anew."""
        step = (captured_ns - self._last_ns) * 1e-9
        if self.frames == 0 or step > GAP_S:
            self.frames = 0
            return False
        half = 0.5 * step * step
        self._step_s = step
        self._vx1 = self.vx + step * self._ax
        self._vy1 = self.vy + step * self.ay
        self._x1 = self.x + step * self.vx + half * self._ax
        self._y1 = self.y + step * self.vy + half * self.ay
        speed_squared = self._vx1 * self._vx1 + self._vy1 * self._vy1
        self._blur = BLUR_S * BLUR_S * speed_squared
        self._jerk = JERK_DENSITY * (1.0 + speed_squared / (SWIFT * SWIFT))
        return True

    def misfit(self, x: float, y: float) -> float:
        """Return the squared normalised distance (2 degrees of freedom) of a keypoint from the prediction."""
        if not self.settled:
            return 0.0
        step = self._step_s
        half = 0.5 * step * step
        ahead = (
            self._p00
            + step * (2.0 * self._p01 + step * self._p11)
            + half * (2.0 * self._p02 + 2.0 * step * self._p12 + half * self._p22)
            + self._jerk * step**5 / 20.0
        )
        dx, dy = x - self._x1, y - self._y1
        return (dx * dx + dy * dy) / (ahead + self._variance + self._blur * (GATE_BLUR_S / BLUR_S) ** 2)

    def start(self, captured_ns: int, x: float, y: float) -> None:
        """Begin at this keypoint, at rest as far as is known; the measured noise is kept."""
        self._last_ns = captured_ns
        self._outlier_ns = None
        self.frames = 1
        self.x, self.y = x, y
        self.vx = self.vy = self._ax = self.ay = 0.0
        self._p00, self._p11, self._p22 = self._variance, FIRST_SPEED_VARIANCE, FIRST_ACCELERATION_VARIANCE
        self._p01 = self._p02 = self._p12 = 0.0

    def take(self, captured_ns: int, x: float, y: float) -> bool:
        """Take in this frame's keypoint, after `predict`; False where it is not this limb's.

        A limb that was implausible for too long is then taken up anew: `frames` is 1.
        """
        if self.frames == 0:
            self.start(captured_ns, x, y)
        elif self.plausible(x, y):
            self.correct(captured_ns, x, y)
        else:
            if not self.skip(captured_ns):
                self.start(captured_ns, x, y)
            return False
        return True

    def plausible(self, x: float, y: float) -> bool:
        """Whether a keypoint can be this limb."""
        if self._outlier_ns is not None and math.hypot(x - self._x1, y - self._y1) > RETURN:
            return False
        return self.misfit(x, y) <= GATE

    def skip(self, captured_ns: int) -> bool:
        """Leave this frame's keypoint out; False once the hand has been implausible for too long."""
        if self._outlier_ns is None:
            self._outlier_ns = captured_ns
        return (captured_ns - self._outlier_ns) * 1e-9 < HOLD_S

    def correct(self, captured_ns: int, x: float, y: float) -> None:
        """Take in this frame's keypoint, after `predict`."""
        h = self._step_s
        half = 0.5 * h * h
        q = self._jerk * h
        p02, p12, p22 = self._p02, self._p12, self._p22
        a0 = self._p00 + h * self._p01 + half * p02
        a1 = self._p01 + h * self._p11 + half * p12
        a2 = p02 + h * p12 + half * p22
        b1 = self._p11 + h * p12
        b2 = p12 + h * p22
        hh = h * h
        n00 = a0 + h * a1 + half * a2 + q * hh * hh / 20.0
        n01 = a1 + h * a2 + q * hh * h / 8.0
        n02 = a2 + q * hh / 6.0
        n11 = b1 + h * b2 + q * hh / 3.0
        n12 = b2 + q * h / 2.0
        n22 = p22 + q
        blur = self._blur
        total = n00 + self._variance + blur
        k0, k1, k2 = n00 / total, n01 / total, n02 / total
        dx, dy = x - self._x1, y - self._y1
        self.x, self.y = self._x1 + k0 * dx, self._y1 + k0 * dy
        self.vx, self.vy = self._vx1 + k1 * dx, self._vy1 + k1 * dy
        self._ax, self.ay = self._ax + k2 * dx, self.ay + k2 * dy
        self._p00, self._p01, self._p02 = n00 - k0 * n00, n01 - k0 * n01, n02 - k0 * n02
        self._p11, self._p12, self._p22 = n11 - k1 * n01, n12 - k1 * n02, n22 - k2 * n02
        self._last_ns = captured_ns
        self._outlier_ns = None
        self.frames += 1
        self._listen(x, y)

    def _listen(self, x: float, y: float) -> None:
        """Measure the noise by the newest four keypoints.

        Their third difference hides a hand's own movement, but not that of a fast one at few frames a second.
        What is left of it lies along the way that the hand goes, so only the part across it counts. That way is taken
        from the contrast that is orthogonal to the third difference, lest noise choose the direction it is seen from.
        """
        (x1, y1), (x2, y2), (x3, y3) = self._seen
        self._seen = ((x, y), (x1, y1), (x2, y2))
        if self.frames <= SETTLED:
            return
        along_x, along_y = 3.0 * (x - x3) + x1 - x2, 3.0 * (y - y3) + y1 - y2
        across = (x - x3 - 3.0 * (x1 - x2)) * along_y - (y - y3 - 3.0 * (y1 - y2)) * along_x
        seen = across * across / (THIRD_DIFFERENCE * (along_x * along_x + along_y * along_y) + TINY)
        if self._heard < FIRST_FRAMES:
            self._heard += 1
            self._spread += (seen - self._spread) / self._heard
        else:
            gain = min(1.0, self._step_s / NOISE_TAU_S)
            self._spread += gain * (min(seen, CLIP * self._spread) / CLIPPED_MEAN - self._spread)
        self._spread = min(max(self._spread, QUIETEST * QUIETEST), MOST_NOISE * MOST_NOISE)
        self._variance = max(self._spread, LEAST_NOISE * LEAST_NOISE)
