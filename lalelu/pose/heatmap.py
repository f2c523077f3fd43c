"""What the maps of a heatmap network mean: one keypoint a map, where it is brightest. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.pose.movenet import takes_bgr
from lalelu.pose.port import CellsAt, RuntimeFacts
from lalelu.skeleton import SKELETONS

# EfficientPose's maps in their order (Groos, Ramampiaro, Ihlen: EfficientPose, 2021; its published code).
EFFICIENTPOSE: Final[tuple[str, ...]] = (
    "head_top",
    "upper_neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
)
FAINT: Final = 1e-4  # of a map's numbers: below it only noise is left, and a logarithm would be of nothing
PICTURE: Final = 4  # dimensions of a batch of pictures or maps
COLOURS: Final = 3


class HeatmapPose:
    """A network that gives a map of numbers for each keypoint: (1, h, w, K) or (1, K, h, w), about 0..1.

    `maps` names the keypoint of each map, `skeleton` the poses' keypoints in their order: the same names.
    """

    def __init__(
        self, skeleton: str, *, maps: Sequence[str] | None = None, cells_at: CellsAt = "centre"
    ) -> None:
        self.skeleton = SKELETONS[skeleton]
        self._order = [(maps or self.skeleton).index(name) for name in self.skeleton]
        self._shift = 0.5 if cells_at == "centre" else 0.0

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the longer side of the network's picture, px. Raises UsageError for another kind of network."""
        self.output_at(facts)
        return max(picture_size(facts))

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""
        return takes_bgr(facts)

    def output_at(self, facts: RuntimeFacts) -> int:
        """Return which of the outputs holds the maps. Raises UsageError where none does."""
        count = len(self.skeleton)
        for at, spec in enumerate(facts.outputs):
            if len(spec.shape) == PICTURE and count in {spec.shape[1], spec.shape[3]}:
                return at
        raise UsageError(
            f"pose.model gives {[spec.shape for spec in facts.outputs]}; a heatmap network for these {count} keypoints "
            f"gives (1, {count}, height, width) or (1, height, width, {count}); choose another pose.model or skeleton"
        )

    def decode(self, output: NDArray[Any], crop: Crop) -> tuple[list[float], list[float]]:
        """Turn maps of `crop` into places (x, y, x, y, ..., image heights) and scores (0..1), by the skeleton.

        `crop` is the square whose middle the network saw, over its longer side. Always finite: a keypoint whose map
        is undefined lies at the square's centre with score 0.
        """
        maps = by_keypoint(output, len(self.skeleton))
        _, height, width = maps.shape
        x, y, score = peaks(maps)
        cell = crop.side / max(height, width)
        # of the first cell's middle, or of its corner where that is what a cell stands for
        left = crop.x + (self._shift - 0.5 * width) * cell
        top = crop.y + (self._shift - 0.5 * height) * cell
        places: NDArray[np.float64] = np.empty((len(self._order), 2))
        places[:, 0] = left + cell * x[self._order]
        places[:, 1] = top + cell * y[self._order]
        return places.reshape(-1).tolist(), score[self._order].tolist()


def picture_size(facts: RuntimeFacts) -> tuple[int, int]:
    """Return the height and width of the one picture that a network takes, (1, H, W, 3), px.

    Raises UsageError for a network that takes anything else.
    """
    shapes = [spec.shape for spec in facts.inputs]
    if len(shapes) != 1 or len(shapes[0]) != PICTURE or (shapes[0][0], shapes[0][3]) != (1, COLOURS):
        raise UsageError(
            f"pose.model takes {shapes}; a heatmap network takes one (1, H, W, 3); choose another"
        )
    _, height, width, _ = shapes[0]
    return height, width


def by_keypoint(output: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the maps (count, h, w) of one picture, whichever way the network lays them."""
    maps: NDArray[Any] = output[0]
    return maps if maps.shape[0] == count else maps.transpose(2, 0, 1)


def peaks(maps: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return where each of the maps (K, h, w) has its peak, in cells from the first one's middle, and how high (0..1).

    Between cells: training draws a keypoint as a bell curve, whose logarithm is a parabola, and three cells in a row
    determine one (as in Zhang and others, Distribution-Aware Coordinate Representation, 2020, for each axis alone).
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    at = flat.argmax(axis=1)
    rows, columns = at // width, at % width
    every = np.arange(count)
    highest = flat[every, at].astype(np.float64)
    x = columns + _off(
        maps[every, rows, np.maximum(columns - 1, 0)],
        highest,
        maps[every, rows, np.minimum(columns + 1, width - 1)],
    )
    y = rows + _off(
        maps[every, np.maximum(rows - 1, 0), columns],
        highest,
        maps[every, np.minimum(rows + 1, height - 1), columns],
    )
    undefined = ~np.isfinite(highest)
    if undefined.any():
        x[undefined], y[undefined], highest[undefined] = 0.5 * (width - 1), 0.5 * (height - 1), 0.0
    return x, y, np.clip(highest, 0.0, 1.0)


def _off(before: NDArray[Any], peak: NDArray[np.float64], after: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far the parabola through three logarithms has its peak from the middle one, -0.5..0.5 cells."""
    first, middle, last = (
        np.log(np.maximum(np.nan_to_num(numbers.astype(np.float64)), FAINT))
        for numbers in (before, peak, after)
    )
    bend = first - 2.0 * middle + last
    found: NDArray[np.float64] = np.where(bend < 0.0, 0.5 * (first - last) / np.minimum(bend, -FAINT), 0.0)
    return np.clip(found, -0.5, 0.5)
