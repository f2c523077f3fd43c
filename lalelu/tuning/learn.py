"""Grow a learned detector from takes with true hits, with scikit-learn's gradient-boosted trees."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.config.kit import KitConfig, LearnedSection
from lalelu.config.schema import Config
from lalelu.errors import MissingError, UsageError
from lalelu.gesture.detector import Detector
from lalelu.gesture.trees import DEPTH, TREES, Ensemble, Node
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.outcome import EVERY, Outcome, goodness, third_of, together

LEARNING_RATE: Final = 0.1
# Few leaves of many frames: chosen on the parts tuned on of the recordings of two players, each half by the other.
MOST_LEAVES: Final = 6
LEAST_SAMPLES: Final = 20  # frames of a leaf
LEAST_FRAMES: Final = 10  # of strokes: fewer teach nothing
THIRDS: Final = (0, 1)  # what is tuned on
_UNKNOWN: Final = "0" * 64  # instead of a checksum, of trees that are in no file yet
MARGINS: Final = (
    0.0,
    0.5,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
)  # of the logarithm of the odds, above which it is a stroke


@dataclass(frozen=True, slots=True)
class _Example:
    """One frame of a candidate."""

    third: int
    features: NDArray[np.float32]  # (FEATURES,)
    is_stroke: bool


def learn(kit: KitConfig, lessons: Sequence[Lesson], judge: Judge, *, seed: int = 0) -> Ensemble:
    """Return the trees that tell the strokes of the parts tuned on from all other movements.

    How sure they must be is chosen on blocks that they were not grown from: each half of the part tuned on is played
    by the trees of the other half.
    Raises MissingError without scikit-learn, UsageError where there are too few strokes.
    """
    examples = [example for lesson in lessons for example in _examples(kit, lesson, judge)]
    halves = [_grow([one for one in examples if one.third == third], seed) for third in THIRDS]

    def unseen(margin: float) -> Outcome:
        parts = []
        for trees, third in zip(halves, reversed(THIRDS), strict=True):
            played = played_by(trees.surer(margin), kit)
            parts += [
                judge.parted(lesson, played, partial(third_of, length_s=lesson.length_s), EVERY)[third]
                for lesson in lessons
            ]
        return together(parts)

    margin = max(MARGINS, key=lambda margin: goodness(unseen(margin), judge.window_ms))
    return _grow([one for one in examples if one.third in THIRDS], seed).surer(margin)


def played_by(trees: Ensemble, kit: KitConfig) -> KitConfig:
    """Return the kit played by these trees."""
    learned = LearnedSection(file="-", sha256=_UNKNOWN, trees=trees.text)
    return kit.model_copy(update={"detector": "learned", "learned": learned})


def _grow(examples: Sequence[_Example], seed: int) -> Ensemble:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as exc:
        raise MissingError(
            "--learn needs the module 'sklearn', which is not installed; `pip install 'lalelu[tune]'` brings it"
        ) from exc
    is_stroke = np.array([one.is_stroke for one in examples], dtype=bool)
    if is_stroke.sum() < LEAST_FRAMES or is_stroke.all():
        raise UsageError(
            f"half of these takes shows {is_stroke.sum()} frames of strokes and {(~is_stroke).sum()} of other "
            f"movements; to learn, {LEAST_FRAMES} and 1 are needed: record more, with rests between"
        )
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_depth=DEPTH,
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=LEAST_SAMPLES,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(limits=1):  # some thousand rows: threads only wait for each other
        model.fit(np.array([one.features for one in examples], dtype=np.float32), is_stroke)
    return grown(model)


def _examples(kit: KitConfig, lesson: Lesson, judge: Judge) -> list[_Example]:
    """Return every candidate's frames, and whether it is a stroke."""
    times: dict[tuple[int, str], list[float]] = {}
    for hit in lesson.truth:
        times.setdefault((hit.player, hit.limb), []).append(hit.time_s)
    found: list[_Example] = []
    origin_ns = lesson.take.frames[0].captured_ns if lesson.take.frames else 0

    def watch(player: int, limb: str, lowest_ns: int, features: NDArray[np.float32]) -> None:
        at_s = (lowest_ns - origin_ns) * 1e-9
        true = times.get((player, limb), [])
        place = bisect_left(true, at_s)
        near = true[max(0, place - 1) : place + 1]
        is_stroke = any(abs(hit - at_s) <= judge.window_ms * 1e-3 for hit in near)
        found.append(_Example(third_of(at_s, lesson.length_s), features, is_stroke))

    detector = _candidates_of(kit, lesson, judge.config)
    known: set[int] = set()
    for frame in lesson.take.frames:
        for pose in frame.poses:
            if pose.player not in known:
                known.add(pose.player)
                detector.welcome(pose.player).have_watched(partial(watch, pose.player))
            detector.step(pose)
    return found


def _candidates_of(kit: KitConfig, lesson: Lesson, config: Config) -> Detector:
    """Return a detector for which nothing is a stroke yet."""
    header = lesson.take.header
    return Detector(
        kit.model_copy(update={"detector": "learned", "learned": None}),
        skeleton=header.keypoints,
        left_handed=config.left_handed,
        aspect=header.width / header.height,
    )


def grown(model: Any) -> Ensemble:  # noqa: ANN401 - scikit-learn ships no types
    """Return the trees of a fitted classifier of two classes."""
    # scikit-learn tells its trees nowhere else
    trees = [dict(enumerate(map(_node, stage[0].nodes))) for stage in model._predictors]  # noqa: SLF001
    return Ensemble.of(float(np.ravel(model._baseline_prediction)[0]), trees)  # noqa: SLF001


def _node(node: Any) -> Node:  # noqa: ANN401 - as above
    if node["is_leaf"]:
        return Node(float(node["value"]))
    # the largest float32 that is not above: every float32 goes to the same side as with the float64
    threshold = np.float32(node["num_threshold"])
    if threshold > node["num_threshold"]:
        threshold = np.nextafter(threshold, np.float32(-np.inf))
    return Node(
        feature=int(node["feature_idx"]),
        threshold=float(threshold),
        left=int(node["left"]),
        right=int(node["right"]),
    )
