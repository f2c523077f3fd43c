"""Find the end of downward strokes of one limb by what was learned from a player's takes. Pure.

A fall that has just turned upward is a candidate; trees that were grown from takes with true hits say, frame by frame,
whether it is a stroke, from the limb's height and velocity over the last fifth of a second. Where and when it ended is
found as for every other stroke.
"""

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.config.kit import KitConfig, StrikeSection
from lalelu.errors import UsageError
from lalelu.gesture.motion import Motion
from lalelu.gesture.strike import HISTORY, Stroke, StrokeFinder
from lalelu.gesture.trees import Trees, decoded

# A candidate: falls by this much at this speed (body units, and a second). A quarter of the default kit's options, so
# that the trees decide.
CANDIDATE_FALL: Final = 0.03
CANDIDATE_SPEED: Final = 0.3
LATEST_S: Final = 0.12  # after its lowest point a fall is decided
# Steps of 10 ms back from now: the fall of a stroke of 2.5 Hz, and more than that of all faster ones.
HEIGHTS_S: Final = -0.01 * np.arange(1, 21)
SPEEDS_S: Final = -0.02 * np.arange(1, 11)
FEATURES: Final = len(HEIGHTS_S) + 2 * len(SPEEDS_S) + 9
FALL: Final = FEATURES - 4  # number of a feature: the fall so far, body units
RISEN: Final = FEATURES - 1  # likewise: the time since the lowest point, s

# (ns of the lowest point, features (FEATURES,)) of a candidate's frame
Watch: TypeAlias = Callable[[int, NDArray[np.float32]], None]


def trees_of(raw: bytes) -> Trees:
    """Return the trees of these bytes. Raises ValueError where they are none, or take other features."""
    trees = Trees(raw)
    if trees.least_features > FEATURES:
        raise ValueError(f"it takes {trees.least_features} features, and there are {FEATURES}")
    return trees


class LearnedFinder(StrokeFinder):
    """One limb's strokes as StrokeFinder gives them, but decided by trees; nothing is foreseen.

    `trees` None: nothing is a stroke. `watch` is told of every frame of every candidate.
    """

    __slots__ = ("_moves", "_trees", "watch")

    def __init__(self, options: StrikeSection, trees: Trees | None) -> None:
        lowered = {
            "min_speed": min(options.min_speed, CANDIDATE_SPEED),
            "min_height": min(options.min_height, CANDIDATE_FALL),
        }
        super().__init__(options.model_copy(update=lowered))
        self._trees = trees
        self._moves: deque[tuple[float, float, float, float]] = deque(maxlen=HISTORY)  # s, y, vx, vy
        self.watch: Watch | None = None

    def is_like(self, other: StrokeFinder) -> bool:
        """Whether the other one finds the same strokes."""
        return isinstance(other, LearnedFinder) and other._trees == self._trees and super().is_like(other)

    def restart(self) -> None:
        """Forget the movement so far."""
        self._moves.clear()
        super().restart()

    def step(self, captured_ns: int, x: float, y: float, motion: Motion) -> Stroke | None:
        """Return the stroke whose end has become sure with this keypoint (body units), else None."""
        self._moves.append((captured_ns * 1e-9, motion.y, motion.vx, motion.vy))
        return super().step(captured_ns, x, y, motion)

    def _ends(self, captured_ns: int, motion: Motion) -> bool:
        """Whether the trees take the turn for a stroke's end."""
        if self.top - self.lowest < CANDIDATE_FALL:
            return False
        if (captured_ns - self._lowest_ns) * 1e-9 > LATEST_S:
            self._begin(captured_ns, motion.y)
            return False
        features = self._features(captured_ns, motion)
        if self.watch is not None:
            self.watch(self._finish().struck_ns, features)
        return self._trees is not None and self._trees.score(features) > 0.0

    def _features(self, captured_ns: int, motion: Motion) -> NDArray[np.float32]:
        """Return (FEATURES,): heights and velocities before now, in body units, and the movement so far."""
        moves = np.fromiter(chain.from_iterable(self._moves), np.float64)  # twice as fast as np.array
        times, heights, across, down = moves.reshape(-1, 4).T
        times = times - captured_ns * 1e-9
        return np.concatenate(
            [
                np.interp(HEIGHTS_S, times, heights) - motion.y,
                np.interp(SPEEDS_S, times, across),
                np.interp(SPEEDS_S, times, down),
                [
                    motion.vx,
                    motion.vy,
                    motion.ay,
                    motion.noise,
                    motion.y - self.lowest,
                    self.top - self.lowest,
                    self.peak,
                    self.mean_speed,
                    (captured_ns - self._lowest_ns) * 1e-9,
                ],
            ]
        ).astype(np.float32)


def finders_of(kit: KitConfig, lead_s: float) -> Generator[None, None, Callable[[], StrokeFinder]]:
    """Make what makes a limb's finder of strokes, as the kit asks for it, a little at each step.

    Raises UsageError for a lead, which learned ones do not have, and ValueError for trees that are none.
    """
    if kit.detector == "model":
        return partial(StrokeFinder, kit.strike, lead_s=lead_s)
    if lead_s > 0.0:
        raise UsageError(
            f"timing.lead_ms is {lead_s * 1e3:g}, but the kit {kit.name} has detector: learned, which foresees "
            "nothing; choose lead_ms: 0 or detector: model"
        )
    text = None if kit.learned is None else kit.learned.trees
    if text is None:
        return partial(LearnedFinder, kit.strike, None)
    raw = decoded(text)
    yield
    return partial(LearnedFinder, kit.strike, trees_of(raw))
