"""What benches measured, as a chart in a file: SVG as text, PNG painted with OpenCV. Writes a file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.chart import Bar, BarPanel, Box, Line, Panel, Picture, TracePanel, colours, draw, svg
from lalelu.bench import inference, pipeline
from lalelu.bench.instrument import Playing
from lalelu.errors import UsageError
from lalelu.picture import encode_png

SUFFIXES: Final = (".png", ".svg")
_SHARP: Final = 2  # painted at twice the size, so that thin lines and small text stay clean
_TEXT: Final = 1 / 30  # OpenCV's own letters at scale 1 are so many px high, as a font's size counts
_SHIFT: Final = 4  # OpenCV draws at 1/16 px


def check_suffix(path: Path) -> None:
    """Refuse a chart's name before the measuring. Raises UsageError."""
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"--chart {path}: a chart is a {' or '.join(SUFFIXES)} file; give it one of these endings"
        )


def write(path: Path, panels: Sequence[Panel]) -> None:
    """Write the panels, one below the other. Raises UsageError where that cannot be done."""
    picture = draw(panels)
    data = svg(picture).encode() if path.suffix == ".svg" else encode_png(painted(picture))
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise UsageError(f"--chart {path} cannot be written ({exc.strerror}); name another place") from exc


def inference_panel(found: inference.Comparison) -> BarPanel:
    """Return one bar a variant: p50, with a line to p99."""
    hues = colours(row.variant.split()[0] for row in found.rows)
    bars = [
        Bar(row.variant, row.spread.p50, row.spread.p99, hues[row.variant.split()[0]]) for row in found.rows
    ]
    bars += [
        Bar(f"{name}, late", spread.p50, spread.p99, "#8c959f") for name, spread in found.sleepers.items()
    ]
    return BarPanel(
        f"{found.model}: one inference, core {found.core}, {found.runs} runs", "ms, p50", tuple(bars)
    )


def pipeline_panel(found: pipeline.Comparison) -> BarPanel:
    """Return one bar a pipeline: frames a second, coloured by flow."""
    hues = colours(row.flow for row in found.rows)
    bars = tuple(
        Bar(f"{row.variant}, {row.flow}, {row.hands}", row.frames_per_s, colour=hues[row.flow])
        for row in found.rows
    )
    title = (
        f"{found.model}: picture to hits, core {found.core}; runtime, flow (carried: network beside), hands"
    )
    return BarPanel(title, "frames a second", bars)


def playing_panels(plays: Iterable[Playing]) -> list[Panel]:
    """Return each model's inferences in the running instrument, one after the other."""
    return [
        TracePanel(
            f"{each.model}: {each.inference.count} inferences in a row inside the running instrument",
            "ms",
            each.inference_ms,
            f"p50 {each.inference.p50:.2f}, p99 {each.inference.p99:.2f}, SD {each.inference.sd:.2f}; bare sleeper "
            f"beside ({each.scheduling}) late by p50 {each.sleeper.p50_ms:.2f}, p99 {each.sleeper.p99_ms:.2f}",
        )
        for each in plays
    ]


def painted(picture: Picture) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) BGR, at twice its size; what is not ASCII is a question mark there."""
    canvas = np.zeros((round(picture.height * _SHARP), round(picture.width * _SHARP), 3), np.uint8)
    for shape in picture.shapes:
        ink = _bgr(shape.colour)
        if isinstance(shape, Box):
            right, bottom = shape.x + shape.width, shape.y + shape.height
            corners = np.array([_px(shape.x, shape.y), _px(right, bottom)]) - (0, 1)
            cv2.rectangle(canvas, corners[0] + (0, 1), corners[1], ink, cv2.FILLED)
        elif isinstance(shape, Line):
            points = np.array(shape.points) * _SHARP * 2**_SHIFT
            thick = max(1, round(shape.thick * _SHARP))
            cv2.polylines(canvas, [points.astype(np.int32)], False, ink, thick, cv2.LINE_AA, _SHIFT)
        else:
            text = shape.text.encode("ascii", "replace").decode("ascii")
            scale = shape.size * _SHARP * _TEXT
            (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, _SHARP - 1)
            back = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * width
            x, y = _px(shape.x, shape.y)
            cv2.putText(
                canvas,
                text,
                (round(x - back), y),
                cv2.FONT_HERSHEY_SIMPLEX,
                scale,
                ink,
                _SHARP - 1,
                cv2.LINE_AA,
            )
    return canvas


def _px(x: float, y: float) -> tuple[int, int]:
    return round(x * _SHARP), round(y * _SHARP)


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
