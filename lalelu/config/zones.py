"""Where pads and gestures lie: around the player, or in the picture. Pure data."""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from lalelu.config.section import BODY_REACH, BodyLength, Section, tag_by_key

Degrees: TypeAlias = Annotated[float, Field(ge=-360.0, le=360.0)]


class _Shape(Section):
    """Where a pad lies.

    In the body's frame lengths are body units, x to the player's right and y up; in the picture's frame image heights
    of the upright picture, x to its right and y down. Angles in both: degrees, 0 to the right, 90 up.
    """

    frame: Literal["body", "image"] = (
        "body"  # the pad follows the player, or stays where it is in the picture
    )


class Box(_Shape):
    """A rectangle: left, bottom, right, top; in the picture's frame left, top, right, bottom."""

    box: tuple[BodyLength, BodyLength, BodyLength, BodyLength]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        left, low, right, high = self.box
        if not (left < right and low < high):
            names = ("bottom", "top") if self.frame == "body" else ("top", "bottom")
            raise ValueError(
                f"a box is [left, {names[0]}, right, {names[1]}] with left < right and {names[0]} < {names[1]}"
            )
        return self


class Ellipse(_Shape):
    """An ellipse: centre x, centre y, radius x, radius y."""

    ellipse: tuple[BodyLength, BodyLength, BodyLength, BodyLength]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if not (self.ellipse[2] > 0 and self.ellipse[3] > 0):
            raise ValueError("an ellipse is [x, y, radius_x, radius_y] with both radii above 0")
        return self


class HalfPlane(_Shape):
    """Everything on one side of a line: x and y of a point on it, and the direction (degrees) to that side.

    [0, -0.3, 90] is all that lies above -0.3. Other pads in it win.
    """

    half_plane: tuple[BodyLength, BodyLength, Degrees]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """A rectangle around it, for whoever draws it: cut off where nobody reaches, whole where the line is tilted."""
        x, y, towards_deg = self.half_plane
        left, bottom, right, top = -BODY_REACH, -BODY_REACH, BODY_REACH, BODY_REACH
        cut: dict[float, tuple[float, float, float, float]] = {
            0: (x, bottom, right, top),
            90: (left, y, right, top),
        }
        cut |= {180: (left, bottom, x, top), 270: (left, bottom, right, y)}
        return cut.get(towards_deg % 360, (left, bottom, right, top))


class Sector(_Shape):
    """A part of a ring: centre x, centre y, inner and outer radius, first and last angle (degrees, to the left)."""

    sector: tuple[BodyLength, BodyLength, BodyLength, BodyLength, Degrees, Degrees]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        _, _, least, most, from_deg, to_deg = self.sector
        if not (0 <= least < most and 0 < to_deg - from_deg <= 360):
            raise ValueError(
                "a sector is [x, y, r_min, r_max, from_deg, to_deg] with 0 <= r_min < r_max and from_deg < to_deg, "
                "at most 360 apart"
            )
        return self

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The rectangle around the whole ring, for whoever draws it."""
        x, y, _, most, _, _ = self.sector
        return x - most, y - most, x + most, y + most


_SHAPES: Final = {"box": Box, "ellipse": Ellipse, "half_plane": HalfPlane, "sector": Sector}


Zone: TypeAlias = Annotated[
    Annotated[Box, Tag("zone as box")]
    | Annotated[Ellipse, Tag("zone as ellipse")]
    | Annotated[HalfPlane, Tag("zone as half_plane")]
    | Annotated[Sector, Tag("zone as sector")],
    Discriminator(tag_by_key("zone as", _SHAPES)),
]
