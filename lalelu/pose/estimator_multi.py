"""Frame to poses with a network that sees several people: the whole picture, everyone in it. Drives a runtime."""

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator import use_one_thread
from lalelu.pose.multipose import Person
from lalelu.pose.orientation import Orientation
from lalelu.pose.people import People
from lalelu.pose.port import Runtime, RuntimeFacts
from lalelu.pose.sampling import Sampler
from lalelu.types import Frame, Pose


class MultiPoseDecoder(Protocol):
    """What the tensors of one family of networks mean, for networks that see several people."""

    skeleton: tuple[str, ...]

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the side of the network's picture, px. Raises UsageError for another family's network."""

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""

    def outputs_at(self, facts: RuntimeFacts) -> tuple[int, ...]:
        """Return where among the network's outputs those are that `people` reads, in its order."""

    def people(self, outputs: Sequence[NDArray[Any]], crop: Crop) -> list[Person]:
        """Turn those outputs for `crop` into people in image heights, all finite."""


class MultiPoseEstimator:
    """A PoseEstimator for up to `limit` players. `open()` it before the first frame; it opens and closes its runtime.

    `rotate` (degrees clockwise) and `mirror` as in CameraSection. The network always looks at the whole picture.
    """

    tracks_hands: Final = False  # the network shows no heatmaps of one person's

    def __init__(
        self,
        runtime: Runtime,
        decoder: MultiPoseDecoder,
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
        self._read: tuple[int, ...]  # which of the outputs the decoder reads
        self._outputs: Sequence[NDArray[Any]]
        self._prepared: tuple[int, int, Crop]  # seq, captured_ns, square of the frame in hand

    def open(self) -> RuntimeFacts:
        """Open the runtime and make the buffers.

        Raises what the runtime raises, and UsageError for a model of another kind.
        """
        use_one_thread()
        facts = self._runtime.open()
        side = self._decoder.input_side(facts)
        self._read = self._decoder.outputs_at(facts)
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
        people = self._decoder.people([self._outputs[at] for at in self._read], square)
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
