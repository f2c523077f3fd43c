"""Which notes sound, in a mapped file, so that whoever follows a voice that was killed can end them. Maps a file."""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lalelu.voice.scheduler import Sounding

_NOTES: Final = 128
# A note's end may not have reached an output that is found lost up to so long after: a look notices that within 0.25 s,
# a process of its own as late again, and a serial line lets messages wait for 0.25 s. A voice that is killed takes with
# it what JACK would have had in its next period.
DOUBT_NS: Final = 1_000_000_000
_BYTES: Final = 16 * _NOTES  # one byte for each note of each channel
_SOUNDS, _OWED, _DOUBTFUL = 1, 2, 4  # the bits of a mark


class SoundingTable:
    """Marks of notes that were begun and not ended, and of those whose end some output may not have heard.

    `path` None keeps them nowhere.
    """

    def __init__(self, path: Path | None) -> None:
        self._ended_ns: dict[Sounding, int] = {}  # of the doubtful ones, by time
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

    def doubtful(self) -> tuple[Sounding, ...]:
        """Return the notes that were ended so shortly ago that some output may not have heard it."""
        return self._marked(_DOUBTFUL)

    def begin(self, channel: int, note: int) -> None:
        """Mark a note; before it is sent."""
        self._marks[_index((channel, note))] |= _SOUNDS

    def end(self, notes: Iterable[Sounding], at_ns: int) -> None:
        """Note that notes sound no longer, after their ends are sent at `at_ns`; for DOUBT_NS they are doubtful."""
        for note in notes:
            self._marks[_index(note)] = self._marks[_index(note)] & ~_SOUNDS | _DOUBTFUL
            self._ended_ns.pop(note, None)  # to have them by time
            self._ended_ns[note] = at_ns

    def settle(self, at_ns: int | None) -> None:
        """Take the doubt from notes that were ended long ago at `at_ns`; None = from all, their ends have arrived."""
        while self._ended_ns:
            note, ended_ns = next(iter(self._ended_ns.items()))
            if at_ns is not None and ended_ns >= at_ns - DOUBT_NS:
                return
            del self._ended_ns[note]
            self._marks[_index(note)] &= ~_DOUBTFUL

    def owe(self, notes: Iterable[Sounding]) -> None:
        """Let the ends of these notes, and of no others, be owed."""
        marks = bytearray(mark & ~_OWED for mark in bytes(self._marks))
        for note in notes:
            marks[_index(note)] |= _OWED
        self._marks[:] = marks

    def _marked(self, bit: int) -> tuple[Sounding, ...]:
        marks = bytes(self._marks)
        return tuple((index // _NOTES + 1, index % _NOTES) for index, mark in enumerate(marks) if mark & bit)


def _index(sounding: Sounding) -> int:
    channel, note = sounding
    return (channel - 1) * _NOTES + note
