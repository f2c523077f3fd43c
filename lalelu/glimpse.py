"""The newest picture, made small, from the engine to whoever looks; latest wins. Maps a file.

Nothing is written while nobody looks: who looks says so again and again by a stamp in the file (`ask`). There are two
slots, `n + 1 | facts | pixels | n + 1`, filled in turn; numbers that disagree mean a picture that was overwritten.
"""

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.types import Frame

RING: Final = "picture"
SIDE: Final = 320  # px, the longer side at most
PERIOD_NS: Final = 66_000_000  # between two pictures at least: 15 a second
ASKED_NS: Final = 1_000_000_000  # so long after it was asked for, nobody looks any more
_SLOTS: Final = 2
_FACTS: Final = 5  # seq, captured_ns, height, width, channels
_WORD: Final = 8
_PIXELS: Final = SIDE * SIDE * 3
_SLOT: Final = (1 + _FACTS) * _WORD + _PIXELS + _WORD
_ASKED_AT, _HEAD_AT, _SLOTS_AT = 0, 64, 128
_SIZE: Final = _SLOTS_AT + _SLOTS * _SLOT


class Glimpse(NamedTuple):
    """One picture as the camera gave it, of every n-th pixel."""

    seq: int
    captured_ns: int
    image: NDArray[np.uint8]  # (h, w, 3) BGR, or (h, w, 1) grey


def create_glimpse(path: Path) -> None:
    """Make the file, all of its memory taken. Raises OSError."""
    with path.open("xb") as file:
        os.posix_fallocate(file.fileno(), 0, _SIZE)


@dataclass(frozen=True, slots=True)
class _Slot:
    number: NDArray[np.int64]  # (1,)
    facts: NDArray[np.int64]  # (5,)
    pixels: NDArray[np.uint8]  # (_PIXELS,)
    again: NDArray[np.int64]  # (1,)


class _Mapped:
    def __init__(self, path: Path) -> None:
        try:
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), _SIZE)
        except (OSError, ValueError) as exc:
            raise UsageError(f"the channel {path} cannot be mapped ({exc}); start lalelu again") from exc
        self._asked = np.frombuffer(memory, np.int64, 1, _ASKED_AT)
        self._head = np.frombuffer(memory, np.int64, 1, _HEAD_AT)
        self._slots = [_slot(memory, _SLOTS_AT + place * _SLOT) for place in range(_SLOTS)]


def _slot(memory: mmap.mmap, at: int) -> _Slot:
    end = at + _SLOT - _WORD
    return _Slot(
        np.frombuffer(memory, np.int64, 1, at),
        np.frombuffer(memory, np.int64, _FACTS, at + _WORD),
        np.frombuffer(memory, np.uint8, _PIXELS, at + (1 + _FACTS) * _WORD),
        np.frombuffer(memory, np.int64, 1, end),
    )


class GlimpseWriter(_Mapped):
    """The engine's side: `show` every frame, after its row."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._next_ns = 0
        for slot in self._slots:
            slot.pixels[:] = 0  # no page is mapped for the first time while playing

    def show(self, frame: Frame) -> None:
        """Copy a frame if somebody looks and it is time; a stamp's comparison otherwise."""
        at_ns = frame.arrived_ns
        if at_ns < self._next_ns or at_ns - int(self._asked[0]) > ASKED_NS:
            return
        self._next_ns = at_ns + PERIOD_NS
        image = frame.image if frame.image.ndim == 3 else frame.image[:, :, None]
        step = -(-max(image.shape[:2]) // SIDE)
        small = image[::step, ::step]
        number = int(self._head[0])
        slot = self._slots[number % _SLOTS]
        slot.number[0] = number + 1
        slot.facts[:] = (frame.seq, frame.captured_ns, *small.shape)
        np.copyto(slot.pixels[: small.size].reshape(small.shape), small)
        slot.again[0] = number + 1
        self._head[0] = number + 1


class GlimpseReader(_Mapped):
    """Somebody who looks."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._seen = int(self._head[0])
        self.missed = 0  # pictures that were overwritten before anybody looked

    @property
    def head(self) -> int:
        """How many pictures were ever shown."""
        return int(self._head[0])

    def ask(self, at_ns: int) -> None:
        """Have pictures shown for the next second; `at_ns` is now, CLOCK_MONOTONIC."""
        self._asked[0] = at_ns

    def newest(self) -> Glimpse | None:
        """Return a picture that was not returned yet, or None."""
        number = int(self._head[0])
        if number == self._seen:
            return None
        slot = self._slots[(number - 1) % _SLOTS]
        again = int(slot.again[0])
        seq, captured_ns, *shape = (int(fact) for fact in slot.facts)
        if min(shape) < 1 or shape[0] * shape[1] * shape[2] > _PIXELS:
            return None
        image = slot.pixels[: shape[0] * shape[1] * shape[2]].reshape(shape).copy()
        if not int(slot.number[0]) == again == number:
            return None  # overwritten meanwhile; the next one comes soon
        self.missed += number - self._seen - 1
        self._seen = number
        return Glimpse(seq, captured_ns, image)
