"""What is to sound, what sounds and when it ends: the tables behind the voice. Pure: time comes in the arguments."""

import heapq
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeAlias, TypeVar

from lalelu.voice.message import note_off, note_on

Sounding: TypeAlias = tuple[int, int]  # channel 1..16, note 0..127

# More notes at once than any kit's pads can hold on a synth of 64..128 voices; a bound, not a tuning value.
MAX_SOUNDING: Final = 128
MAX_WAITING: Final = 1024

T = TypeVar("T")


class Scheduler(Generic[T]):
    """Keeps notes until they are due, turns strikes into note-ons, and ends each `note_ns` later.

    T is whatever the caller wants to know of a note when it falls due.
    """

    def __init__(
        self, note_ns: int, *, max_sounding: int = MAX_SOUNDING, max_waiting: int = MAX_WAITING
    ) -> None:
        self._note_ns = note_ns  # from note-on to note-off
        self._max_sounding = max_sounding
        self._max_waiting = max_waiting
        self._waiting: list[tuple[int, int, T]] = []  # heap by due time, then by order of adding
        self._added = 0
        self._off_ns: dict[Sounding, int] = {}  # when each sounding note ends
        self.refused = 0  # notes not played because too many waited or sounded

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        """The notes that sound now, as (channel, note), oldest first."""
        return tuple(self._off_ns)

    @property
    def next_due_ns(self) -> int | None:
        """When the next note or note-off falls due; None while nothing waits or sounds."""
        ends = min(self._off_ns.values(), default=None)
        if not self._waiting:
            return ends
        return self._waiting[0][0] if ends is None else min(self._waiting[0][0], ends)

    def add(self, due_ns: int, note: T) -> None:
        """Keep `note` until `due_ns`; refused (and counted) when too many wait."""
        if len(self._waiting) >= self._max_waiting:
            self.refused += 1
            return
        heapq.heappush(self._waiting, (due_ns, self._added, note))
        self._added += 1

    def pop(self, now_ns: int) -> tuple[int, T] | None:
        """Return the next note that has fallen due and when that was; None when there is none."""
        if not self._waiting or self._waiting[0][0] > now_ns:
            return None
        due_ns, _, note = heapq.heappop(self._waiting)
        return due_ns, note

    def strike(
        self, channel: int, note: int, velocity: int, now_ns: int, *, note_ns: int | None = None
    ) -> tuple[bytes, ...]:
        """Return what to send now for one note: its note-on, after a note-off where it still sounds.

        It ends after `note_ns`, where that is given, else after the scheduler's own. The older note-off of a note that
        is struck again is cancelled. Empty when the table is full (counted in `refused`).
        """
        key = (channel, note)
        off_ns = now_ns + (self._note_ns if note_ns is None else note_ns)
        started = note_on(channel, note, velocity)
        # popped, so that the note moves to the end: the table stays in order of striking
        if self._off_ns.pop(key, None) is not None:
            self._off_ns[key] = off_ns
            return note_off(channel, note), started
        if len(self._off_ns) >= self._max_sounding:
            self.refused += 1
            return ()
        self._off_ns[key] = off_ns
        return (started,)

    def cut(self, notes: AbstractSet[Sounding]) -> tuple[Sounding, ...]:
        """Return those of `notes` that sound, and forget them: they end now."""
        cut = tuple(key for key in self._off_ns if key in notes)
        for key in cut:
            del self._off_ns[key]
        return cut

    def ended(self, now_ns: int) -> tuple[Sounding, ...]:
        """Return the notes whose end has come, and forget them."""
        ended = tuple(key for key, off_ns in self._off_ns.items() if off_ns <= now_ns)
        for key in ended:
            del self._off_ns[key]
        return ended

    def clear(self) -> tuple[Sounding, ...]:
        """Return the notes that sound, and forget them and all that wait."""
        ended = tuple(self._off_ns)
        self._off_ns.clear()
        self._waiting.clear()
        return ended
