"""Evaluate an ensemble of boosted trees with NumPy. Pure.

Trees are complete and DEPTH deep; what ends earlier repeats its value. The text that holds them is base64 of float32:
the baseline, then for each tree the features' numbers and the thresholds of its inner nodes, level by level, and the
values of its leaves. `value <= threshold` goes left.
"""

import base64
import binascii
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

DEPTH: Final = 5
NODES: Final = 2**DEPTH - 1
LEAVES: Final = 2**DEPTH
_WIDTH: Final = 2 * NODES + LEAVES
MOST_TREES: Final = 256


class Trees:
    """Boosted trees; `score` is the logarithm of the odds."""

    __slots__ = ("_baseline", "_feature", "_leaf", "_row", "_threshold", "least_features")

    def __init__(
        self,
        baseline: float,
        feature: NDArray[np.intp],  # (T, NODES)
        threshold: NDArray[np.float32],  # (T, NODES)
        leaf: NDArray[np.float32],  # (T, LEAVES)
    ) -> None:
        self._baseline = baseline
        self._feature, self._threshold, self._leaf = feature.ravel(), threshold.ravel(), leaf.ravel()
        self._row = np.arange(len(feature)) * NODES
        self.least_features = int(feature.max()) + 1

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` gives. Raises ValueError with a reason where it is none."""
        try:
            numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
        except (binascii.Error, ValueError) as exc:
            raise ValueError("it is no base64 of float32 numbers") from exc
        count, rest = divmod(len(numbers) - 1, _WIDTH)
        if rest or not 1 <= count <= MOST_TREES or not np.isfinite(numbers).all():
            raise ValueError(f"it holds no {DEPTH} levels deep trees, 1 to {MOST_TREES}")
        rows = numbers[1:].reshape(count, _WIDTH)
        feature = rows[:, :NODES].astype(np.intp)
        if feature.min() < 0:
            raise ValueError("a feature's number is below 0")
        return cls(float(numbers[0]), feature, rows[:, NODES : 2 * NODES].copy(), rows[:, 2 * NODES :].copy())

    def score(self, features: NDArray[np.float32]) -> float:
        """Return the logarithm of the odds for one row of features (F,)."""
        row = self._row
        at = row
        place = 0 * row
        for _ in range(DEPTH):
            place = 2 * place + 1 + (features[self._feature[at]] > self._threshold[at])
            at = row + np.minimum(place, NODES - 1)
        leaves = self._leaf[place - NODES + np.arange(len(row)) * LEAVES]
        return self._baseline + float(leaves.sum(dtype=np.float64))


def to_text(
    baseline: float, feature: NDArray[np.intp], threshold: NDArray[np.float32], leaf: NDArray[np.float32]
) -> str:
    """Return the text of trees (T, NODES), (T, NODES), (T, LEAVES)."""
    rows = np.concatenate([feature.astype("<f4"), threshold.astype("<f4"), leaf.astype("<f4")], axis=1)
    return base64.b64encode(np.append(np.float32(baseline), rows.ravel()).astype("<f4").tobytes()).decode()
