"""Follow one limb: place, velocity and acceleration, from noisy keypoints at irregular times. Pure.

A Kalman filter with white jerk on both axes, on the frames' own stamps (Bar-Shalom, Li and Kirubarajan
2001, section 6.2.3); both axes share one covariance. The measurement noise is measured while playing, and what
cannot be a hand (a wrist that jumps onto the other one) is held back.
"""

import math
from typing import Final

# White-jerk spectral density, body units^2/s^5. A sinusoid of 0.3 body units at 3 Hz has a jerk of 2000 rms/2,
# correlated over a twentieth of a second. Halving or doubling it moves F1 by less than 0.02 on noisy takes.
JERK_DENSITY: Final = 1.2e5
# Standard deviation of one coordinate, body units; 1 body unit is about 100 px of a 480-line picture.
FIRST_NOISE: Final = 0.02
LEAST_NOISE: Final = 0.01
MOST_NOISE: Final = 0.035  # beyond, the wish to be sure would swallow real strokes
NOISE_TAU_S: Final = 2.0
CLIP: Final = 1.0  # an innovation counts at most 1 standard deviation in the noise's estimate
CLIPPED_MEAN: Final = 0.5161  # mean of min(z^2, CLIP) for a standard normal z
# Motion blur, rolling shutter and a network's lag: a moving point is off by its speed times this, seconds.
BLUR_S: Final = 0.004
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
    """The state of one limb; call `predict`, then `correct` or `skip`, once a frame with strictly later stamps.

    `x`, `y` body units, `vx`, `vy` body units/s, `ay` body units/s^2, as of the last corrected frame.
    """

    __slots__ = (
        "_ax",
        "_blur",
        "_last_ns",
        "_outlier_ns",
        "_p00",
        "_p01",
        "_p02",
        "_p11",
        "_p12",
        "_p22",
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
        self._variance = FIRST_NOISE * FIRST_NOISE
        self.x = self.y = self.vx = self.vy = self._ax = self.ay = 0.0
        self._p00 = self._p01 = self._p02 = self._p11 = self._p12 = self._p22 = 0.0
        self._x1 = self._y1 = self._vx1 = self._vy1 = self._step_s = self._blur = 0.0

    @property
    def settled(self) -> bool:
        """Whether velocity and acceleration can be believed."""
        return self.frames >= SETTLED

    @property
    def noise(self) -> float:
        """Standard deviation of one coordinate of this keypoint, body units."""
        return math.sqrt(self._variance)

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
            + JERK_DENSITY * step**5 / 20.0
        )
        dx, dy = x - self._x1, y - self._y1
        return (dx * dx + dy * dy) / (ahead + self._variance + self._blur)

    def start(self, captured_ns: int, x: float, y: float) -> None:
        """Begin at this keypoint, at rest as far as is known; the measured noise is kept."""
        self._last_ns = captured_ns
        self._outlier_ns = None
        self.frames = 1
        self.x, self.y = x, y
        self.vx = self.vy = self._ax = self.ay = 0.0
        self._p00, self._p11, self._p22 = self._variance, FIRST_SPEED_VARIANCE, FIRST_ACCELERATION_VARIANCE
        self._p01 = self._p02 = self._p12 = 0.0

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
        q = JERK_DENSITY * h
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
        if self.frames > SETTLED:
            seen = min(dy * dy, CLIP * total) / CLIPPED_MEAN - n00 - blur
            gain = min(1.0, h / NOISE_TAU_S)
            self._variance += gain * (seen - self._variance)
            self._variance = min(max(self._variance, LEAST_NOISE * LEAST_NOISE), MOST_NOISE * MOST_NOISE)
