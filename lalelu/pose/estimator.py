"""Frame to one player's pose: follow the player, fill the network's picture, decode. Drives a runtime."""

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.pose.body import as_coco, torso_at
from lalelu.pose.crop import TORSO, Crop, CropFollower, Framing, around, whole
from lalelu.pose.hands import HandTracker, Heads, heads_of, shows_heads
from lalelu.pose.lock import PlayerLock
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import Runtime, RuntimeFacts, SinglePoseDecoder
from lalelu.pose.sampling import Sampler
from lalelu.types import Frame, Pose


def use_one_thread() -> None:
    """Keep OpenCV to the thread that calls it: its pool would take turns with the inference on one core."""
    cv2.setNumThreads(1)


class SinglePoseEstimator:
    """A PoseEstimator for one player. `open()` it before the first frame; it opens and closes its runtime.

    `crop_mode` follow looks at a square around the player once there is one, whole always at everything.
    `hands` track follows each wrist in the network's heatmaps, network takes the wrists as the network says,
    auto tracks where the network shows its heatmaps; `tracks_hands` says which after `open()`.
    `rotate` (degrees clockwise) and `mirror` as in CameraSection. `framing`: how much of the player is followed.
    A picture that is no square shows the whole square over its shorter side, and what lies beyond over the longer.
    """

    def __init__(
        self,
        runtime: Runtime,
        decoder: SinglePoseDecoder,
        *,
        crop_mode: Literal["follow", "whole"],
        hands: Literal["auto", "track", "network"] = "network",
        rotate: Literal[0, 90, 180, 270],
        mirror: bool,
        player: PlayerSection,
        framing: Framing = TORSO,
    ) -> None:
        self.skeleton = decoder.skeleton
        self._runtime = runtime
        self._decoder = decoder
        self._as_coco = as_coco(decoder.skeleton)
        self._follows = crop_mode == "follow"
        self._hands_mode = hands
        self._hands: HandTracker | None = None
        self._heads_at: tuple[int, ...] = ()  # where the tracker's heads are among the outputs
        self._orientation = Orientation(rotate, mirror)
        self._region = player.region
        self._lock = PlayerLock(player)
        self._follower = CropFollower(framing)
        self._crop: Crop | None = None  # for the next frame; none: look for a player
        self._sampler: Sampler
        self._input: NDArray[Any]
        self._picture: NDArray[Any]  # what the sampler fills: the one in `_input`, or the square around it
        self._narrow: NDArray[Any] | None = None  # the part of that square that goes into `_input`
        self._stretch = 1.0  # of the square followed to that square
        self._shape: tuple[int, ...] = ()  # of the camera's pictures
        self._aspect = 1.0  # of the upright picture
        self._outputs: Sequence[NDArray[Any]]
        self._shown: Sequence[NDArray[Any]] | None = None  # the outputs that `_heads` looks at
        self._heads: Heads
        self._keypoints = 0  # which of the outputs holds the network's own choice
        self._prepared: tuple[int, int, Crop, float]  # seq, captured_ns, square, aspect of the frame in hand

    def open(self) -> RuntimeFacts:
        """Open the runtime and make the buffers.

        Raises what the runtime raises, and UsageError for a model of another kind.
        """
        use_one_thread()
        facts = self._runtime.open()
        side = self._decoder.input_side(facts)
        names = [spec.name for spec in facts.outputs]
        self._keypoints = self._decoder.output_at(facts)
        if self._hands_mode == "track" or (self._hands_mode == "auto" and shows_heads(names)):
            self._heads_at = heads_of(names)
            self._hands = HandTracker()
        self._sampler = Sampler(side, self._orientation, bgr=self._decoder.takes_bgr(facts))
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        self._picture = self._input[0]
        height, width = self._picture.shape[:2]
        if height != width:
            self._picture = np.zeros((side, side, 3), self._input.dtype)
            top, left = (side - height) // 2, (side - width) // 2
            self._narrow = self._picture[top : top + height, left : left + width]
            self._stretch = side / min(height, width)
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
        image = frame.image
        if image.shape != self._shape:
            self._take_shape(image.shape)
        crop = self._crop or self._search_crop(self._aspect)
        if self._narrow is None:
            crop = self._sampler.sample(image, crop, self._picture)
        else:
            crop = self._sampler.sample(image, Crop(crop.x, crop.y, crop.side * self._stretch), self._picture)
            np.copyto(self._input[0], self._narrow)
        self._prepared = (frame.seq, frame.captured_ns, crop, self._aspect)

    def infer(self) -> None:
        """Run the network on what `prepare` made."""
        self._outputs = self._runtime.infer(self._input)

    def expect(self, captured_ns: int, wrists: tuple[float, float, float, float] | None) -> None:
        """Say where both wrists (x, y, x, y, image heights) were at `captured_ns`, if somebody followed them."""
        if self._hands is not None and wrists is not None:
            self._hands.expect(captured_ns, wrists)

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose in the frame last prepared; empty when the player is not seen.

        A player already known is not seen when only somebody else is, or nobody.
        """
        seq, captured_ns, crop, aspect = self._prepared
        places, scores = self._decoder.decode(self._outputs[self._keypoints], crop)
        body = self._as_coco(places, scores)
        torso = torso_at(*body)
        seen = self._lock.see(captured_ns, torso)
        if not seen:
            if not self._lock.locked:
                self._look_anew()
            return ()
        if self._hands is not None:
            if self._outputs is not self._shown:  # most runtimes write to the same arrays each time
                self._heads = Heads.of([self._outputs[index][0] for index in self._heads_at])
                self._shown = self._outputs
            self._hands.follow(captured_ns, self._heads, crop, torso.size, places, scores)
        if self._follows:
            self._crop = self._follower.follow(captured_ns, torso, *body, aspect)
        xy = np.array(places, np.float32).reshape(-1, 2)
        return (Pose(seq, captured_ns, 0, xy, np.array(scores, np.float32)),)

    def _look_anew(self) -> None:
        self._crop = None
        self._follower.forget()
        if self._hands is not None:
            self._hands.forget()

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        upright_width, upright_height = self._orientation.upright_size(width, height)
        self._aspect = upright_width / upright_height
        self._shape = shape

    def _search_crop(self, aspect: float) -> Crop:
        if self._region is None or not self._follows:
            return whole(aspect)
        return around(self._region, aspect)
