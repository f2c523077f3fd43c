"""How a wrist moves from one picture to the next, seen by its own points and by those of its forearm. Pure.

A hand that strikes is often covered by the other one, or is too blurred for its points. The forearm, and the elbow with
it, can be seen even then: both are parts of one rigid limb, along which motion grows evenly from the elbow on, however
the arm turns. What is seen is weighed by a Kalman filter of the wrist's velocity.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from lalelu.pose.sheet import median

# The numbers below were measured on six rendered drummers, against where their wrists really were.
ALONG: Final = (
    0.7  # of the way from the elbow to the wrist: there lie the forearm's points; 0.5 is 0.7 px worse (p95)
)
ACCELERATION: Final = 200.0  # shoulder widths/s^2, standard deviation; with 60 hands lag, and hits by 4 ms
# Standard deviation of a wrist's motion in shoulder widths: by all of its points, where motions are fast and blurred;
# by less of them, it grows with this power of what is missing, since half of them lie on something else.
OWN_NOISE: Final = 0.001
OWN_POWER: Final = 1.5
ARM_NOISE: Final = 0.011  # ... by the forearm's: half of it is the sleeve that looks alike all along
SLOWING_S: Final = 0.1  # the speed of what is not seen at all fades within this time

Way: TypeAlias = tuple[float, float]  # px


class Wrist:
    """One wrist's motion; `points` is how many of its own there are at best."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._doubt = 0.0  # variance of the motion, px^2

    def step(self, motion: Way, own: Sequence[Way], arm: Way | None, *, unit: float, step_s: float) -> Way:
        """Return how the wrist moved within `step_s`; `motion` = how it would have gone on.

        `own` = how its own points moved; `arm` = how it moved by its forearm; px, as `unit`, the shoulder width.
        """
        x, y = motion
        doubt = self._doubt + (ACCELERATION * unit * step_s * step_s) ** 2
        seen: list[tuple[Way, float]] = []
        if own:
            seen.append((median(own), OWN_NOISE * (self._points / len(own)) ** OWN_POWER))
        if arm is not None:
            seen.append((arm, ARM_NOISE))
        for (seen_x, seen_y), noise in seen:
            gain = doubt / (doubt + (noise * unit) ** 2)
            x, y = x + gain * (seen_x - x), y + gain * (seen_y - y)
            doubt *= 1.0 - gain
        self._doubt = doubt
        if not seen:
            fading = math.exp(-step_s / SLOWING_S)
            return x * fading, y * fading
        return x, y


def by_forearm(elbow: Way, forearm: Way) -> Way:
    """Return how a wrist moved whose `elbow` and `forearm`, at ALONG, moved so."""
    return elbow[0] + (forearm[0] - elbow[0]) / ALONG, elbow[1] + (forearm[1] - elbow[1]) / ALONG
