"""Evaluate an ensemble of boosted trees with NumPy. Pure.

Trees are complete and DEPTH deep; what ends earlier repeats its value. Their bytes are float32, and base64 as a text:
the baseline, then for each tree the features' numbers and the thresholds of its inner nodes, level by level, and the
values of its leaves. `value <= threshold` goes left.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

DEPTH: Final = 5
NODES: Final = 2**DEPTH - 1
LEAVES: Final = 2**DEPTH
_WIDTH: Final = 2 * NODES + LEAVES
TREES: Final = 60  # of an ensemble that is grown
MOST_TREES: Final = 64  # of one that is read: each costs every frame time


def decoded(text: str) -> bytes:
    """Return the bytes of a text. Raises ValueError where it is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("it is no base64") from exc


class Trees:
    """Boosted trees, by their bytes; `score` is the logarithm of the odds.

    Raises ValueError with a reason where the bytes are none.
    """

    __slots__ = (
        "_baseline",
        "_down",
        "_feature",
        "_last",
        "_leaf",
        "_raw",
        "_root",
        "_threshold",
        "least_features",
    )

    def __init__(self, raw: bytes) -> None:
        numbers = np.frombuffer(raw, "<f4")  # raises ValueError, too
        count, rest = divmod(len(numbers) - 1, _WIDTH)
        if rest or not 1 <= count <= MOST_TREES or not np.isfinite(numbers).all():
            raise ValueError(f"it holds no {DEPTH} levels deep trees, 1 to {MOST_TREES}")
        rows = numbers[1:].reshape(count, _WIDTH)
        self._feature = rows[:, :NODES].astype(np.intp).ravel()
        if self._feature.min() < 0:
            raise ValueError("a feature's number is below 0")
        self._raw = raw
        self._baseline = float(numbers[0])
        self._threshold = rows[:, NODES : 2 * NODES].ravel()
        self._leaf = rows[:, 2 * NODES :].ravel()
        self._root = np.arange(count) * NODES  # where a tree's nodes begin
        self._down = 1 - self._root  # twice a node's place and this is the place of its left child
        self._last = np.arange(count) * LEAVES - self._root - NODES  # from there to the leaves
        self.least_features = int(self._feature.max()) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trees) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def score(self, features: NDArray[np.float32]) -> float:
        """Return the logarithm of the odds for one row of features (F,)."""
        is_right = features[self._feature] > self._threshold
        at = self._root
        for _ in range(DEPTH):
            at = 2 * at + self._down + is_right[at]
        return self._baseline + float(self._leaf[at + self._last].sum(dtype=np.float64))


class Node(NamedTuple):
    """One node of a tree: a leaf has a value, every other a feature, a threshold, and two nodes by their numbers."""

    value: float = 0.0
    feature: int = 0
    threshold: float = 0.0
    left: int | None = None
    right: int | None = None


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Boosted trees that were grown or read, before they are played."""

    baseline: float
    feature: NDArray[np.intp]  # (T, NODES)
    threshold: NDArray[np.float32]  # (T, NODES)
    leaf: NDArray[np.float32]  # (T, LEAVES)

    @classmethod
    def of(cls, baseline: float, trees: Sequence[Mapping[int, Node]]) -> "Ensemble":
        """Return trees given by their nodes, of which 0 is the root.

        Raises ValueError for a node that is not there, and for a tree that is too deep.
        """
        count = len(trees)
        made = cls(
            baseline,
            np.zeros((count, NODES), np.intp),
            np.zeros((count, NODES), np.float32),
            np.zeros((count, LEAVES), np.float32),
        )
        for tree, nodes in enumerate(trees):
            made._fill(tree, nodes, node=0, place=0)
        return made

    @property
    def text(self) -> str:
        """What `Trees` takes, decoded."""
        parts = [part.astype("<f4") for part in (self.feature, self.threshold, self.leaf)]
        numbers = np.append(np.float32(self.baseline), np.concatenate(parts, axis=1).ravel())
        return base64.b64encode(numbers.astype("<f4").tobytes()).decode()

    def surer(self, margin: float) -> "Ensemble":
        """Return the same trees with odds that are lower by this logarithm."""
        return replace(self, baseline=self.baseline - margin)

    def nodes(self, tree: int) -> dict[int, Node]:
        """Return a tree's nodes by their numbers, as `of` takes them, the root first; what repeats is one leaf."""
        return dict(self._walk(tree, 0))

    def _walk(self, tree: int, place: int) -> Iterator[tuple[int, Node]]:
        span = LEAVES >> (place + 1).bit_length() - 1  # leaves below the place
        first = (place + 1) * span - LEAVES
        values = self.leaf[tree, first : first + span]
        if (values == values[0]).all():
            yield place, Node(float(values[0]))
            return
        left, right = 2 * place + 1, 2 * place + 2
        feature, threshold = int(self.feature[tree, place]), float(self.threshold[tree, place])
        yield place, Node(feature=feature, threshold=threshold, left=left, right=right)
        yield from self._walk(tree, left)
        yield from self._walk(tree, right)

    def _fill(self, tree: int, nodes: Mapping[int, Node], *, node: int, place: int) -> None:
        """Put a node and all below it into the complete tree; a leaf above the last level repeats its value."""
        if node not in nodes:
            raise ValueError(f"tree {tree} has no node {node}")
        here = nodes[node]
        left, right = here.left, here.right
        if left is None or right is None:
            if place >= NODES:
                self.leaf[tree, place - NODES] = here.value
                return
            left = right = node
        elif place >= NODES:
            raise ValueError(f"tree {tree} is more than {DEPTH} levels deep")
        else:
            self.feature[tree, place] = here.feature
            self.threshold[tree, place] = here.threshold
        self._fill(tree, nodes, node=left, place=2 * place + 1)
        self._fill(tree, nodes, node=right, place=2 * place + 2)
