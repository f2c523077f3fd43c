"""Write a Standard MIDI File. Makes a file.

The file appears whole, when the output is closed: until then the messages are kept in memory (12 bytes each)
and an empty `.NAME.partial` beside the file holds the place and proves that it can be written. Memory is this
process's, or a file in memory that outlives it: the one that follows a killed process goes on with it.
"""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, BinaryIO, Final

import mido
from pydantic import Field

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.message import BEND, CONTROL, REAL_TIME

TICKS_PER_BEAT: Final = 5000  # with the tempo below, 0.1 ms a tick
TEMPO_US: Final = 500_000  # microseconds a beat: 120 beats a minute
NS_PER_TICK: Final = TEMPO_US * 1000 // TICKS_PER_BEAT
MAX_MESSAGES: Final = 4_000_000  # 48 MB: a day of 20 notes a second

_ENTRY: Final = struct.Struct("<qB")  # when, and how many bytes follow


class FileOutputOptions(AdapterOptions):
    """`file:OUT.mid?origin_ns=0`."""

    target: Annotated[str, Field(min_length=1)] = "out.mid"
    origin_ns: int | None = None  # the moment that is the file's time 0; by default the first message's
    keep: str | None = None  # the file in memory that keeps the messages; the voice names it


# Controllers that tell a wheel's range (RPN 0), as a voice does before anybody plays.
_RANGE: Final = frozenset({100, 101, 6, 38})
_CENTRED: Final = b"\x00\x40"  # a wheel's data bytes


def _plays(message: bytes) -> bool:
    """Whether a message is more than what a voice sends at its opening."""
    kind = message[0] & 0xF0
    sets_up = (kind == CONTROL and message[1] in _RANGE) or (kind == BEND and message[1:] == _CENTRED)
    return not sets_up


class FileOutput:
    """A MIDI file of type 1: tempo 120, one track of notes, times exact to 0.05 ms.

    `origin_ns` may be set until `close()`: the moment (ns, the clock of `at_ns`) that is the file's time 0.
    Messages before it stand at time 0.
    """

    Options = FileOutputOptions
    comes_back = False  # a new file would replace what was played

    def __init__(self, options: FileOutputOptions) -> None:
        self.path = Path(options.target)
        self.origin_ns = options.origin_ns
        self._partial = self.path  # a name beside it, from open() on
        self._file: BinaryIO | None = None
        self._keep = None if options.keep is None else Path(options.keep)
        self._kept: IO[bytes] = io.BytesIO()  # an _ENTRY and its message, one behind the other
        self._count = 0
        self._left_out = 0  # messages that are none to a MIDI file

    def open(self) -> str:
        """Reserve the place. Raises MissingError without its folder, UsageError when it cannot be written."""
        if self._file is not None:
            raise UsageError(f"MIDI file {self.path} is open already; close it first")
        try:
            if self.path.is_dir():
                raise UsageError(
                    f"MIDI file {self.path} is a folder; name a file in it, such as {self.path}/out.mid"
                )
            if self.path.exists() and not self.path.is_file():  # it would be replaced, not written to
                raise UsageError(f"MIDI file {self.path} is a device or pipe; name an ordinary file")
            self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
            file = self._partial.open("wb")
            with ExitStack() as undo:
                undo.callback(self._partial.unlink)
                undo.callback(file.close)
                self._take_up()
                undo.pop_all()
            self._file = file
        except FileNotFoundError as exc:
            raise MissingError(
                f"MIDI file {self.path} cannot be made: no folder {self.path.parent}; make it first"
            ) from exc
        except OSError as exc:
            raise UsageError(
                f"MIDI file {self.path} cannot be written: {exc.strerror}; name a place that can"
            ) from exc
        return f"file:{self.path}: a MIDI file, written when the run ends"

    def send(self, message: bytes, at_ns: int) -> None:
        """Keep one message of up to 255 bytes; leave the clock out, for the file has its own tempo.

        Raises LostError when the file is not open or full.
        """
        if self._file is None:
            raise LostError(f"MIDI file {self.path} is not open; call open() before send()")
        if message[0] >= REAL_TIME:
            return
        if self._count >= MAX_MESSAGES:
            raise LostError(
                f"MIDI file {self.path} is full: {MAX_MESSAGES} messages; end the run (they will be written)"
            )
        try:
            self._kept.write(
                _ENTRY.pack(at_ns, len(message)) + message
            )  # at once: a signal may end us anywhere
        except OSError as exc:
            raise LostError(
                f"MIDI file {self.path} cannot be kept in memory: {exc.strerror}; end the run, and the rest is written"
            ) from exc
        self._count += 1

    def look(self) -> None:
        """Do nothing: a file says when it is written that it has gone."""

    def close(self) -> None:
        """Write the file; safe to call twice and before `open()`. Raises LostError if the disk refuses.

        Where nothing was played, an earlier file stays: a start that failed takes no song with it.
        """
        if self._file is None:
            return
        file, self._file = self._file, None
        with self._kept:
            self._write(file)

    def _take_up(self) -> None:
        """Go on behind the last whole message that was kept: a killed process may have begun to write another."""
        self._kept = io.BytesIO() if self._keep is None else self._keep.open("a+b", buffering=0)
        self._count, size = 0, 0
        for _, message in self._messages():
            self._count += 1
            size += _ENTRY.size + len(message)
        self._kept.truncate(size)

    def _write(self, file: BinaryIO) -> None:
        if self.path.exists() and not any(_plays(message) for _, message in self._messages()):
            file.close()
            self._partial.unlink(missing_ok=True)
            return
        try:
            with file:
                self._midi().save(file=file)
                file.flush()
                os.fsync(file.fileno())
            self._partial.replace(self.path)
        except OSError as exc:
            self._partial.unlink(missing_ok=True)
            raise LostError(
                f"MIDI file {self.path} could not be written: {exc.strerror}; {self._count} messages "
                "are lost; make room or name another place"
            ) from exc
        if self._left_out:
            raise LostError(
                f"MIDI file {self.path} is written without {self._left_out} kept messages that are no MIDI messages"
            )

    def _midi(self) -> mido.MidiFile:
        conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO_US)])
        notes = mido.MidiTrack([mido.MetaMessage("track_name", name="lalelu")])
        origin_ns, last = self.origin_ns, 0
        for at_ns, message in self._messages():
            origin_ns = at_ns if origin_ns is None else origin_ns
            # ticks are rounded from the absolute time, so that errors do not add up
            tick = max(last, round((at_ns - origin_ns) / NS_PER_TICK))
            try:
                notes.append(mido.Message.from_bytes(message, time=tick - last))
            except ValueError:
                self._left_out += 1
                continue
            last = tick
        return mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[conductor, notes])

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        self._kept.seek(0)
        kept = self._kept.read()
        start = 0
        while start + _ENTRY.size <= len(kept):
            at_ns, size = _ENTRY.unpack_from(kept, start)
            start += _ENTRY.size + size
            if start <= len(kept):
                yield at_ns, kept[start - size : start]
