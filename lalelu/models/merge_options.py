"""What may be asked of a merged network: the kind of its file, and how a user's own is to be read. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from lalelu.models.camera_graph import Order
from lalelu.models.keypoint_graph import Refine
from lalelu.pose.port import CellsAt

Kind: TypeAlias = Literal["onnx", "tflite", "saved-model"]
Normalise: TypeAlias = Literal["none", "unit", "symmetric", "imagenet"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ENDINGS: Final[Mapping[Kind, str]] = MappingProxyType(
    {"onnx": ".onnx", "tflite": ".tflite", "saved-model": ""}
)
NORMALISES: Final[tuple[Normalise, ...]] = get_args(Normalise)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network wants of a picture, and how its heatmaps are to be read."""

    order: Order | None = None  # rgb, unless the input is called bgr
    normalise: Normalise | None = None  # a network that takes whole numbers needs none
    refine: Refine = "parabola"
    cells_at: CellsAt = "centre"
