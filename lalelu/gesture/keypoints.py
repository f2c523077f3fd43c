"""Keypoints by name: the skeleton's, virtual ones and the kit's own weighted means of others. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean
from lalelu.skeleton import VIRTUAL, having, mirrored, virtual_of

Own: TypeAlias = Mapping[str, Mapping[str, float]]  # name -> weights by name

# Weights whose sum is less than this share of their sizes' sum cancel each other: divided by that sum they would
# make a keypoint's noise ten times as large and more.
LEAST_SUM: Final = 0.1
NOTHING: Final = 1e-9  # a share that means have cancelled but for rounding


def cancelling(weights: Iterable[float]) -> str:
    """Return what is wrong with the weights of a mean that nearly cancel each other; empty for others."""
    each = tuple(weights)
    total = sum(each)
    if abs(total) > LEAST_SUM * sum(map(abs, each)):
        return ""
    return (
        f"add up to {total:g} and cancel each other; change them, so that their sum is more than {LEAST_SUM:g} of the "
        "sum of their sizes"
    )


def expand(name: str, skeleton: Sequence[str], own: Own) -> dict[int, float]:
    """Return a keypoint as weights, of sum 1, by index in the skeleton.

    The kit's `own` keypoints win over the virtual ones of the same name. Raises UsageError for a name that is not
    known, one that the skeleton has already, one that is made of itself, and weights that cancel each other.
    """
    return _expand(name, skeleton, own, ())


def mirrored_own(own: Own) -> dict[str, dict[str, float]]:
    """Return a left-handed player's own keypoints."""
    return {
        mirrored(name): {mirrored(of): weight for of, weight in parts.items()} for name, parts in own.items()
    }


class Keypoints:
    """Finds the keypoints of these names in a pose; raises UsageError as `expand` does."""

    def __init__(self, skeleton: Sequence[str], own: Own, names: Iterable[str]) -> None:
        self._plain: list[tuple[str, int]] = []
        self._mean: list[tuple[str, list[tuple[int, float]]]] = []
        self._indices: dict[str, tuple[int, ...]] = {}
        for name in dict.fromkeys(names):
            weights = expand(name, skeleton, own)
            self._indices[name] = tuple(weights)
            if len(weights) == 1:
                self._plain.append((name, next(iter(weights))))
            else:
                self._mean.append((name, list(weights.items())))

    def points(
        self, xy: list[list[float]], score: list[float], min_score: float
    ) -> dict[str, tuple[float, float] | None]:
        """Return every keypoint in the unit of `xy`; None where one that it is made of is not known.

        Not known: scored below `min_score` or 0, or not finite.
        """
        found: dict[str, tuple[float, float] | None] = {}
        for name, index in self._plain:
            x, y = xy[index]
            known = score[index] >= min_score and score[index] > 0.0 and math.isfinite(x + y)
            found[name] = (x, y) if known else None
        for name, weights in self._mean:
            sum_x = sum_y = 0.0
            for index, weight in weights:
                if not (score[index] >= min_score and score[index] > 0.0):
                    found[name] = None
                    break
                x, y = xy[index]
                sum_x += weight * x
                sum_y += weight * y
            else:
                found[name] = (sum_x, sum_y) if math.isfinite(sum_x + sum_y) else None
        return found

    def score_of(self, name: str, score: list[float]) -> float:
        """Return the least score of what a keypoint is made of."""
        return min(score[index] for index in self._indices[name])


def _expand(name: str, skeleton: Sequence[str], own: Own, above: tuple[str, ...]) -> dict[int, float]:
    """Return the weights of `name`, which the keypoints `above` are made of."""
    if name in above:
        raise UsageError(
            f"the keypoint {name!r} is made of itself ({' of '.join((*above[above.index(name) :], name))}); "
            "make it of other keypoints"
        )
    if name in skeleton:
        if name in own:
            raise UsageError(
                f"the keypoint {name!r} is one of the skeleton's; give the kit's own another name"
            )
        return {skeleton.index(name): 1.0}
    parts = own.get(name, VIRTUAL.get(name))
    if parts is None:
        user = f", of which {above[-1]!r} is made," if above else ""
        if having([name]):
            raise UsageError(
                f"the keypoint {name!r}{user} is not one of this network's ({', '.join(skeleton)}); "
                f"those of the skeleton {' or '.join(having([name]))} show it (`lalelu model list` tells them)"
            )
        virtual = virtual_of(skeleton)
        near = did_you_mean(name, {*skeleton, *virtual, *own} - set(above))
        raise UsageError(
            f"the keypoint {name!r}{user} is not known; there are the skeleton's ({', '.join(skeleton)}), "
            f"{', '.join(virtual)} and the kit's own{near}"
        )
    if wrong := cancelling(parts.values()):
        raise UsageError(f"the weights of the keypoint {name!r} {wrong}")
    total = sum(parts.values())
    weights: dict[int, float] = {}
    for part, weight in parts.items():
        for index, share in _expand(part, skeleton, own, (*above, name)).items():
            weights[index] = weights.get(index, 0.0) + weight / total * share
    return {index: weight for index, weight in weights.items() if abs(weight) > NOTHING}
