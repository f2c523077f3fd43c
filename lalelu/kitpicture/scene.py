"""What a picture of a kit shows: the player's figure, and the zones of pads and gestures around it. Pure.

All lengths are body units (shoulder widths) from the point between the shoulders, x to the player's right, y up.
The picture shows the player as in a mirror: their left is at its left.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lalelu.analysis.plots import pad_colours
from lalelu.config.gestures import ZoneEnter
from lalelu.config.kit import KitConfig
from lalelu.config.zones import HalfPlane, Zone
from lalelu.kitpicture.rim import Point, rim

GESTURE_COLOUR: Final = "#c9ced6"

_MARGIN: Final = 0.12
_TRIES: Final = 12  # lines up and down in which a name looks for its place
_HEAD: Final = tuple(
    (0.23 * math.sin(math.radians(a)), 0.62 + 0.3 * math.cos(math.radians(a))) for a in range(0, 361, 12)
)
# A grown-up's proportions (joint to joint; Drillis and Contini 1966), forearms raised a little as to play.
_UPPER: Final[tuple[tuple[Point, ...], ...]] = (
    _HEAD,
    ((0.0, 0.32), (0.0, 0.0)),
    ((-0.45, -1.1), (-0.72, -0.75), (-0.5, 0.0), (0.5, 0.0), (0.72, -0.75), (0.45, -1.1)),
    ((-0.5, 0.0), (-0.33, -1.4), (0.33, -1.4), (0.5, 0.0)),
)
_THIGHS: Final[tuple[tuple[Point, ...], ...]] = (
    ((-0.33, -1.4), (-0.4, -1.75)),
    ((0.33, -1.4), (0.4, -1.75)),
)
_LEGS: Final[tuple[tuple[Point, ...], ...]] = (
    ((-0.33, -1.4), (-0.42, -2.45), (-0.42, -3.45), (-0.62, -3.5)),
    ((0.33, -1.4), (0.42, -2.45), (0.42, -3.45), (0.62, -3.5)),
)


@dataclass(frozen=True, slots=True)
class Outline:
    """A zone around the player."""

    name: str
    colour: str  # as in "#5aa9e6"
    rim: tuple[Point, ...]  # closed, within the window
    middle: Point  # of its name
    is_pad: bool  # or a gesture's


@dataclass(frozen=True, slots=True)
class Scene:
    """A kit's picture, to be drawn in any medium."""

    window: tuple[float, float, float, float]  # left, bottom, right, top
    figure: tuple[tuple[Point, ...], ...]  # lines
    outlines: tuple[Outline, ...]  # large ones first, so that small ones lie above them


def scene_of(kit: KitConfig) -> Scene:
    """Return the picture of a kit; zones that lie in the camera's picture and pads without a zone are not in it."""
    figure = _UPPER + (_LEGS if kit.needs_legs else _THIGHS)
    zones = list(_zones(kit))
    corners = [point for line in figure for point in line]
    corners += [point for _, _, zone, _ in zones if not isinstance(zone, HalfPlane) for point in rim(zone)]
    xs, ys = zip(*corners, strict=True)
    side = max(abs(x) for x in xs) + _MARGIN  # the player stands in the middle
    window = -side, min(ys) - _MARGIN, side, max(ys) + _MARGIN
    outlines = []
    for name, colour, zone, is_pad in zones:
        seen = _within(rim(zone), window)
        if seen:
            outlines.append(Outline(name, colour, seen, _middle(seen), is_pad))
    outlines.sort(key=lambda outline: -_area(outline.rim))
    return Scene(window, figure, tuple(outlines))


def places_of_names(scene: Scene, character: Point) -> tuple[Point, ...]:
    """Return the middle of each outline's name, moved up or down where two would cover each other.

    `character` is the width and height that one character takes, body units.
    """
    left, bottom, right, top = scene.window
    taken: list[tuple[float, float, float]] = []
    places: list[Point] = []
    for outline in reversed(scene.outlines):  # small ones keep their place
        half = len(outline.name) * character[0] / 2
        x = min(max(outline.middle[0], left + half), right - half)
        for step in sorted(range(-_TRIES, _TRIES + 1), key=abs):
            y = outline.middle[1] + step * character[1]
            free = all(
                abs(x - x2) >= half + half2 + character[0] / 2 or abs(y - y2) >= 0.95 * character[1]
                for x2, y2, half2 in taken
            )
            if free and bottom < y < top:
                break
        else:
            y = outline.middle[1]
        taken.append((x, y, half))
        places.append((x, y))
    return tuple(reversed(places))


def _zones(kit: KitConfig) -> Iterator[tuple[str, str, Zone, bool]]:
    colours = pad_colours(kit.pads)
    for name, pad in kit.pads.items():
        if pad.zone is not None and pad.zone.frame == "body":
            yield name, colours[name], pad.zone, True
    for name, gesture in kit.gestures.items():
        if isinstance(gesture, ZoneEnter) and gesture.zone.frame == "body":
            yield name, GESTURE_COLOUR, gesture.zone, False


def _within(rim: Sequence[Point], window: tuple[float, float, float, float]) -> tuple[Point, ...]:
    """Cut a closed line off at the window's sides, one after the other (Sutherland and Hodgman 1974)."""
    cut = list(rim)
    for axis, limit, sign in ((0, window[0], 1), (1, window[1], 1), (0, window[2], -1), (1, window[3], -1)):
        before, cut = cut, []
        for a, b in zip(before[-1:] + before[:-1], before, strict=True):
            depth_a, depth_b = sign * (a[axis] - limit), sign * (b[axis] - limit)
            if (depth_a < 0.0) != (depth_b < 0.0):
                share = depth_a / (depth_a - depth_b)
                cut.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
            if depth_b >= 0.0:
                cut.append(b)
    return tuple(cut)


def _middle(rim: Sequence[Point]) -> Point:
    xs, ys = zip(*rim, strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _area(rim: Sequence[Point]) -> float:
    closed = zip(rim, (*rim[1:], rim[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in closed)) / 2
