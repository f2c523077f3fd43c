"""Place the end of a stroke between the frames. Pure; lengths in body units."""

from collections.abc import Sequence
from typing import Final, NamedTuple

# The parabola begins this long before the lowest sample: noise asks for more, braking and rising that differ for less.
# Rendered films: SD 5.5 ms with it, 5.4 with 0.05 and 0.06, 5.8 with 0.07; mocap takes: 0.8, 0.9, 1.1 and 1.4 ms.
FIT_S: Final = 0.045
# The movement lies within this time before the newest frame: its fall is longer even at 5 Hz, and at 10 Hz, the fastest
# hand (Fujii 2009), the stroke before ended earlier.
MOVEMENT_S: Final = 0.12
# A slow rise is told later: the mean over SLOPE_S (strike.py) was still that of a fall so long after the end at most.
SLOWING_S: Final = 0.1
LATEST_S: Final = 0.005  # the parabola's vertex may lie this far ahead of the newest frame


class Place(NamedTuple):
    """Where and when a stroke ended."""

    at_ns: int
    x: float
    y: float


def lowest_point(samples: Sequence[tuple[int, float, float]], *, since_ns: int) -> Place:
    """Return the lowest point of a movement that has just begun to rise again.

    `samples` (captured_ns, x, y), at least 3, the newest last; `since_ns` = when the fall was last fast. A quick fall
    still is in the newest frame: the movement is what follows the highest of the last samples.
    """
    captured_ns = samples[-1][0]
    begin_ns = min(since_ns - round(SLOWING_S * 1e9), captured_ns - round(MOVEMENT_S * 1e9))
    movement = [sample for sample in samples if sample[0] >= begin_ns]
    if len(movement) < 4:
        movement = list(samples)[-4:]
    del movement[: movement.index(max(movement[:-1], key=lambda sample: sample[2]))]
    lowest_ns = min(movement, key=lambda sample: (sample[2], -sample[0]))[0]
    begin_ns = lowest_ns - round(FIT_S * 1e9)
    fresh = [sample for sample in movement if sample[0] >= begin_ns]
    if len(fresh) < 4:
        fresh = list(samples)[-4:]
    times = [(stamp_ns - lowest_ns) * 1e-9 for stamp_ns, _, _ in fresh]
    vertex = _vertex(times, [y for _, _, y in fresh])
    latest = (captured_ns - lowest_ns) * 1e-9 + LATEST_S
    if vertex is None or not times[0] < vertex <= latest:
        vertex = 0.0  # no clear parabola: the lowest sample itself
    at_ns = lowest_ns + round(vertex * 1e9)
    nearest = min(fresh, key=lambda sample: abs(sample[0] - at_ns))
    return Place(at_ns, nearest[1], nearest[2])


def _vertex(times: list[float], heights: list[float]) -> float | None:
    """Return the time of the lowest point of the least-squares parabola, None when it opens downward."""
    count = len(times)
    mean = sum(times) / count
    t = [time - mean for time in times]
    s2 = sum(value * value for value in t)
    s3 = sum(value**3 for value in t)
    s4 = sum(value**4 for value in t)
    middle = sum(heights) / count
    y = [height - middle for height in heights]
    r1 = sum(a * b for a, b in zip(t, y, strict=True))
    r2 = sum(a * a * b for a, b in zip(t, y, strict=True))
    # Normal equations of y = c0 + c1 t + c2 t^2 with centred t; c0 is eliminated.
    m22 = s4 - s2 * s2 / count
    determinant = s2 * m22 - s3 * s3
    if determinant <= 0.0:
        return None
    c1 = (r1 * m22 - r2 * s3) / determinant
    c2 = (r2 * s2 - r1 * s3) / determinant
    return mean - c1 / (2.0 * c2) if c2 > 0.0 else None
