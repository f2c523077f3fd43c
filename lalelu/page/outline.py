"""The pads of a kit as outlines to draw. Pure; body units, of zones in the picture image heights (y down there)."""

import math
from collections.abc import Iterator
from typing import Any, Final

from lalelu.config.kit import KitConfig
from lalelu.config.section import BODY_REACH
from lalelu.config.zones import Box, Ellipse, HalfPlane, Sector, Zone
from lalelu.skeleton import mirrored

_ROUND: Final = 32  # corners of a whole turn

Point = tuple[float, float]


def outline(zone: Zone) -> list[Point]:
    """Return the corners of a zone, in its own frame."""
    if isinstance(zone, Box):
        left, low, right, high = zone.box
        return [(left, low), (right, low), (right, high), (left, high)]
    if isinstance(zone, Ellipse):
        x, y, radius_x, radius_y = zone.ellipse
        return [(x + radius_x * cos, y + radius_y * sin) for cos, sin in _turn(0.0, 360.0)]
    up = -1.0 if zone.frame == "image" else 1.0
    if isinstance(zone, HalfPlane):
        return _half(*zone.half_plane, up)
    assert isinstance(zone, Sector)
    x, y, least, most, from_deg, to_deg = zone.sector
    around = list(_turn(from_deg, to_deg))
    outer = [(x + most * cos, y + up * most * sin) for cos, sin in around]
    inner = [(x + least * cos, y + up * least * sin) for cos, sin in reversed(around)]
    return outer + inner


def drawn_pads(kit: KitConfig, *, left_handed: bool, aspect: float) -> list[dict[str, Any]]:
    """Return name, frame, outline, limbs, players (None: all) and threshold of every pad that lies somewhere."""
    found = []
    for name, pad in kit.pads.items():
        if pad.zone is None:
            continue
        corners = outline(pad.zone)
        limbs = pad.limbs
        if left_handed:
            turn = aspect if pad.zone.frame == "image" else 0.0
            corners = [(turn - x, y) for x, y in corners]
            limbs = tuple(map(mirrored, limbs))
        found.append(
            {
                "name": name,
                "frame": pad.zone.frame,
                "outline": [(round(x, 3), round(y, 3)) for x, y in corners],
                "limbs": limbs,
                "players": pad.players,
                "threshold": pad.threshold or kit.strike.min_speed,
            }
        )
    return found


def _turn(from_deg: float, to_deg: float) -> Iterator[Point]:
    steps = max(2, math.ceil(_ROUND * (to_deg - from_deg) / 360.0))
    for step in range(steps + 1):
        angle = math.radians(from_deg + (to_deg - from_deg) * step / steps)
        yield math.cos(angle), math.sin(angle)


def _half(x: float, y: float, towards_deg: float, up: float) -> list[Point]:
    """Return a rectangle on that side of the line, as far as anybody reaches."""
    cos, sin = math.cos(math.radians(towards_deg)), up * math.sin(math.radians(towards_deg))
    far = 2.0 * BODY_REACH
    corners = ((-far, 0.0), (far, 0.0), (far, far), (-far, far))  # along the line, away from it
    return [(x - along * sin + away * cos, y + along * cos + away * sin) for along, away in corners]
