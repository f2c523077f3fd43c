"""Foresee the end of a downward stroke while the limb still falls. Pure; lengths in body units.

A drummer's hand brakes nearly evenly over the last 80 ms of its fall: a parabola through the samples of that time has
its lowest point where the stroke will end. Few noisy samples hardly tell how hard it brakes, so that is expected from
the fall until then, and the samples correct it (ridge regression: least squares with a prior).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FIT_S: Final = 0.06  # samples are this fresh, and no older than the braking
LEAST_SAMPLES: Final = 4
# A fall brakes for as long as its height until the peak speed takes at that speed: that is 1 / (2 pi f) for a sinusoid
# of f Hz, if it went on braking as at its end. An air drummer's strokes (two mocap takes) take 0.8 of it.
BRAKING_SHARE: Final = 0.9
SHORTEST_S: Final = 0.032  # that time at 5 Hz, and at 1.5 Hz: between them a hand plays
LONGEST_S: Final = 0.106
BRAKING_SPREAD: Final = 0.7  # standard deviation of the expected braking, of itself; 0.3..1 score alike
BRAKED: Final = 0.9  # of the peak speed: what is still faster has not begun to end its fall
# Standard deviation of the end's time; what is less clear is not foreseen, for noise would make it early. Below 0.025
# the least noise that a motion assumes (0.01) makes strokes at 100 frames a second wait; above, it gains little.
SURE_S: Final = 0.025


@dataclass(frozen=True, slots=True)
class End:
    """The foreseen end of a stroke."""

    in_s: float  # from the newest sample
    y: float


def foresee(
    samples: Sequence[tuple[int, float, float]],
    *,
    peak: float,
    height: float,
    noise: float,
    within_s: float,
) -> End | None:
    """Return the end of a fall that is to come within `within_s`, None when it is later or not clear.

    `samples` (captured_ns, x, y), the newest last; `peak` = the highest downward speed so far, `height` = that
    it had fallen until then, `noise` = the standard deviation of a coordinate.
    """
    braking_s = BRAKING_SHARE * min(max(height / peak, SHORTEST_S), LONGEST_S)
    fresh_s = min(FIT_S, braking_s)
    now_ns, _, newest = samples[-1]
    n = 0
    t1 = q1 = h1 = tt = tq = qq = th = qh = 0.0
    for stamp_ns, _, y in reversed(samples):
        t = (stamp_ns - now_ns) * 1e-9
        if t < -fresh_s:
            break
        q, h = 0.5 * t * t, y - newest
        n += 1
        t1 += t
        q1 += q
        h1 += h
        tt += t * t
        tq += t * q
        qq += q * q
        th += t * h
        qh += q * h
    if n < LEAST_SAMPLES:
        return None
    # Normal equations of h = c + v t + a q with the prior on a; c is eliminated.
    expected = peak / braking_s
    trust = (noise / (BRAKING_SPREAD * expected)) ** 2
    tt -= t1 * t1 / n
    tq -= t1 * q1 / n
    qq += trust - q1 * q1 / n
    th -= t1 * h1 / n
    qh += trust * expected - q1 * h1 / n
    determinant = tt * qq - tq * tq
    a = (tt * qh - tq * th) / determinant
    v = (th - tq * a) / tt
    if a <= 0.0 or not -BRAKED * peak <= v < 0.0:
        return None
    in_s = -v / a
    doubt_s = noise / a * math.sqrt((qq + tt * in_s * in_s - 2.0 * tq * in_s) / determinant)
    if in_s > within_s or doubt_s > SURE_S:
        return None
    return End(in_s, newest + (h1 - v * t1 - a * q1) / n + 0.5 * v * in_s)
