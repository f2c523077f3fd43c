"""The rims of zones, as corners to draw. Pure; body units and y up, of zones in the picture image heights, y down."""

import math
from typing import Final, TypeAlias

from lalelu.config.section import BODY_REACH
from lalelu.config.zones import Box, Ellipse, HalfPlane, Zone

Point: TypeAlias = tuple[float, float]

_STEP_DEG: Final = 6.0  # of the lines that stand for an arc
_FAR: Final = 2.0 * BODY_REACH  # beyond every window; a half plane ends there


def rim(zone: Zone) -> tuple[Point, ...]:
    """Return the corners of a closed line around a zone."""
    if isinstance(zone, Box):
        left, low, right, high = zone.box
        return (left, low), (right, low), (right, high), (left, high)
    if isinstance(zone, Ellipse):
        x, y, radius_x, radius_y = zone.ellipse
        return tuple((x + radius_x * px, y + radius_y * py) for px, py in _arc(1.0, 0.0, 360.0)[:-1])
    up = -1.0 if zone.frame == "image" else 1.0
    if isinstance(zone, HalfPlane):
        x, y, towards_deg = zone.half_plane
        nx, ny = math.cos(math.radians(towards_deg)), up * math.sin(math.radians(towards_deg))
        near = [(x - side * _FAR * ny, y + side * _FAR * nx) for side in (-1.0, 1.0)]
        return (*near, *((px + _FAR * nx, py + _FAR * ny) for px, py in reversed(near)))
    x, y, least, most, from_deg, to_deg = zone.sector
    ring = [*_arc(most, from_deg, to_deg), *reversed(_arc(least, from_deg, to_deg))]
    return tuple((x + px, y + up * py) for px, py in ring)


def _arc(radius: float, from_deg: float, to_deg: float) -> list[Point]:
    count = max(2, math.ceil((to_deg - from_deg) / _STEP_DEG))
    angles = [math.radians(from_deg + (to_deg - from_deg) * i / count) for i in range(count + 1)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]
