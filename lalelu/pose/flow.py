"""Follow keypoints from frame to frame by the picture alone: optical flow. Pure but for OpenCV's arithmetic.

The median of the points around a keypoint moves it, a wrist with the help of its forearm. A network's result, which may
be of an earlier frame, corrects where the keypoint is: the flow since that frame is added, and the difference is
blended in, so slowly that it bends no stroke: flow knows better how a hand moves, the network where it is.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.pose.body import torso_at
from lalelu.pose.orientation import Orientation
from lalelu.pose.sheet import Sheet
from lalelu.pose.wrist import ALONG, Way, Wrist, by_forearm, median
from lalelu.skeleton import COCO17

LEFT_WRIST: Final = COCO17.index("left_wrist")
RIGHT_WRIST: Final = COCO17.index("right_wrist")
_SHOULDERS: Final = (COCO17.index("left_shoulder"), COCO17.index("right_shoulder"))
# wrist, elbow, the forearm's place after the keypoints'
ARMS: Final = (
    (LEFT_WRIST, COCO17.index("left_elbow"), len(COCO17)),
    (RIGHT_WRIST, COCO17.index("right_elbow"), len(COCO17) + 1),
)
# The numbers below were tried on rendered drummers of eight looks, distances and grooves, Thunder 3 frames late.
# Points around each keypoint: 5 to 20 make a difference of 2 % in the wrists' error.
POINTS: Final = {"wrist": 8, "elbow": 6, "shoulder": 5, "hip": 5, "knee": 5, "ankle": 5}
FOREARM_POINTS: Final = 6
FOLLOWED: Final = (
    *(
        (index, count)
        for part, count in POINTS.items()
        for index, name in enumerate(COCO17)
        if name.endswith(part)
    ),
    *((forearm, FOREARM_POINTS) for _, _, forearm in ARMS),
)
SLOWING_S: Final = 0.1  # a keypoint without any point slows down within this time
KNOWN: Final = 0.1  # a keypoint scored lower by the network is not followed but moves with the shoulders
ENOUGH: Final = 0.5  # share of the points that must come home, or the score falls
LEAST_FAITH: Final = 0.7  # a frame without any point multiplies the score by this
ARM_SHARE: Final = 0.35  # a forearm stands in for this share of its wrist's points; 0.2..0.5 are equal
FEWEST: Final = 2  # points that an elbow and a forearm need for that

# The other hand is so thick (shoulder widths) around a line from its wrist on, so many forearms long. Points there are
# left out: F1 of the hits 93 -> 97, 82 -> 95 where hands play over each other; half or twice as much: 95.
HAND: Final = 0.6
HAND_WIDTH: Final = 0.15
NEAR: Final = 1.0  # shoulder widths: farther wrists are not in each other's way

# How much of the difference between a network's result and the flow is taken over: of a sure one (SURE), as much as
# brings it in within ANCHOR_TAU_S; of an unsure one (UNSURE) LEAST_SHARE of that. A hand that is blurred or in front of
# the body is seen a fifth of a shoulder width off, with a low score, while its flow is exact. With 40 ms the wrists
# are 0.1 px nearer to the network's, and strokes' times vary by 7.3 instead of 6 ms; slower is no better.
ANCHOR_TAU_S: Final = 0.13
UNSURE: Final = 0.3
SURE: Final = 0.7
LEAST_SHARE: Final = 0.25
NOISE: Final = 0.15  # shoulder widths: a sure difference of so much is taken over whole, it is no noise
BLEND_TAU_S: Final = 0.012  # a correction is worked in so fast; twice as slow is 0.1 px worse
BLEND_SPEED: Final = 5.0  # shoulder widths/s at most: a jump would look like a stroke
JUMP: Final = 0.2  # shoulder widths: beyond, the flow had lost the keypoint, which goes there at once
MEMORY: Final = 32  # frames

Places: TypeAlias = NDArray[np.float32]  # (17, 2), image heights
Scores: TypeAlias = NDArray[np.float32]  # (17,)


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
        self._sheet = Sheet(len(COCO17) + len(ARMS))
        self._wrists = [Wrist(POINTS["wrist"]) for _ in ARMS]
        # All by keypoint, camera px. A keypoint is where it has flowed plus its correction.
        self._flowed = np.zeros((len(COCO17), 2))
        self._correction = np.zeros((len(COCO17), 2))
        self._target = np.zeros((len(COCO17), 2))  # of the correction
        self._speed = np.zeros((len(COCO17), 2))  # px/s
        self._faith = np.zeros(len(COCO17))  # logarithm, summed up over the frames
        self._network = np.zeros(len(COCO17))  # its scores, over the faith at its frame
        self._seen = np.zeros(len(COCO17))  # ... and as they were
        self._unit = 1.0  # shoulder width, px
        self._seq = -1
        self._captured_ns = 0
        self._step_s = 0.0
        # by seq: when it was captured, where the keypoints had flowed, and the faith
        self._memory: dict[int, tuple[int, NDArray[np.float64], NDArray[np.float64]]] = {}
        self.active = False  # whether there is a player
        self._began = -1  # frame since which the player is followed
        self._stale = False  # the keypoints are those of an earlier frame
        self._taken_ns = 0  # when the frame of the network's last result was captured

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
        weights += [min(weights[wrist], weights[elbow]) for wrist, elbow, _ in ARMS]
        followed = tuple(part for part in FOLLOWED if weights[part[0]] >= KNOWN)
        if not self.active:
            self.active = True
            self._began = self._seq
            self._flowed.fill(0.0)
            self._speed.fill(0.0)
            self._faith.fill(0.0)
            self._memory.clear()
            self._remember()
        self._stale = seq < self._began  # it was not followed from there on
        if followed != self._sheet.parts:
            self._sheet.choose(followed)
        captured_ns, flowed, faith = self._memory.get(seq) or next(iter(self._memory.values()))
        missing = at - flowed - self._correction
        size = np.hypot(missing[:, 0], missing[:, 1]) / self._unit
        far = size > JUMP
        lost = self._faith - faith < math.log(ENOUGH)
        sure = np.minimum(np.maximum((scores - UNSURE) / (SURE - UNSURE), 0.0), 1.0)
        share = 1.0 - math.exp(-max(captured_ns - self._taken_ns, 0) * 1e-9 / ANCHOR_TAU_S)
        self._taken_ns = captured_ns
        most = share + (1.0 - share) * np.minimum(size / NOISE, 1.0) ** 2
        least = LEAST_SHARE * share
        weight = np.where(far | lost | begins, 1.0, least + (most - least) * sure)
        self._target = self._correction + missing * weight[:, None]
        self._correction[far | begins] = self._target[far | begins]
        for filter_, (wrist, _, _) in zip(self._wrists, ARMS, strict=True):
            if begins or far[wrist]:
                filter_.lose(self._unit)
        self._seen = scores.astype(np.float64)
        self._network = np.log(np.maximum(self._seen, 1e-9)) - faith

    def settle(self, image: NDArray[np.uint8]) -> tuple[Places, Scores]:
        """Return where the keypoints are in this frame, and lay the patches for the next one."""
        missing = self._target - self._correction
        share = 1.0 - math.exp(-self._step_s / BLEND_TAU_S)
        most = BLEND_SPEED * self._unit * self._step_s
        size = np.hypot(missing[:, 0], missing[:, 1])
        step = np.minimum(share, most / np.maximum(size, 1e-9))
        self._correction += missing * step[:, None]
        at = self._flowed + self._correction
        self._sheet.lay(image, _with_forearms(at))
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
        """Move every keypoint from the last picture to `image`."""
        step_s, sheet = self._step_s, self._sheet
        motion = self._speed * step_s
        at = _with_forearms(self._flowed + self._correction)
        points = sheet.spread(at, self._unit)
        allowed = self._not_on_other_hand(points, at)
        survivors = sheet.follow(image, points, at, _with_forearms(motion), allowed)
        fading = math.exp(-step_s / SLOWING_S)
        found: dict[int, Sequence[Way]] = {}
        moved: dict[int, Way] = {}
        shares: dict[int, float] = {}
        for (index, count), ways in zip(sheet.parts, survivors, strict=True):
            found[index], shares[index] = ways, len(ways) / count
            if ways:
                moved[index] = median(ways)
            elif index < len(COCO17):
                moved[index] = float(motion[index, 0]) * fading, float(motion[index, 1]) * fading
        for filter_, (wrist, elbow, forearm) in zip(self._wrists, ARMS, strict=True):
            if wrist not in found:
                continue
            arm = None
            if min(len(found.get(elbow, ())), len(found.get(forearm, ()))) >= FEWEST:
                arm = by_forearm(moved[elbow], moved[forearm])
                shares[wrist] = max(shares[wrist], ARM_SHARE)
            x, y = motion[wrist].tolist()
            moved[wrist] = filter_.step((x, y), found[wrist], arm, unit=self._unit, step_s=step_s)
        known = [moved[index] for index in _SHOULDERS if index in moved]
        rest = tuple(sum(values) / len(known) for values in zip(*known, strict=True)) if known else (0.0, 0.0)
        motion[:] = rest
        for index, share in shares.items():
            if index >= len(COCO17):
                continue
            motion[index] = moved[index]
            if share < ENOUGH:
                self._faith[index] += math.log(LEAST_FAITH + (1.0 - LEAST_FAITH) * share / ENOUGH)
        self._flowed += motion
        if step_s > 0.0:
            self._speed = motion / step_s

    def _not_on_other_hand(self, points: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of the points do not lie on the hand of the arm that is not theirs."""
        allowed = np.ones(len(points), bool)
        for (wrist, *_), (other, elbow, _) in (ARMS, ARMS[::-1]):
            own = self._sheet.own(wrist)
            if own.stop == 0 or np.hypot(*(at[wrist] - at[other])) > NEAR * self._unit:
                continue
            hand = HAND * (at[other] - at[elbow])
            along = np.clip((points[own] - at[other]) @ hand / max(float(hand @ hand), 1e-9), 0.0, 1.0)
            away = points[own] - at[other] - along[:, None] * hand
            allowed[own] = np.hypot(away[:, 0], away[:, 1]) > HAND_WIDTH * self._unit
        return allowed

    def _remember(self) -> None:
        self._memory[self._seq] = self._captured_ns, self._flowed.copy(), self._faith.copy()
        if len(self._memory) > MEMORY:
            del self._memory[next(iter(self._memory))]

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        to_camera = self._orientation.to_camera(width, height)
        self._turn, self._shift = to_camera[:2, :2], to_camera[:2, 2]
        self._back = np.linalg.inv(self._turn)
        self._height = float(self._orientation.upright_size(width, height)[1])
        self._shape = shape
        self._sheet.resize(width, height)


def _with_forearms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values by keypoint, and after them those of the forearms."""
    (wrist, elbow, _), (other_wrist, other_elbow, _) = ARMS
    wrists, elbows = values[[wrist, other_wrist]], values[[elbow, other_elbow]]
    return np.concatenate([values, elbows + ALONG * (wrists - elbows)])
