"""The player's own frame: origin between the shoulders, unit = shoulder width, x to the player's right, y up.

Pure. Size and place are filtered slowly in the frames' own time, so that noise of the shoulders does not
shake the hands, and a kit fits a child near the camera as well as an adult far away.
"""

import math
from collections.abc import Sequence
from typing import Final

# Shoulder line to hip line, in shoulder widths, of a player who faces the camera: 1.3..1.5 between joints.
# The upper end makes the torso count only when turning has shortened the shoulders.
TORSO_WIDTHS: Final = 1.5
SIZE_TAU_S: Final = 2.0  # a player's size changes by walking only
PLACE_TAU_S: Final = 0.3  # follows sway (below 1 Hz), not the shoulders' jitter
SIZE_STEP: Final = 1.25  # a frame's size counts at most this factor above or below what is known
FORGET_S: Final = 2.0  # unseen for longer, the frame is measured anew
FLIP_WIDTHS: Final = 0.5  # left and right change sides (back to the camera) beyond this shoulder span


class BodyFrame:
    """Turns image coordinates (image heights, y down) of one player into body units."""

    __slots__ = ("_count", "_last_ns", "_span", "place_x", "place_y", "side", "size")

    def __init__(self) -> None:
        self._count = 0  # frames with both shoulders since the last start
        self._last_ns = 0
        self._span = 0.0  # image x of the right shoulder minus the left's, filtered
        self.place_x = self.place_y = 0.0  # mid-shoulder, image heights
        self.size = 1.0  # image heights of one body unit
        self.side = -1.0  # the player's right points to image -x (faces the camera) or +x

    @property
    def known(self) -> bool:
        """Whether the shoulders have been seen."""
        return self._count > 0

    def observe(
        self,
        captured_ns: int,
        left: Sequence[float] | None,
        right: Sequence[float] | None,
        hips: tuple[float, float] | None,
    ) -> None:
        """Take in one frame's shoulders and mid-hip (image heights); None = not known."""
        if left is None or right is None:
            return
        span = right[0] - left[0]
        size = math.hypot(span, right[1] - left[1])
        middle_x, middle_y = (left[0] + right[0]) * 0.5, (left[1] + right[1]) * 0.5
        if hips is not None:
            size = max(size, math.hypot(hips[0] - middle_x, hips[1] - middle_y) / TORSO_WIDTHS)
        if size <= 0.0:
            return
        gap_s = (captured_ns - self._last_ns) * 1e-9
        self._last_ns = captured_ns
        if self._count == 0 or gap_s > FORGET_S:
            self._count = 1
            self.place_x, self.place_y, self.size, self._span = middle_x, middle_y, size, span
            self.side = 1.0 if span > 0 else -1.0
            return
        self._count += 1
        # The first frames are averaged: a filter that starts on one noisy frame would need its whole time.
        start = 1.0 / self._count
        place_gain = max(start, 1.0 - math.exp(-gap_s / PLACE_TAU_S))
        size_gain = max(start, 1.0 - math.exp(-gap_s / SIZE_TAU_S))
        self.place_x += place_gain * (middle_x - self.place_x)
        self.place_y += place_gain * (middle_y - self.place_y)
        size = min(max(size, self.size / SIZE_STEP), self.size * SIZE_STEP)
        self.size += size_gain * (size - self.size)
        self._span += size_gain * (span - self._span)
        if self._span * self.side < -FLIP_WIDTHS * self.size:
            self.side = -self.side

    def in_image(self, x: float, y: float) -> tuple[float, float]:
        """Return a point in body units as a place in the image, as `locate` takes it."""
        return self.place_x + self.side * self.size * x, self.place_y - self.size * y

    def locate(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the image in body units; meaningful once `known`."""
        return self.side * (x - self.place_x) / self.size, (self.place_y - y) / self.size
