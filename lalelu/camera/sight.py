"""Tell from a few pixels whether a camera sees anything: its picture may be dark, or frozen. Pure."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.camera.port import CameraFacts
from lalelu.types import Frame

LOOK_NS: Final = 250_000_000  # between two looks while all is well; blind, every frame is looked at
FROZEN_NS: Final = (
    1_000_000_000  # of one and the same picture: the noise of a camera that films never repeats
)
DARK_LOOKS: Final = 2  # in a row: a stage's strobe is dark for less
ROWS: Final = 32  # of the picture that are looked at: any of its text or edges crosses one
STRIDE: Final = 8  # of their bytes, for the brightness; no multiple of 3, so all colours take part
BLACK: Final = (
    20.0  # mean grey level: video's black is 16 (ITU-R BT.601), and a covered sensor's noise adds some
)
LIGHT: Final = 24.0  # ... above which a dark picture is bright again
BRIGHT: Final = 48  # grey level that noise does not reach; ...
BRIGHT_SHARE: Final = 0.01  # ... a player in a spotlight, seen from far, covers more than this

DARK: Final = "the picture is black: take off the lens cap, or switch on the light"
FROZEN: Final = "the camera sends the same picture over and over: unplug it and plug it in again"


class Sight:
    """Looks at frames after their rows are written. `tell` gets each change, as Bulletin.problem takes it.

    Only the pictures of a real camera (`facts.live`) are judged: a film may rest, and a drawing has no noise.
    """

    def __init__(self, facts: CameraFacts, tell: Callable[[str, str | None], None]) -> None:
        self._live = facts.live
        self._tell = tell
        self.blind = False
        self._next_ns = 0
        self._shape: tuple[int, ...] = ()
        self._step = 1
        self._sample: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._bytes: NDArray[np.uint8] = self._sample
        self._words: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._print = -1  # what the last picture's bytes add up to
        self._same_ns = 0  # when it was seen first
        self._dark = 0  # looks in a row
        self._told: str | None = None

    def look(self, frame: Frame) -> bool:
        """Look at a frame, if it is time; whether the camera has become blind with it."""
        at_ns = frame.captured_ns
        if not self._live or (at_ns < self._next_ns and not self.blind):
            return False
        self._next_ns = at_ns + LOOK_NS
        image = frame.image
        if image.shape != self._shape:
            self._fit(image)
        np.copyto(self._sample, image[:: self._step])
        if self._is_dark():
            self._dark += 1
        else:
            self._dark = 0
        found = int(np.add.reduce(self._words))
        if found != self._print:
            self._print, self._same_ns = found, at_ns
        problem = None
        if self._dark >= DARK_LOOKS:
            problem = "dark"
        elif at_ns - self._same_ns >= FROZEN_NS:
            problem = "frozen"
        return self._judge(problem)

    def forget(self) -> None:
        """Judge the next frame as the first one: the camera was away."""
        self._next_ns = self._dark = 0
        self._print = -1
        self._judge(None)

    def _judge(self, problem: str | None) -> bool:
        if problem == self._told:
            return False
        if self._told is not None:
            self._tell(self._told, None)
        if problem is not None:
            self._tell(problem, DARK if problem == "dark" else FROZEN)
        was, self.blind, self._told = self.blind, problem is not None, problem
        return self.blind and not was

    def _fit(self, image: NDArray[np.uint8]) -> None:
        """Take memory for the sample of pictures like this one."""
        self._shape = image.shape
        self._step = max(1, image.shape[0] // ROWS)
        rows = image[:: self._step]
        memory = np.zeros(-(-rows.size // 8) * 8, np.uint8)
        self._words = memory.view(np.uint64)
        self._sample = memory[: rows.size].reshape(rows.shape)
        self._bytes = memory[: rows.size : STRIDE]

    def _is_dark(self) -> bool:
        levels = self._bytes
        mean = int(np.add.reduce(levels, dtype=np.uint32)) / len(levels)
        if mean >= (LIGHT if self._told == "dark" else BLACK):
            return False
        return int(np.count_nonzero(levels > BRIGHT)) < BRIGHT_SHARE * len(levels)
