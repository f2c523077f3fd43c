"""Follow keypoints from frame to frame by the picture alone: optical flow. Pure but for OpenCV's arithmetic.

Lucas-Kanade (1981, as in OpenCV) on a few points around each keypoint, forth and back; the median of those that come
back home moves the keypoint. A network's result, which may be of an earlier frame, corrects where the keypoint is: the
flow since that frame is added, and the difference is blended in, so that no keypoint jumps.

Only small patches around the keypoints are looked at. They are laid side by side on one sheet, each where its keypoint
is expected, so that a fast hand has moved by what it has changed its speed only.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.pose.body import torso_at
from lalelu.pose.orientation import Orientation
from lalelu.skeleton import COCO17

LEFT_WRIST: Final = COCO17.index("left_wrist")
RIGHT_WRIST: Final = COCO17.index("right_wrist")
_SHOULDERS: Final = (COCO17.index("left_shoulder"), COCO17.index("right_shoulder"))
OTHER_HAND: Final = (
    (LEFT_WRIST, RIGHT_WRIST, COCO17.index("right_elbow")),
    (RIGHT_WRIST, LEFT_WRIST, COCO17.index("left_elbow")),
)
# The numbers below were tried on rendered drummers of eight looks, distances and grooves, Thunder 3 frames late.
# Points around each keypoint: 5 to 20 make a difference of 2 % in the wrists' error.
POINTS: Final = {"wrist": 8, "elbow": 6, "shoulder": 5, "hip": 5, "knee": 5, "ankle": 5}
FOLLOWED: Final = tuple(
    (index, count)
    for part, count in POINTS.items()
    for index, name in enumerate(COCO17)
    if name.endswith(part)
)
DISC: Final = 0.12  # shoulder widths: the points lie so near; 0.06..0.2 are equal, 0.3 is worse by a sixth
WIDEST_DISC: Final = 10.0  # px, so that patches hold the points and their windows
WINDOW: Final = 9  # px: wider ones take in what moves beside a hand (F1 of the hits 91, with 13 px 85)
LEVELS: Final = (
    0  # above the picture: a patch lies where its keypoint is expected, and 1 takes in more beside a hand
)
PATCH: Final = 48  # px: disc, window, and some ten pixels of unexpected motion; 64 is equal, and slower
COLUMNS: Final = 4  # of patches on the sheet
ITERATIONS: Final = 5
FLAT: Final = 1e-4  # least eigenvalue of a window that has something to follow (OpenCV's default)
HOME: Final = 0.5  # px: a point followed forth and back comes back this near, or was lost (1 px: F1 -1.5)
FEWEST: Final = 1  # points that a keypoint needs; with less it goes on as it moved (3: F1 -4)
SLOWING_S: Final = 0.1  # such a keypoint's speed fades within this time
KNOWN: Final = 0.1  # a keypoint scored lower by the network is not followed but moves with the shoulders
ENOUGH: Final = 0.5  # share of the points that must come home, or the score falls
LEAST_FAITH: Final = 0.7  # a frame without any point multiplies the score by this

# Two wrists nearer than this, in shoulder widths, may have each other's points; farther than APART they have not.
TOGETHER: Final = 0.3
APART: Final = 0.45
NEAR: Final = 1.0  # shoulder widths: farther wrists are not in each other's way
# The other hand is so thick (shoulder widths) around a line from its wrist on, so many forearms long. Points there are
# left out: F1 of the hits 93 -> 97, 82 -> 95 where hands play over each other; half or twice as much: 95.
HAND: Final = 0.6
HAND_WIDTH: Final = 0.15
PACE_TAU_S: Final = 0.05  # a wrist that took the other one's motion is known by how it moved over this time
ALIKE: Final = 0.015  # shoulder widths a frame: motions nearer to each other are one; flow's noise is 0.004

# How much of the difference between a network's result and the flow is taken over: LEAST_WEIGHT where the network
# scores UNSURE, MOST_WEIGHT where it scores SURE. A hand that is blurred or in front of the body is seen a fifth of a
# shoulder width off, with a low score, while its flow is exact.
UNSURE: Final = 0.3
SURE: Final = 0.7
LEAST_WEIGHT: Final = 0.05
NOISE: Final = 0.1  # shoulder widths: a sure difference of so much is taken over whole, it is no noise
MOST_WEIGHT: Final = 0.5
BLEND_TAU_S: Final = 0.012  # a correction is worked in so fast; twice as slow is 0.1 px worse
BLEND_SPEED: Final = 5.0  # shoulder widths/s at most: a jump would look like a stroke
JUMP: Final = 0.2  # shoulder widths: beyond, the flow had lost the keypoint, which goes there at once
MEMORY: Final = 32  # frames

Places: TypeAlias = NDArray[np.float32]  # (17, 2), image heights
Scores: TypeAlias = NDArray[np.float32]  # (17,)


def _disc(count: int) -> NDArray[np.float64]:
    """Return points spread evenly over a disc of radius 1 (Vogel's sunflower)."""
    number = np.arange(count) + 0.5
    radius, angle = np.sqrt(number / count), number * math.pi * (3.0 - math.sqrt(5.0))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


class Flow:
    """The keypoints of one player. A frame: `look`, `take` what the network has found meanwhile, then `settle`.

    `look` and `settle` get the same picture. Between them nothing is kept of it but grey patches.
    """

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._shape: tuple[int, ...] = ()
        self._height = 1.0  # of the upright picture, px
        self._turn: NDArray[np.float64] = np.eye(2)  # directions, upright to camera
        self._back: NDArray[Any] = np.eye(2)
        self._shift = np.zeros(2)
        self._side = PATCH
        self._sheets = [np.zeros((0, 0), np.uint8)] * 2  # the frame before, and this one
        # All by keypoint, camera px. A keypoint is where it has flowed plus its correction.
        self._flowed = np.zeros((len(COCO17), 2))
        self._correction = np.zeros((len(COCO17), 2))
        self._target = np.zeros((len(COCO17), 2))  # of the correction
        self._speed = np.zeros((len(COCO17), 2))  # px/s
        self._faith = np.zeros(len(COCO17))  # logarithm, summed up over the frames
        self._network = np.zeros(len(COCO17))  # its scores, over the faith at its frame
        self._seen = np.zeros(len(COCO17))  # ... and as they were
        self._origins = np.zeros((len(COCO17), 2))  # top left of each patch of the sheet
        self._pace = np.zeros((2, 2))  # of the left and the right wrist, px/s, over the last few frames
        self._lent = [False, False]  # left and right wrist: its points are on the other one
        self._unit = 1.0  # shoulder width, px
        self._seq = -1
        self._captured_ns = 0
        self._step_s = 0.0
        self._memory: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self.active = False  # whether there is a player
        self._began = -1  # frame since which the player is followed
        self._stale = False  # the keypoints are those of an earlier frame
        self._followed: tuple[tuple[int, int], ...] = ()  # of FOLLOWED, those that are known
        self._choose(())

    def forget(self) -> None:
        """There is no player any more."""
        self.active = False
        self._memory.clear()

    def look(self, seq: int, captured_ns: int, image: NDArray[np.uint8]) -> None:
        """Follow the keypoints into the frame `seq`: camera's picture, (H, W, 3) BGR or (H, W) grey."""
        if image.shape != self._shape:
            self._take_shape(image.shape)
            self.forget()
        self._step_s = max(captured_ns - self._captured_ns, 0) * 1e-9
        self._seq, self._captured_ns = seq, captured_ns
        if self.active:
            self._follow(image)
            self._remember()

    def take(self, seq: int, places: Places, scores: Scores) -> None:
        """Take in the network's keypoints of the frame `seq`, this one or an earlier one.

        Keypoints that are far from where the network sees them, or were lost, go there at once.
        """
        begins = not self.active or self._stale  # what is known so far is worth less than this
        at = places.astype(np.float64) * self._height @ self._turn.T + self._shift
        flat, weights = places.reshape(-1).tolist(), scores.tolist()
        self._unit = max(torso_at(flat, weights).size * self._height, 1.0)
        followed = tuple(part for part in FOLLOWED if weights[part[0]] >= KNOWN)
        if not self.active:
            self.active = True
            self._began = self._seq
            self._flowed.fill(0.0)
            self._speed.fill(0.0)
            self._pace.fill(0.0)
            self._faith.fill(0.0)
            self._memory.clear()
            self._remember()
        self._stale = seq < self._began  # it was not followed from there on
        if followed != self._followed:
            self._choose(followed)
        flowed, faith = self._memory.get(seq) or next(iter(self._memory.values()))
        missing = at - flowed - self._correction
        size = np.hypot(missing[:, 0], missing[:, 1]) / self._unit
        far = size > JUMP
        lost = self._faith - faith < math.log(ENOUGH)
        sure = np.minimum(np.maximum((scores - UNSURE) / (SURE - UNSURE), 0.0), 1.0)
        most = MOST_WEIGHT + (1.0 - MOST_WEIGHT) * np.minimum(size / NOISE, 1.0) ** 2
        weight = LEAST_WEIGHT + (most - LEAST_WEIGHT) * sure
        weight = np.where(far | lost | begins, 1.0, weight)
        self._target = self._correction + missing * weight[:, None]
        self._correction[far | begins] = self._target[far | begins]
        self._seen = scores.astype(np.float64)
        self._network = np.log(np.maximum(self._seen, 1e-9)) - faith
        self._lent = [False, False]

    def settle(self, image: NDArray[np.uint8]) -> tuple[Places, Scores]:
        """Return where the keypoints are in this frame, and lay the patches for the next one."""
        missing = self._target - self._correction
        share = 1.0 - math.exp(-self._step_s / BLEND_TAU_S)
        most = BLEND_SPEED * self._unit * self._step_s
        size = np.hypot(missing[:, 0], missing[:, 1])
        step = np.minimum(share, most / np.maximum(size, 1e-9))
        self._correction += missing * step[:, None]
        at = self._flowed + self._correction
        self._lay(image, at)
        xy = (at - self._shift) @ self._back.T / self._height
        scores = np.minimum(np.exp(self._network + self._faith), self._seen)
        return xy.astype(np.float32), scores.astype(np.float32)

    def wrists(self) -> tuple[float, float, float, float] | None:
        """Return x, y of the left and the right wrist in this frame (image heights); None where one is uncertain."""
        if not self.active or min(self._lost(LEFT_WRIST), self._lost(RIGHT_WRIST)) < math.log(ENOUGH):
            return None
        at = (self._flowed + self._correction)[[LEFT_WRIST, RIGHT_WRIST]]
        x0, y0, x1, y1 = ((at - self._shift) @ self._back.T / self._height).reshape(-1).tolist()
        return x0, y0, x1, y1

    def _lost(self, keypoint: int) -> float:
        """Return how much the keypoint's score has fallen since the network's result, as a logarithm."""
        score = max(float(self._seen[keypoint]), 1e-9)
        return float(self._network[keypoint] + self._faith[keypoint]) - math.log(score)

    def _follow(self, image: NDArray[np.uint8]) -> None:
        """Move every keypoint from the sheet's patches to the same in `image`."""
        step_s = self._step_s
        motion = self._speed * step_s
        before = self._origins
        at = self._flowed + self._correction
        after = self._place(at + motion)
        self._sheets.reverse()
        self._cut(image, after, self._indices)
        survivors = self._survivors(at, motion, before, after)
        self._origins = after
        fading = math.exp(-step_s / SLOWING_S)
        moved: dict[int, tuple[float, float]] = {}
        for (index, count), found in zip(self._followed, survivors, strict=True):
            share = len(found) / count
            if len(found) < FEWEST:
                moved[index] = (float(motion[index, 0]) * fading, float(motion[index, 1]) * fading)
                share = 0.0
            else:
                moved[index] = _median([x for x, _ in found]), _median([y for _, y in found])
            if share < ENOUGH:
                self._faith[index] += math.log(LEAST_FAITH + (1.0 - LEAST_FAITH) * share / ENOUGH)
        self._keep_apart(at, moved)
        known = [moved[index] for index in _SHOULDERS if index in moved]
        rest = tuple(sum(values) / len(known) for values in zip(*known, strict=True)) if known else (0.0, 0.0)
        motion[:] = rest
        for index, way in moved.items():
            motion[index] = way
        self._flowed += motion
        if step_s > 0.0:
            self._speed = motion / step_s

    def _survivors(
        self,
        at: NDArray[np.float64],
        motion: NDArray[np.float64],
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> list[list[tuple[float, float]]]:
        """Return by followed keypoint how the points moved (camera px) that came back home."""
        if not self._followed:
            return []
        radius = min(DISC * self._unit, WIDEST_DISC)
        of = self._of
        points = at[of] + self._spread * radius - 0.5  # OpenCV's pixel centres are whole numbers
        shift = self._cells[of]
        start = (points - before[of] + shift).astype(np.float32)
        guess = (points + motion[of] - after[of] + shift).astype(np.float32)
        rows = -(-len(self._followed) // COLUMNS) * self._side
        old, new = (sheet[:rows] for sheet in self._sheets)
        end, there = _tracked(old, new, start, guess)
        home, back = _tracked(new, old, end, start.copy())
        away = home - start
        inside = end - shift
        good = there & back & (np.hypot(away[:, 0], away[:, 1]) < HOME)
        good &= (inside > 0.0).all(axis=1) & (inside < self._side - 1.0).all(axis=1)
        good &= (points > 0.0).all(axis=1) & (points < self._last_pixel).all(axis=1)
        self._leave_out_other_hand(points + 0.5, at, good)
        ways = ((end - start) + (after - before)[of]).tolist()
        survivors: list[list[tuple[float, float]]] = []
        keep = good.tolist()
        first = 0
        for _, count in self._followed:
            survivors.append(
                [(x, y) for (x, y), ok in zip(ways[first : first + count], keep[first:], strict=False) if ok]
            )
            first += count
        return survivors

    def _leave_out_other_hand(
        self, points: NDArray[np.float64], at: NDArray[np.float64], good: NDArray[np.bool_]
    ) -> None:
        """Of each wrist's points take away those that lie on the other hand."""
        for wrist, other, elbow in OTHER_HAND:
            if wrist not in self._first or np.hypot(*(at[wrist] - at[other])) > NEAR * self._unit:
                continue
            own = slice(self._first[wrist], self._first[wrist] + POINTS["wrist"])
            hand = HAND * (at[other] - at[elbow])
            along = np.clip((points[own] - at[other]) @ hand / max(float(hand @ hand), 1e-9), 0.0, 1.0)
            away = points[own] - at[other] - along[:, None] * hand
            good[own] &= np.hypot(away[:, 0], away[:, 1]) > HAND_WIDTH * self._unit

    def _keep_apart(
        self,
        at: NDArray[np.float64],
        moved: dict[int, tuple[float, float]],
    ) -> None:
        """Have a wrist whose points went over to the other one go on as it moved, until the network sees both."""
        if LEFT_WRIST not in moved or RIGHT_WRIST not in moved:
            return
        wrists = (LEFT_WRIST, RIGHT_WRIST)
        distance = float(np.hypot(*(at[LEFT_WRIST] - at[RIGHT_WRIST])))
        alike = ALIKE * self._unit
        left, right = (pace.tolist() for pace in self._pace * self._step_s)
        if distance > APART * self._unit:
            self._lent = [False, False]
        elif (
            distance < TOGETHER * self._unit
            and not any(self._lent)
            and math.dist(moved[LEFT_WRIST], moved[RIGHT_WRIST]) < alike
            and math.dist(left, right) > 2.0 * alike
        ):
            turned = math.dist(moved[LEFT_WRIST], left), math.dist(moved[RIGHT_WRIST], right)
            self._lent = [turned[0] > turned[1], turned[0] <= turned[1]]
        share = 1.0 - math.exp(-self._step_s / PACE_TAU_S)
        for side, (wrist, pace) in enumerate(zip(wrists, (left, right), strict=True)):
            if self._lent[side]:
                moved[wrist] = pace[0], pace[1]
                self._faith[wrist] += math.log(LEAST_FAITH)
            elif self._step_s > 0.0:
                self._pace[side] += share * (np.array(moved[wrist]) / self._step_s - self._pace[side])

    def _remember(self) -> None:
        self._memory[self._seq] = self._flowed.copy(), self._faith.copy()
        if len(self._memory) > MEMORY:
            del self._memory[next(iter(self._memory))]

    def _choose(self, followed: Sequence[tuple[int, int]]) -> None:
        """Follow these keypoints from now on."""
        self._followed = tuple(followed)
        self._indices = [index for index, _ in followed]
        self._of = np.repeat(self._indices, [count for _, count in followed]).astype(np.intp)
        starts = np.cumsum([0, *(count for _, count in followed)]).tolist()
        self._first = dict(zip(self._indices, starts, strict=False))  # each keypoint's first point
        discs = [_disc(count) for _, count in followed]
        self._spread = np.concatenate(discs) if discs else np.zeros((0, 2))
        self._cells = np.zeros((len(COCO17), 2))
        for number, index in enumerate(self._indices):
            self._cells[index] = number % COLUMNS * self._side, number // COLUMNS * self._side
        self._origins = np.full((len(COCO17), 2), -1e6)  # none of the patches is laid

    def _place(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the top left corners of patches around `at`, whole px, within the picture."""
        corners: NDArray[np.float64] = np.rint(at - 0.5 * self._side)
        return np.minimum(np.maximum(corners, 0.0), self._last_pixel + 1.0 - self._side)

    def _lay(self, image: NDArray[np.uint8], at: NDArray[np.float64]) -> None:
        """Cut anew the patches that their keypoints have left."""
        best = self._place(at)
        off = np.abs(best - self._origins).max(axis=1)
        left = [index for index in self._indices if off[index] > self._side // 8]
        self._origins[left] = best[left]
        self._cut(image, self._origins, left)

    def _cut(self, image: NDArray[np.uint8], origins: NDArray[np.float64], indices: Sequence[int]) -> None:
        """Copy patches of `image` to the newest sheet, in grey."""
        side, sheet = self._side, self._sheets[1]
        for index in indices:
            x, y = map(int, origins[index].tolist())
            column, row = map(int, self._cells[index].tolist())
            patch, cell = image[y : y + side, x : x + side], sheet[row : row + side, column : column + side]
            if image.ndim == 2:  # grey
                np.copyto(cell, patch)
            else:
                cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY, dst=cell)

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        to_camera = self._orientation.to_camera(width, height)
        self._turn, self._shift = to_camera[:2, :2], to_camera[:2, 2]
        self._back = np.linalg.inv(self._turn)
        self._height = float(self._orientation.upright_size(width, height)[1])
        self._shape = shape
        self._side = min(PATCH, height, width)
        self._last_pixel = np.array([width - 1.0, height - 1.0])
        rows = -(-len(FOLLOWED) // COLUMNS)
        self._sheets = [np.zeros((rows * self._side, COLUMNS * self._side), np.uint8) for _ in range(2)]
        self._choose(())


def _tracked(
    old: NDArray[np.uint8], new: NDArray[np.uint8], points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where the points of `old` are in `new`, and which were found."""
    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        old,
        new,
        points,
        guess,
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ITERATIONS, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=FLAT,
    )
    return np.asarray(ends, np.float32), np.asarray(found[:, 0] != 0)


def _median(values: list[float]) -> float:
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else 0.5 * (values[middle - 1] + values[middle])
