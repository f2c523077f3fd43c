"""Charts of measurements as plain shapes, and those as SVG: bars side by side, values one after the other. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

GROUND: Final = "#ffffff"
INK: Final = "#24292f"
DIM: Final = "#6e7781"
GRID: Final = "#d8dee4"
# told apart on white ground, also in grey
COLOURS: Final = ("#0969da", "#bf8700", "#1a7f37", "#8250df", "#cf222e", "#57606a", "#0a7f86", "#c4438a")

WIDTH: Final = 860.0  # px, of every chart
_LEFT: Final = 270.0  # names of bars
_RIGHT: Final = 150.0  # their values
_BAR: Final = 18.0
_TITLE: Final = 40.0
_AXIS: Final = 30.0
_TRACE: Final = 180.0
_REACH: Final = (
    2.0  # a whisker ends at so many times the longest bar; its value stands beside it all the same
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a BarPanel."""

    name: str
    value: float
    far: float | None = None  # a thin line goes on to here (p99)
    colour: str = COLOURS[0]


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Bars one below the other, on one scale."""

    title: str
    unit: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class TracePanel:
    """One value after the other."""

    title: str
    unit: str
    values: tuple[float, ...]
    note: str = ""
    colour: str = COLOURS[0]


Panel: TypeAlias = BarPanel | TracePanel


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle, px."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points x, y, px."""

    points: tuple[tuple[float, float], ...]
    colour: str
    thick: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `x`, `y` are the end of its base line that `anchor` names."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    size: float = 12.0  # px
    colour: str = INK


Shape: TypeAlias = Box | Line | Text


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn, in this order."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def draw(panels: Sequence[Panel]) -> Picture:
    """Return the panels one below the other."""
    shapes: list[Shape] = []
    top = 0.0
    for panel in panels:
        drawn, top = _bars(panel, top) if isinstance(panel, BarPanel) else _trace(panel, top)
        shapes += drawn
    return Picture(WIDTH, top, (Box(0.0, 0.0, WIDTH, top, GROUND), *shapes))


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for every name, in the order of their first appearance."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(names))}


def svg(picture: Picture) -> str:
    """Return the picture as the text of an SVG file."""
    size = f'width="{picture.width:g}" height="{picture.height:g}"'
    view = f'viewBox="0 0 {picture.width:g} {picture.height:g}"'
    font = 'font-family="system-ui, sans-serif"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} {font}>'
    return "\n".join([head, *map(_svg, picture.shapes), "</svg>\n"])


def _svg(shape: Shape) -> str:
    if isinstance(shape, Box):
        at = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect {at} fill="{shape.colour}"/>'
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        stroke = f'stroke="{shape.colour}" stroke-width="{shape.thick:g}"'
        return f'<polyline fill="none" {stroke} points="{points}"/>'
    at = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
    return f'<text {at} font-size="{shape.size:g}" fill="{shape.colour}">{escape(shape.text)}</text>'


def _bars(panel: BarPanel, top: float) -> tuple[list[Shape], float]:
    longest = max((bar.value for bar in panel.bars), default=0.0) or 1.0
    farthest = max((bar.far or bar.value for bar in panel.bars), default=0.0)
    end = max(longest, min(farthest, _REACH * longest))
    across = WIDTH - _LEFT - _RIGHT
    begin, bottom = top + _TITLE, top + _TITLE + _BAR * len(panel.bars)
    shapes: list[Shape] = [Text(16.0, top + 26.0, panel.title, size=14.0)]
    for tick in ticks(end):
        x = _LEFT + across * tick / end
        shapes.append(Line(((x, begin), (x, bottom)), GRID))
        shapes.append(Text(x, bottom + 14.0, f"{tick:g}", "middle", 11.0, DIM))
    shapes.append(Text(WIDTH - 16.0, bottom + 14.0, panel.unit, "end", 11.0, DIM))
    for row, bar in enumerate(panel.bars):
        y = begin + _BAR * row
        length, middle = across * bar.value / end, y + 0.5 * _BAR
        shapes.append(Text(_LEFT - 8.0, y + 13.0, bar.name, "end"))
        shapes.append(Box(_LEFT, y + 3.0, length, _BAR - 6.0, bar.colour))
        at, told = _LEFT + length, number(bar.value)
        if bar.far is not None:
            at = max(at, _LEFT + across * min(bar.far / end, 1.0))
            shapes.append(Line(((_LEFT + length, middle), (at, middle)), bar.colour))
            shapes.append(Line(((at, middle - 4.0), (at, middle + 4.0)), bar.colour))
            told += f" (p99 {number(bar.far)})"
        shapes.append(Text(at + 8.0, y + 13.0, told))
    return shapes, bottom + _AXIS


def _trace(panel: TracePanel, top: float) -> tuple[list[Shape], float]:
    left, right = 56.0, WIDTH - 16.0
    bottom = top + _TITLE + 14.0 + _TRACE
    highest = max(panel.values, default=0.0) or 1.0
    last = max(len(panel.values) - 1, 1)
    shapes: list[Shape] = [
        Text(16.0, top + 26.0, panel.title, size=14.0),
        Text(16.0, top + 44.0, panel.note, size=11.0, colour=DIM),
    ]
    for tick in ticks(highest):
        y = bottom - _TRACE * tick / highest
        shapes.append(Line(((left, y), (right, y)), GRID))
        shapes.append(Text(left - 6.0, y + 4.0, f"{tick:g}", "end", 11.0, DIM))
    shapes.append(Text(right, top + 44.0, panel.unit, "end", 11.0, DIM))
    for tick in ticks(last):
        x = left + (right - left) * tick / last
        shapes.append(Text(x, bottom + 16.0, f"{tick:g}", "middle", 11.0, DIM))
    points = tuple(
        (left + (right - left) * at / last, bottom - _TRACE * value / highest)
        for at, value in enumerate(panel.values)
    )
    shapes.append(Line(points, panel.colour))
    return shapes, bottom + _AXIS


def ticks(end: float, about: int = 5) -> list[float]:
    """Return round numbers from 0 up to `end`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(end / about))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= end / about)
    return [step * count for count in range(math.floor(end / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Return a value as it stands beside its bar: three or four digits of it."""
    return f"{value:.2f}" if value < 100.0 else f"{value:.0f}"
