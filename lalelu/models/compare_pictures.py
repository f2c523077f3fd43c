"""Draw side by side what variants of a network saw. Writes PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.keypoint_agreement import SURE
from lalelu.errors import UsageError
from lalelu.models.looks import Look
from lalelu.picture import Image, encode_png
from lalelu.skeleton import COCO17, COCO17_BONES

SIDE: Final = 384  # px of each variant's square
TITLE: Final = 24  # px of the line above it
_LEFT: Final = (92, 157, 255)  # blue, green, red
_RIGHT: Final = (245, 196, 88)
_MIDDLE: Final = (235, 235, 235)
_UNSURE: Final = (110, 110, 110)


def write(
    folder: Path, names: Sequence[str], looks: Sequence[Look], found: Sequence[NDArray[np.float64]]
) -> None:
    """Write one picture for each look, a square for each variant.

    `found` holds (N, 17, 3) px and score for each variant. Joints that a variant is not sure of are grey. Raises
    UsageError when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for at, look in enumerate(looks):
            squares = [_square(name, look, seen[at]) for name, seen in zip(names, found, strict=True)]
            (folder / f"{at:03d}.png").write_bytes(encode_png(np.hstack(squares)))
    except OSError as exc:
        raise UsageError(
            f"--pictures {folder} cannot be written ({exc.strerror}); name another folder"
        ) from exc


def _square(name: str, look: Look, seen: NDArray[np.float64]) -> Image:
    size = (SIDE, SIDE)
    canvas = np.asarray(cv2.resize(look.picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    side = look.crop.side * look.height
    corner = np.array([look.crop.x, look.crop.y]) * look.height - 0.5 * side
    points = np.clip((seen[:, :2] - corner) * SIDE / side, -SIDE, 2 * SIDE).round().astype(int).tolist()
    sure = seen[:, 2] >= SURE
    for first, second in COCO17_BONES:
        a, b = COCO17.index(first), COCO17.index(second)
        cv2.line(canvas, points[a], points[b], _colour(first, sure[a] and sure[b]), 2, cv2.LINE_AA)
    for at, (joint, point) in enumerate(zip(COCO17, points, strict=True)):
        radius = 6 if joint.endswith("wrist") else 3
        cv2.circle(canvas, point, radius, _colour(joint, sure[at]), cv2.FILLED, cv2.LINE_AA)
    title = np.zeros((TITLE, SIDE, 3), np.uint8)
    text = f"{name[-28:]}  {look.name[-24:]}"
    cv2.putText(title, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _MIDDLE, 1, cv2.LINE_AA)
    return np.asarray(np.vstack([title, canvas]), np.uint8)


def _colour(joint: str, sure: bool) -> tuple[int, int, int]:
    if not sure:
        return _UNSURE
    return _LEFT if joint.startswith("left_") else _RIGHT if joint.startswith("right_") else _MIDDLE
