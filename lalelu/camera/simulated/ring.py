"""The ring of rendered frames between the film's process and the camera: one writer, one reader.

Maps a file.
"""

import mmap
import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = 64  # int64 words before the slots' own
_FLOOR: Final = 0  # the oldest frame that the reader still wants
_NEXT: Final = 1  # one more than the newest finished frame
_FAULT: Final = 2  # what is wrong with the camera, a Fault
_PAGE: Final = mmap.PAGESIZE


def ring_bytes(slots: int, width: int, height: int) -> int:
    """Return the size of a ring's file in bytes."""
    table = -(-(_HEADER + 2 * slots) * 8 // _PAGE) * _PAGE
    return table + slots * width * height * 3


class Ring:
    """Frames in a mapped file; frame `seq` lies in slot `seq % slots`.

    The writer never touches a slot whose frame is `floor` or newer, so a borrowed picture stays whole.
    """

    def __init__(self, descriptor: int, slots: int, width: int, height: int) -> None:
        self.slots = slots
        size = ring_bytes(slots, width, height)
        self._map = mmap.mmap(descriptor, size)
        table = size - slots * width * height * 3
        words = np.frombuffer(self._map, np.int64, _HEADER + 2 * slots)
        self._header = words[:_HEADER]
        self._seq = words[_HEADER : _HEADER + slots]  # -1 while a slot is being written
        self._ready_ns = words[_HEADER + slots :]
        self._images: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8, offset=table).reshape(
            slots, height, width, 3
        )

    @property
    def next(self) -> int:
        """One more than the newest finished frame's number."""
        return int(self._header[_NEXT])

    @property
    def floor(self) -> int:
        """The oldest frame that the reader still wants."""
        return int(self._header[_FLOOR])

    @property
    def fault(self) -> int:
        """What is wrong with the camera, a Fault."""
        return int(self._header[_FAULT])

    def tell_fault(self, fault: int) -> None:
        """Say what is wrong with the camera (writer)."""
        self._header[_FAULT] = fault

    def release_before(self, seq: int) -> None:
        """Give back all frames before `seq` (reader); a writer that is not yet there goes on at `seq`."""
        self._header[_FLOOR] = seq

    def holds(self, seq: int) -> bool:
        """Whether frame `seq` is finished and still there."""
        return bool(self._seq[seq % self.slots] == seq) and seq < self.next

    def ready_ns(self, seq: int) -> int:
        """Return when frame `seq` was finished (CLOCK_MONOTONIC)."""
        return int(self._ready_ns[seq % self.slots])

    def image(self, seq: int) -> NDArray[np.uint8]:
        """Return frame `seq`'s picture, not copied."""
        image: NDArray[np.uint8] = self._images[seq % self.slots]
        return image

    def begin(self, seq: int) -> NDArray[np.uint8]:
        """Return the slot to render frame `seq` into (writer)."""
        self._seq[seq % self.slots] = -1
        return self.image(seq)

    def finish(self, seq: int, now_ns: int) -> None:
        """Publish frame `seq` (writer)."""
        slot = seq % self.slots
        self._ready_ns[slot] = now_ns
        self._seq[slot] = seq
        self._header[_NEXT] = seq + 1


def allocate(descriptor: int, slots: int, width: int, height: int) -> None:
    """Give the file its size and its memory. Raises OSError where there is not enough."""
    size = ring_bytes(slots, width, height)
    os.ftruncate(descriptor, size)
    os.posix_fallocate(descriptor, 0, size)
    os.pwrite(descriptor, np.full(slots, -1, np.int64).tobytes(), _HEADER * 8)
