"""Keep to one player, so that somebody walking behind does not take over. Pure: time comes in the pose."""

import math
from typing import Final

from lalelu.config.schema import PlayerSection
from lalelu.pose.body import Torso

FIRST_SCORE: Final = (
    0.3  # shoulders of a new player: MoveNet scores a person's 0.5..0.9, empty walls below 0.2
)
KEPT_SCORE: Final = 0.1  # shoulders of the player already locked on, who may hide them with crossing arms
# A player who dances or leans sways by some 2 shoulder widths a second; the step is for the network's noise
# (3 px at 480 lines is a tenth of a distant player's shoulders) and for the first frame after a stutter.
JUMP_STEP: Final = 0.5  # shoulder widths
JUMP_SPEED: Final = 4.0  # shoulder widths per second
SIZE_STEP: Final = 1.6  # factor between two frames: a person twice as far away is half as large
SIZE_SPEED: Final = 2.0  # factor per second: walking to the camera
SIZE_TAU_S: Final = 0.3  # the size is compared with its mean over this time: one bad frame must not move it


class PlayerLock:
    """Says of each pose whether it is the player's.

    A player is taken on in the start region and at the minimum size (`PlayerSection`; mid-shoulder and
    shoulder width). From then on a torso that jumps, or changes size, faster than a person can is not the
    player. Unseen for `lost_ms`, the player is given up and looked for in the start region again.
    """

    def __init__(self, player: PlayerSection) -> None:
        self._player = player
        self._lost_ns = player.lost_ms * 1_000_000
        self._last: Torso | None = None
        self._size = 0.0
        self._seen_ns = 0

    @property
    def locked(self) -> bool:
        """Whether there is a player, seen in this frame or not given up yet."""
        return self._last is not None

    def see(self, captured_ns: int, torso: Torso) -> bool:
        """Return whether `torso`, captured at `captured_ns`, is the player's."""
        last = self._last
        if last is not None and captured_ns - self._seen_ns > self._lost_ns:
            last = self._last = None
        if last is None:
            if not self._may_start(torso):
                return False
            self._size = torso.size
        else:
            elapsed_s = max(captured_ns - self._seen_ns, 0) * 1e-9
            if not self._continues(last, torso, elapsed_s):
                return False
            share = 1.0 - math.exp(-elapsed_s / SIZE_TAU_S)
            self._size += share * (torso.size - self._size)
        self._last = torso
        self._seen_ns = captured_ns
        return True

    def _may_start(self, torso: Torso) -> bool:
        if torso.score < FIRST_SCORE or torso.size <= 0.0 or torso.size < self._player.min_size:
            return False
        if self._player.region is None:
            return True
        left, top, right, bottom = self._player.region
        return left <= torso.x <= right and top <= torso.y <= bottom

    def _continues(self, last: Torso, torso: Torso, elapsed_s: float) -> bool:
        if torso.score < KEPT_SCORE:
            return False
        reach = self._size * (JUMP_STEP + JUMP_SPEED * elapsed_s)
        if math.hypot(torso.x - last.x, torso.y - last.y) > reach:
            return False
        factor = SIZE_STEP * math.pow(SIZE_SPEED, elapsed_s)
        return self._size / factor <= torso.size <= self._size * factor
