"""Draw the drummer: a perspective view of shaded capsules. Pure but for the picture it draws into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.camera.simulated.drummer import POINT

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Picture = NDArray[np.uint8]
Colour = tuple[float, float, float]  # BGR, 0..255

FOCAL: Final = 1.155  # focal length in image heights: 60 degrees across a 4:3 picture, as web cameras have
_AIM: Final[Floats] = np.array(
    [0.0, 0.78, 0.1]
)  # m: the whole seated player and his shoes are in the picture
_SHIFT: Final = 4  # fractional bits of the drawing coordinates
_ARC: Final = np.linspace(0.0, 1.0, 8)

# A capsule is drawn as nested outlines, from its dark rim to the lit ridge.
_BAND_RADIUS: Final[Floats] = np.array([1.0, 0.88, 0.72, 0.52, 0.28])
_BAND_LIGHT: Final = (0.55, 0.76, 0.93, 1.05, 1.15)
_LIGHT_FROM: Final[Floats] = np.array([-0.34, -0.42])  # picture plane: the lamp hangs at the upper left


@dataclass(frozen=True, slots=True)
class View:
    """A camera in the room."""

    position: Floats  # (3,) m
    axes: Floats  # (3, 3): rows = right, down, forward
    width: int  # px
    height: int  # px

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Return points (..., 3) m as (..., 2) px (pixel i covers i..i+1) and their depths (...,) m."""
        seen = (points - self.position) @ self.axes.T
        depth = seen[..., 2]
        scale = FOCAL * self.height / depth
        centre = np.array([self.width / 2, self.height / 2])
        return seen[..., :2] * scale[..., None] + centre, depth

    def on_plane(self, pixel: Floats, z: float) -> Floats:
        """Return the point (3,) m at world depth `z` that is seen at `pixel` (2,) px."""
        centre = np.array([self.width / 2, self.height / 2])
        ray = np.append((pixel - centre) / (FOCAL * self.height), 1.0) @ self.axes
        point: Floats = self.position + ray * (z - self.position[2]) / ray[2]
        return point


def view(width: int, height: int, distance: float, angle: float, camera_height: float) -> View:
    """Return the camera `distance` m away, `angle` degrees to the player's left, `camera_height` m up."""
    yaw = np.radians(angle)
    position = np.array([distance * np.sin(yaw), camera_height, distance * np.cos(yaw)])
    forward = _AIM - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]))
    right /= np.linalg.norm(right)
    return View(position, np.stack([right, np.cross(forward, right), forward]), width, height)


@dataclass(frozen=True, slots=True)
class Part:
    """A tapered capsule between two points, in one of the look's colours."""

    a: str
    b: str
    radius_a: float  # m
    radius_b: float  # m
    colour: str


def _both(a: str, b: str, radius_a: float, radius_b: float, colour: str) -> list[Part]:
    return [Part(f"{side}_{a}", f"{side}_{b}", radius_a, radius_b, colour) for side in ("left", "right")]


# Groups are painted in this order; within a group all rims come first, so that its capsules melt together.
STOOL: Final[tuple[tuple[Part, ...], ...]] = (
    (
        Part("seat_low", "stool_foot", 0.030, 0.035, "stool"),
        Part("seat_left", "seat_right", 0.05, 0.05, "stool"),
    ),
)
SHINS: Final[tuple[tuple[Part, ...], ...]] = (
    tuple(_both("heel", "toe", 0.045, 0.040, "shoes")),
    tuple(_both("knee", "ankle", 0.070, 0.048, "trousers")),
)
SEAT: Final = STOOL + SHINS  # what stands still while only the hands play
BODY: Final[tuple[tuple[Part, ...], ...]] = (
    (Part("nape", "crown", 0.084, 0.094, "hair"),),
    (
        *_both("waist", "hip", 0.098, 0.085, "shirt"),
        *_both("chest", "waist", 0.102, 0.095, "shirt"),
        Part("left_chest", "right_chest", 0.100, 0.100, "shirt"),
        Part("left_shoulder", "right_shoulder", 0.058, 0.058, "shirt"),
        *_both("collar", "shoulder", 0.045, 0.060, "shirt"),
    ),
    (Part("throat", "throat", 0.050, 0.050, "skin"), Part("neck", "chin", 0.055, 0.048, "skin")),
    tuple(_both("ear", "ear", 0.024, 0.024, "skin")),
    (Part("skull", "chin", 0.086, 0.054, "skin"),),
    (Part("fringe_left", "fringe_right", 0.042, 0.042, "hair"),),
    (
        *_both("brow_in", "brow_out", 0.0055, 0.0045, "brow"),
        *_both("eye", "eye", 0.0125, 0.0125, "white"),
        Part("left_mouth", "right_mouth", 0.0080, 0.0080, "mouth"),
        Part("nose_bridge", "nose", 0.009, 0.016, "skin"),
    ),
    tuple(_both("eye", "eye", 0.0075, 0.0075, "brow")),
    tuple(_both("hip", "knee", 0.095, 0.075, "trousers")),
)


def upper_arms(*, long_sleeves: bool) -> tuple[tuple[Part, ...], ...]:
    """Return the groups of both upper arms: close to the body, so behind either forearm."""
    cloth = "shirt" if long_sleeves else "skin"
    return (
        tuple(_both("shoulder", "elbow", 0.055, 0.043, cloth)),
        tuple(_both("shoulder", "sleeve", 0.064, 0.062, "shirt")),
    )


def forearm(side: str, *, long_sleeves: bool) -> tuple[tuple[Part, ...], ...]:
    """Return one forearm's groups, from the elbow to the fingers."""
    cloth = "shirt" if long_sleeves else "skin"
    return (
        (
            Part(f"{side}_elbow", f"{side}_forearm_belly", 0.042, 0.045, cloth),
            Part(f"{side}_forearm_belly", f"{side}_cuff", 0.045, 0.029, cloth),
        ),
        (
            Part(f"{side}_cuff", f"{side}_knuckles", 0.030, 0.041, "skin"),
            Part(f"{side}_knuckles", f"{side}_fingertips", 0.040, 0.026, "skin"),
            Part(f"{side}_cuff", f"{side}_thumb", 0.018, 0.014, "skin"),
        ),
    )


class Painter:
    """Paints groups of parts in a look's colours (BGR at full light), `gain` times as bright."""

    def __init__(self, groups: Sequence[Sequence[Part]], colours: dict[str, Colour], gain: float) -> None:
        parts = [part for group in groups for part in group]
        self._a = np.array([POINT[part.a] for part in parts], np.intp)
        self._b = np.array([POINT[part.b] for part in parts], np.intp)
        self._radius_a = np.array([part.radius_a for part in parts])
        self._radius_b = np.array([part.radius_b for part in parts])
        # In what order which part's which band is painted with which colour.
        self._strokes: list[tuple[int, int, Colour]] = []
        first = 0
        for group in groups:
            for band, light in enumerate(_BAND_LIGHT):
                for k, part in enumerate(group, start=first):
                    b, g, r = (min(255.0, value * light * gain) for value in colours[part.colour])
                    self._strokes.append((k, band, (b, g, r)))
            first += len(group)

    def outlines(self, pixels: Floats, depths: Floats, height: int) -> Ints:
        """Return each part's band outlines (T, N, bands, 16, 2) for projected points (T, P, 2), (T, P)."""
        scale = FOCAL * height / depths
        a, b = pixels[:, self._a], pixels[:, self._b]
        radius_a, radius_b = self._radius_a * scale[:, self._a], self._radius_b * scale[:, self._b]
        along = b - a
        length = np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)
        heading = np.arctan2(along[..., 1], along[..., 0])[..., None]
        opening = np.arccos(np.clip((radius_a - radius_b) / length, -1.0, 1.0))[..., None]
        angles = np.concatenate(
            (heading + opening + _ARC * (2 * np.pi - 2 * opening), heading - opening + _ARC * 2 * opening),
            axis=2,
        )
        unit = np.stack((np.cos(angles), np.sin(angles)), axis=-1)
        count = len(_ARC)
        radius = np.repeat(np.stack((radius_a, radius_b), axis=-1), count, axis=2)[..., None]
        centre = np.repeat(np.stack((a, b), axis=2), count, axis=2)
        shrink = _BAND_RADIUS[:, None, None]
        edge = unit[:, :, None] * shrink + _LIGHT_FROM * (1.0 - shrink)
        outline = centre[:, :, None] + radius[:, :, None] * edge
        # Drawing coordinates have whole numbers at pixel centres.
        return np.rint((outline - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def paint(self, picture: Picture, outlines: Ints) -> None:
        """Paint one moment's outlines (N, bands, 16, 2) into `picture`."""
        for part, band, colour in self._strokes:
            # Only rims meet the background: smooth there, quick inside.
            kind = cv2.LINE_AA if band == 0 else cv2.LINE_8
            cv2.fillConvexPoly(picture, outlines[part, band], colour, kind, _SHIFT)


def bounds(outlines: Ints, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) px around outlines, with a margin, within the picture."""
    flat = outlines.reshape(-1, 2)
    (left, top), (right, bottom) = flat.min(axis=0) >> _SHIFT, flat.max(axis=0) >> _SHIFT
    clamp = np.clip([left - 2, right + 4], 0, width), np.clip([top - 2, bottom + 4], 0, height)
    return int(clamp[0][0]), int(clamp[1][0]), int(clamp[0][1]), int(clamp[1][1])
