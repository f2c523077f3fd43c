"""Measure how a movement turns round at its lowest point. Pure; lengths in body units.

A stroke brakes, stands still and comes up again. A hand that is put down, or talks, brakes softly; a hand that turns
a circle or dances passes its lowest point sideways. Both show in parabolas through the samples of the braking: its
curvature, and the speed across at the lowest point. Each comes with its doubt, so that noise can be told from them.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

LEAST_SAMPLES: Final = 4  # three would fit any parabola exactly


class Turn(NamedTuple):
    """The end of a fall; a doubt times a coordinate's noise is the value's standard deviation."""

    braking: float  # body units/s^2, upward
    braking_doubt: float  # 1/s^2
    across: float  # body units/s: horizontal speed at the lowest point
    across_doubt: float  # 1/s


def measure_turn(samples: Sequence[tuple[int, float, float]], since_s: float) -> Turn | None:
    """Return how the movement turns by the least-squares parabolas of x and y over the last `since_s`.

    `samples` (captured_ns, x, y), the newest last; at least LEAST_SAMPLES of them are taken. None when there are fewer.
    """
    if len(samples) < LEAST_SAMPLES:
        return None
    now_ns, last_x, last_y = samples[-1]
    n = 0
    t1 = t2 = t3 = t4 = x0 = x1 = x2 = y0 = y1 = y2 = 0.0
    for stamp_ns, x, y in reversed(samples):
        t = (stamp_ns - now_ns) * 1e-9
        if t < -since_s and n >= LEAST_SAMPLES:
            break
        q, right, up = t * t, x - last_x, y - last_y
        n += 1
        t1 += t
        t2 += q
        t3 += q * t
        t4 += q * q
        x0 += right
        x1 += t * right
        x2 += q * right
        y0 += up
        y1 += t * up
        y2 += q * up
    # Normal equations of c0 + c1 t + c2 t^2; c0 is eliminated.
    m11, m12, m22 = t2 - t1 * t1 / n, t3 - t1 * t2 / n, t4 - t2 * t2 / n
    determinant = m11 * m22 - m12 * m12
    y1, y2 = y1 - t1 * y0 / n, y2 - t2 * y0 / n
    x1, x2 = x1 - t1 * x0 / n, x2 - t2 * x0 / n
    slope, bend = (y1 * m22 - y2 * m12) / determinant, (y2 * m11 - y1 * m12) / determinant
    lowest_s = min(0.0, max(-since_s, -slope / (2.0 * bend))) if bend > 0.0 else 0.0
    double = 2.0 * lowest_s
    across = (x1 * m22 - x2 * m12 + double * (x2 * m11 - x1 * m12)) / determinant
    return Turn(
        2.0 * bend,
        2.0 * math.sqrt(m11 / determinant),
        across,
        math.sqrt((m22 - 2.0 * double * m12 + double * double * m11) / determinant),
    )
