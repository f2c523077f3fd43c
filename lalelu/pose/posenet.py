"""What PoseNet's tensors mean: everybody in the picture, put together from keypoint to keypoint. Pure.

Source: Papandreou, Zhu, Chen, Gidaris, Tompson, Murphy: PersonLab, 2018, with its published parameters.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.pose.movenet import square_side, takes_bgr
from lalelu.pose.multipose import FAINT, MOST_PEOPLE, Person
from lalelu.pose.port import RuntimeFacts
from lalelu.skeleton import COCO17

Numbers: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]

OUTPUTS: Final = ("heatmaps", "offsets", "forward", "backward")
STRIDE: Final = 16  # px of the network's picture from cell to cell
LIMIT: Final = 100.0  # beyond it a sigmoid is 0 or 1; an undefined number counts as -LIMIT
ROOT_SCORE: Final = 0.5  # a keypoint from which a person may begin
SAME_PX: Final = (
    20.0  # a root so near to the same keypoint of somebody found is that one's; px of the network's picture
)
REFINED: Final = 2  # how often a keypoint that was arrived at is moved to where its cell says it lies
# From keypoint to keypoint, the nearer one to the nose first: the order of the displacements.
EDGES: Final[tuple[tuple[str, str], ...]] = (
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("left_shoulder", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("nose", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("right_shoulder", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
_COUNT: Final = len(COCO17)


class _Step(NamedTuple):
    """Edges that can be gone at once, because none needs what another brings."""

    source: Whole  # keypoints
    target: Whole
    y_at: Whole  # which of the displacements is theirs
    x_at: Whole
    along: bool  # from the nose outwards


def _steps() -> tuple[_Step, ...]:
    """Return all steps towards the nose, the outermost first, then all away from it."""
    depth = {"nose": 0}
    for near, far in EDGES:
        depth[far] = depth[near] + 1
    levels = [
        [edge for edge, (_, far) in enumerate(EDGES) if depth[far] == level]
        for level in range(1, max(depth.values()) + 1)
    ]

    def step(edges: list[int], along: bool) -> _Step:
        ends = np.array([[COCO17.index(name) for name in EDGES[edge]] for edge in edges])
        near, far = ends.T
        at = np.array(edges)
        return _Step(near if along else far, far if along else near, at, at + len(EDGES), along)

    return tuple([step(edges, False) for edges in reversed(levels)] + [step(edges, True) for edges in levels])


_STEPS: Final = _steps()


class PoseNet:
    """PoseNet: one colour square, out come maps of keypoints and the ways from one to the next."""

    skeleton: tuple[str, ...] = COCO17

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the side of the network's picture in px. Raises UsageError for another kind of model."""
        inputs = [spec.shape for spec in facts.inputs]
        side = square_side(facts)
        cells = (side - 1) // STRIDE + 1
        shapes = {spec.name: spec.shape for spec in facts.outputs}
        wanted = {
            name: (1, cells, cells, channels)
            for name, channels in zip(
                OUTPUTS, (_COUNT, 2 * _COUNT, 2 * len(EDGES), 2 * len(EDGES)), strict=True
            )
        }
        if side < 1 or wanted.items() - shapes.items():
            raise UsageError(
                f"pose.model takes {inputs} and gives {shapes}; a PoseNet takes one (1, S, S, 3) and gives "
                f"{', '.join(OUTPUTS)}; choose posenet"
            )
        return side

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""
        return takes_bgr(facts)

    def outputs_at(self, facts: RuntimeFacts) -> tuple[int, ...]:
        """Return where among the network's outputs those are that `people` reads, in its order."""
        names = [spec.name for spec in facts.outputs]
        return tuple(names.index(name) for name in OUTPUTS)

    def people(self, outputs: Sequence[NDArray[Any]], crop: Crop) -> list[Person]:
        """Turn heatmaps, offsets and displacements of `crop` into people, the surest first, without the faint ones."""
        heatmaps, offsets, forward, backward = (output[0] for output in outputs)
        cells = heatmaps.shape[0]
        sure = np.clip(np.nan_to_num(heatmaps.astype(np.float64), nan=-LIMIT), -LIMIT, LIMIT)
        scores = 1.0 / (1.0 + np.exp(-sure))
        roots = _roots(scores)
        if not roots.size:
            return []
        found, seen = _assembled(roots, scores, offsets, forward, backward)
        side = (cells - 1) * STRIDE + 1  # px of the network's picture
        return [
            person
            for at, own in _chosen(roots[:, 2], found)
            if (person := _person(found[at], seen[at], own, side, crop)).score >= FAINT
        ]


def _roots(scores: Numbers) -> Whole:
    """Return (N, 3), row, column, keypoint of the peaks over 3 x 3 cells that reach ROOT_SCORE, the highest first."""
    height, width, _ = scores.shape
    around = np.pad(scores, ((1, 1), (1, 1), (0, 0)), constant_values=-1.0)
    highest = np.max([around[y : y + height, x : x + width] for y, x in np.ndindex(3, 3)], axis=0)
    roots = np.argwhere((scores >= highest) & (scores >= ROOT_SCORE))
    heights = scores[tuple(roots.T)]
    return roots[np.argsort(-heights, kind="stable")]


def _assembled(
    roots: Whole, scores: Numbers, offsets: Numbers, forward: Numbers, backward: Numbers
) -> tuple[Numbers, Numbers]:
    """Return of each root the person that begins there: (N, 17, 2) y, x in px, and (N, 17) scores. All at once."""
    last = scores.shape[0] - 1
    every = np.arange(len(roots))
    rows, columns, kinds = roots.T
    places = np.zeros((len(roots), _COUNT, 2))
    seen = np.zeros((len(roots), _COUNT))
    known = np.zeros((len(roots), _COUNT), bool)
    places[every, kinds] = roots[:, :2] * STRIDE + _ways(offsets, roots[:, :2], kinds, kinds + _COUNT)
    seen[every, kinds] = scores[rows, columns, kinds]
    known[every, kinds] = True
    for step in _STEPS:
        who, which = np.nonzero(known[:, step.source] & ~known[:, step.target])
        if not who.size:
            continue
        target = step.target[which]
        at = places[who, step.source[which]]
        at = at + _ways(
            forward if step.along else backward, _cells(at, last), step.y_at[which], step.x_at[which]
        )
        for _ in range(REFINED):
            cells = _cells(at, last)
            at = cells * STRIDE + _ways(offsets, cells, target, target + _COUNT)
        cells = _cells(at, last)
        places[who, target] = at
        seen[who, target] = scores[cells[:, 0], cells[:, 1], target]
        known[who, target] = True
    return places, seen


def _ways(numbers: NDArray[Any], cells: Whole, y_at: Whole, x_at: Whole) -> Numbers:
    """Return (N, 2), y and x in px, that stand in `numbers` (rows, columns, channels); what is undefined is 0."""
    rows, columns = cells.T
    ways = np.stack((numbers[rows, columns, y_at], numbers[rows, columns, x_at]), axis=1)
    return np.nan_to_num(ways.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _cells(places: Numbers, last: int) -> Whole:
    """Return the cells that are nearest to places in px."""
    return np.clip(np.rint(places / STRIDE), 0, last).astype(np.int64)


def _chosen(kinds: Whole, found: Numbers) -> list[tuple[int, NDArray[np.bool_]]]:
    """Return which of the people found are somebody new, and which keypoints each has for itself.

    The highest root counts first. A root that lies on the same keypoint of somebody is that one's.
    """
    chosen: list[tuple[int, NDArray[np.bool_]]] = []
    free = np.ones(len(found), bool)
    every = np.arange(len(found))
    roots = found[every, kinds]
    while len(chosen) < MOST_PEOPLE and free.any():
        at = int(free.argmax())
        own = np.ones(_COUNT, bool)
        for other, _ in chosen:
            own &= np.linalg.norm(found[at] - found[other], axis=1) > SAME_PX
        chosen.append((at, own))
        free &= np.linalg.norm(roots - found[at, kinds], axis=1) > SAME_PX
        free[at] = False
    return chosen


def _person(places: Numbers, seen: Numbers, own: NDArray[np.bool_], side: int, crop: Crop) -> Person:
    """Return somebody in image heights, from px of the network's picture."""
    scale = crop.side / side
    left, top = crop.x - 0.5 * crop.side, crop.y - 0.5 * crop.side
    x, y = left + places[:, 1] * scale, top + places[:, 0] * scale
    box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    score = float(seen[own].sum()) / _COUNT
    return Person(tuple(np.stack((x, y), axis=1).reshape(-1).tolist()), tuple(seen.tolist()), score, box)
