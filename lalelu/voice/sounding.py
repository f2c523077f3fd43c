"""Which notes sound, in a mapped file, so that whoever follows a voice that was killed can end them. Maps a file."""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lalelu.voice.scheduler import Sounding

_NOTES: Final = 128
_BYTES: Final = 16 * _NOTES  # one byte for each note of each channel


class SoundingTable:
    """Marks of notes that were begun and not ended. `path` None keeps them nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._marks: mmap.mmap | bytearray = bytearray(_BYTES)
        if path is not None:
            with path.open("a+b") as file:
                file.truncate(_BYTES)
                self._marks = mmap.mmap(file.fileno(), _BYTES)

    def left(self) -> tuple[Sounding, ...]:
        """Return the notes that are marked."""
        marks = bytes(self._marks)
        return tuple((index // _NOTES + 1, index % _NOTES) for index, mark in enumerate(marks) if mark)

    def begin(self, channel: int, note: int) -> None:
        """Mark a note; before it is sent."""
        self._marks[(channel - 1) * _NOTES + note] = 1

    def end(self, notes: Iterable[Sounding]) -> None:
        """Take the marks of notes away; after their ends are sent."""
        for channel, note in notes:
            self._marks[(channel - 1) * _NOTES + note] = 0
