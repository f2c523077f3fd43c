"""How hard a stroke was: its peak speed, the player's own range, and the curve to a strength. Pure."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from lalelu.config.kit import PadSection

HISTORY: Final = 96  # frames of one fall: nearly half a second at 200 frames a second
MOST_TILT: Final = 2.0  # speed per downward speed: 60 degrees; what leans more is a sweep between pads
CURVE_RATIO: Final = (
    9.0  # log and exp: the slopes at the soft and the hard end are 10 to 1, as log10(1 + 9 s) has it
)
FIRST_FULL_SPEED: Final = 10.0  # body units/s: what a kit says by default, until the player is known
# The hardest stroke in twenty is this share of full speed: there is room for an accent beyond it.
ACCENT_SHARE: Final = 0.9
ACCENT_PERCENTILE: Final = 0.95
RECENT: Final = 64  # strokes: 16 s of quavers at 120 bpm
ENOUGH: Final = 8  # strokes before the range begins to follow
STEP: Final = 0.05  # of the way at each stroke: 20 strokes for two thirds of it, so no single one is heard
# Body units/s. The mocap takes' strokes have 3.5..5.4 (10..90 %), the fastest rendered accents 9.
LEAST_FULL_SPEED: Final = 3.0
MOST_FULL_SPEED: Final = 20.0


class Speeds:
    """The velocity of one limb in the movement that may become a stroke; `see` once a frame."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=HISTORY)  # captured_ns, vx, vy

    def see(self, captured_ns: int, vx: float, vy: float) -> None:
        """Take in one frame's velocity, body units/s."""
        self._samples.append((captured_ns, vx, vy))

    def forget(self) -> None:
        """Wait for the next movement."""
        self._samples.clear()

    def fastest(self, scan_ns: int) -> float:
        """Return the peak speed along the movement's own direction, body units/s, 0 where nothing was seen.

        It is the length of the mean velocity over the frames within `scan_ns` in which the limb fell fastest:
        a stroke that leans by up to 60 degrees keeps its strength, and a sweep to the side before it adds none.
        """
        peak = (0.0, 0.0)  # mean downward speed, length of the mean velocity
        samples = self._samples
        first = 0
        sum_x = sum_y = 0.0
        for last, (captured_ns, vx, vy) in enumerate(samples):
            sum_x, sum_y = sum_x + vx, sum_y + vy
            while captured_ns - samples[first][0] > scan_ns:
                sum_x, sum_y = sum_x - samples[first][1], sum_y - samples[first][2]
                first += 1
            count = last - first + 1
            if -sum_y / count > peak[0]:
                peak = -sum_y / count, min(math.hypot(sum_x, sum_y), -MOST_TILT * sum_y) / count
        return peak[1]


class Range:
    """The speed that plays full strength: as the kit says, or learned from one player's recent strokes."""

    __slots__ = ("_recent", "full_speed", "learns")

    def __init__(self, full_speed: float | None) -> None:
        self.learns = full_speed is None
        self.full_speed = full_speed or FIRST_FULL_SPEED
        self._recent: deque[float] = deque(maxlen=RECENT)

    def learn(self, speed: float) -> None:
        """Take in a stroke that has sounded (body units/s); the range moves slowly and within its bounds."""
        if not self.learns:
            return
        self._recent.append(speed)
        if len(self._recent) < ENOUGH:
            return
        hardest = sorted(self._recent)[math.floor(ACCENT_PERCENTILE * (len(self._recent) - 1))]
        wanted = min(max(hardest / ACCENT_SHARE, LEAST_FULL_SPEED), MOST_FULL_SPEED)
        self.full_speed += STEP * (wanted - self.full_speed)


def strength_curve(pad: PadSection) -> Callable[[float], float]:
    """Return the pad's curve: from the share of full speed, 0..1, to the strength, 0..1; it never falls."""
    if pad.curve == "fixed":
        assert pad.velocity is not None, "the schema asks for it"
        fixed = pad.velocity / 127
        return lambda _: fixed
    if isinstance(pad.curve, str):
        return {"linear": _linear, "log": _log, "exp": _exp}[pad.curve]
    points = [(share, velocity / 127) for share, velocity in pad.curve]
    return lambda share: _between(points, share)


def _linear(share: float) -> float:
    return share


def _log(share: float) -> float:
    return math.log1p(CURVE_RATIO * share) / math.log1p(CURVE_RATIO)


def _exp(share: float) -> float:
    return min(1.0, math.expm1(share * math.log1p(CURVE_RATIO)) / CURVE_RATIO)


def _between(points: Sequence[tuple[float, float]], share: float) -> float:
    """Return the height at `share` of the line through `points`, level beyond both ends."""
    if share <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if share <= x1:
            return y0 + (y1 - y0) * (share - x0) / (x1 - x0)
    return points[-1][1]
