"""MIDI messages as bytes (MIDI 1.0, channel voice and real-time messages). Pure.

Channels are counted from 1, as on instruments and in kits; data bytes are 0..127.
"""

from typing import Final

from lalelu.errors import UsageError

CLOCK: Final = b"\xf8"  # a real-time message: it may come between any two others
REAL_TIME: Final = 0xF8  # the least status byte of such messages
TICKS_PER_BEAT: Final = 24  # of the clock
CENTRE: Final = 8192  # of the pitch wheel, 0..16383

# status bytes without their channel
DRUM_CHANNEL: Final = 10  # General MIDI's
NOTE_OFF: Final = 0x80
NOTE_ON: Final = 0x90
CONTROL: Final = 0xB0
BEND: Final = 0xE0
_ALL_NOTES_OFF: Final = 123  # controller
# Registered parameter 0 is the wheel's range; 127, 127 closes it, so that a stray data entry changes nothing.
_PARAMETER: Final = (101, 100)  # controllers: its number's high and low part
_DATA_ENTRY: Final = (6, 38)  # semitones, cents


def is_note_on(message: bytes) -> bool:
    """Whether a message begins a note; a note-on of velocity 0 ends one."""
    return len(message) == 3 and message[0] & 0xF0 == NOTE_ON and message[2] > 0


def note_on(channel: int, note: int, velocity: int) -> bytes:
    """Return the three bytes that start `note`; velocity 1..127. Raises UsageError outside its range."""
    if velocity == 0:
        raise UsageError("velocity of a note-on is 0, which MIDI reads as a note-off; use 1..127")
    return bytes((_status(NOTE_ON, channel), _data("note", note), _data("velocity", velocity)))


def note_off(channel: int, note: int) -> bytes:
    """Return the three bytes that end `note`. Raises UsageError for a value out of range."""
    return bytes((_status(NOTE_OFF, channel), _data("note", note), 0))


def control(channel: int, controller: int, value: int) -> bytes:
    """Return the three bytes that set `controller` to `value`. Raises UsageError for a value out of range."""
    return bytes((_status(CONTROL, channel), _data("controller", controller), _data("value", value)))


def pitch_bend(channel: int, value: int) -> bytes:
    """Return the three bytes that turn the pitch wheel, 0..16383. Raises UsageError for a value out of range."""
    if not 0 <= value < 2 * CENTRE:
        raise UsageError(f"MIDI pitch bend is {value}; use 0..{2 * CENTRE - 1}")
    return bytes((_status(BEND, channel), value & 0x7F, value >> 7))


def all_notes_off(channel: int) -> bytes:
    """Return the three bytes that end every note of a channel. Raises UsageError for a value out of range."""
    return control(channel, _ALL_NOTES_OFF, 0)


def bend_range(channel: int, semitones: int) -> tuple[bytes, ...]:
    """Return the messages that tell a synth how far the wheel bends to each side.

    Raises UsageError for a value out of range.
    """
    numbers = (*zip(_PARAMETER, (0, 0), strict=True), *zip(_DATA_ENTRY, (semitones, 0), strict=True))
    closing = zip(_PARAMETER, (127, 127), strict=True)
    return tuple(control(channel, controller, value) for controller, value in (*numbers, *closing))


def _status(kind: int, channel: int) -> int:
    if not 1 <= channel <= 16:
        raise UsageError(f"MIDI channel is {channel}; use 1..16")
    return kind | (channel - 1)


def _data(name: str, value: int) -> int:
    if not 0 <= value <= 127:
        raise UsageError(f"MIDI {name} is {value}; use 0..127")
    return value
