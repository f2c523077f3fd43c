"""The values that travel from camera to MIDI: frozen, each with the `seq` of the frame it was made from.

Stamps are CLOCK_MONOTONIC integer nanoseconds. Lengths are image heights: origin at the picture's top-left
corner, pixel centres at +0.5, y down, never clipped (a keypoint may lie outside the picture).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # the voice starts faster without
    import numpy as np
    from numpy.typing import NDArray

Via: TypeAlias = Literal["net", "flow"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from the camera; `image` is borrowed until the camera's next `read()`."""

    seq: int  # the camera's frame number
    captured_ns: int  # middle of the exposure
    arrived_ns: int  # complete in memory
    skipped: int  # frames that the camera delivered and nobody took, since the last read
    image: "NDArray[np.uint8]"  # (H, W, 3) BGR, or (H, W) grey


@dataclass(frozen=True, slots=True)
class Pose:
    """The keypoints of one player in one frame. Limb names are the player's own left and right."""

    seq: int
    captured_ns: int
    player: int
    xy: "NDArray[np.float32]"  # (K, 2), image heights, x right, y down
    score: "NDArray[np.float32]"  # (K,), 0..1; 0 = not known
    via: Via = "net"


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke that sounds. `struck_ns` is the end of the stroke, between frames, or ahead of them when predicted."""

    seq: int  # the frame at which the detector knew
    captured_ns: int  # of that frame
    struck_ns: int
    player: int
    limb: str
    pad: str
    strength: float  # 0..1
    kit: int = 0  # which of the configuration's kits the pad is of


@dataclass(frozen=True, slots=True)
class Release:
    """The end of what a pad sounds: a chord that was left, a predicted stroke that did not happen.

    What was struck before `at_ns` ends then; what was struck at `at_ns` or later and has not sounded yet never will.
    """

    seq: int
    captured_ns: int
    at_ns: int
    player: int
    pad: str
    kit: int = 0


@dataclass(frozen=True, slots=True)
class Control:
    """A continuous value, such as the hi-hat's openness."""

    seq: int
    captured_ns: int
    player: int
    target: str  # the name of the gesture that sets it
    value: float  # 0..1
    kit: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """Something the player tells lalelu itself: switch the kit, stand by, tap tempo."""

    seq: int
    captured_ns: int
    player: int
    name: Literal["standby", "play", "kit", "tap", "take"]  # `play` ends the standby
    at_ns: int = 0  # when the player did it
    kit: int = 0  # that is played from now on


Event: TypeAlias = Hit | Release | Control | Command
