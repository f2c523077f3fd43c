"""How a wrist moves from one picture to the next, seen by its own points and by those of its forearm. Pure.

A hand that strikes is often covered by the other one, or is too blurred for its points. The forearm, and the elbow with
it, can be seen even then: both are parts of one rigid limb, along which motion grows evenly from the elbow on, however
the arm turns. What is seen is weighed by a Kalman filter of the wrist's velocity.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

# Chosen on six rendered drummers, with a look at five others, against where their wrists really were.
ALONG: Final = 0.7  # of the way from elbow to wrist lie the forearm's points; with 0.5, 0.7 px worse (p95)
# Shoulder widths/s^2, standard deviation; with 60 hands lag, and hits by 4 ms; a hand at 3 Hz has 100. Where a forearm,
# or a few points, say more, they are doubted by what is more: points that slip off a hand stay on what is behind it.
ACCELERATION: Final = 200.0
DISTRUST: Final = 3.0  # times the points that are missing for each that is there; 1..3 score alike
# Standard deviation of a wrist's motion in shoulder widths: by all of its points, where motions are fast and blurred;
# by less of them, it grows with this power of what is missing, since half of them lie on something else.
OWN_NOISE: Final = 0.001
OWN_POWER: Final = 1.5
ARM_NOISE: Final = 0.011  # ... by the forearm's: half of it is the sleeve that looks alike all along
LOST: Final = 0.1  # shoulder widths a picture, likewise: of a wrist whose motion is not known
SLOWING_S: Final = 0.1  # the speed of what is not seen at all fades within this time

Way: TypeAlias = tuple[float, float]  # px


class Wrist:
    """One wrist's motion; `points` is how many of its own there are at best."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._doubt = 0.0  # variance of the motion, px^2

    def lose(self, unit: float) -> None:
        """Believe the next motion that is seen, whatever it was before; `unit` = the shoulder width, px."""
        self._doubt = (LOST * unit) ** 2

    def step(self, motion: Way, own: Sequence[Way], arm: Way | None, *, unit: float, step_s: float) -> Way:
        """Return how the wrist moved within `step_s`; `motion` = how it would have gone on.

        `own` = how its own points moved; `arm` = how it moved by its forearm; px, as `unit`, the shoulder width.
        """
        x, y = motion
        likely = ACCELERATION * unit * step_s * step_s
        doubt = self._doubt + likely * likely
        seen: list[tuple[Way, float, float]] = []
        if own:
            scarce = self._points / len(own)
            seen.append((median(own), OWN_NOISE * scarce**OWN_POWER, DISTRUST * (scarce - 1.0)))
        if arm is not None:
            seen.append((arm, ARM_NOISE, 1.0))
        for (seen_x, seen_y), noise, distrust in seen:
            odd = max(math.hypot(seen_x - x, seen_y - y) - likely, 0.0)
            gain = doubt / (doubt + (noise * unit) ** 2 + distrust * odd * odd)
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


def median(ways: Sequence[Way]) -> Way:
    """Return the median of ways (at least one), by coordinate."""
    return _middle(sorted(x for x, _ in ways)), _middle(sorted(y for _, y in ways))


def _middle(values: Sequence[float]) -> float:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else 0.5 * (values[middle - 1] + values[middle])
