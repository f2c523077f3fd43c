"""How well two networks agree on keypoints, and both with people who labelled them. Pure.

Drift and loss are counted over the joints of which the reference is sure: what it only guesses at jumps for any
reason. Source of the similarity: COCO's keypoint evaluation (Lin and others, 2014; cocodataset.org).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.people import SPREAD
from lalelu.registry import did_you_mean
from lalelu.skeleton import COCO17

Floats: TypeAlias = NDArray[np.float64]

# How far COCO's own labellers differ at each keypoint, one standard deviation, in roots of a person's area.
SIGMAS: Final[Floats] = np.array([SPREAD[name.rpartition("_")[2]] for name in COCO17])
SURE: Final = 0.3  # the score from which MoveNet's users count a keypoint as found
BELIEVED: Final = 0.15  # the default of a kit's strike.min_score: a joint scored lower plays nothing
SAME: Final = (
    0.5  # COCO's loosest match: a joint less similar than this to where the reference has it went elsewhere
)
WRISTS: Final = ("left_wrist", "right_wrist")
WORST: Final = 3  # joints that a table names besides the wrists

# What a limit may be stated for: its unit, and whether the measured value may not lie above or below it.
LIMITS: Final[Mapping[str, tuple[str, bool]]] = {
    "drift.p50": ("px", True),
    "drift.p95": ("px", True),
    "drift.p99": ("px", True),
    "drift.max": ("px", True),
    "lost": ("%", True),
    "unsure": ("%", True),
    "wrists": ("%", True),
    "oks": ("", False),
    "time": ("", True),
}


@dataclass(frozen=True, slots=True)
class Joint:
    """One keypoint over all people. `faded`: seen, but no longer surely."""

    name: str
    sure: int  # people on whom the reference is sure of it
    lost: int
    faded: int
    p95_px: float | None
    max_px: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A network beside the reference; drift is None where the reference is sure of nothing."""

    people: int
    sure: int
    p50_px: float | None
    p95_px: float | None
    p99_px: float | None
    max_px: float | None
    lost: int
    faded: int
    lost_percent: float
    wrists_lost_percent: float
    joints: tuple[Joint, ...]

    @property
    def unsure_percent(self) -> float:
        """Of the joints that the reference is sure of, those that the other is not: lost or faded."""
        return _percent(self.lost + self.faded, self.sure)

    @property
    def worst(self) -> tuple[Joint, ...]:
        """Both wrists, and the joints that lost or drifted most."""
        ranked = sorted(self.joints, key=lambda joint: (-joint.lost, -joint.faded, -(joint.p95_px or 0.0)))
        others = [joint for joint in ranked if joint.name not in WRISTS][:WORST]
        return (*(joint for joint in self.joints if joint.name in WRISTS), *others)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as it was written, the figure that it is for, and its value in the figure's unit."""

    text: str
    name: str
    value: float


def similarity(distance: Floats, size: Floats) -> Floats:
    """Return COCO's keypoint similarity (N, 17), 1 at no distance.

    `distance` (N, 17) and `size` (N,), the root of each person's area, in the same unit.
    """
    share = distance / (2.0 * SIGMAS * size[:, None])
    return np.asarray(np.exp(-0.5 * share**2), np.float64)


def oks(found: Floats, labels: Floats, size: Floats) -> float:
    """Return the mean similarity of people, each the mean over their labelled keypoints.

    `found` (N, 17, 2+) x, y; `labels` (N, 17, 3) x, y and a mark above 0 where labelled; `size` (N,) as above.
    """
    labelled = labels[..., 2] > 0
    alike = similarity(np.linalg.norm(found[..., :2] - labels[..., :2], axis=-1), size)
    each = np.where(labelled, alike, 0.0).sum(axis=1) / np.maximum(labelled.sum(axis=1), 1)
    return float(each[labelled.any(axis=1)].mean()) if labelled.any() else math.nan


def agreement(reference: Floats, found: Floats, size_px: Floats) -> Agreement:
    """Compare what two networks found on the same pictures: (N, 17, 3) x, y in px and score.

    `size_px` (N,) is the root of each person's area. A joint is lost when the reference is sure of it and the other
    scores it below what a kit believes, or puts it where COCO's loosest match no longer calls it the same.
    """
    distance = np.linalg.norm(reference[..., :2] - found[..., :2], axis=-1)
    sure = reference[..., 2] >= SURE
    lost = sure & ((found[..., 2] < BELIEVED) | (similarity(distance, size_px) < SAME))
    faded = sure & ~lost & (found[..., 2] < SURE)
    joints = []
    for at, name in enumerate(COCO17):
        p95, longest = _percentiles(distance[sure[:, at], at], (95, 100))
        count, gone, weak = (int(which[:, at].sum()) for which in (sure, lost, faded))
        joints.append(Joint(name, count, gone, weak, p95, longest))
    p50, p95, p99, longest = _percentiles(distance[sure], (50, 95, 99, 100))
    wrists = [joint for joint in joints if joint.name in WRISTS]
    return Agreement(
        len(reference),
        int(sure.sum()),
        p50,
        p95,
        p99,
        longest,
        int(lost.sum()),
        int(faded.sum()),
        _percent(int(lost.sum()), int(sure.sum())),
        _percent(sum(joint.lost for joint in wrists), sum(joint.sure for joint in wrists)),
        tuple(joints),
    )


def _percentiles(values: Floats, at: Sequence[int]) -> list[float | None]:
    return [float(each) for each in np.percentile(values, at)] if values.size else [None] * len(at)


def _percent(count: int, of: int) -> float:
    return 100.0 * count / of if of else 0.0


def figures(found: Agreement, *, oks: float | None, time: float | None) -> dict[str, float | None]:
    """Return what limits are stated for: see LIMITS. `time` is the ratio to the reference's."""
    return {
        "drift.p50": found.p50_px,
        "drift.p95": found.p95_px,
        "drift.p99": found.p99_px,
        "drift.max": found.max_px,
        "lost": found.lost_percent if found.sure else None,
        "unsure": found.unsure_percent if found.sure else None,
        "wrists": found.wrists_lost_percent if found.sure else None,
        "oks": oks,
        "time": time,
    }


def parse_limit(text: str) -> Limit:
    """Read `drift.p99=6px`, `lost=1%`, `wrists=0%`, `oks=0.7` (at least) or `time=0.95`. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or name not in LIMITS:
        raise UsageError(
            f"limit {text!r} is none that can be stated; write NAME=VALUE with one of {', '.join(LIMITS)}, "
            f"as in drift.p99=6px{did_you_mean(name, LIMITS)}"
        )
    unit, _ = LIMITS[name]
    try:
        number = float(value.removesuffix(unit) if unit else value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0.0):
        raise UsageError(
            f"limit {text!r}: {value!r} is no amount; write a number from 0 up, as in {name}=1{unit}"
        )
    return Limit(text, name, number)


def broken(measured: Mapping[str, float | None], limits: Iterable[Limit]) -> list[str]:
    """Return one sentence for each limit that does not hold; what was not measured holds nothing."""
    sentences = []
    for limit in limits:
        unit, at_most = LIMITS[limit.name]
        value = measured[limit.name]
        if value is None:
            why = "give --people for it" if limit.name == "oks" else "there is nothing to judge it by"
            sentences.append(f"limit {limit.text}: {why}")
        elif value > limit.value if at_most else value < limit.value:
            sentences.append(f"limit {limit.text}: it is {value:.4g}{f' {unit}' if unit else ''}")
    return sentences
