"""Sound hits on MIDI outputs when they are due, end every note, and say when each was sent. Sends to devices."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from lalelu.config.schema import KitConfig
from lalelu.errors import LaleluError, LostError, PortLostError
from lalelu.voice.message import note_off
from lalelu.voice.port import MidiOutput
from lalelu.voice.scheduler import Scheduler, Sounding
from lalelu.voice.sounding import SoundingTable

LATE_NS: Final = 1_000_000  # 1 ms: the variation a player tolerates (Wessel & Wright 2002)


@dataclass(frozen=True, slots=True)
class Strike:
    """One hit as it reaches the voice; `limb` and `pad` are numbers, as in a note's row (NOTE_DTYPE)."""

    seq: int
    captured_ns: int
    struck_ns: int
    strength: float  # 0..1
    player: int
    limb: int
    pad: int


@dataclass(frozen=True, slots=True)
class NoteSent:
    """One note-on that went out; stamps are CLOCK_MONOTONIC nanoseconds."""

    strike: Strike
    due_ns: int  # when it should sound
    woken_ns: int  # when the voice woke for it
    sent_ns: int  # when the last output had taken it
    channel: int  # 1..16
    note: int  # 0..127
    velocity: int  # 1..127

    @property
    def late(self) -> bool:
        """Whether it was sent more than 1 ms after it was due."""
        return self.sent_ns > self.due_ns + LATE_NS


@dataclass(frozen=True, slots=True)
class _Waiting:
    strike: Strike
    channel: int
    note: int


def velocity_of(strength: float) -> int:
    """Return the MIDI velocity 1..127 of a strength 0..1; beyond is clamped."""
    return min(127, max(1, round(127 * strength)))


def _chokes(kit: KitConfig, notes: Sequence[Sequence[Sounding]]) -> list[frozenset[Sounding]]:
    """Return, for each pad, what its hit ends: the notes of its choke group's other pads, but for its own."""
    groups = [pad.choke for pad in kit.pads.values()]
    return [
        frozenset(
            note
            for other, theirs in zip(groups, notes, strict=True)
            if group is not None and other == group
            for note in theirs
        ).difference(own)
        for group, own in zip(groups, notes, strict=True)
    ]


class Voice:
    """The kit's sound: every hit to every output at `struck_ns + delay_ns`, and no note left hanging.

    `delay_ns` may be changed while it plays: notes that wait keep the time they were given.
    A lost output is named once, by PortLostError from `check()`; the others play on. `table` keeps what sounds for
    a voice that comes after this one.
    """

    def __init__(
        self,
        outputs: Sequence[MidiOutput],
        kit: KitConfig,
        *,
        now_ns: Callable[[], int],
        delay_ns: int = 0,
        table: SoundingTable | None = None,
    ) -> None:
        self._outputs = tuple(outputs)
        self._now_ns = now_ns
        self.delay_ns = delay_ns
        self._table = table or SoundingTable(None)
        self._scheduler: Scheduler[_Waiting] = Scheduler(kit.note_ms * 1_000_000)
        # dict.fromkeys: a note that stands twice in a chord is one note
        self._pads = [
            tuple(dict.fromkeys((pad.channel or kit.channel, note) for note in pad.notes))
            for pad in kit.pads.values()
        ]
        self._note_ns = [(pad.note_ms or kit.note_ms) * 1_000_000 for pad in kit.pads.values()]
        self._chokes = _chokes(kit, self._pads)
        self._live: list[MidiOutput] = []  # open and not lost
        self._opened: list[MidiOutput] = []  # to be closed, lost or not
        self._lost: list[LostError] = []  # not yet raised
        self._left: Sequence[Sounding] = ()  # what an earlier voice had begun

    @property
    def next_due_ns(self) -> int | None:
        """When the next note or note-off falls due; None while nothing waits or sounds."""
        return self._scheduler.next_due_ns

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        """The notes that sound now, as (channel, note)."""
        return self._scheduler.sounding

    @property
    def silent(self) -> bool:
        """Whether every output has been lost."""
        return bool(self._opened) and not self._live

    @property
    def refused(self) -> int:
        """Notes not played because too many waited or sounded."""
        return self._scheduler.refused

    def open(self) -> list[str]:
        """Open every output, end what an earlier voice has left sounding, and return one line about each output.

        When one cannot be opened, those opened before are closed again and its error is raised.
        """
        lines = []
        with ExitStack() as undo:
            for output in self._outputs:
                lines.append(output.open())
                undo.callback(output.close)
            undo.pop_all()
        self._opened = list(self._outputs)
        self._live = list(self._outputs)
        self._left = self._table.left()
        self.end_left()
        return lines

    def end_left(self) -> None:
        """End what an earlier voice has left sounding, once more.

        A listener that has to connect to our new port first misses what is sent before.
        """
        sounding = self._scheduler.sounding
        self._end([note for note in self._left if note not in sounding])

    def add(self, strike: Strike) -> None:
        """Take in one hit; `advance()` sounds it when it is due. `strike.pad` must be one of the kit's, from 1."""
        for channel, note in self._pads[strike.pad - 1]:
            self._scheduler.add(strike.struck_ns + self.delay_ns, _Waiting(strike, channel, note))

    def advance(self, woken_ns: int) -> list[NoteSent]:
        """Sound what has fallen due, end what has to end, and return a row for each note-on."""
        rows = []
        while (waiting := self._scheduler.pop(self._now_ns())) is not None:
            due_ns, note = waiting
            velocity = velocity_of(note.strike.strength)
            pad = note.strike.pad - 1
            if self._chokes[pad]:
                self._end(self._scheduler.cut(self._chokes[pad]))
            messages = self._scheduler.strike(
                note.channel, note.note, velocity, self._now_ns(), note_ns=self._note_ns[pad]
            )
            if not messages:
                continue
            self._table.begin(note.channel, note.note)
            self._send(messages)
            rows.append(
                NoteSent(note.strike, due_ns, woken_ns, self._now_ns(), note.channel, note.note, velocity)
            )
        self._end(self._scheduler.ended(self._now_ns()))
        return rows

    def check(self) -> None:
        """Raise PortLostError, once, when outputs were lost since the last call; all of them are in its sentence."""
        lost, self._lost = self._lost, []
        if lost:
            raise PortLostError("; ".join(str(exc) for exc in lost)) from lost[0]

    def silence(self) -> None:
        """End every sounding note on every output now, and forget what waits."""
        self._end(self._scheduler.clear())
        self._end(self._table.left())  # where a signal has interrupted an ending

    def close(self) -> None:
        """End every sounding note, then close every output; safe to call twice and before `open()`.

        One output's failure keeps none of the others from it; the first failure is raised at the end.
        """
        self.silence()
        problem: LaleluError | None = None
        try:
            self.check()
        except LostError as exc:
            problem = exc
        opened, self._opened, self._live = self._opened, [], []
        for output in opened:
            try:
                output.close()
            except LaleluError as exc:
                problem = problem or exc
        if problem is not None:
            raise problem

    def _end(self, notes: Sequence[Sounding]) -> None:
        self._send([note_off(channel, note) for channel, note in notes])
        self._table.end(notes)

    def _send(self, messages: Sequence[bytes]) -> None:
        at_ns = self._now_ns()
        for output in tuple(self._live):
            try:
                for message in messages:
                    output.send(message, at_ns)
            except LostError as exc:
                self._live.remove(output)
                self._lost.append(exc)
