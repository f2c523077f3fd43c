"""Where pads lie, and which one a stroke plays. Pure; lengths in body units."""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from lalelu.config.schema import Box, Ellipse, PadSection
from lalelu.skeleton import mirrored

# A stroke that ends this far outside of a pad still plays it: the wrist swings past the spot it aims at.
# Kits keep their lowest pads at least this far above the thighs, where hands rest.
REACH: Final = 0.35

_Bounds = tuple[float, float, float, float]


class Zones:
    """The pads of a kit; for a left-handed player they change sides, and so do the limbs that may play them."""

    def __init__(self, pads: Mapping[str, PadSection], *, left_handed: bool = False) -> None:
        self._boxes: dict[str, list[tuple[str, _Bounds]]] = {}
        self._ellipses: dict[str, list[tuple[str, _Bounds]]] = {}
        for name, pad in pads.items():
            for limb in pad.limbs:
                kind, bounds = _placed(pad.zone, left_handed=left_handed)
                by_limb = self._boxes if kind == "box" else self._ellipses
                by_limb.setdefault(mirrored(limb) if left_handed else limb, []).append((name, bounds))

    @property
    def limbs(self) -> tuple[str, ...]:
        """Every limb that may play some pad, in a fixed order."""
        return tuple(sorted({*self._boxes, *self._ellipses}))

    def pad_at(self, limb: str, x: float, y: float) -> str | None:
        """Return the nearest pad that `limb` may play and that (x, y) reaches, or None.

        Where zones overlap, the pad whose centre is nearest (measured in its own radii) wins.
        """
        best: tuple[float, float] | None = None
        winner = None
        for name, outside, inside in self._distances(limb, x, y):
            if outside <= REACH and (best is None or (outside, inside) < best):
                best, winner = (outside, inside), name
        return winner

    def _distances(self, limb: str, x: float, y: float) -> Iterable[tuple[str, float, float]]:
        """Yield pad, distance outside of the zone (0 = inside), distance to the centre in radii."""
        for name, (left, bottom, right, top) in self._boxes.get(limb, ()):
            dx, dy = max(left - x, 0.0, x - right), max(bottom - y, 0.0, y - top)
            half_width, half_height = (right - left) * 0.5, (top - bottom) * 0.5
            inside = max(abs(x - left - half_width) / half_width, abs(y - bottom - half_height) / half_height)
            yield name, math.hypot(dx, dy), inside
        for name, (centre_x, centre_y, radius_x, radius_y) in self._ellipses.get(limb, ()):
            dx, dy = x - centre_x, y - centre_y
            radii = math.hypot(dx / radius_x, dy / radius_y)
            # Along the ray from the centre: exact enough for a reach of a third of a body unit.
            outside = math.hypot(dx, dy) * (1.0 - 1.0 / radii) if radii > 1.0 else 0.0
            yield name, outside, radii


def _placed(zone: Box | Ellipse, *, left_handed: bool) -> tuple[str, _Bounds]:
    if isinstance(zone, Box):
        left, bottom, right, top = zone.box
        return "box", (-right, bottom, -left, top) if left_handed else zone.box
    x, y, radius_x, radius_y = zone.ellipse
    return "ellipse", (-x if left_handed else x, y, radius_x, radius_y)
