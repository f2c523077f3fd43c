"""What MoveNet MultiPose's output means. Pure."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from lalelu.pose.crop import Crop
from lalelu.pose.movenet import keypoints_at, picture_side, takes_bgr
from lalelu.pose.port import RuntimeFacts
from lalelu.skeleton import COCO17

MOST_PEOPLE: Final = 6  # that the network tells of
# 17 keypoints of y, x, score; then the person's box (ymin, xmin, ymax, xmax) and score
NUMBERS: Final = 3 * len(COCO17) + 5
MULTI_OUTPUT: Final = (1, MOST_PEOPLE, NUMBERS)
FAINT: Final = 0.1  # the network fills its six places with such when fewer people are there


class Person(NamedTuple):
    """Somebody in one frame, in image heights; not yet anybody in particular."""

    places: tuple[float, ...]  # x, y, x, y, ... of 17 keypoints
    scores: tuple[float, ...]  # of 17 keypoints, 0..1
    score: float  # of the whole person, 0..1
    box: tuple[float, float, float, float]  # left, top, right, bottom


class MoveNetMultiPose:
    """MoveNet MultiPose: one colour square in 0..255, out come up to six people.

    Source: the model card of MoveNet.MultiPose (Google, 2021).
    """

    skeleton: tuple[str, ...] = COCO17

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the side of the network's picture in px. Raises UsageError for another kind of model."""
        return picture_side(facts, "a multi-pose MoveNet", MULTI_OUTPUT, "multipose")

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""
        return takes_bgr(facts)

    def outputs_at(self, facts: RuntimeFacts) -> tuple[int, ...]:
        """Return where among the network's outputs those are that `people` reads, in its order."""
        return (keypoints_at(facts),)

    def people(self, outputs: Sequence[NDArray[Any]], crop: Crop) -> list[Person]:
        """Turn the network's outputs for `crop` into people."""
        return self.decode(outputs[0], crop)

    def decode(self, output: NDArray[Any], crop: Crop) -> list[Person]:
        """Turn the network's output for `crop` into people, in the network's order, without the faint ones.

        Always finite: a keypoint that the network left undefined lies at the square's centre with score 0, and
        somebody whose own score or box is undefined is nobody.
        """
        people = []
        for numbers in output.reshape(-1, NUMBERS).tolist():
            score = numbers[-1]
            if score >= FAINT and isfinite(sum(numbers[-5:])):  # NaN is not
                people.append(_person(numbers, crop))
        return people


def _person(numbers: list[float], crop: Crop) -> Person:
    side = crop.side
    left, top = crop.x - 0.5 * side, crop.y - 0.5 * side
    places: list[float] = []
    scores: list[float] = []
    for at in range(0, 3 * len(COCO17), 3):
        y, x, score = numbers[at : at + 3]
        if not isfinite(x + y + score):
            y, x, score = 0.5, 0.5, 0.0
        places += left + x * side, top + y * side
        scores.append(min(max(score, 0.0), 1.0))
    y0, x0, y1, x1, score = numbers[-5:]
    box = (left + x0 * side, top + y0 * side, left + x1 * side, top + y1 * side)
    return Person(tuple(places), tuple(scores), min(score, 1.0), box)
