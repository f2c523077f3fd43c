"""Frame to pose with BlazePose: a detector finds the player, a landmark network follows. Drives two runtimes.

No frame runs both networks: where the detector has found somebody, the landmarks begin with the next frame.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.errors import UsageError
from lalelu.pose.anchors import PERSON
from lalelu.pose.blazepose import PRESENCE, Found, PersonDetector, PersonLandmarks
from lalelu.pose.body import torso_of
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator import use_one_thread
from lalelu.pose.lock import PlayerLock
from lalelu.pose.movenet import square_side, takes_bgr
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import Runtime, RuntimeFacts
from lalelu.pose.region import Region, dragged
from lalelu.pose.sampling import Sampler
from lalelu.pose.sampling_turned import TurnedSampler
from lalelu.skeleton import BLAZEPOSE33, COCO17
from lalelu.types import Frame, Pose

_COCO: Final = [BLAZEPOSE33.index(name) for name in COCO17]
_NUMBERS: Final = (1, 195)  # the shape of the output `landmarks`


class LandmarkEstimator:
    """A PoseEstimator for one player. `open()` it before the first frame; it opens and closes both runtimes.

    The detector looks at the whole picture while nobody is followed; then each frame's landmarks say where to look in
    the next. `rotate` (degrees clockwise) and `mirror` as in CameraSection.
    """

    skeleton: tuple[str, ...] = BLAZEPOSE33
    tracks_hands: Final = False  # the network shows no heatmaps

    def __init__(
        self,
        detector: Runtime,
        landmarks: Runtime,
        *,
        rotate: Literal[0, 90, 180, 270],
        mirror: bool,
        player: PlayerSection,
    ) -> None:
        self._detector = detector
        self._landmarks = landmarks
        self._orientation = Orientation(rotate, mirror)
        self._start = player.region
        self._lock = PlayerLock(player)
        self._finds = PersonDetector()
        self._region: Region | None = None  # for the next frame; none: the detector looks
        self._shoulders: tuple[float, float] | None = (
            None  # where the player's middle was last, while one is kept
        )
        self._decoder: PersonLandmarks
        self._search_sampler: Sampler
        self._sampler: TurnedSampler
        self._search_input: NDArray[Any]
        self._input: NDArray[Any]
        self._shape: tuple[int, ...] = ()  # of the camera's pictures
        self._everything: Crop  # of a picture of that shape
        self._at: tuple[int, int]  # where landmarks and presence are among the outputs
        self._outputs: Sequence[NDArray[Any]]
        # seq, captured_ns, and what the frame in hand is looked at
        self._prepared: tuple[int, int, Crop | Region]

    def open(self) -> RuntimeFacts:
        """Open both runtimes and make the buffers; returns the landmark network's facts.

        Raises what the runtimes raise, and UsageError for a model of another kind.
        """
        use_one_thread()
        found = self._detector.open()
        facts = self._landmarks.open()
        search_side, side = square_side(found), square_side(facts)
        shapes = [spec.shape for spec in facts.outputs]
        if search_side != PERSON.side or side == 0 or _NUMBERS not in shapes or (1, 1) not in shapes:
            raise UsageError(
                f"pose.model gives {shapes} beside a detector of {search_side} px; a landmark network gives "
                f"{_NUMBERS} and (1, 1) beside one of {PERSON.side} px: choose blazepose-lite, -full or -heavy"
            )
        self._at = shapes.index(_NUMBERS), shapes.index((1, 1))
        self._decoder = PersonLandmarks(side)
        self._search_sampler = Sampler(search_side, self._orientation, bgr=takes_bgr(found))
        self._sampler = TurnedSampler(side, self._orientation, bgr=takes_bgr(facts))
        self._search_input = np.zeros(found.inputs[0].shape, found.inputs[0].dtype)
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return facts

    def close(self) -> None:
        """Close both runtimes; safe to call twice and before `open()`."""
        self._landmarks.close()
        self._detector.close()

    @property
    def searching(self) -> bool:
        """Whether the detector looks at the next frame."""
        return self._region is None

    def prepare(self, frame: Frame) -> None:
        """Fill the picture of the network whose turn it is."""
        image = frame.image
        if image.shape != self._shape:
            self._shape = image.shape
            width, height = self._orientation.upright_size(image.shape[1], image.shape[0])
            self._everything = whole(width / height)
        at: Crop | Region
        if self._region is None:
            at = self._search_sampler.sample(image, self._everything, self._search_input[0])
        else:
            at = self._region
            self._sampler.sample(image, at, self._input[0])
        self._prepared = (frame.seq, frame.captured_ns, at)

    def infer(self) -> None:
        """Run that network on what `prepare` made."""
        if isinstance(self._prepared[2], Crop):
            self._outputs = self._detector.infer(self._search_input)
        else:
            self._outputs = self._landmarks.infer(self._input)

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose in the frame last prepared; empty when the player is not seen, or looked for."""
        seq, captured_ns, at = self._prepared
        if isinstance(at, Crop):
            self._region = self._chosen(self._finds.decode(self._outputs[0], at))
            return ()
        landmarks, presence = (self._outputs[index] for index in self._at)
        self._region = None
        if not presence.item() >= PRESENCE:  # NaN is not
            return ()
        seen = self._decoder.decode(landmarks, at)
        torso = torso_of(seen.xy[_COCO], seen.score[_COCO])
        if not self._lock.see(captured_ns, torso):
            if not self._lock.locked:
                self._shoulders = None
            return ()
        self._shoulders = torso.x, torso.y
        if seen.region is not None:
            self._region = dragged(at, seen.region)
        return (Pose(seq, captured_ns, 0, seen.xy, seen.score),)

    def _chosen(self, people: list[Found]) -> Region | None:
        """Return where to look for the player: near where they were, else the surest in the start region."""
        last = self._shoulders
        if last is not None:
            people = sorted(people, key=lambda person: math.dist(person.shoulders, last))
        elif self._start is not None:
            left, top, right, bottom = self._start
            people = [
                person
                for person in people
                if left <= person.shoulders[0] <= right and top <= person.shoulders[1] <= bottom
            ]
        return people[0].region if people else None
