"""Frame to pose with MoveNet: follow the player, fill the network's picture, decode. Drives a runtime."""

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.pose.body import torso_of
from lalelu.pose.crop import Crop, CropFollower, around, whole
from lalelu.pose.hands import HandTracker, Heads, heads_of, shows_heads
from lalelu.pose.lock import PlayerLock
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import Runtime, RuntimeFacts
from lalelu.pose.sampling import Sampler
from lalelu.types import Frame, Pose


class MoveNetEstimator:
    """A PoseEstimator for one player. `open()` it before the first frame; it opens and closes its runtime.

    `crop_mode` follow looks at a square around the player once there is one, whole always at everything.
    `hands` track follows each wrist in the network's heatmaps, network takes the wrists as the network says,
    auto tracks where the network shows its heatmaps; `tracks_hands` says which after `open()`.
    `rotate` (degrees clockwise) and `mirror` as in CameraSection.
    """

    def __init__(
        self,
        runtime: Runtime,
        decoder: MoveNetSinglePose,
        *,
        crop_mode: Literal["follow", "whole"],
        hands: Literal["auto", "track", "network"] = "network",
        rotate: Literal[0, 90, 180, 270],
        mirror: bool,
        player: PlayerSection,
    ) -> None:
        self.skeleton = decoder.skeleton
        self._runtime = runtime
        self._decoder = decoder
        self._follows = crop_mode == "follow"
        self._hands_mode = hands
        self._hands: HandTracker | None = None
        self._heads: tuple[int, ...] = ()  # where the tracker's heads are among the outputs
        self._orientation = Orientation(rotate, mirror)
        self._region = player.region
        self._lock = PlayerLock(player)
        self._follower = CropFollower()
        self._crop: Crop | None = None  # for the next frame; none: look for a player
        self._sampler: Sampler
        self._input: NDArray[Any]
        self._outputs: Sequence[NDArray[Any]]
        self._keypoints = 0  # which of the outputs holds the network's own choice
        self._prepared: tuple[int, int, Crop, float]  # seq, captured_ns, square, aspect of the frame in hand

    def open(self) -> RuntimeFacts:
        """Open the runtime and make the buffers.

        Raises what the runtime raises, and UsageError for a model of another kind.
        """
        cv2.setNumThreads(1)  # its pool would take turns with the inference on one core
        facts = self._runtime.open()
        side = self._decoder.input_side(facts)
        names = [spec.name for spec in facts.outputs]
        self._keypoints = names.index("output_0") if "output_0" in names else 0
        if self._hands_mode == "track" or (self._hands_mode == "auto" and shows_heads(names)):
            self._heads = heads_of(names)
            self._hands = HandTracker()
        self._sampler = Sampler(side, self._orientation)
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return facts

    def close(self) -> None:
        """Close the runtime; safe to call twice and before `open()`."""
        self._runtime.close()

    @property
    def tracks_hands(self) -> bool:
        """Whether each wrist is followed in the network's heatmaps."""
        return self._hands is not None

    @property
    def crop(self) -> Crop:
        """The square of the frame last prepared."""
        return self._prepared[2]

    def prepare(self, frame: Frame) -> None:
        """Fill the network's picture from the frame."""
        height, width = frame.image.shape[:2]
        upright_width, upright_height = self._orientation.upright_size(width, height)
        aspect = upright_width / upright_height
        crop = self._crop or self._search_crop(aspect)
        crop = self._sampler.sample(frame.image, crop, self._input[0])
        self._prepared = (frame.seq, frame.captured_ns, crop, aspect)

    def infer(self) -> None:
        """Run the network on what `prepare` made."""
        self._outputs = self._runtime.infer(self._input)

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose in the frame last prepared; empty when the player is not seen.

        A player already known is not seen when only somebody else is, or nobody.
        """
        seq, captured_ns, crop, aspect = self._prepared
        xy, score = self._decoder.decode(self._outputs[self._keypoints], crop)
        torso = torso_of(xy, score)
        seen = self._lock.see(captured_ns, torso)
        if not self._lock.locked:
            self._crop = None
            self._follower.forget()
            if self._hands is not None:
                self._hands.forget()
        if not seen:
            return ()
        if self._hands is not None:
            heads = Heads(*(self._outputs[index][0] for index in self._heads))
            self._hands.follow(captured_ns, heads, crop, torso.size, xy, score)
        if self._follows:
            self._crop = self._follower.follow(captured_ns, torso, xy, score, aspect)
        return (Pose(seq, captured_ns, 0, xy, score),)

    def _search_crop(self, aspect: float) -> Crop:
        if self._region is None or not self._follows:
            return whole(aspect)
        return around(self._region, aspect)
