"""Where pads lie, and which one a stroke plays. Pure; lengths in body units, of zones in the picture image heights."""

import math
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lalelu.config.kit import PadSection
from lalelu.config.zones import Box, Ellipse, HalfPlane, Sector, Zone
from lalelu.errors import UsageError
from lalelu.skeleton import mirrored

# A stroke that ends this far outside of a pad still plays it: the wrist swings past the spot it aims at.
# Kits keep their lowest pads at least this far above the thighs, where hands rest.
REACH: Final = 0.35
# Body units: the pad that a limb played last keeps a stroke unless another one is nearer by this much, the
# keypoint's noise: twice as much keeps strokes that were meant for the other pad (a golden take at 24 frames a second).
# Where both contain the stroke: unless it is nearer to its middle by STAY_RADII radii.
STAY: Final = 0.03
STAY_RADII: Final = 0.05

# (x, y), y up -> distance outside of the zone (0 = inside), distance to the middle in radii (1 = at the rim)
Measure: TypeAlias = Callable[[float, float], tuple[float, float]]
ImagePlace: TypeAlias = tuple[float, float, float]  # x, y (down) and one body unit, in image heights


class Zones:
    """The pads of a kit; for a left-handed player they change sides, and so do the limbs that may play them.

    `aspect` is the upright picture's width in image heights. Raises UsageError when it is needed and not known: to
    mirror a pad that lies in the picture.
    """

    def __init__(
        self, pads: Mapping[str, PadSection], *, left_handed: bool = False, aspect: float | None = None
    ) -> None:
        self._by_limb: dict[str, list[tuple[str, bool, Measure]]] = {}
        self.in_image = any(pad.zone is not None and pad.zone.frame == "image" for pad in pads.values())
        for name, pad in pads.items():
            if pad.zone is None:  # only gestures play it
                continue
            in_image = pad.zone.frame == "image"
            mirror_at: float | None = None  # x of the line that stays in its place
            if left_handed and in_image:
                mirror_at = middle(f"pads.{name}.zone", aspect)
            elif left_handed:
                mirror_at = 0.0
            measure = measure_of(pad.zone, mirror_at)
            for limb in pad.limbs:
                here = self._by_limb.setdefault(mirrored(limb) if left_handed else limb, [])
                here.append((name, in_image, measure))

    @property
    def limbs(self) -> tuple[str, ...]:
        """Every limb that may play some pad, in a fixed order."""
        return tuple(sorted(self._by_limb))

    def pad_at(
        self, limb: str, x: float, y: float, *, image: ImagePlace | None = None, last: str | None = None
    ) -> str | None:
        """Return the nearest pad that `limb` may play and that (x, y) reaches, or None.

        Where zones overlap, the pad whose centre is nearest (measured in its own radii) wins. `last`, the pad that
        the limb played last, wins unless another one is clearly nearer. `image` is the same place in the picture;
        without it no pad that lies there is reached.
        """
        best: tuple[float, float] | None = None
        winner = None
        of_last: tuple[float, float] | None = None
        for name, in_image, measure in self._by_limb.get(limb, ()):
            if not in_image:
                outside, inside = measure(x, y)
            elif image is not None:
                outside, inside = measure(image[0], -image[1])
                outside /= image[2]
            else:
                continue
            if outside > REACH:
                continue
            if name == last:
                of_last = outside, inside
            if best is None or (outside, inside) < best:
                best, winner = (outside, inside), name
        if of_last is None or best is None:
            return winner
        nearer = of_last[0] - best[0] > STAY
        deeper = of_last[0] == 0.0 and of_last[1] - best[1] > STAY_RADII
        return winner if nearer or deeper else last


def middle(zone: str, aspect: float | None) -> float:
    """Return the x (image heights) at which a picture's zone is mirrored. Raises UsageError without an aspect."""
    if aspect is None:
        raise UsageError(
            f"{zone} has frame: image, and to mirror it for left_handed the picture's width must be known, which it is "
            "not here; use frame: body"
        )
    return 0.5 * aspect


def measure_of(zone: Zone, mirror_at: float | None) -> Measure:
    """Return how far a point is from a zone; in both frames x to the right and y up, mirrored at x = `mirror_at`."""
    up = -1.0 if zone.frame == "image" else 1.0
    measure: Measure
    if isinstance(zone, Box):
        left, low, right, high = zone.box
        measure = _box(left, min(up * low, up * high), right, max(up * low, up * high))
    elif isinstance(zone, Ellipse):
        x, y, radius_x, radius_y = zone.ellipse
        measure = _ellipse(x, up * y, radius_x, radius_y)
    elif isinstance(zone, HalfPlane):
        x, y, towards_deg = zone.half_plane
        measure = _half_plane(x, up * y, math.radians(towards_deg))
    else:
        assert isinstance(zone, Sector)
        x, y, *limits = zone.sector
        measure = _sector(x, up * y, *limits)
    if mirror_at is None:
        return measure
    return lambda x, y: measure(2.0 * mirror_at - x, y)


def _box(left: float, bottom: float, right: float, top: float) -> Measure:
    middle_x, middle_y = (left + right) * 0.5, (bottom + top) * 0.5
    half_width, half_height = (right - left) * 0.5, (top - bottom) * 0.5

    def measure(x: float, y: float) -> tuple[float, float]:
        dx, dy = max(left - x, 0.0, x - right), max(bottom - y, 0.0, y - top)
        return math.hypot(dx, dy), max(abs(x - middle_x) / half_width, abs(y - middle_y) / half_height)

    return measure


def _ellipse(centre_x: float, centre_y: float, radius_x: float, radius_y: float) -> Measure:
    def measure(x: float, y: float) -> tuple[float, float]:
        dx, dy = x - centre_x, y - centre_y
        radii = math.hypot(dx / radius_x, dy / radius_y)
        # Along the ray from the centre: exact enough for a reach of a third of a body unit.
        return (math.hypot(dx, dy) * (1.0 - 1.0 / radii) if radii > 1.0 else 0.0), radii

    return measure


def _half_plane(border_x: float, border_y: float, towards: float) -> Measure:
    # it has no middle: a stroke in it counts as at its rim, so that every pad that has one wins there
    normal_x, normal_y = math.cos(towards), math.sin(towards)

    def measure(x: float, y: float) -> tuple[float, float]:
        return max(0.0, (border_x - x) * normal_x + (border_y - y) * normal_y), 1.0

    return measure


def _sector(x0: float, y0: float, least: float, most: float, from_deg: float, to_deg: float) -> Measure:
    half_deg = (to_deg - from_deg) * 0.5
    ends = [(math.cos(angle), math.sin(angle)) for angle in (math.radians(from_deg), math.radians(to_deg))]

    def measure(x: float, y: float) -> tuple[float, float]:
        dx, dy = x - x0, y - y0
        radius = math.hypot(dx, dy)
        turn = abs((math.degrees(math.atan2(dy, dx)) - from_deg - half_deg + 180.0) % 360.0 - 180.0)
        if turn <= half_deg:
            outside = max(0.0, least - radius, radius - most)
        else:  # to the nearer of the two straight sides
            along = [min(max(dx * cos + dy * sin, least), most) for cos, sin in ends]
            outside = min(
                math.hypot(dx - at * cos, dy - at * sin) for at, (cos, sin) in zip(along, ends, strict=True)
            )
        middle = abs(radius - (least + most) * 0.5) / ((most - least) * 0.5)
        return outside, middle if half_deg == 180.0 else max(middle, turn / half_deg)

    return measure
