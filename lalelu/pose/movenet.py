"""What MoveNet's outputs mean. Pure."""

from math import isfinite
from typing import Any, Final

from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.models.picture import BGR
from lalelu.pose.crop import Crop
from lalelu.pose.port import RuntimeFacts
from lalelu.skeleton import COCO17

SINGLE_OUTPUT: Final = (1, 1, len(COCO17), 3)


def picture_side(facts: RuntimeFacts, kind: str, output: tuple[int, ...], models: str) -> int:
    """Return the side of a MoveNet's picture in px.

    Raises UsageError for a network that is not of the `kind` that gives `output`, naming the `models` that are.
    """
    inputs = [spec.shape for spec in facts.inputs]
    outputs = [spec.shape for spec in facts.outputs]
    side = square_side(facts)
    if side < 1 or output not in outputs:
        raise UsageError(
            f"pose.model takes {inputs} and gives {outputs}; {kind} takes one "
            f"(1, S, S, 3) and gives one {output}; choose {models}"
        )
    return side


def square_side(facts: RuntimeFacts) -> int:
    """Return the side of a network's one square picture in px, 0 where it takes something else."""
    shapes = [spec.shape for spec in facts.inputs]
    side = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == len((1, 2, 2, 3)) else 0
    return side if shapes == [(1, side, side, 3)] else 0


def takes_bgr(facts: RuntimeFacts) -> bool:
    """Whether a network wants blue before red, as cameras give it; else it wants red before blue."""
    return facts.inputs[0].name == BGR


def keypoints_at(facts: RuntimeFacts) -> int:
    """Return which of a single-pose network's outputs holds its keypoints: a converted one shows heatmaps, too."""
    names = [spec.name for spec in facts.outputs]
    return names.index("output_0") if "output_0" in names else 0


class MoveNetSinglePose:
    """MoveNet Lightning and Thunder: one colour square in 0..255, out come y, x, score of 17 keypoints.

    Source: the model card of MoveNet.SinglePose (Google, 2021).
    """

    skeleton: tuple[str, ...] = COCO17

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the side of the network's picture in px. Raises UsageError for another kind of model."""
        return picture_side(facts, "a single-pose MoveNet", SINGLE_OUTPUT, "lightning or thunder")

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""
        return takes_bgr(facts)

    def output_at(self, facts: RuntimeFacts) -> int:
        """Return which of the outputs holds the keypoints."""
        return keypoints_at(facts)

    def decode(self, output: NDArray[Any], crop: Crop) -> tuple[list[float], list[float]]:
        """Turn the network's output for `crop` into places (x, y, x, y, ..., image heights) and scores (0..1).

        Always finite: a keypoint that the network left undefined lies at the square's centre with score 0.
        """
        numbers = output.reshape(-1).tolist()
        scores = numbers[2::3]
        if not (isfinite(sum(numbers)) and min(scores) >= 0.0 and max(scores) <= 1.0):
            _mend(numbers)
            scores = numbers[2::3]
        side = crop.side
        left, top = crop.x - 0.5 * side, crop.y - 0.5 * side
        places = [0.0] * (2 * len(scores))
        places[::2] = [left + x * side for x in numbers[1::3]]
        places[1::2] = [top + y * side for y in numbers[::3]]
        return places, scores


def _mend(numbers: list[float]) -> None:
    """Move keypoints (y, x, score after one another) that are not finite to the centre, and bound the scores."""
    for at in range(0, len(numbers), 3):
        y, x, score = numbers[at : at + 3]
        numbers[at + 2] = min(max(score, 0.0), 1.0)
        if not isfinite(x + y + score):
            numbers[at : at + 3] = 0.5, 0.5, 0.0
