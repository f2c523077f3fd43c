"""Looks: the player's clothes and the room behind, painted once. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.camera.simulated.figure import Colour, Picture

LookName: TypeAlias = Literal["day", "stage", "studio", "white", "stripes"]


@dataclass(frozen=True, slots=True)
class Look:
    """Colours (BGR at full light) of a player and a room."""

    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    wall: Colour
    floor: Colour
    furniture: tuple[Colour, Colour, Colour]
    long_sleeves: bool = False
    stripes: bool = False  # a wall that offers many false edges

    @property
    def colours(self) -> dict[str, Colour]:
        """The colour of every kind of part."""
        blue, green, red = self.skin
        return {
            "shirt": self.shirt,
            "trousers": self.trousers,
            "skin": self.skin,
            "hair": self.hair,
            "brow": (self.hair[0] * 0.6, self.hair[1] * 0.6, self.hair[2] * 0.6),
            "white": (225.0, 228.0, 230.0),
            "mouth": (blue * 0.75, green * 0.62, red * 0.85),
            "shoes": (48.0, 46.0, 52.0),
            "stool": (40.0, 40.0, 44.0),
        }


LOOKS: Final[dict[LookName, Look]] = {
    "day": Look(
        shirt=(128, 74, 44), trousers=(70, 58, 56), skin=(138, 168, 216), hair=(36, 48, 66),
        wall=(196, 206, 214), floor=(96, 124, 152),
        furniture=((92, 120, 150), (150, 120, 96), (96, 140, 110)),
    ),
    "stage": Look(
        shirt=(52, 48, 46), trousers=(44, 40, 40), skin=(150, 178, 224), hair=(30, 34, 40),
        wall=(66, 42, 48), floor=(48, 50, 58), furniture=((38, 30, 70), (60, 40, 36), (44, 52, 52)),
    ),
    "studio": Look(
        shirt=(58, 52, 150), trousers=(110, 92, 74), skin=(84, 112, 158), hair=(24, 24, 28),
        wall=(140, 146, 148), floor=(84, 88, 96), furniture=((60, 60, 64), (110, 100, 60), (70, 90, 130)),
        long_sleeves=True,
    ),
    "white": Look(
        shirt=(206, 208, 210), trousers=(84, 84, 90), skin=(142, 172, 220), hair=(70, 120, 160),
        wall=(214, 216, 218), floor=(150, 160, 170),
        furniture=((180, 190, 196), (160, 170, 150), (130, 140, 160)),
    ),
    "stripes": Look(
        shirt=(70, 110, 60), trousers=(60, 66, 92), skin=(60, 84, 124), hair=(22, 22, 26),
        wall=(168, 182, 176), floor=(70, 90, 110), furniture=((50, 80, 120), (90, 80, 110), (60, 100, 90)),
        stripes=True,
    ),
}  # fmt: skip


def room(look: Look, width: int, height: int, gain: float, seed: int) -> Picture:
    """Return the room (height, width, 3) BGR without the player, `gain` times as bright."""
    rng = np.random.default_rng([seed, 0x4007])
    picture = np.empty((height, width, 3), np.uint8)
    corner = round(0.70 * height)  # where the wall meets the floor
    picture[:corner] = look.wall
    picture[corner:] = look.floor

    def box(left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Paint a rectangle in image heights from the picture's middle and top."""
        a = (round(width / 2 + left * height), round(top * height))
        b = (round(width / 2 + right * height), round(bottom * height))
        cv2.rectangle(picture, a, b, colour, -1, cv2.LINE_8)

    if look.stripes:
        for k in range(-12, 12):
            box(k * 0.08, 0.0, k * 0.08 + 0.025, 0.70, look.furniture[k % 2])
    wood, cloth, leaf = look.furniture
    dark = (wood[0] * 0.6, wood[1] * 0.6, wood[2] * 0.6)
    box(-0.64, 0.22, -0.36, 0.74, wood)  # a shelf with books
    for row in range(3):
        top = 0.25 + row * 0.16
        box(-0.62, top, -0.38, top + 0.13, dark)
        left = -0.61
        while left < -0.42:
            thick = float(rng.uniform(0.012, 0.03))
            tint: Colour = look.furniture[rng.integers(3)]
            shade = float(rng.uniform(0.7, 1.3))
            tall = float(rng.uniform(0.02, 0.05))
            box(
                left,
                top + tall,
                left + thick,
                top + 0.13,
                (tint[0] * shade, tint[1] * shade, tint[2] * shade),
            )
            left += thick + 0.004
    box(0.30, 0.12, 0.54, 0.40, dark)  # a picture on the wall
    box(0.32, 0.14, 0.52, 0.38, cloth)
    box(0.46, 0.56, 0.60, 0.78, wood)  # a pot with a plant
    for _ in range(14):
        end = (
            round(width / 2 + float(rng.uniform(0.40, 0.66)) * height),
            round(float(rng.uniform(0.42, 0.54)) * height),
        )
        cv2.line(picture, (round(width / 2 + 0.53 * height), round(0.57 * height)), end, leaf, 3, cv2.LINE_AA)
    box(-0.70, 0.695, 0.70, 0.71, dark)  # the skirting board
    # Light falls from the upper left; walls and floors are never quite even.
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    light = (1.10 - 0.22 * x - 0.18 * y) * gain
    grain = cv2.resize(rng.normal(0.0, 4.0, (height // 8, width // 8)), (width, height))
    blurred = cv2.GaussianBlur(picture, (0, 0), height / 400)
    shaded: NDArray[np.float64] = blurred * light[..., None] + grain[..., None] * gain
    return np.clip(shaded, 0, 255).astype(np.uint8)
