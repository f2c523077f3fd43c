"""MIDI messages as bytes (MIDI 1.0, channel voice messages). Pure.

Channels are counted from 1, as on instruments and in kits; data bytes are 0..127.
"""

from typing import Final

from lalelu.errors import UsageError

_NOTE_OFF: Final = 0x80
_NOTE_ON: Final = 0x90
_CONTROL: Final = 0xB0


def note_on(channel: int, note: int, velocity: int) -> bytes:
    """Return the three bytes that start `note`; velocity 1..127. Raises UsageError outside its range."""
    if velocity == 0:
        raise UsageError("velocity of a note-on is 0, which MIDI reads as a note-off; use 1..127")
    return bytes((_status(_NOTE_ON, channel), _data("note", note), _data("velocity", velocity)))


def note_off(channel: int, note: int) -> bytes:
    """Return the three bytes that end `note`. Raises UsageError for a value out of range."""
    return bytes((_status(_NOTE_OFF, channel), _data("note", note), 0))


def control(channel: int, controller: int, value: int) -> bytes:
    """Return the three bytes that set `controller` to `value`. Raises UsageError for a value out of range."""
    return bytes((_status(_CONTROL, channel), _data("controller", controller), _data("value", value)))


def _status(kind: int, channel: int) -> int:
    if not 1 <= channel <= 16:
        raise UsageError(f"MIDI channel is {channel}; use 1..16")
    return kind | (channel - 1)


def _data(name: str, value: int) -> int:
    if not 0 <= value <= 127:
        raise UsageError(f"MIDI {name} is {value}; use 0..127")
    return value
