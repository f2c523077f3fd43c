"""What stands before a network when it takes the camera's own frame: crop, scale, turn, colour, as a graph. Pure.

It computes what `pose.sampling.Sampler` does, number by number as OpenCV rounds it: the square on whole pixels, halved
by averaging where two pixels or more would become one, then bilinear with weights in 2048ths. (Not so where the picture
is halved twice, and where the frame has luma and chroma: there some numbers differ by a level or two.)
Networks see a change of one level: Lightning moved a wrist by 9 px when a tenth of the picture was rounded otherwise.

Rows are picked first, while they are bytes that lie side by side, then columns, turned on their side so that each lies
together, too (number by number, ONNX Runtime takes three times as long). Places are whole numbers: rounded to bf16,
column 601 would be 600. Products of interpolation matrices and the picture would be shorter to write, and take longer
than Lightning (measured, OpenVINO, 640x480 to 192x192: 15 ms; `GridSample` 2.4 ms; this 0.6 to 1 ms).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from lalelu.errors import UsageError
from lalelu.models.graph import Graph
from lalelu.models.graph_writer import BYTE, FLOAT, INT, GraphWriter
from lalelu.pose.orientation import Orientation

PixelFormat: TypeAlias = Literal["BGR", "RGB", "GREY", "YUYV", "NV12"]
Order: TypeAlias = Literal["bgr", "rgb"]

FORMATS: Final[tuple[PixelFormat, ...]] = get_args(PixelFormat)
FRAME: Final = "frame"  # the public names
CROP: Final = "crop"
PICTURE: Final = "picture"
TAKEN: Final = "taken"
ONE: Final = 1 << 11  # the sum of two weights in OpenCV's bilinear sampling of bytes
FLOAT_BITS: Final = 24  # of whole numbers that float32 holds
COLOURS: Final = 3
# A float32 this large is a whole number: adding it rounds, to the nearest, halves to the even one, as Python does.
_ROUNDING: Final = 3 << 22
# ITU-R BT.601 with 16..235 for luma and 16..240 for chroma, as OpenCV: blue, green, red, each of the numbers above
# black.
_LUMA: Final = 1.164
_YUV_TO_BGR: Final = ((_LUMA, 2.018, 0.0), (_LUMA, -0.391, -0.813), (_LUMA, 0.0, 1.596))
_BLACK: Final = (16, 128, 128)
_LUMA_CHROMA: Final = frozenset({"YUYV", "NV12"})


@dataclass(frozen=True, slots=True)
class Camera:
    """What a frame looks like, and how it makes an upright picture (as in CameraSection)."""

    width: int
    height: int
    format: PixelFormat = "BGR"
    orientation: Orientation = field(default_factory=Orientation)

    def __post_init__(self) -> None:
        """Refuse a size that the format does not have."""
        even = {"YUYV": (2, 1), "NV12": (2, 2)}.get(self.format, (1, 1))
        if self.width < even[0] or self.height < even[1] or self.width % even[0] or self.height % even[1]:
            raise UsageError(
                f"the frame's size is {self.width}x{self.height}; {self.format} has one of whole "
                f"{even[0]}x{even[1]} blocks, as 640x480"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The frame as an array of bytes."""
        plain = (self.height, self.width)
        return {
            "GREY": plain,
            "YUYV": (*plain, 2),
            "NV12": (self.height * 3 // 2, self.width),
        }.get(self.format, (*plain, 3))


@dataclass(frozen=True, slots=True)
class Picture:
    """What a network takes: one colour picture of (height, width) px, as numbers of its own kind."""

    size: tuple[int, int]
    order: Order = "bgr"
    # what is taken off 0..255, and what the rest is multiplied by, of each colour in its order
    scale: tuple[Sequence[float], Sequence[float]] | None = None
    channels_first: bool = False
    dtype: np.dtype[Any] = FLOAT  # rounded where it is whole


@dataclass(frozen=True, slots=True)
class _Channel:
    """Where a row holds one colour: the number for pixel x is number `step * (x // shared) + first`."""

    step: int
    first: int
    shared: int = 1


_Channels: TypeAlias = tuple[_Channel, ...]


@dataclass(frozen=True, slots=True)
class _Tap:
    """One of two pixels that bilinear sampling looks at, in one dimension of m places."""

    indices: str  # (parts, m) int: the frame's columns or rows that it is the average of
    weights: str  # (m,) int: how many of ONE it counts; 0 beyond the frame


def camera_graph(camera: Camera, picture: Picture) -> Graph:
    """Return the graph from `frame` and `crop` to `picture` (1, height, width, 3) and `taken`.

    `frame` as `camera.shape`, uint8. `crop` (3,): a square's centre x, y and its side, in heights of the upright
    picture, at most as long as that picture; black beyond it. A network whose picture is no square sees its middle.
    `taken` (4,): left, top, width and height of what it sees, of a square on whole pixels, in the same unit.
    """
    return _CameraGraph(camera, picture).written()


class _CameraGraph:
    def __init__(self, camera: Camera, picture: Picture) -> None:
        self._w = GraphWriter("camera")
        self._camera = camera
        self._picture = picture
        to_camera = camera.orientation.to_camera(camera.width, camera.height)
        self._is_turned = bool(to_camera[0, 0] == 0)  # a quarter: the frame's columns are the picture's rows
        self._signs = to_camera[:2, :2].sum(axis=1)
        self._offset = to_camera[:2, 2]
        _, self._unit = camera.orientation.upright_size(camera.width, camera.height)  # px in an image height
        # of the picture as it lies in the frame: x, y
        self._size = picture.size if self._is_turned else picture.size[::-1]
        most = max(camera.width, camera.height) // max(self._size)
        self._halvings = max(most.bit_length() - 1, 0)  # that the largest square needs
        self._packing = 8 + 2 * self._halvings  # bits of a sum of bytes that are averaged
        # Colours of luma and chroma are made behind all this, and the unmerged way's before: to round in between would
        # only move them apart.
        self._rounds = camera.format not in _LUMA_CHROMA
        # two such sums go into one number, so that columns are picked once for both
        self._packs = 2 * self._packing <= FLOAT_BITS

    def written(self) -> Graph:
        w, camera = self._w, self._camera
        frame, crop = w.input(FRAME, camera.shape, BYTE), w.input(CROP, (3,), FLOAT)
        halving, left, extent, taken = self._place(crop)
        across, down = (self._taps(w.gather(left, [axis], 0), extent, halving, axis) for axis in (0, 1))
        before, behind = (self._rows(frame, tap) for tap in down)
        rows = [before, behind]
        if self._packs:
            rows = [w.number("AddV2", before, w.number("Mul", behind, 1 << self._packing))]
        channels = _channels(camera, self._picture.order)
        planes = self._sampled(rows, across, down, channels)
        if camera.format in _LUMA_CHROMA:
            planes = self._coloured(planes, across, down)
        return w.graph({TAKEN: taken, PICTURE: self._fitted(planes)})

    def _coloured(self, planes: str, across: tuple[_Tap, _Tap], down: tuple[_Tap, _Tap]) -> str:
        """Write the planes of three colours from luma and both chromas."""
        w, (count, height) = self._w, self._size
        columns, lines = (
            w.number("Mul", w.cast(self._sum([tap.weights for tap in taps]), FLOAT), 1.0 / ONE)
            for taps in (across, down)
        )  # how much of each lies on the frame: beyond it nothing is black, neither luma nor chroma
        inside = w.number("Mul", w.reshape(columns, count, 1), lines)
        parts = [
            w.number("Sub", plane, w.number("Mul", inside, black))
            for plane, black in zip(w.unpack(planes, COLOURS), _BLACK, strict=True)
        ]
        colours = []
        for shares in _YUV_TO_BGR if self._picture.order == "bgr" else _YUV_TO_BGR[::-1]:
            colour = self._sum([w.number("Mul", *each) for each in zip(parts, shares, strict=True)])
            colours.append(w.number("Minimum", w.number("Maximum", colour, 0.0), 255.0))
        return w.reshape(w.concat(colours, 0), COLOURS, count, height)

    def _fitted(self, planes: str) -> str:
        """Write the picture upright, and as the network takes it, from its planes (C, columns, rows) as sampled."""
        w, wanted, (height, width) = self._w, self._picture, self._picture.size
        picture = w.transpose(planes, *((1, 2, 0) if self._is_turned else (2, 1, 0)))
        if self._camera.format == "GREY":
            picture = w.number("Mul", picture, np.ones(COLOURS))
        picture = w.reshape(picture, 1, height, width, COLOURS)
        if wanted.scale is not None:
            less, times = wanted.scale
            picture = w.number("Mul", w.number("Sub", picture, less), times)
        if wanted.dtype.kind in "iu":
            picture = w.cast(w.number("AddV2", picture, 0.5), wanted.dtype)
        return w.transpose(picture, 0, 3, 1, 2) if wanted.channels_first else picture

    def _place(self, crop: str) -> tuple[str, str, str, str]:
        """Write where the square lies: px in one when halved (1,), left and top (2,), side (1,), `taken`.

        Left to side in px of the frame as often halved; all whole numbers.
        """
        w, unit = self._w, self._unit
        turn = (1, 0) if self._is_turned else (0, 1)
        centre = w.number("Mul", w.gather(crop, turn, 0), self._signs * unit)
        centre = w.number("AddV2", centre, self._offset)
        side = w.number("Mul", w.gather(crop, [2], 0), unit)
        halving = w.constant([1], INT)
        for power in range(1, self._halvings + 1):
            reached = w.number("GreaterEqual", side, float(max(self._size) << power))
            more = w.number("Mul", w.cast(reached, INT), float(1 << (power - 1)))
            halving = w.number("AddV2", halving, more)
        pixel = w.cast(halving, FLOAT)
        extent = w.number("Maximum", self._rounded(w.number("RealDiv", side, pixel)), 1)
        half = w.number("Mul", w.cast(extent, FLOAT), 0.5)
        corner = self._rounded(w.number("Sub", w.number("RealDiv", centre, pixel), half))
        middle = w.number("Mul", w.number("AddV2", w.cast(corner, FLOAT), half), pixel)
        middle = w.number("Mul", w.number("Sub", middle, self._offset), self._signs / unit)
        shares = np.array(self._size) / (max(self._size) * unit)
        length = w.number("Mul", w.number("Mul", w.cast(extent, FLOAT), pixel), shares)
        middle, length = (w.gather(pair, turn, 0) for pair in (middle, length))
        begin = w.number("Sub", middle, w.number("Mul", length, 0.5))
        return halving, corner, extent, w.concat([begin, length], 0)

    def _rounded(self, source: str) -> str:
        w = self._w
        return w.number("Sub", w.cast(w.number("AddV2", source, _ROUNDING), INT), _ROUNDING)

    def _taps(self, left: str, extent: str, halving: str, axis: int) -> tuple[_Tap, _Tap]:
        """Write which of the frame's columns (axis 0) or rows lie before and behind each of the picture's."""
        w, count = self._w, self._size[axis]
        pixels = (self._camera.width, self._camera.height)[axis]
        places = np.arange(count) if self._signs[axis] > 0 else np.arange(count)[::-1]
        # in so many parts of a pixel that it is whole, and one pixel too far, so that it is never negative
        longer = max(self._size)
        place = w.number("AddV2", w.number("Mul", extent, 2 * places + 1 + longer - count), longer)
        whole = w.number("FloorDiv", place, 2 * longer)
        rest = w.number("Sub", place, w.number("Mul", whole, 2 * longer))
        behind = w.number("FloorDiv", w.number("AddV2", w.number("Mul", rest, ONE), longer), 2 * longer)
        known = w.number("FloorDiv", w.constant([pixels], INT), halving)
        # what is averaged: all of them, or, where the picture is halved less often than it could be, some twice
        parts = np.arange(1 << self._halvings).reshape(-1, 1)
        shifts = w.number("FloorDiv", w.constant(parts, INT), halving)
        parts_of = w.number("Sub", parts, w.number("Mul", shifts, halving))

        def tap(place: str, weight: str) -> _Tap:
            in_square = w.number("Maximum", w.number("Minimum", place, w.number("Sub", extent, 1)), 0)
            wanted = w.number("AddV2", left, in_square)
            index = w.number("Maximum", w.number("Minimum", wanted, w.number("Sub", known, 1)), 0)
            exists = w.cast(w.number("Equal", index, wanted), INT)
            first = w.number("Mul", index, halving)
            return _Tap(w.number("AddV2", first, parts_of), w.number("Mul", weight, exists))

        return tap(w.number("Sub", whole, 1), w.number("Sub", ONE, behind)), tap(whole, behind)

    def _rows(self, frame: str, tap: _Tap) -> str:
        """Write sums of the frame's rows that are averaged, (m, numbers in a row)."""
        camera = self._camera
        if camera.format != "NV12":
            return self._summed_rows(
                self._w.reshape(frame, camera.height, math.prod(camera.shape[1:])), tap.indices
            )
        lines = self._w.reshape(frame, camera.shape[0], camera.width)
        below = self._w.number("AddV2", self._w.number("FloorDiv", tap.indices, 2), camera.height)
        return self._w.concat([self._summed_rows(lines, indices) for indices in (tap.indices, below)], 1)

    def _summed_rows(self, lines: str, indices: str) -> str:
        w = self._w
        each = w.unpack(indices, 1 << self._halvings)
        return self._sum([w.cast(w.gather(lines, index, 0), FLOAT) for index in each])

    def _sampled(
        self, rows: Sequence[str], across: tuple[_Tap, _Tap], down: tuple[_Tap, _Tap], channels: _Channels
    ) -> str:
        """Write planes (C, columns, rows) from the sums of the rows, as OpenCV rounds them."""
        w, count = self._w, self._size[0]
        turned = [w.transpose(one, 1, 0) for one in rows]
        # before and behind across, of the rows before and behind
        levels = [
            self._averages([self._summed_columns(one, tap.indices, channels) for one in turned])
            for tap in across
        ]
        columns = [w.reshape(w.cast(tap.weights, FLOAT), count, 1) for tap in across]
        mixed = []
        for row, tap in enumerate(down):
            level = self._sum([w.number("Mul", levels[at][row], columns[at]) for at in (0, 1)])
            level = w.number("Mul", self._divided(level, 4), w.cast(tap.weights, FLOAT))
            mixed.append(self._divided(level, 16))
        return self._divided(self._sum(mixed), 2, 2)

    def _summed_columns(self, turned: str, indices: str, channels: _Channels) -> str:
        """Write sums of the frame's columns that are averaged, (C, columns, rows)."""
        w, (count, height), parts = self._w, self._size, 1 << self._halvings
        index = w.reshape(indices, parts, 1, count)
        steps, firsts, shared = (
            np.array([[getattr(channel, name)] for channel in channels])
            for name in ("step", "first", "shared")
        )
        if shared.max() > 1:
            index = w.number("FloorDiv", index, shared)
        index = w.number("AddV2", w.number("Mul", index, steps), firsts)
        each = w.unpack(w.reshape(index, parts, len(channels) * count), parts)
        return w.reshape(self._sum([w.gather(turned, one, 0) for one in each]), len(channels), count, height)

    def _averages(self, sums: Sequence[str]) -> list[str]:
        """Write the rounded averages of both sums, which may be packed in one number."""
        w, power = self._w, 2 * self._halvings
        if self._packs:
            (packed,) = sums
            second = self._floored(packed, self._packing)
            sums = [w.number("Sub", packed, w.number("Mul", second, 1 << self._packing)), second]
        if power == 0:
            return list(sums)
        return [self._divided(one, power, 1 << (power - 1)) for one in sums]

    def _divided(self, number: str, power: int, half: int = 0) -> str:
        """Write a division by a power of two, as OpenCV does it: down, with `half` to the nearest."""
        if not self._rounds:
            return self._w.number("Mul", number, 0.5**power)
        return self._floored(self._w.number("AddV2", number, half) if half else number, power)

    def _floored(self, number: str, power: int) -> str:
        return self._w.number("Floor", self._w.number("Mul", number, 0.5**power))

    def _sum(self, parts: Sequence[str]) -> str:
        first, *rest = parts
        for part in rest:
            first = self._w.number("AddV2", first, part)
        return first


def _channels(camera: Camera, order: Order) -> _Channels:
    """Return where the rows hold each of the picture's three colours, or of Y, U and V."""
    match camera.format:
        case "GREY":
            return (_Channel(1, 0),)
        case "YUYV":
            return (_Channel(2, 0), _Channel(4, 1, 2), _Channel(4, 3, 2))
        case "NV12":
            behind = camera.width
            return (_Channel(1, 0), _Channel(2, behind, 2), _Channel(2, behind + 1, 2))
    is_same = camera.format.lower() == order
    first, second, third = (0, 1, 2) if is_same else (2, 1, 0)
    return (_Channel(3, first), _Channel(3, second), _Channel(3, third))
