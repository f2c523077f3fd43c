"""Play hits on MIDI outputs, end every note in time, and say when each was sent. Sends to devices."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from lalelu.config.schema import KitConfig
from lalelu.errors import LaleluError, LostError, PortLostError
from lalelu.types import Hit
from lalelu.voice.port import MidiOutput
from lalelu.voice.scheduler import Scheduler

LATE_NS: Final = 1_000_000  # 1 ms: the variation a player tolerates (Wessel & Wright 2002)


@dataclass(frozen=True, slots=True)
class NoteSent:
    """One note-on that went out; stamps are CLOCK_MONOTONIC nanoseconds."""

    seq: int  # the frame at which the detector knew
    captured_ns: int  # of that frame
    struck_ns: int
    due_ns: int  # when it should sound
    sent_ns: int  # when the last output had taken it
    player: int
    channel: int  # 1..16
    note: int  # 0..127
    velocity: int  # 1..127
    late: bool  # sent more than 1 ms after it was due


def velocity_of(strength: float) -> int:
    """Return the MIDI velocity 1..127 of a strength 0..1; beyond is clamped."""
    return min(127, max(1, round(127 * strength)))


class Voice:
    """The kit's sound: every hit to every output, and no note left hanging.

    A lost output is named once, by LostError from `tick()`, when all others have been served; they play on.
    """

    def __init__(self, outputs: Sequence[MidiOutput], kit: KitConfig, *, now_ns: Callable[[], int]) -> None:
        self._outputs = tuple(outputs)
        self._now_ns = now_ns
        self._scheduler = Scheduler(kit.note_ms * 1_000_000)
        # dict.fromkeys: a note that stands twice in a chord is one note
        self._pads = {
            name: tuple(dict.fromkeys((pad.channel or kit.channel, note) for note in pad.notes))
            for name, pad in kit.pads.items()
        }
        self._live: list[MidiOutput] = []  # open and not lost
        self._opened: list[MidiOutput] = []  # to be closed, lost or not
        self._lost: list[LostError] = []  # not yet raised
        self.unknown_pads = 0  # hits on pads that this kit does not have, not played

    @property
    def next_due_ns(self) -> int | None:
        """When the next note-off falls due; None while nothing sounds."""
        return self._scheduler.next_due_ns

    @property
    def silent(self) -> bool:
        """Whether every output has been lost."""
        return bool(self._opened) and not self._live

    @property
    def refused(self) -> int:
        """Notes not played because too many sounded at once."""
        return self._scheduler.refused

    def open(self) -> list[str]:
        """Open every output and return one line about each.

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
        return lines

    def play(self, hit: Hit) -> tuple[NoteSent, ...]:
        """Send the note-ons of one hit now and return a row for each, in the chord's order.

        A hit on a pad that the kit does not have is not played but counted in `unknown_pads`.
        """
        pad = self._pads.get(hit.pad)
        if pad is None:
            self.unknown_pads += 1
            return ()
        velocity = velocity_of(hit.strength)
        rows = []
        for channel, note in pad:
            messages = self._scheduler.strike(channel, note, velocity, self._now_ns())
            if not messages:
                continue
            self._send(messages)
            sent_ns = self._now_ns()
            due_ns = hit.struck_ns
            rows.append(
                NoteSent(
                    seq=hit.seq,
                    captured_ns=hit.captured_ns,
                    struck_ns=hit.struck_ns,
                    due_ns=due_ns,
                    sent_ns=sent_ns,
                    player=hit.player,
                    channel=channel,
                    note=note,
                    velocity=velocity,
                    late=sent_ns > due_ns + LATE_NS,
                )
            )
        return tuple(rows)

    def tick(self) -> None:
        """Send the note-offs that have fallen due; call once a frame, after the frame's hits.

        Raises LostError, once, when an output was lost since the last call; the others have been served.
        All those lost are in its sentence.
        """
        self._send(self._scheduler.due(self._now_ns()))
        self._raise_lost()

    def silence(self) -> None:
        """End every sounding note on every output. Raises LostError as `tick()` does."""
        self._send(self._scheduler.silence())
        self._raise_lost()

    def close(self) -> None:
        """End every sounding note, then close every output; safe to call twice and before `open()`.

        One output's failure keeps none of the others from it; the first failure is raised at the end.
        """
        problem: LaleluError | None = None
        try:
            self.silence()
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

    def _send(self, messages: Sequence[bytes]) -> None:
        if not messages:
            return
        at_ns = self._now_ns()
        for output in tuple(self._live):
            try:
                for message in messages:
                    output.send(message, at_ns)
            except LostError as exc:
                self._live.remove(output)
                self._lost.append(exc)

    def _raise_lost(self) -> None:
        lost, self._lost = self._lost, []
        if lost:
            raise PortLostError("; ".join(str(exc) for exc in lost)) from lost[0]
