"""Draw a kit as SVG: the player's figure with the pads around it. Pure."""

import textwrap
from typing import Final
from xml.sax.saxutils import escape

from lalelu.config.kit import KitConfig
from lalelu.kitpicture.rim import Point
from lalelu.kitpicture.scene import places_of_names, scene_of
from lalelu.kitpicture.words import notes_of, printable, sentence_of

_UNIT: Final = 200.0  # px of a body unit
_TEXT: Final = 20.0  # px
# of the text's size: its width and a line's height, in common sans-serif fonts
_CHARACTER: Final = (0.56, 1.25)
_STYLE: Final = (
    "text{font-family:system-ui,sans-serif;text-anchor:middle;fill:#f2f4f7;paint-order:stroke;"
    "stroke:#14161a;stroke-width:5px;stroke-linejoin:round}"
    ".figure{fill:none;stroke:#6c7480;stroke-width:9;stroke-linecap:round;stroke-linejoin:round}"
    ".side{fill:#a8b0bc}"
)


def svg_of(kit: KitConfig) -> str:
    """Return an SVG document of the kit; it names what is not around the player below the picture."""
    scene = scene_of(kit)
    left, bottom, right, top = scene.window
    width = (right - left) * _UNIT
    columns = int(0.94 * width / (_TEXT * _CHARACTER[0]))
    aside = [line for sentence in _aside(kit) for line in textwrap.wrap(sentence, columns)]
    height = (top - bottom) * _UNIT
    line = _TEXT * _CHARACTER[1]

    def at(point: Point) -> str:
        return f"{(point[0] - left) * _UNIT:.1f},{(top - point[1]) * _UNIT:.1f}"

    whole = height + (len(aside) + 2) * line
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {whole:.0f}" '
            f'width="{width / 2:.0f}" height="{whole / 2:.0f}">'
        ),
        f"<title>{_plain(kit.name)}</title>",
        f"<desc>{_plain(kit.description or 'the pads around the player')}</desc>",
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" rx="12" fill="#14161a"/>',
    ]
    parts += [f'<polyline class="figure" points="{" ".join(map(at, bone))}"/>' for bone in scene.figure]
    for outline in scene.outlines:
        look = 'fill-opacity="0.25"' if outline.is_pad else 'fill-opacity="0.08" stroke-dasharray="9 7"'
        parts.append(
            f'<polygon points="{" ".join(map(at, outline.rim))}" fill="{outline.colour}" '
            f'stroke="{outline.colour}" stroke-width="3" {look}/>'
        )
    character = _CHARACTER[0] * _TEXT / _UNIT, _CHARACTER[1] * _TEXT / _UNIT
    for outline, place in zip(scene.outlines, places_of_names(scene, character), strict=True):
        x, y = at(place).split(",")
        parts.append(_text(float(x), float(y) + _TEXT * 0.35, outline.name))
    parts.append(_text(width / 2, height + _TEXT, kit.name))
    parts.append(_text(0.12 * width, height + _TEXT, "your left", "side"))
    parts.append(_text(0.88 * width, height + _TEXT, "your right", "side"))
    for i, sentence in enumerate(aside, 2):
        parts.append(_text(width / 2, height + i * line, sentence, "side"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{_TEXT:.0f}"{css}>{_plain(text)}</text>'


def _plain(text: str) -> str:
    return escape(printable(text))


def _aside(kit: KitConfig) -> list[str]:
    in_picture = [
        f"{name}: {notes_of(kit, pad)}, at a place in the picture"
        for name, pad in kit.pads.items()
        if pad.zone is not None and pad.zone.frame == "image"
    ]
    return in_picture + [f"{name}: {sentence_of(gesture)}" for name, gesture in kit.gestures.items()]
