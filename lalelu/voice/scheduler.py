"""What is to sound, what sounds and when it ends: the tables behind the voice. Pure: time comes in the arguments."""

import heapq
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from lalelu.voice.message import note_off, note_on

Sounding: TypeAlias = tuple[int, int]  # channel 1..16, note 0..127

# More notes at once than any kit's pads can hold on a synth of 64..128 voices; a bound, not a tuning value.
MAX_SOUNDING: Final = 128
MAX_WAITING: Final = 1024

T = TypeVar("T")


class Owner(NamedTuple):
    """Whose note it is: the player's who struck it, by the pad."""

    player: int
    pad: int  # by number, from 1


@dataclass(slots=True)
class Note(Generic[T]):
    """A note that is to sound. T is whatever the caller wants to know of it when it falls due."""

    channel: int
    note: int
    owner: Owner
    struck_ns: int
    note_ns: int | None  # from note-on to note-off; None = held until its owner releases it
    told: T
    until_ns: int | None = None  # when a release ends it, if that is sooner


@dataclass(frozen=True, slots=True)
class _Begun:
    owner: Owner
    off_ns: int | None  # None = held


class Scheduler(Generic[T]):
    """Keeps notes until they are due, turns strikes into note-ons, and ends each when its time is over or released."""

    def __init__(self, *, max_sounding: int = MAX_SOUNDING, max_waiting: int = MAX_WAITING) -> None:
        self._max_sounding = max_sounding
        self._max_waiting = max_waiting
        self._waiting: list[tuple[int, int, Note[T]]] = []  # heap by due time, then by order of adding
        self._added = 0
        self._begun: dict[Sounding, _Begun] = {}
        self._released_ns: dict[Owner, int] = {}  # the latest that was said to end what each sounds
        self.refused = 0  # notes not played because too many waited or sounded

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        """The notes that sound now, as (channel, note), oldest first."""
        return tuple(self._begun)

    @property
    def next_due_ns(self) -> int | None:
        """When the next note or note-off falls due; None while nothing waits, and nothing sounds but held notes."""
        ends = min((begun.off_ns for begun in self._begun.values() if begun.off_ns is not None), default=None)
        if not self._waiting:
            return ends
        return self._waiting[0][0] if ends is None else min(self._waiting[0][0], ends)

    def add(self, due_ns: int, note: Note[T]) -> None:
        """Keep `note` until `due_ns`; refused (and counted) when too many wait.

        A held note whose release is known already, because it was struck before that, never sounds: nothing more
        would end it.
        """
        if note.note_ns is None and note.struck_ns < self._released_ns.get(note.owner, note.struck_ns):
            return
        if len(self._waiting) >= self._max_waiting:
            self.refused += 1
            return
        heapq.heappush(self._waiting, (due_ns, self._added, note))
        self._added += 1

    def pop(self, now_ns: int) -> tuple[int, Note[T]] | None:
        """Return the next note that has fallen due and when that was; None when there is none."""
        if not self._waiting or self._waiting[0][0] > now_ns:
            return None
        due_ns, _, note = heapq.heappop(self._waiting)
        return due_ns, note

    def strike(self, note: Note[Any], velocity: int, now_ns: int) -> tuple[bytes, ...]:
        """Return what to send now for one note: its note-on, after a note-off where it still sounds.

        The older note-off of a note that is struck again is cancelled, whoever struck it; it is the last one's from
        now on. Empty when the table is full (counted in `refused`).
        """
        key = (note.channel, note.note)
        ends = [] if note.note_ns is None else [now_ns + note.note_ns]
        ends += [] if note.until_ns is None else [note.until_ns]
        begun = _Begun(note.owner, min(ends, default=None))
        started = note_on(note.channel, note.note, velocity)
        # popped, so that the note moves to the end: the table stays in order of striking
        if self._begun.pop(key, None) is not None:
            self._begun[key] = begun
            return note_off(note.channel, note.note), started
        if len(self._begun) >= self._max_sounding:
            self.refused += 1
            return ()
        self._begun[key] = begun
        return (started,)

    def release(self, owner: Owner, at_ns: int, end_ns: int) -> None:
        """End at `end_ns` what `owner` sounds and what of theirs waits and was struck before `at_ns`; drop the rest.

        Notes of theirs that are added later sound, unless they are held ones struck before `at_ns`.
        """
        self._released_ns[owner] = max(at_ns, self._released_ns.get(owner, at_ns))
        for key, begun in self._begun.items():
            if begun.owner == owner and (begun.off_ns is None or begun.off_ns > end_ns):
                self._begun[key] = _Begun(owner, end_ns)
        kept = []
        for entry in self._waiting:
            note = entry[2]
            if note.owner == owner:
                if note.struck_ns >= at_ns:
                    continue
                note.until_ns = end_ns if note.until_ns is None else min(note.until_ns, end_ns)
            kept.append(entry)
        heapq.heapify(kept)
        self._waiting = kept

    def cut(self, notes: AbstractSet[Sounding], pads: AbstractSet[int]) -> tuple[Sounding, ...]:
        """Return those of `notes` that sound and were struck on one of `pads`, and forget them: they end now."""
        cut = tuple(key for key, begun in self._begun.items() if key in notes and begun.owner.pad in pads)
        for key in cut:
            del self._begun[key]
        return cut

    def ended(self, now_ns: int) -> tuple[Sounding, ...]:
        """Return the notes whose end has come, and forget them."""
        ended = tuple(
            key for key, begun in self._begun.items() if begun.off_ns is not None and begun.off_ns <= now_ns
        )
        for key in ended:
            del self._begun[key]
        return ended

    def clear(self) -> tuple[Sounding, ...]:
        """Return the notes that sound, and forget them and all that wait."""
        ended = tuple(self._begun)
        self._begun.clear()
        self._waiting.clear()
        return ended
