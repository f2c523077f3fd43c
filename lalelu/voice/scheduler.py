"""What is sounding and when it ends: the table behind the voice. Pure: time comes in the arguments."""

from typing import Final, TypeAlias

from lalelu.voice.message import note_off, note_on

Sounding: TypeAlias = tuple[int, int]  # channel 1..16, note 0..127

# More notes at once than any kit's pads can hold on a synth of 64..128 voices; a bound, not a tuning value.
MAX_SOUNDING: Final = 128


class Scheduler:
    """Turns strikes into note-ons at once and note-offs `note_ns` later; every note-on gets one note-off."""

    def __init__(self, note_ns: int, *, max_sounding: int = MAX_SOUNDING) -> None:
        self._note_ns = note_ns  # from note-on to note-off
        self._max_sounding = max_sounding
        self._off_ns: dict[Sounding, int] = {}  # when each sounding note ends
        self.refused = 0  # notes not played because `max_sounding` notes sounded

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        """The notes that sound now, as (channel, note), oldest first."""
        return tuple(self._off_ns)

    @property
    def next_due_ns(self) -> int | None:
        """When the next note-off falls due; None while nothing sounds."""
        return min(self._off_ns.values(), default=None)

    def strike(self, channel: int, note: int, velocity: int, now_ns: int) -> tuple[bytes, ...]:
        """Return what to send now for one note: its note-on, after a note-off where it still sounds.

        The older note-off of a note that is struck again is cancelled. Empty when the table is full
        (counted in `refused`).
        """
        key = (channel, note)
        started = note_on(channel, note, velocity)
        # popped, so that the note moves to the end: the table stays in order of striking
        if self._off_ns.pop(key, None) is not None:
            self._off_ns[key] = now_ns + self._note_ns
            return note_off(channel, note), started
        if len(self._off_ns) >= self._max_sounding:
            self.refused += 1
            return ()
        self._off_ns[key] = now_ns + self._note_ns
        return (started,)

    def due(self, now_ns: int) -> tuple[bytes, ...]:
        """Return the note-offs that have fallen due, and forget those notes."""
        ended = [key for key, off_ns in self._off_ns.items() if off_ns <= now_ns]
        for key in ended:
            del self._off_ns[key]
        return tuple(note_off(channel, note) for channel, note in ended)

    def silence(self) -> tuple[bytes, ...]:
        """Return the note-offs of everything that sounds, and forget it all."""
        offs = tuple(note_off(channel, note) for channel, note in self._off_ns)
        self._off_ns.clear()
        return offs
