"""The square of the picture that the network looks at, and how it follows the player. Pure.

MoveNet was made to look at a square around the person found in the frame before; a distant player would
otherwise fill a fifth of its picture. Its reference use follows the whole body; here the square follows the
torso and keeps the wrists in, because the hands play.
"""

import math
from typing import Final, NamedTuple

from lalelu.pose.body import Places, Scores, Torso
from lalelu.skeleton import COCO17


class Framing(NamedTuple):
    """How much of a player the square shows; lengths in shoulder widths."""

    base_side: float
    centre_drop: float  # of the square's middle, below mid-shoulder
    max_side: float


# Head (1 up) and lap (1.7 down) have equal margins; the side is the best of those tried on rendered drummers moved by
# real motion capture; at most both arms stretched out.
TORSO: Final = Framing(3.4, 0.35, 5.5)
# The feet of somebody on a stool as well: in the other square they are cut off, and their keypoints are guesses.
# Rendered: 56 of 56 stomps are found, strokes as before.
WHOLE_BODY: Final = Framing(4.6, 1.35, 6.0)
# For networks that were trained on whole people with room around them (MPII; COCO's boxes, a quarter wider). Rendered:
# of EfficientPose's keypoints 90 % are within 9..20 px (480 lines) of Thunder's; in the square above 22..48, in the
# torso's 160.
WHOLE_PERSON: Final = Framing(6.0, 1.35, 8.0)

# Lengths in shoulder widths.
WRIST_MARGIN: Final = (
    0.35  # the hand goes on for 0.4 beyond the wrist, and a net sees little at the very edge
)
# The square stands still while the player sways within this share of its side: each move of the square
# changes the network's picture and shows as noise in the keypoints.
LEASH: Final = 0.06
SIZE_LEASH: Final = 0.08
FOLLOW_TAU_S: Final = 0.25  # low-pass of the torso that drags the leash: strokes (2..7 Hz) shake it
REACH_TAU_S: Final = 5.0  # how slowly a far reach is forgotten: a crash cymbal comes once a bar or two
REACH_SCORE: Final = 0.2  # the score above which MoveNet's reference use believes a keypoint
_REACHING: Final = [COCO17.index(name) for name in ("left_elbow", "right_elbow", "left_wrist", "right_wrist")]


class Crop(NamedTuple):
    """A square in the upright picture, in image heights. It may reach beyond the picture."""

    x: float  # centre
    y: float
    side: float


def whole(aspect: float) -> Crop:
    """Return the square around the whole picture of `aspect` = width / height (letterbox)."""
    return Crop(0.5 * aspect, 0.5, max(aspect, 1.0))


def around(region: tuple[float, float, float, float], aspect: float) -> Crop:
    """Return where to look for a player whose torso is in `region` (left, top, right, bottom, image heights).

    At least one image height, twice the region, never more than the whole picture.
    """
    left, top, right, bottom = region
    everything = whole(aspect)
    side = max(1.0, 2.0 * max(right - left, bottom - top))
    if side >= everything.side:
        return everything
    return Crop(0.5 * (left + right), 0.5 * (top + bottom), side)


class CropFollower:
    """Moves a square with the player's torso, smoothly, in musical time."""

    def __init__(self, framing: Framing = TORSO) -> None:
        self._framing = framing
        self._crop: Crop | None = None
        self._at_ns = 0
        self._x = self._y = self._size = self._reach = 0.0  # filtered; reach from the square's centre

    def forget(self) -> None:
        """Begin anew with the next player."""
        self._crop = None

    def follow(self, captured_ns: int, torso: Torso, places: Places, scores: Scores, aspect: float) -> Crop:
        """Return the square for the next frame, from the player's torso and pose captured at `captured_ns`.

        `places` and `scores` of 17 keypoints, image heights; `aspect` the picture's width / height. The square
        is never larger than the whole picture's; where nothing moved it is the same object as before.
        """
        old = self._crop
        if old is None:
            self._x, self._y, self._size = torso.x, torso.y, torso.size
            self._reach = 0.0
        else:
            elapsed_s = max(captured_ns - self._at_ns, 0) * 1e-9
            share = 1.0 - math.exp(-elapsed_s / FOLLOW_TAU_S)
            self._x += share * (torso.x - self._x)
            self._y += share * (torso.y - self._y)
            self._size += share * (torso.size - self._size)
            self._reach *= math.exp(-elapsed_s / REACH_TAU_S)
        self._at_ns = captured_ns
        size = self._size
        x, y = self._x, self._y + self._framing.centre_drop * size
        reach = self._reach
        for limb in _REACHING:
            if scores[limb] >= REACH_SCORE:
                reach = max(reach, abs(places[2 * limb] - x), abs(places[2 * limb + 1] - y))
        self._reach = reach
        wanted = max(self._framing.base_side * size, 2.0 * (reach + WRIST_MARGIN * size))
        side = min(wanted, self._framing.max_side * size, max(aspect, 1.0))
        if old is None:
            self._crop = Crop(x, y, side)
            return self._crop
        side = min(max(old.side, side / (1.0 + SIZE_LEASH)), side * (1.0 + SIZE_LEASH))
        slack = LEASH * side
        new = Crop(_drag(old.x, x, slack), _drag(old.y, y, slack), side)
        if new != old:
            self._crop = old = new
        return old


def _drag(held: float, target: float, slack: float) -> float:
    return min(max(held, target - slack), target + slack)
