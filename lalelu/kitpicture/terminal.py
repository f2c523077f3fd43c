"""Draw a kit for a terminal: lines of Braille dots, names and a legend. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.kitpicture.rim import Point
from lalelu.kitpicture.scene import Scene, places_of_names, scene_of
from lalelu.kitpicture.words import notes_of, players_of, printable, sentence_of

WIDTH: Final = 80  # columns

_ROWS: Final = 26  # of the picture at most, so that it stands in a window of 40 lines with its legend
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode's bits, by row and column
_BRAILLE: Final = 0x2800
_FIGURE: Final = "#7a828e"
_TAIL: Final = "…"


def drawn(kit: KitConfig, *, width: int = WIDTH, colour: bool = False, braille: bool = True) -> str:
    """Return the kit's picture and its legend, no line longer than `width` (at least 40) columns.

    `colour` adds the terminal's control sequences; without `braille` all is ASCII.
    """
    width = max(width, 40)
    lines = [*_picture(scene_of(kit), width, colour=colour, braille=braille), "", *_legend(kit, width)]
    text = "\n".join(line.rstrip() for line in lines)
    return text if braille else text.replace(_TAIL, "~")


class _Canvas:
    """Cells of 2 by 4 dots."""

    def __init__(self, scene: Scene, width: int) -> None:
        self.left, bottom, right, self.top = scene.window
        self.scale = min(2 * width / (right - self.left), 4 * _ROWS / (self.top - bottom))  # dots a body unit
        self.columns = min(int((right - self.left) * self.scale / 2) + 1, width)
        self.rows = int((self.top - bottom) * self.scale / 4) + 1
        self.dots = [[0] * self.columns for _ in range(self.rows)]
        self.text: list[list[str | None]] = [[None] * self.columns for _ in range(self.rows)]
        self.colours: list[list[str | None]] = [[None] * self.columns for _ in range(self.rows)]

    def line(self, a: Point, b: Point, colour: str, *, every: int = 1) -> None:
        (x1, y1), (x2, y2) = self._at(a), self._at(b)
        steps = max(1, round(max(abs(x2 - x1), abs(y2 - y1))))
        for i in range(0, steps + 1, every):
            column, row = round(x1 + (x2 - x1) * i / steps), round(y1 + (y2 - y1) * i / steps)
            if 0 <= column < 2 * self.columns and 0 <= row < 4 * self.rows:
                self.dots[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
                self.colours[row // 4][column // 2] = colour

    def write(self, middle: Point, text: str, colour: str) -> None:
        x, y = self._at(middle)
        row = min(max(int(y / 4), 0), self.rows - 1)
        start = min(max(round(x / 2 - len(text) / 2), 0), max(self.columns - len(text), 0))
        for column, letter in enumerate(text[: self.columns], start):
            self.text[row][column], self.colours[row][column] = letter, colour

        for column in (start - 1, start + len(text)):  # a gap, so that no line touches the name
            if 0 <= column < self.columns and self.text[row][column] is None:
                self.dots[row][column] = 0

    def _at(self, point: Point) -> Point:
        return (point[0] - self.left) * self.scale, (self.top - point[1]) * self.scale

    def lines(self, *, colour: bool, braille: bool) -> Iterator[str]:
        for dots, text, colours in zip(self.dots, self.text, self.colours, strict=True):
            cells = []
            for bits, letter, paint in zip(dots, text, colours, strict=True):
                sign = letter or (" " if not bits else chr(_BRAILLE + bits) if braille else ".")
                cells.append(_painted(sign, paint) if colour and paint is not None else sign)
            yield "".join(cells).rstrip()


def _picture(scene: Scene, width: int, *, colour: bool, braille: bool) -> Iterator[str]:
    canvas = _Canvas(scene, width)
    for bone in scene.figure:
        for a, b in pairwise(bone):
            canvas.line(a, b, _FIGURE)
    for outline in scene.outlines:
        for a, b in pairwise((*outline.rim, outline.rim[0])):
            canvas.line(a, b, outline.colour, every=1 if outline.is_pad else 3)
    character = 2 / canvas.scale, 4 / canvas.scale
    for outline, place in zip(scene.outlines, places_of_names(scene, character), strict=True):
        canvas.write(place, outline.name, outline.colour)
    sides = "your left", "your right"
    indent = " " * ((width - canvas.columns) // 2)
    yield from (indent + line for line in canvas.lines(colour=colour, braille=braille))
    yield indent + sides[0] + " " * max(canvas.columns - len("".join(sides)), 1) + sides[1]


def _legend(kit: KitConfig, width: int) -> Iterator[str]:
    title = f"{kit.name}: {kit.description}" if kit.description else kit.name
    yield from textwrap.wrap(printable(title), width)
    yield from _table(
        [(name, notes_of(kit, pad), players_of(pad)) for name, pad in kit.pads.items()],
        width,
    )
    if kit.gestures:
        indent = max(len(name) for name in kit.gestures) + 4
        yield "gestures"
        for name, gesture in kit.gestures.items():
            yield from textwrap.wrap(
                printable(sentence_of(gesture)),
                width,
                initial_indent=f"  {name}".ljust(indent),
                subsequent_indent=" " * indent,
            )


def _table(rows: Sequence[tuple[str, str, str]], width: int) -> Iterator[str]:
    first, last = (max(len(row[i]) for row in rows) for i in (0, 2))
    second = min(max(len(row[1]) for row in rows), max(width - first - last - 6, 8))
    for name, notes, players in rows:
        line = f"  {name:<{first}}  {_short(notes, second):<{second}}  {players}"
        yield _short(line, width)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + _TAIL


def _painted(sign: str, colour: str) -> str:
    """Return `sign` with the nearest of the 216 colours that terminals know."""
    red, green, blue = (round(value / 51) for value in bytes.fromhex(colour.removeprefix("#")))
    return f"\x1b[38;5;{16 + 36 * red + 6 * green + blue}m{sign}\x1b[0m"
