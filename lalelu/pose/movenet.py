"""What MoveNet's outputs mean. Pure."""

from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.pose.port import RuntimeFacts
from lalelu.skeleton import COCO17

SINGLE_OUTPUT: Final = (1, 1, len(COCO17), 3)


class MoveNetSinglePose:
    """MoveNet Lightning and Thunder: one RGB square in 0..255, out come y, x, score of 17 keypoints.

    Source: the model card of MoveNet.SinglePose (Google, 2021).
    """

    skeleton: tuple[str, ...] = COCO17

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the side of the network's picture in px. Raises UsageError for another kind of model."""
        inputs = [spec.shape for spec in facts.inputs]
        outputs = [spec.shape for spec in facts.outputs]
        side = inputs[0][1] if len(inputs) == 1 and len(inputs[0]) == len((1, 2, 2, 3)) else 0
        if side < 1 or inputs != [(1, side, side, 3)] or SINGLE_OUTPUT not in outputs:
            raise UsageError(
                f"pose.model takes {inputs} and gives {outputs}; a single-pose MoveNet takes one "
                f"(1, S, S, 3) and gives one {SINGLE_OUTPUT}; choose lightning or thunder"
            )
        return side

    def decode(self, output: NDArray[Any], crop: Crop) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Turn the network's output for `crop` into `xy` (17, 2) image heights and `score` (17,) 0..1.

        Always finite: a keypoint that the network left undefined lies at the square's centre with score 0.
        """
        # Plain floats: after an inference the caches are cold, and each NumPy call costs more than 17 rows do.
        left, top = crop.x - 0.5 * crop.side, crop.y - 0.5 * crop.side
        places: list[tuple[float, float]] = []
        scores: list[float] = []
        for y, x, score in output.reshape(len(COCO17), 3).tolist():
            if isfinite(x + y + score):
                places.append((left + x * crop.side, top + y * crop.side))
                scores.append(min(max(score, 0.0), 1.0))
            else:
                places.append((crop.x, crop.y))
                scores.append(0.0)
        return np.array(places, np.float32), np.array(scores, np.float32)
