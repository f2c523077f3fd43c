"""Frame to poses with MoveNet MultiPose: the whole picture, everyone in it. Drives a runtime."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator import use_one_thread
from lalelu.pose.multipose import MoveNetMultiPose
from lalelu.pose.orientation import Orientation
from lalelu.pose.people import People
from lalelu.pose.port import Runtime, RuntimeFacts
from lalelu.pose.sampling import Sampler
from lalelu.types import Frame, Pose


class MultiPoseEstimator:
    """A PoseEstimator for up to `limit` players. `open()` it before the first frame; it opens and closes its runtime.

    `rotate` (degrees clockwise) and `mirror` as in CameraSection. The network always looks at the whole picture.
    """

    tracks_hands: Final = False  # the network shows no heatmaps of one person's

    def __init__(
        self,
        runtime: Runtime,
        decoder: MoveNetMultiPose,
        *,
        rotate: Literal[0, 90, 180, 270],
        mirror: bool,
        player: PlayerSection,
        limit: int,
    ) -> None:
        self.skeleton = decoder.skeleton
        self._runtime = runtime
        self._decoder = decoder
        self._orientation = Orientation(rotate, mirror)
        self._people = People(player, limit=limit)
        self._shape: tuple[int, ...] = ()  # of the camera's pictures
        self._everything: Crop  # of a picture of that shape
        self._sampler: Sampler
        self._input: NDArray[Any]
        self._outputs: Sequence[NDArray[Any]]
        self._prepared: tuple[int, int, Crop]  # seq, captured_ns, square of the frame in hand

    def open(self) -> RuntimeFacts:
        """Open the runtime and make the buffers.

        Raises what the runtime raises, and UsageError for a model of another kind.
        """
        use_one_thread()
        facts = self._runtime.open()
        side = self._decoder.input_side(facts)
        self._sampler = Sampler(side, self._orientation, bgr=self._decoder.takes_bgr(facts))
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return facts

    def close(self) -> None:
        """Close the runtime; safe to call twice and before `open()`."""
        self._runtime.close()

    def prepare(self, frame: Frame) -> None:
        """Fill the network's picture from the frame."""
        if frame.image.shape != self._shape:
            self._shape = frame.image.shape
            height, width = self._shape[:2]
            upright_width, upright_height = self._orientation.upright_size(width, height)
            self._everything = whole(upright_width / upright_height)
        square = self._sampler.sample(frame.image, self._everything, self._input[0])
        self._prepared = (frame.seq, frame.captured_ns, square)

    def infer(self) -> None:
        """Run the network on what `prepare` made."""
        self._outputs = self._runtime.infer(self._input)

    def poses(self) -> Sequence[Pose]:
        """Return the pose of every player seen in the frame last prepared, by number."""
        seq, captured_ns, square = self._prepared
        people = self._decoder.decode(self._outputs[0], square)
        return [
            Pose(
                seq,
                captured_ns,
                number,
                np.array(person.places, np.float32).reshape(-1, 2),
                np.array(person.scores, np.float32),
            )
            for number, person in self._people.see(captured_ns, people)
        ]
