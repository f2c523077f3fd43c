"""Draw what lalelu sees: a frame with the player's skeleton and the pads around it. Uses OpenCV."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.plots import pad_colours
from lalelu.config.kit import KitConfig
from lalelu.config.zones import Ellipse
from lalelu.errors import LaleluError
from lalelu.skeleton import COCO17, COCO17_BONES
from lalelu.types import Pose

Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) BGR
Colour: TypeAlias = tuple[int, int, int]  # blue, green, red

_LEFT: Final[Colour] = (92, 157, 255)  # orange, the player's left
_RIGHT: Final[Colour] = (245, 196, 88)  # blue, the player's right
_MIDDLE: Final[Colour] = (235, 235, 235)
_INK: Final[Colour] = (20, 16, 12)
_DIM_SCORE: Final = 0.5  # a keypoint at this score or above is drawn at full strength
_SHIFT: Final = 4  # OpenCV draws at 1/16 px
_SHARP: Final = 2  # drawn at twice the size, so that thin lines and small text stay clean


def draw(
    image: Image,
    pose: Pose,
    kit: KitConfig,
    body: tuple[float, float, float] | None,
    skeleton: Sequence[str] = COCO17,
) -> Image:
    """Return `image` at twice its size with the pads and the skeleton of `pose`, whose keypoints `skeleton` names.

    `body` is the body frame's origin x, y and unit in image heights; None leaves the pads out.
    The picture is upright and not mirrored: the player's right is at its left.
    """
    height, width = image.shape[:2]
    size = (width * _SHARP, height * _SHARP)
    canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    outlines = _outlines(kit, body, canvas.shape[0]) if body is not None else []
    _fill(canvas, outlines)
    _skeleton(canvas, pose, skeleton)
    for outline in outlines:  # names last: nothing may cross them
        _label(canvas, outline)
    return canvas


def encode_png(image: Image) -> bytes:
    """Return `image` (H, W, 3) BGR as a PNG file's bytes."""
    done, data = cv2.imencode(".png", image)
    if not done:
        raise LaleluError(f"a picture of shape {image.shape} could not be encoded; expected (H, W, 3) uint8")
    return data.tobytes()


@dataclass(frozen=True, slots=True)
class _Outline:
    """A pad on the canvas, in px."""

    name: str
    colour: Colour
    middle: tuple[float, float]
    half: tuple[float, float]  # radii, or half the sides
    rounded: bool


def _outlines(kit: KitConfig, body: tuple[float, float, float], scale: int) -> list[_Outline]:
    origin_x, origin_y, unit = (value * scale for value in body)
    colours = pad_colours(kit.pads)
    outlines = []
    for name, pad in kit.pads.items():
        if pad.zone is None or pad.zone.frame == "image":  # not around the player
            continue
        if isinstance(pad.zone, Ellipse):
            x, y, half_x, half_y = pad.zone.ellipse
        else:
            left, bottom, right, top = pad.zone.box
            x, y, half_x, half_y = (
                (left + right) / 2,
                (bottom + top) / 2,
                (right - left) / 2,
                (top - bottom) / 2,
            )
        red, green, blue = bytes.fromhex(colours[name].removeprefix("#"))
        # the player's right is the picture's left, and up is less
        middle = (origin_x - x * unit, origin_y - y * unit)
        half = (half_x * unit, half_y * unit)
        outlines.append(_Outline(name, (blue, green, red), middle, half, isinstance(pad.zone, Ellipse)))
    return outlines


def _fill(canvas: Image, outlines: list[_Outline]) -> None:
    filled = canvas.copy()
    for outline in outlines:
        _shape(filled, outline, cv2.FILLED)
    cv2.addWeighted(filled, 0.22, canvas, 0.78, 0, canvas)
    for outline in outlines:
        _shape(canvas, outline, max(round(canvas.shape[0] / 420), 1))


def _shape(canvas: Image, outline: _Outline, line: int) -> None:
    (x, y), (half_x, half_y) = outline.middle, outline.half
    if outline.rounded:
        axes = _fixed(outline.half)
        cv2.ellipse(canvas, _fixed((x, y)), axes, 0, 0, 360, outline.colour, line, cv2.LINE_AA, _SHIFT)
    else:
        corners = _fixed((x - half_x, y - half_y)), _fixed((x + half_x, y + half_y))
        cv2.rectangle(canvas, *corners, outline.colour, line, cv2.LINE_AA, _SHIFT)


def _label(canvas: Image, outline: _Outline) -> None:
    text, font, scale = outline.name.replace("_", " "), cv2.FONT_HERSHEY_SIMPLEX, canvas.shape[0] / 1300
    line = max(round(canvas.shape[0] / 600), 1)
    (width, height), _ = cv2.getTextSize(text, font, scale, line)
    # in the lower half: hands strike near the middle
    x = round(outline.middle[0] - width / 2)
    y = round(outline.middle[1] + outline.half[1] * 0.6 + height / 2)
    for right, down in ((-line, 0), (line, 0), (0, -line), (0, line)):
        cv2.putText(canvas, text, (x + right, y + down), font, scale, _INK, line, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), font, scale, _MIDDLE, line, cv2.LINE_AA)


def _skeleton(canvas: Image, pose: Pose, names: Sequence[str]) -> None:
    scale = canvas.shape[0]
    # a pixel's centre is at +0.5 in the pose, at a whole number in OpenCV
    points = pose.xy.astype(np.float64) * scale - 0.5
    # far outside the picture OpenCV's fixed-point numbers overflow
    known = (pose.score > 0) & (np.abs(points) < 8 * scale).all(axis=1)
    thick = max(round(scale / 150), 1)
    lines = [
        (_fixed(points[a]), _fixed(points[b]), _colour(first, second, min(pose.score[a], pose.score[b])))
        for first, second in COCO17_BONES
        if {first, second}.issubset(names)
        and known[a := names.index(first)]
        and known[b := names.index(second)]
    ]
    for start, end, _ in lines:  # a dark rim keeps bones apart from a bright shirt
        cv2.line(canvas, start, end, _INK, thick + max(thick // 2, 2), cv2.LINE_AA, _SHIFT)
    for start, end, colour in lines:
        cv2.line(canvas, start, end, colour, thick, cv2.LINE_AA, _SHIFT)
    for index in np.flatnonzero(known).tolist():
        name = names[index]
        radius = thick * (2.0 if name.endswith("wrist") else 1.1)
        at = _fixed(points[index])
        for grown, colour in ((radius + 2, _INK), (radius, _colour(name, name, pose.score[index]))):
            cv2.circle(canvas, at, round(grown * (1 << _SHIFT)), colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _colour(first: str, second: str, score: float) -> Colour:
    """Return the side's colour, dimmer where the network was less sure."""
    sides = {name.partition("_")[0] for name in (first, second)}
    colour = _LEFT if sides == {"left"} else _RIGHT if sides == {"right"} else _MIDDLE
    light = 0.35 + 0.65 * min(float(score) / _DIM_SCORE, 1.0)
    return (round(colour[0] * light), round(colour[1] * light), round(colour[2] * light))


def _fixed(point: Sequence[float] | NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0]) * (1 << _SHIFT)), round(float(point[1]) * (1 << _SHIFT))
