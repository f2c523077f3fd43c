"""Write a Standard MIDI File. Makes a file.

The file appears whole, when the output is closed: until then the messages are kept in memory (12 bytes each)
and an empty `.NAME.partial` beside the file holds the place and proves that it can be written. Memory is this
process's, or a file in memory that outlives it: the one that follows a killed process goes on with it.
"""

import io
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, BinaryIO, Final

import mido
from pydantic import Field

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.message import BEND, CLOCK, CONTROL, DRUM_CHANNEL, REAL_TIME
from lalelu.voice.message import TICKS_PER_BEAT as CLOCKS_PER_BEAT
from lalelu.voice.tempomap import TICKS_PER_BEAT, Tempo, TempoMap, beginning

MAX_MESSAGES: Final = 4_000_000  # 48 MB: a day of 20 notes a second

_ENTRY: Final = struct.Struct("<qB")  # when, and how many bytes follow


class FileOutputOptions(AdapterOptions):
    """`file:OUT.mid?origin_ns=0`."""

    target: Annotated[str, Field(min_length=1)] = "out.mid"
    origin_ns: int | None = (
        None  # the moment that is the file's time 0; by default the first message's, or its beat's
    )
    keep: str | None = None  # the file in memory that keeps the messages; the voice names it


# Controllers that tell a wheel's range (RPN 0), as a voice does before anybody plays.
_RANGE: Final = frozenset({100, 101, 6, 38})
_CENTRED: Final = b"\x00\x40"  # a wheel's data bytes


def _plays(message: bytes) -> bool:
    """Whether a message is more than what a voice sends at its opening."""
    kind = message[0] & 0xF0
    if message == CLOCK:
        return False
    sets_up = (kind == CONTROL and message[1] in _RANGE) or (kind == BEND and message[1:] == _CENTRED)
    return not sets_up


class FileOutput:
    """A MIDI file of type 1: a track of tempi, one of each channel, times exact to 0.05 ms at 120 beats a minute.

    The tempo is that of the clock that was sent, where one was tapped, else 120; the meter 4/4.

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
        self._ticks = 0  # of the clock
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
        """Keep one message of up to 255 bytes; of the clock its beats, which make the file's tempo.

        Raises LostError when the file is not open or full.
        """
        if self._file is None:
            raise LostError(f"MIDI file {self.path} is not open; call open() before send()")
        if message == CLOCK:
            self._ticks += 1
            if self._ticks % CLOCKS_PER_BEAT != 1:
                return
        elif message[0] >= REAL_TIME:
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
        kept = list(self._messages())
        played = [(at_ns, message) for at_ns, message in kept if message != CLOCK]
        beats = [at_ns for at_ns, message in kept if message == CLOCK]
        origin_ns = self.origin_ns
        if origin_ns is None:
            origin_ns = beginning((played or kept or [(0, CLOCK)])[0][0], beats)
        tempi = TempoMap(origin_ns, beats)
        tracks: dict[int, mido.MidiTrack] = {}
        ends: dict[int, int] = {}  # each track's last tick
        last, before = 0, None  # the tick and the channel of the message before
        for at_ns, message in played:
            try:
                parsed = mido.Message.from_bytes(message)
            except ValueError:
                self._left_out += 1
                continue
            channel = getattr(parsed, "channel", -1) + 1
            # Ticks are rounded from the absolute time, so that errors do not add up. Another track's is a later one:
            # whoever reads the tracks side by side reads them in the order in which they were sent.
            last, before = max(last + (before not in (None, channel)), tempi.tick(at_ns)), channel
            track = tracks.setdefault(channel, _track(channel))
            track.append(parsed.copy(time=last - ends.get(channel, 0)))
            ends[channel] = last
        in_order = [tracks[channel] for channel in sorted(tracks)] or [_track(DRUM_CHANNEL)]
        return mido.MidiFile(
            type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[_conductor(tempi.tempi), *in_order]
        )

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        self._kept.seek(0)
        kept = self._kept.read()
        start = 0
        while start + _ENTRY.size <= len(kept):
            at_ns, size = _ENTRY.unpack_from(kept, start)
            start += _ENTRY.size + size
            if start <= len(kept):
                yield at_ns, kept[start - size : start]


def _conductor(tempi: Sequence[Tempo]) -> mido.MidiTrack:
    """Return the track that has the file's name, its meter and its tempi."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="lalelu"),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
        ]
    )
    last = 0
    for tempo in tempi:
        track.append(mido.MetaMessage("set_tempo", tempo=tempo.beat_us, time=tempo.tick - last))
        last = tempo.tick
    return track


def _track(channel: int) -> mido.MidiTrack:
    """Return the beginning of the track of a channel, 0 = what is of none."""
    name = "drums" if channel == DRUM_CHANNEL else f"channel {channel}" if channel else "system"
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=f"lalelu {name}")])
    if channel:
        track.append(mido.MetaMessage("channel_prefix", channel=channel - 1))
    if channel == DRUM_CHANNEL:
        track.append(mido.MetaMessage("instrument_name", name="drum kit"))
    return track
