"""Which notes sound, in a mapped file, so that whoever follows a voice that was killed can end them. Maps a file."""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lalelu.voice.scheduler import Sounding

_NOTES: Final = 128
_BYTES: Final = 16 * _NOTES  # one byte for each note of each channel
_SOUNDS, _OWED = 1, 2  # the bits of a mark


class SoundingTable:
    """Marks of notes that were begun and not ended, and of those whose end is owed to an output that has gone.

    `path` None keeps them nowhere.
    """

    def __init__(self, path: Path | None) -> None:
        self._marks: mmap.mmap | bytearray = bytearray(_BYTES)
        if path is not None:
            with path.open("a+b") as file:
                file.truncate(_BYTES)
                self._marks = mmap.mmap(file.fileno(), _BYTES)

    def left(self) -> tuple[Sounding, ...]:
        """Return the notes that sound."""
        return self._marked(_SOUNDS)

    def owed(self) -> tuple[Sounding, ...]:
        """Return the notes whose end is owed."""
        return self._marked(_OWED)

    def begin(self, channel: int, note: int) -> None:
        """Mark a note; before it is sent."""
        self._marks[(channel - 1) * _NOTES + note] |= _SOUNDS

    def end(self, notes: Iterable[Sounding]) -> None:
        """Take the marks of notes away; after their ends are sent."""
        for channel, note in notes:
            self._marks[(channel - 1) * _NOTES + note] &= ~_SOUNDS

    def owe(self, notes: Iterable[Sounding]) -> None:
        """Let the ends of these notes, and of no others, be owed."""
        marks = bytearray(mark & ~_OWED for mark in bytes(self._marks))
        for channel, note in notes:
            marks[(channel - 1) * _NOTES + note] |= _OWED
        self._marks[:] = marks

    def _marked(self, bit: int) -> tuple[Sounding, ...]:
        marks = bytes(self._marks)
        return tuple((index // _NOTES + 1, index % _NOTES) for index, mark in enumerate(marks) if mark & bit)
