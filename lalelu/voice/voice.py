"""Sound hits on MIDI outputs when they are due, end every note, and say when each was sent. Sends to devices."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, NamedTuple

from lalelu.config.kit import KitConfig
from lalelu.errors import LaleluError, LostError, MissingError, PortLostError, UsageError
from lalelu.voice.message import CLOCK, all_notes_off, note_off
from lalelu.voice.port import MidiOutput, PacedOutput, ValueOutput
from lalelu.voice.repeats import Repeats
from lalelu.voice.repertoire import Repertoire
from lalelu.voice.scheduler import Note, Owner, Scheduler, Sounding
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.sounds import Sound
from lalelu.voice.targets import Targets, addresses
from lalelu.voice.tempo import Tempo

LATE_NS: Final = 1_000_000  # 1 ms: the variation a player tolerates (Wessel & Wright 2002)
SIGNAL_NS: Final = 100_000_000  # of a note that is a signal ...
SIGNAL_VELOCITY: Final = 40  # ... which is heard beside soft strokes and not over them
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Strike:
    """One hit as it reaches the voice; `limb` and `pad` are numbers from 1, 0 = none, as in a note's row."""

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


class _Struck(NamedTuple):
    """A hit, and what its pad sounded when it was struck."""

    strike: Strike
    sound: Sound


def check_addresses(kits: Sequence[KitConfig], outputs: Sequence[MidiOutput]) -> None:
    """Raise UsageError where a kit sets an OSC address and no output takes its values."""
    found = addresses(kits)
    if found and not any(isinstance(output, ValueOutput) for output in outputs):
        kit, gesture, address = found[0]
        raise UsageError(
            f"kit {kit!r}: gesture {gesture!r} sets the OSC address {address}, and no output takes it; add "
            "osc:HOST:PORT to midi.outputs, or have it set a controller"
        )


def velocity_of(strength: float) -> int:
    """Return the MIDI velocity 1..127 of a strength 0..1; beyond is clamped."""
    return min(127, max(1, round(127 * strength)))


def _dropped_by(output: MidiOutput) -> int:
    return output.dropped if isinstance(output, ValueOutput | PacedOutput) else 0


class Voice:
    """The kits' sound: every hit to every output at `struck_ns + delay_ns`, and no note left hanging.

    Pads are numbered from 1 over the pads of all kits in order, and so are controls over their gestures. `channels`,
    by player: a player's own MIDI channel, where a pad or target names none; None, and players beyond: the kit's.
    `delay_ns` may be changed while it plays: notes that wait keep the time they were given.
    A lost output is named once, by PortLostError from `check()`; the others play on, and `replace()` puts another into
    its place. `table` keeps what sounds for a voice that comes after this one. `needs_osc`: kits that set OSC addresses
    need an output that takes them.
    """

    def __init__(
        self,
        outputs: Sequence[MidiOutput],
        kits: Sequence[KitConfig],
        *,
        now_ns: Callable[[], int],
        channels: Sequence[int | None] = (),
        delay_ns: int = 0,
        table: SoundingTable | None = None,
        needs_osc: bool = True,
    ) -> None:
        self._first = tuple(outputs)
        self.outputs = list(outputs)  # with those that took a lost one's place
        self._sort_outputs()
        self._now_ns = now_ns
        self.delay_ns = delay_ns
        self._table = table or SoundingTable(None)
        self._kits = kits if needs_osc else ()
        self.repertoire = Repertoire.of(kits, channels)
        self._played = set(self.repertoire.played)  # channels, of all kits so far
        self._scheduler: Scheduler[_Struck] = Scheduler()
        self._targets = Targets(self.repertoire.aims, self.repertoire.channels)
        self._tempo = Tempo()
        self._live: list[MidiOutput] = []  # open and not lost
        self._lost: list[LostError] = []  # not yet raised
        self._gone: dict[int, str] = {}  # of lost outputs, by their place: why
        self._owed: dict[int, Collection[Sounding]] = {}  # what such an output was not told the end of
        self._repeats = Repeats()
        self._dropped = 0  # by outputs that others took the place of
        self.unheard = 0  # notes that fell due while no output was there

    @property
    def next_due_ns(self) -> int | None:
        """When the next note, note-off, value or tick of the clock falls due; None while there is none."""
        due = [self._scheduler.next_due_ns, self._targets.next_due_ns, self._tempo.next_ns]
        due += [output.next_ns for output in self._paced if output in self._live]
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    @property
    def busy(self) -> bool:
        """Whether something still sounds or changes by itself: the clock and held notes would go on for ever."""
        return self._scheduler.next_due_ns is not None or self._targets.next_due_ns is not None

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        """The notes that sound now, as (channel, note)."""
        return self._scheduler.sounding

    @property
    def silent(self) -> bool:
        """Whether no output is there."""
        return not self._live

    @property
    def gone(self) -> dict[int, str]:
        """The outputs that are not there, by their place, and why."""
        return dict(self._gone)

    @property
    def refused(self) -> int:
        """Notes not played because too many waited or sounded."""
        return self._scheduler.refused

    @property
    def dropped(self) -> int:
        """Messages and values that an output could not send at once, and so never did."""
        return self._dropped + sum(map(_dropped_by, self.outputs))

    def open(self, *, waits: bool = False, follows: bool = False) -> list[str]:
        """Open every output, end what an earlier voice has left sounding, and return one line about each output.

        When one cannot be opened, those opened before are closed again and its error is raised; but where it `waits`,
        an output that is not there is gone like one that was lost, and where it `follows` another voice, so is one that
        is wrong for now. Raises UsageError where a kit sets an OSC address and no output takes its values.
        """
        check_addresses(self._kits, self.outputs)
        lines = []
        with ExitStack() as undo:
            for place, output in enumerate(self.outputs):
                try:
                    lines.append(output.open())
                except (MissingError, UsageError) as exc:
                    goes_on = waits if isinstance(exc, MissingError) else follows
                    if not (goes_on and output.comes_back):
                        raise
                    self._gone[place] = str(exc)
                    lines.append(f"{exc}; it is waited for")
                else:
                    undo.callback(output.close)
            undo.pop_all()
        self._live = [output for place, output in enumerate(self.outputs) if place not in self._gone]
        left = sorted({*self._table.left(), *self._table.owed(), *self._table.doubtful()})
        self._owed = dict.fromkeys(self._gone, left)
        for output in self._live:
            if output.comes_back:  # a file misses nothing
                self._repeats.begin(output, left, self._now_ns())
        self._end(left)
        self._keep_owed()
        self._send(self._targets.begin())
        return lines

    def repeat(self) -> None:
        """End what was left sounding, and tell the wheels' ranges, once more on outputs that were opened of late.

        To be called often: it knows when. A note that sounds anew is left alone; its own end follows.
        """
        at_ns = self._now_ns()
        self._table.settle(at_ns)
        due = self._repeats.due(at_ns)
        sounding = self._scheduler.sounding if due else ()
        for output, left in due:
            ends = [note_off(*note) for note in left if note not in sounding]
            self._send_to(output, [*ends, *self._targets.ranges()])
        if due:
            self._keep_owed()

    def look(self) -> None:
        """Notice outputs that went without a word; takes up to 1 ms for each."""
        for output in tuple(self._live):
            try:
                output.look()
            except LostError as exc:
                self._lose(output, exc)

    def replace(self, place: int, output: MidiOutput) -> None:
        """Let an open output take the place of one that has gone; what that still sounds is ended first."""
        del self._gone[place]
        left = sorted(self._owed.pop(place))
        self._dropped += _dropped_by(self.outputs[place])
        self.outputs[place] = output
        self._live.append(output)
        self._repeats.begin(output, left, self._now_ns())
        self._sort_outputs()
        ends = [*map(all_notes_off, sorted(self._played)), *(note_off(*note) for note in left)]
        self._send_to(output, [*ends, *self._targets.now()])
        self._keep_owed()

    def change(self, repertoire: Repertoire) -> None:
        """Play other kits from the next hit on; what was struck before sounds as it would have."""
        self.repertoire = repertoire
        self._played |= repertoire.played
        self._send(self._targets.change(repertoire.aims, repertoire.channels))

    def signal(self, channel: int, note: int) -> None:
        """Play a soft note now that belongs to no hit and leaves no row."""
        at_ns = self._now_ns()
        owner = Owner(_NOBODY, 0)
        messages = self._scheduler.strike(
            Note(channel, note, owner, at_ns, SIGNAL_NS, None), SIGNAL_VELOCITY, at_ns
        )
        if messages:
            self._table.begin(channel, note)
            self._send(messages)

    def add(self, strike: Strike) -> None:
        """Take in one hit; `advance()` sounds it when it is due. `strike.pad` must be one of the kits', from 1."""
        sound = self.repertoire.sound(strike.player, strike.pad)
        owner = self._owner(strike.player, strike.pad)
        for channel, note in sound.notes:
            self._scheduler.add(
                strike.struck_ns + self.delay_ns,
                Note(channel, note, owner, strike.struck_ns, sound.note_ns, _Struck(strike, sound)),
            )

    def release(self, player: int, pad: int, at_ns: int) -> None:
        """End what a player's pad sounds, as types.Release tells."""
        self._scheduler.release(self._owner(player, pad), at_ns, at_ns + self.delay_ns)

    def control(self, number: int, player: int, value: float, captured_ns: int) -> None:
        """Take in the value 0..1 of a gesture's target, by the gesture's number from 1."""
        self._targets.set(number, player, value, captured_ns + self.delay_ns)

    def tap(self, at_ns: int) -> None:
        """Take in a tap of the tempo.

        The clock's beats are as late as the notes of strokes on the beat, so that both sound together.
        """
        self._tempo.tap(at_ns + self.delay_ns, self._now_ns())

    def bpm(self) -> float | None:
        """Return the tempo that was tapped, beats a minute; None until two seconds after the last tap of a count."""
        return self._tempo.bpm(self._now_ns())

    def advance(self, woken_ns: int) -> list[NoteSent]:
        """Sound what has fallen due, end what has to end, and return a row for each note-on."""
        self._pass_on()
        if self._tempo.tick(self._now_ns()):
            self._send([CLOCK])
        self._send_values()
        rows = []
        while (waiting := self._scheduler.pop(self._now_ns())) is not None:
            due_ns, note = waiting
            strike, sound = note.told
            velocity = velocity_of(strike.strength)
            if sound.choked:
                self._end(self._scheduler.cut(sound.choked, sound.rivals))
            messages = self._scheduler.strike(note, velocity, self._now_ns())
            if not messages:
                continue
            self._table.begin(note.channel, note.note)
            self._send(messages)
            if self.silent:
                self.unheard += 1
                continue
            rows.append(NoteSent(strike, due_ns, woken_ns, self._now_ns(), note.channel, note.note, velocity))
        self._end(self._scheduler.ended(self._now_ns()))
        return rows

    def check(self) -> None:
        """Raise PortLostError, once, when outputs were lost since the last call; all of them are in its sentence."""
        lost, self._lost = self._lost, []
        if lost:
            raise PortLostError("; ".join(str(exc) for exc in lost)) from lost[0]

    def silence(self) -> None:
        """End every sounding note on every output now, and forget the notes that wait.

        Controllers, wheels and the clock go on: they make no sound.
        """
        self._end(self._scheduler.clear())
        self._end(self._table.left())  # where a signal has interrupted an ending

    def close(self) -> None:
        """End every sounding note, let go of the wheels, then close every output.

        Safe to call twice and before `open()`. One output's failure keeps none of the others from it; the first
        failure is raised at the end.
        """
        self.silence()
        self._send(self._targets.end())
        problem: LaleluError | None = None
        try:
            self.check()
        except LostError as exc:
            problem = exc
        self._live = []
        for output in dict.fromkeys((*self._first, *self.outputs)):
            try:
                output.close()
            except LaleluError as exc:
                problem = problem or exc
        self._repeats = Repeats()
        self._keep_owed()
        self._table.settle(None)
        if problem is not None:
            raise problem

    def _owner(self, player: int, pad: int) -> Owner:
        return Owner(player, self.repertoire.before + pad)

    def _end(self, notes: Sequence[Sounding]) -> None:
        self._send([note_off(channel, note) for channel, note in notes])
        self._table.end(notes, self._now_ns())

    def _send(self, messages: Sequence[bytes]) -> None:
        for output in tuple(self._live):
            self._send_to(output, messages)

    def _send_to(self, output: MidiOutput, messages: Sequence[bytes]) -> None:
        if output not in self._live:
            return
        at_ns = self._now_ns()
        try:
            for message in messages:
                output.send(message, at_ns)
        except LostError as exc:
            self._lose(output, exc)

    def _pass_on(self) -> None:
        for output in self._paced:
            if output in self._live:
                try:
                    output.advance(self._now_ns())
                except LostError as exc:
                    self._lose(output, exc)

    def _send_values(self) -> None:
        due = self._targets.due(self._now_ns())
        if due is None:
            return
        self._send(due.messages)
        for output in self._takers:
            if output not in self._live:
                continue
            try:
                for address, value in due.values:
                    output.value(address, value)
            except LostError as exc:
                self._lose(output, exc)

    def _lose(self, output: MidiOutput, exc: LostError) -> None:
        self._live.remove(output)
        self._lost.append(exc)
        place = self.outputs.index(output)
        self._gone[place] = str(exc)
        self._table.settle(self._now_ns())
        # begun before it was sent, and ended after that
        self._owed[place] = {*self._table.left(), *self._table.doubtful(), *self._repeats.drop(output)}
        self._keep_owed()

    def _keep_owed(self) -> None:
        self._table.owe(self._repeats.notes.union(*self._owed.values()))

    def _sort_outputs(self) -> None:
        self._takers = [output for output in self.outputs if isinstance(output, ValueOutput)]
        self._paced = [output for output in self.outputs if isinstance(output, PacedOutput)]
