"""The voice's own process: sounds what the engine's ring brings when it is due. Sends to devices, above the engine.

`python -m lalelu.voice.process SESSION BELL ENGINE`: the session's folder, the eventfd that the engine writes, and a
pidfd of the engine. It waits for nothing but these and the clock. When the engine dies, is stuck or ends, every note
is ended.
"""

import os
import select
import signal
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from lalelu import realtime
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader, RingWriter
from lalelu.clock import now_ns, slept_ns
from lalelu.errors import LaleluError, PortLostError
from lalelu.ledger.layout import offset_in_frame
from lalelu.offer import Performance
from lalelu.registry import from_uri
from lalelu.session import CONTROL, FINISH, PLAY, RELEASE, SILENCE, TAP, Session
from lalelu.voice import port as voice_port
from lalelu.voice.alarm import Alarm
from lalelu.voice.away import Away
from lalelu.voice.coming import STEP_NS, Coming
from lalelu.voice.delay import AutoDelay
from lalelu.voice.port import MidiOutput, ValueOutput
from lalelu.voice.recovery import Recovery
from lalelu.voice.relayed import RelayedOutput, RelayedValues
from lalelu.voice.reports import Reports
from lalelu.voice.sounding import SoundingTable
from lalelu.voice.voice import Voice
from lalelu.wire import EventRing, epoch_of, note_row, read_hit

STUCK_NS: Final = 250_000_000  # an engine without a row for so long is stuck ...
STUCK_FRAMES: Final = 4  # ... or for so many frame periods, of a film slower than any camera
LOOK_NS: Final = 50_000_000  # between two looks at the engine's rows
FINISH_NS: Final = (
    10_000_000_000  # what was due when the engine ended sounds no longer; note_ms goes up to this
)
PRIORITY_ABOVE: Final = 5  # the engine's
_HIGHEST: Final = 99
_SOUNDING: Final = "sounding"  # the session's file of notes that sound
_STAMP: Final = struct.Struct("<q")
_CAPTURED_AT, _SENT_AT = map(offset_in_frame, ("captured_ns", "sent_ns"))


class EnginePulse:
    """Tells from the engine's rows whether it is stuck. `pause()` says that no rows are expected for now."""

    def __init__(self, frames: RingReader) -> None:
        self._frames = frames
        self._since = frames.head  # rows before this one do not count
        self.stuck = False

    @property
    def paused(self) -> bool:
        """Whether no row has come yet: since the start, or since the engine has said so."""
        return self._frames.head == self._since

    def pause(self) -> None:
        """Expect no rows until the next one comes."""
        self._since, self.stuck = self._frames.head, False

    def look(self, at_ns: int) -> bool:
        """Look at the rows at `at_ns`; whether the engine has become stuck, or come back, since the last look."""
        rows = self._frames.read(max(self._since, self._frames.head - 2)).records
        if len(rows) < 2:  # one row does not tell the frame period
            return False
        captured = [_STAMP.unpack_from(row, _CAPTURED_AT)[0] for row in rows]
        limit_ns = max(STUCK_NS, STUCK_FRAMES * (captured[-1] - captured[0]))
        was, self.stuck = self.stuck, at_ns - _STAMP.unpack_from(rows[-1], _SENT_AT)[0] > limit_ns
        return self.stuck != was


class VoiceProcess:
    """The loop around a Voice. `bell` is an eventfd, `engine` a descriptor that is readable once the engine is gone.

    `auto` changes the voice's delay while it plays; None leaves it as it is. `epoch` is that of the configuration that
    the voice plays; `first`: the number of the first of the engine's records to be read, None = the next. `tell` shows
    on the board which epoch is ready to be played.
    """

    def __init__(
        self,
        session: Session,
        voice: Voice,
        say: Callable[[str], None],
        *,
        once: bool,
        bell: int,
        engine: int,
        events: EventRing,
        recovery: Recovery,
        reports: Reports,
        auto: AutoDelay | None = None,
        epoch: int = 0,
        first: int | None = None,
        tell: Callable[..., None] | None = None,
    ) -> None:
        self._voice = voice
        self._coming = Coming(session, voice, epoch, tell)
        self._auto = auto
        self._delay_changed = False
        self._bpm: int | None = None  # as it was told last
        if auto is not None:
            voice.delay_ns = auto.delay_ms * 1_000_000
        self._say = say  # gets one line for people
        self._once = once
        self._recovery = recovery
        self._reports = reports
        self._bell = bell
        self._engine = engine
        self._hits = RingReader(session / "hits")
        # what a voice before this one has not played is too late by now
        self._next = self._hits.head if first is None else first
        self._notes = RingWriter(session / "notes")
        self._events = events
        self._pulse = EnginePulse(RingReader(session / "frames"))
        self._alarm = Alarm()
        self._away = Away()
        self._end_ns: int | None = None  # when what still sounds is ended, once the engine is done
        self._gone = False

    def run(self) -> None:
        """Sound what comes until the engine has gone, and end every note. Raises PortLostError."""
        poller = select.poll()
        for descriptor in (self._bell, self._engine, self._alarm.descriptor):
            poller.register(descriptor, select.POLLIN)
        try:
            while self._voice.busy or not self._gone:
                self._set_alarm()
                ready = [descriptor for descriptor, _ in poller.poll()]
                self._step(now_ns(), ready)
                if self._gone and self._engine in ready:
                    poller.unregister(self._engine)
        finally:
            self._voice.silence()
            self._recovery.close()
            self._alarm.close()
            if self._voice.refused:
                self._events.write(
                    "notes refused", f"{self._voice.refused} notes came while too many sounded"
                )
            if self._voice.dropped:
                self._events.write(
                    "values dropped",
                    f"{self._voice.dropped} messages found an output busy and were left out",
                )

    def _set_alarm(self) -> None:
        look_ns = now_ns() + (STEP_NS if self._coming.busy else LOOK_NS)
        due_ns = self._voice.next_due_ns
        self._alarm.set(look_ns if due_ns is None else min(due_ns, look_ns))

    def _step(self, woken_ns: int, ready: Sequence[int]) -> None:
        if self._bell in ready:
            os.eventfd_read(self._bell)
        if self._alarm.descriptor in ready:
            os.read(self._alarm.descriptor, 8)
        away = self._away.look(now_ns(), slept_ns())
        self._take_orders(learns=away is None)
        if away is not None:  # what fell due meanwhile is dropped, too: all of it at once would be no music
            self._silence(away)
        for note in self._voice.advance(woken_ns):
            self._notes.write(note_row(note))
        self._tell_delay()
        self._tell_tempo()
        if self._engine in ready:
            self._gone = True
            if self._end_ns is None:
                self._mourn()
        self._watch(woken_ns)
        self._recovery.step(now_ns())
        self._reports.step(now_ns())
        self._voice.repeat()
        self._check_outputs()
        self._coming.step()

    def _take_orders(self, *, learns: bool) -> None:
        batch = self._hits.read(self._next)
        self._next = batch.next
        if batch.lost:
            self._events.write("hits lost", f"{batch.lost} hits came faster than the voice took them")
            self._voice.silence()  # among them may have been what ends a held note
        for record in batch.records:
            kind, told = read_hit(record)
            if not self._knows(epoch_of(record)) and kind not in (SILENCE, FINISH):
                continue
            if kind == PLAY:
                self._voice.add(told)
                if learns:
                    self._learn(now_ns() - told.struck_ns)
            elif kind == CONTROL:
                self._voice.control(told.pad, told.player, told.strength, told.captured_ns)
            elif kind == RELEASE:
                self._voice.release(told.player, told.pad, told.struck_ns)
            elif kind == TAP:
                self._voice.tap(told.struck_ns)
            elif kind == SILENCE:
                self._pulse.pause()
                self._voice.silence()
            elif kind == FINISH:
                self._pulse.pause()
                self._end_ns = now_ns() + FINISH_NS

    def _knows(self, epoch: int) -> bool:
        """Take over the configuration of an epoch (modulo 256) where it is another; whether that is known."""
        if epoch == self._coming.epoch & 0xFF:
            return True
        before = self._coming.unknown
        wanted = self._coming.change(epoch)
        if wanted is not None:
            self._change(wanted)
        elif before != epoch:
            self._silence("what the engine plays is not known")
        return wanted is not None

    def _change(self, wanted: Performance) -> None:
        """Take over the delay of another configuration."""
        if wanted.delay_ms is not None:
            self._auto, self._delay_changed = None, False
            self._voice.delay_ns = round(wanted.delay_ms * 1e6)
        elif self._auto is None:
            self._auto = AutoDelay()
            self._voice.delay_ns = self._auto.delay_ms * 1_000_000

    def _learn(self, handed_ns: int) -> None:
        if self._auto is not None and self._auto.hit(handed_ns):
            self._voice.delay_ns = self._auto.delay_ms * 1_000_000
            self._delay_changed = True

    def _tell_delay(self) -> None:
        if self._delay_changed:
            self._delay_changed = False
            self._say(str(self._auto))
            self._events.write("delay", str(self._auto))

    def _tell_tempo(self) -> None:
        bpm = self._voice.bpm()
        if bpm is not None and round(bpm) != self._bpm:
            self._bpm = round(bpm)
            self._say(f"tempo: {self._bpm} bpm, as tapped")
            self._events.write("tempo", f"{self._bpm} bpm")

    def _watch(self, at_ns: int) -> None:
        if self._end_ns is not None:
            if at_ns > self._end_ns:
                self._voice.silence()
        elif not self._gone and self._pulse.look(at_ns):
            if self._pulse.stuck:
                self._silence("the engine is stuck")
            else:
                self._events.write("engine back", "the engine has a row again")

    def _check_outputs(self) -> None:
        try:
            self._voice.check()
        except PortLostError as exc:
            self._events.write("lost", str(exc))
            if self._once or self._recovery.hopeless:
                raise
            self._say(str(exc))

    def _mourn(self) -> None:
        if self._pulse.paused:  # it has said that it ends, or has died before the row of its first hit
            self._voice.silence()
        else:
            self._silence("the engine has died")

    def _silence(self, why: str) -> None:
        began_ns = now_ns()
        count = len(self._voice.sounding)
        self._voice.silence()
        self._events.write("silenced", f"{why}; {count} notes ended in {(now_ns() - began_ns) / 1e6:.2f} ms")


def play(session: Session, board: Bulletin, *, bell: int, engine: int) -> None:
    """Open the outputs, ask for real time, and sound what comes. Raises what the outputs raise."""
    # before the epoch: a change that comes in between is told by the records then
    first = RingReader(session / "hits").head
    epoch = int(BoardReader(session / "engine").value().get("epoch", 0))
    plan = session.plan_at(epoch)
    asked = plan.config.realtime
    priority = min(asked.priority + PRIORITY_ABOVE, _HIGHEST) if asked.priority else 0
    own: dict[str, Any] = {  # of outputs with a process of their own
        "priority": priority,
        "lock_memory": asked.lock_memory,
        "required": asked.required,
    }
    outputs: list[MidiOutput] = [
        from_uri("MIDI output", voice_port.ADAPTERS, uri, keep=str(session / f"kept.{place}"), **own)
        for place, uri in enumerate(plan.config.midi.outputs)
    ]
    delay_ms = plan.config.timing.delay_ms
    auto = AutoDelay() if delay_ms == "auto" else None
    follows = not plan.once and _is_second(session)
    waits = follows or (not plan.once and plan.config.midi.wait)
    voice = Voice(
        outputs,
        plan.kits,
        now_ns=now_ns,
        channels=plan.config.player.channels or (),
        delay_ns=0 if delay_ms == "auto" else round(delay_ms * 1e6),
        table=SoundingTable(session / _SOUNDING),
    )
    events = EventRing(session, "voice")
    recovery = Recovery(
        voice,
        {} if plan.once else _relays(plan.config.midi.outputs, outputs, own),
        say=board.say,
        tell=lambda problem: board.problem("midi", problem or None),
        record=events.write,
    )
    reports = Reports(voice, board)
    process = VoiceProcess(
        session,
        voice,
        board.say,
        once=plan.once,
        bell=bell,
        engine=engine,
        events=events,
        recovery=recovery,
        reports=reports,
        auto=auto,
        epoch=epoch,
        first=first,
        tell=board.tell,
    )
    try:
        for line in voice.open(waits=waits, follows=follows):
            board.say(f"MIDI: {line}")
        if auto is not None:
            board.say(f"timing: the delay begins at {auto.delay_ms} ms and follows the hits")
        grants = realtime.enter_voice(priority, lock_memory=asked.lock_memory, required=asked.required)
        for grant in grants:
            board.say(f"real time, voice: {grant}")
        reports.begin(grants, state="ready", epoch=epoch)
        process.run()
    finally:
        voice.close()
    board.tell(state="ended")


def _is_second(session: Session) -> bool:
    """Whether a voice of this session has played before: its outputs were there, and may have gone together with it."""
    return (session / _SOUNDING).exists()


def _relays(
    uris: Sequence[str], outputs: Sequence[MidiOutput], own: Mapping[str, Any]
) -> dict[int, Callable[[], RelayedOutput]]:
    """Return what makes the process that looks for a lost output, by the places of those that may come back."""
    return {
        place: partial(
            RelayedValues if isinstance(output, ValueOutput) else RelayedOutput,
            uri,
            **own,
        )
        for place, (uri, output) in enumerate(zip(uris, outputs, strict=True))
        if output.comes_back
    }


def main(arguments: Sequence[str]) -> int:
    """Run the session's voice; what it could not do is on its board."""
    for number in (signal.SIGINT, signal.SIGHUP):  # the leader's to answer
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    session = Session(Path(arguments[0]))
    board = Bulletin(session / "voice")
    try:
        play(session, board, bell=int(arguments[1]), engine=int(arguments[2]))
    except LaleluError as exc:
        board.tell(state="failed", error=str(exc), exit_code=exc.exit_code)
        return exc.exit_code
    return 0


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the ending
    sys.exit(0)  # through `finally`, which ends every note


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
