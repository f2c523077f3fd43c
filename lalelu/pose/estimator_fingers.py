"""Frame to pose with fingers: a body's estimator, and a hand network for each wrist it finds. Drives runtimes.

The arms say where the hands are, so that no hand has to be searched for; a hand that has been found says itself where
to look in the next frame.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.pose import fingers
from lalelu.pose.body import as_coco, torso_at
from lalelu.pose.movenet import takes_bgr
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import PoseEstimator, Runtime, RuntimeFacts
from lalelu.pose.region import Region, dragged
from lalelu.pose.sampling_turned import TurnedSampler
from lalelu.skeleton import FINGERS40, HAND21
from lalelu.types import Frame, Pose

SEEN: Final = 0.2  # of wrist and elbow: lower, the arm is a guess (as in `lalelu.pose.crop`)
# A hand whose wrist lies farther from the arm's than this, in sides of its square, is another one.
ASTRAY: Final = 0.4
_LANDMARKS: Final = (1, 3 * len(HAND21))
_EACH: Final = len(FINGERS40) // 2


class _Hand:
    """One of the player's hands."""

    def __init__(self, skeleton: Sequence[str], side: Literal["left", "right"], first: int) -> None:
        self.wrist, self.elbow = skeleton.index(f"{side}_wrist"), skeleton.index(f"{side}_elbow")
        self.at = slice(first, first + _EACH)  # its fingers among the keypoints
        self.region: Region | None = None  # for the next frame; none: the arm is not seen
        self.looked_at: Region | None = None  # the frame in hand
        self.sampler: TurnedSampler
        self.picture: NDArray[Any]  # (1, side, side, 3)
        self.xy: NDArray[np.float32] | None = None  # (21, 2), of the frame in hand
        self.presence = 0.0


class FingersEstimator:
    """A PoseEstimator for one player: `body`'s keypoints and the fingers of both hands.

    `open()` it before the first frame; it opens and closes the body's estimator and the hand network's runtime.
    A finger's score is its hand's presence; a hand that is not there scores 0. `rotate` and `mirror` as in
    CameraSection.
    """

    def __init__(
        self,
        body: Any,  # noqa: ANN401 - any estimator of one player that opens and closes
        hands: Runtime,
        *,
        rotate: Literal[0, 90, 180, 270],
        mirror: bool,
    ) -> None:
        self._body: PoseEstimator = body
        self._opened = body
        self._runtime = hands
        self._orientation = Orientation(rotate, mirror)
        self._plain = tuple(body.skeleton)
        self._as_coco = as_coco(self._plain)
        self.skeleton: tuple[str, ...] = (*self._plain, *FINGERS40)
        first = len(self._plain)
        self._hands = (_Hand(self._plain, "left", first), _Hand(self._plain, "right", first + _EACH))
        self._side = 0
        self._at: tuple[int, int]  # where landmarks and presence are among the outputs

    @property
    def tracks_hands(self) -> bool:
        """Whether the body's estimator follows each wrist in its network's heatmaps."""
        return bool(self._opened.tracks_hands)

    def open(self) -> RuntimeFacts:
        """Open both and make the buffers; returns the body network's facts. Raises as they do."""
        found: RuntimeFacts = self._opened.open()
        facts = self._runtime.open()
        names = [spec.name for spec in facts.outputs]
        shapes = [spec.shape for spec in facts.outputs]
        if "landmarks" not in names or "presence" not in names or _LANDMARKS not in shapes:
            raise UsageError(
                f"the hand network gives {shapes}; it gives landmarks {_LANDMARKS} and their presence: "
                "choose pose.fingers: lite or full"
            )
        self._at = names.index("landmarks"), names.index("presence")
        self._side = facts.inputs[0].shape[1]
        for hand in self._hands:
            hand.sampler = TurnedSampler(self._side, self._orientation, bgr=takes_bgr(facts))
            hand.picture = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return found

    def close(self) -> None:
        """Close both; safe to call twice and before `open()`."""
        self._runtime.close()
        self._opened.close()

    def prepare(self, frame: Frame) -> None:
        """Fill the pictures of all networks."""
        self._body.prepare(frame)
        for hand in self._hands:
            hand.looked_at = hand.region
            if hand.region is not None:
                hand.sampler.sample(frame.image, hand.region, hand.picture[0])

    def infer(self) -> None:
        """Run the networks on what `prepare` made."""
        self._body.infer()
        for hand in self._hands:
            hand.xy, hand.presence = None, 0.0
            if hand.looked_at is None:
                continue
            outputs = self._runtime.infer(hand.picture)
            presence = float(outputs[self._at[1]].item())
            if presence >= fingers.PRESENCE:  # NaN is not
                hand.xy = fingers.landmarks(outputs[self._at[0]], hand.looked_at, self._side)
                hand.presence = min(presence, 1.0)

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose in the frame last prepared; empty when the player is not seen."""
        found = self._body.poses()
        if not found:
            for hand in self._hands:
                hand.region = None
            return ()
        (pose,) = found
        xy = np.empty((len(self.skeleton), 2), np.float32)
        score = np.zeros(len(self.skeleton), np.float32)
        xy[: len(self._plain)], score[: len(self._plain)] = pose.xy, pose.score
        size = torso_at(*self._as_coco(pose.xy.reshape(-1).tolist(), pose.score.tolist())).size
        for hand in self._hands:
            kept = self._follow(hand, pose, size)
            xy[hand.at] = pose.xy[hand.wrist] if kept is None else kept[1:]
            score[hand.at] = 0.0 if kept is None else hand.presence
        return (Pose(pose.seq, pose.captured_ns, pose.player, xy, score, pose.via),)

    def _follow(self, hand: _Hand, pose: Pose, size: float) -> NDArray[np.float32] | None:
        """Return the hand's landmarks, None where they are not its own, and see where to look next."""
        wrist, elbow = pose.xy[hand.wrist].tolist(), pose.xy[hand.elbow].tolist()
        if hand.xy is not None and hand.looked_at is not None:
            astray = math.dist(hand.xy[0].tolist(), wrist)
            after = fingers.around(hand.xy)
            if astray <= ASTRAY * hand.looked_at.side and after is not None:
                hand.region = dragged(hand.looked_at, after)
                return hand.xy
        seen = min(float(pose.score[hand.wrist]), float(pose.score[hand.elbow])) >= SEEN
        hand.region = fingers.beyond(wrist, elbow, size) if seen else None
        return None
