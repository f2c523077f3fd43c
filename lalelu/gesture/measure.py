"""What gestures go by: a place, an angle or a distance of limbs, and how far a limb is outside of a zone. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lalelu.config.gestures import Angle, Ends, Measure, PlaceX, PlaceY
from lalelu.config.zones import Zone
from lalelu.gesture.act import Point, Sight
from lalelu.gesture.zones import measure_of

# Body units: two limbs nearer than this have no direction, only a keypoint's noise (0.02) in all directions.
LEAST_LENGTH: Final = 0.05

Place: TypeAlias = tuple[
    float, float, float
]  # x, y (up) in a zone's own frame, and the length of a body unit there


def limbs_of(section: Measure) -> tuple[str, ...]:
    """Return the limbs that a measure needs, in the section's order."""
    if isinstance(section, PlaceX):
        return (section.x,)
    if isinstance(section, PlaceY):
        return (section.y,)
    return section.angle if isinstance(section, Angle) else section.distance


def measure(section: Measure) -> Callable[[Mapping[str, Point | None]], float | None]:
    """Return what measures limbs: body units or degrees, None where a limb is not known or has no direction."""
    if isinstance(section, PlaceX):
        return _coordinate(section.x, 0)
    if isinstance(section, PlaceY):
        return _coordinate(section.y, 1)
    return _angle(*section.angle) if isinstance(section, Angle) else _distance(*section.distance)


def position(value: float, between: Ends) -> float:
    """Return where a measure's value lies: 0 at the first end, 1 at the second, beyond them less or more."""
    first, last = between
    return (value - first) / (last - first)


class Border:
    """Tells how far outside of a gesture's zone a limb is.

    `mirror_at`: the line, x in image heights, at which a zone that lies in the picture changes sides for a left-handed
    player; one around the player needs none, because gestures are shown such a player mirrored.
    """

    def __init__(self, zone: Zone, mirror_at: float | None = None) -> None:
        self._in_image = zone.frame == "image"
        self._measure = measure_of(zone, mirror_at if self._in_image else None)

    def place(self, sight: Sight, x: float, y: float) -> Place:
        """Return a point (body units) in the zone's own frame."""
        if not self._in_image:
            return x, y, 1.0
        image_x, image_y, unit = sight.in_image(x, y)
        return image_x, -image_y, unit

    def outside(self, place: Place) -> float:
        """Return the distance to the zone, body units; 0 inside."""
        x, y, unit = place
        return self._measure(x, y)[0] / unit


def _coordinate(limb: str, axis: int) -> Callable[[Mapping[str, Point | None]], float | None]:
    def coordinate(points: Mapping[str, Point | None]) -> float | None:
        point = points[limb]
        return None if point is None else point[axis]

    return coordinate


def _angle(first: str, middle: str, last: str) -> Callable[[Mapping[str, Point | None]], float | None]:
    def angle(points: Mapping[str, Point | None]) -> float | None:
        start, corner, end = points[first], points[middle], points[last]
        if start is None or corner is None or end is None:
            return None
        x0, y0 = start[0] - corner[0], start[1] - corner[1]
        x1, y1 = end[0] - corner[0], end[1] - corner[1]
        if min(math.hypot(x0, y0), math.hypot(x1, y1)) < LEAST_LENGTH:
            return None
        return math.degrees(math.atan2(abs(x0 * y1 - y0 * x1), x0 * x1 + y0 * y1))

    return angle


def _distance(first: str, second: str) -> Callable[[Mapping[str, Point | None]], float | None]:
    def distance(points: Mapping[str, Point | None]) -> float | None:
        one, other = points[first], points[second]
        return None if one is None or other is None else math.dist(one, other)

    return distance
