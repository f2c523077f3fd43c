"""Write a Standard MIDI File. Makes a file.

The file appears whole, when the output is closed: until then the messages are kept in memory (11 bytes each)
and an empty `.NAME.partial` beside the file holds the place and proves that it can be written.
"""

import os
from array import array
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import mido
from pydantic import Field

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions

TICKS_PER_BEAT: Final = 5000  # with the tempo below, 0.1 ms a tick
TEMPO_US: Final = 500_000  # microseconds a beat: 120 beats a minute
NS_PER_TICK: Final = TEMPO_US * 1000 // TICKS_PER_BEAT
MAX_MESSAGES: Final = 4_000_000  # 44 MB: a day of 20 notes a second


class FileOutputOptions(AdapterOptions):
    """`file:OUT.mid?origin_ns=0`."""

    target: Annotated[str, Field(min_length=1)] = "out.mid"
    origin_ns: int | None = None  # the moment that is the file's time 0; by default the first message's


class FileOutput:
    """A MIDI file of type 1: tempo 120, one track of notes, times exact to 0.05 ms.

    `origin_ns` may be set until `close()`: the moment (ns, the clock of `at_ns`) that is the file's time 0.
    Messages before it stand at time 0.
    """

    Options = FileOutputOptions

    def __init__(self, options: FileOutputOptions) -> None:
        self.path = Path(options.target)
        self.origin_ns = options.origin_ns
        self._partial = self.path  # a name beside it, from open() on
        self._file: BinaryIO | None = None
        self._at_ns = array("q")
        self._bytes = bytearray()  # three bytes a message; shorter ones are padded
        self._sizes = bytearray()

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
            self._file = self._partial.open("wb")
        except FileNotFoundError as exc:
            raise MissingError(
                f"MIDI file {self.path} cannot be made: no folder {self.path.parent}; make it first"
            ) from exc
        except OSError as exc:
            raise UsageError(
                f"MIDI file {self.path} cannot be written: {exc.strerror}; name a place that can"
            ) from exc
        self._at_ns, self._bytes, self._sizes = array("q"), bytearray(), bytearray()
        return f"file:{self.path}: a MIDI file, written when the run ends"

    def send(self, message: bytes, at_ns: int) -> None:
        """Keep one message of up to three bytes. Raises LostError when the file is not open or full."""
        if self._file is None:
            raise LostError(f"MIDI file {self.path} is not open; call open() before send()")
        if len(self._sizes) >= MAX_MESSAGES:
            raise LostError(
                f"MIDI file {self.path} is full: {MAX_MESSAGES} messages; end the run (they will be written)"
            )
        self._at_ns.append(at_ns)
        self._bytes += message.ljust(3, b"\0")
        self._sizes.append(len(message))

    def close(self) -> None:
        """Write the file; safe to call twice and before `open()`. Raises LostError if the disk refuses.

        Where nothing was sent, an earlier file stays: a start that failed takes no song with it.
        """
        if self._file is None:
            return
        file, self._file = self._file, None
        if not self._sizes and self.path.exists():
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
                f"MIDI file {self.path} could not be written: {exc.strerror}; {len(self._sizes)} messages "
                "are lost; make room or name another place"
            ) from exc

    def _midi(self) -> mido.MidiFile:
        conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO_US)])
        notes = mido.MidiTrack([mido.MetaMessage("track_name", name="lalelu")])
        origin_ns = self.origin_ns
        if origin_ns is None:
            origin_ns = self._at_ns[0] if self._at_ns else 0
        last = 0
        for index, (at_ns, size) in enumerate(zip(self._at_ns, self._sizes, strict=True)):
            # ticks are rounded from the absolute time, so that errors do not add up
            tick = max(last, round((at_ns - origin_ns) / NS_PER_TICK))
            data = self._bytes[3 * index : 3 * index + size]
            notes.append(mido.Message.from_bytes(data, time=tick - last))
            last = tick
        return mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[conductor, notes])
