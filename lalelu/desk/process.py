"""The desk's own process: records what engine and voice leave, hears pedals. Writes files, reads /proc, opens ports.

`python -m lalelu.desk.process SESSION`: its standard input is a lifeline; when it ends, everybody else has ended, and
the desk writes what is left and closes the recording. Nobody waits for it: it may be killed at any moment, and the
next one goes on where it stopped (see `drain`).
"""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lalelu.alive import lives
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns
from lalelu.desk.drain import Drain, Rows, Sink
from lalelu.desk.sampler import PERIOD_NS, Sampler
from lalelu.desk.segments import Header, ending, remove_oldest
from lalelu.desk.takes import TakeLines
from lalelu.errors import LaleluError
from lalelu.ledger.files import config_digest, create_ledger, name_at
from lalelu.ledger.layout import EVENT, ROW_BYTES, fixed_text
from lalelu.session import NET, Outline, Plan, Session
from lalelu.takes.recording import pack, recorded_at

POLL_MS: Final = 50  # between two looks at the rings
TEND_NS: Final = 1_000_000_000  # between two looks at what changes seldom: facts, segments
REMOVE_NS: Final = 60_000_000_000  # between two looks at how much room the ledgers take
REMOVE_AGAIN_NS: Final = 3_600_000_000_000  # after one that failed
GONE_NS: Final = 10_000_000_000  # patience with an engine and a voice that still end
GIVE_UP_NS: Final = 10_000_000_000  # patience with a full disk once everybody else has ended
BUSY_ROWS: Final = 1000  # passed on at once: more of them wait
NICENESS: Final = 5
OOM_SCORE: Final = 500  # of 1000, proc(5); the service's own is -500
_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PLAYERS: Final = ("engine", "voice")
_FACTS: Final = ("camera", "model", "runtime")  # of the engine's board, for the header


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a new segment of the ledger begins, and how much all of them may take."""

    period_ns: int
    keep_bytes: int


class Desk:
    """Files, rings and boards of one recording. `rotation` is None where the ledger is a single one."""

    def __init__(
        self, session: Session, plan: Outline | Plan, board: Bulletin, rotation: Rotation | None
    ) -> None:
        self._session = session
        self._recording = plan.recording
        self._board = board
        self._rotation = rotation
        self._sampler = Sampler(plan.core)
        self._drain = Drain(session / "drained.json", self._say_of_disk)
        self._facts = self._drain.facts  # of the recording, kept beside how far the files are
        self._header: Header | None = None
        self._events = Rows({}, stamped=True)
        self._samples = Rows({})
        self._boards = {name: BoardReader(session / name) for name in (*_PLAYERS, "lead")}
        self._trouble: str | None = None  # what does not work, but for writing rows
        self._sample_ns = self._tend_ns = self._remove_ns = 0

    @property
    def finished(self) -> bool:
        """Whether the recording has been closed, by a desk before this one."""
        return bool(self._facts.get("finished"))

    def open(self) -> None:
        """Take up the ledger, as far as a desk before this one has brought it."""
        if self._recording.ledger is None:
            return
        self._facts.setdefault("ledger", str(self._recording.ledger.absolute()))
        self._facts.setdefault("segment", 1)
        self._facts.setdefault("began_ns", now_ns())
        events = [f"events.{name}" for name in ("engine", "voice", "lead")]
        self._events = Rows({name: RingReader(self._session / name) for name in events}, stamped=True)
        sources = {
            **{ring: Rows({ring: RingReader(self._session / ring)}) for ring in ("frames", "notes")},
            "events": self._events,
            "samples": self._samples,
        }
        for name, row_bytes in ROW_BYTES.items():
            self._drain.add(name, Sink(self._ledger / name, sources[name], row_bytes))

    def step(self) -> int:
        """Do what is due now; return how many records were passed on. Nothing that a disk does stops it."""
        at_ns = now_ns()
        if "ledger" in self._facts and at_ns - self._sample_ns >= PERIOD_NS:
            self._sample_ns = at_ns
            self._samples.own.append(self._sampler.sample(at_ns, *self._pids()))
        try:
            passed = self._drain.step(at_ns)
            if at_ns - self._tend_ns >= TEND_NS:
                self._tend_ns = at_ns
                self._tend(at_ns)
        except (OSError, ValueError) as exc:
            self._complain(exc)
            return 0
        return passed

    def finish(self) -> bool:
        """Wait for engine and voice, write what is left, close the recording; whether all of it is on the disk."""
        give_up_ns = now_ns() + GONE_NS
        while any(map(lives, self._pids())) and now_ns() < give_up_ns:
            self.step()
            time.sleep(POLL_MS * 1e-3)
        give_up_ns = now_ns() + GIVE_UP_NS
        while not self._close():
            if now_ns() > give_up_ns:
                return False
            time.sleep(POLL_MS * 1e-3)
        return True

    def say(self, line: str, kind: str = "desk") -> None:
        """Tell people, and the ledger."""
        self._board.say(line)
        self._events.own.append(EVENT.pack(now_ns(), kind.encode(), fixed_text(line, 96)))

    def _say_of_disk(self, line: str) -> None:
        self._show_disk()  # first: the leader takes a line for the problem that it knows
        self.say(line)

    def _show_disk(self) -> None:
        self._board.problem("disk", self._drain.problem or self._trouble)

    def show_problem(self, name: str, sentence: str | None) -> None:
        """Show that something is wrong, or with None that it is no longer."""
        self._board.problem(name, sentence)

    def begin_epoch(self, epoch: int, config: Mapping[str, Any], from_ns: int) -> None:
        """Take note that `config` holds for frames captured at `from_ns` or later; the header gets it."""
        if self._recording.ledger is None:
            return
        entry = {"epoch": epoch, "began_ns": from_ns, "config": dict(config), "digest": config_digest(config)}
        self._facts["epochs"] = [*self._facts.get("epochs", []), entry]

    def pack(self) -> None:
        """Pack the take, where that was asked for; it stays plain when there is no room."""
        take = self._recording.take
        plain = None if take is None else recorded_at(take)
        if take is None or plain is None or plain == take or not plain.exists():
            return
        try:
            pack(plain, take)
        except OSError as exc:
            self._board.say(
                f"the take {take} cannot be packed ({exc.strerror}); it stays unpacked as {plain}"
            )

    @property
    def _ledger(self) -> Path:
        return Path(self._facts["ledger"])

    def _close(self) -> bool:
        """Write what is left and close the header; False when it is to be tried again."""
        try:
            self._write_rest()  # rows matter more than the header
            self._tend(now_ns(), ends=True)
            self._write_rest()
            if self._drain.failing:
                return False
            self._end_segment()
            self._facts["finished"] = True
            self._drain.keep()
        except (OSError, ValueError) as exc:
            self._complain(exc)
            return False
        self._show()
        self._drain.close()
        return True

    def _write_rest(self) -> None:
        while self._drain.step(now_ns()):
            pass

    def _pids(self) -> tuple[int | None, int | None]:
        lead = self._boards["lead"].value()
        return lead.get("engine"), lead.get("voice")

    def _complain(self, exc: Exception) -> None:
        """Say once what does not work; `_tend` says when it works again."""
        if not self._trouble:
            self._trouble = f"the recording cannot be kept up to date ({exc}); trying again each second"
            self._board.problem("disk", self._trouble)
            self.say(self._trouble)

    def _tend(self, at_ns: int, *, ends: bool = False) -> None:
        """Look at what changes seldom. Raises OSError, and ValueError for a damaged header."""
        self._show()
        self._begin_take()
        if "ledger" in self._facts:
            header = self._header = self._header or Header.read(self._ledger)
            self._learn(header)
            if header.changed:
                header.write()
            self._facts.pop("epochs", None)  # they are in the header now
            if self._rotation is not None:
                following = self._following(at_ns, self._rotation, ends=ends)
                if following is not None:
                    self._rotate(at_ns, following)
                self._remove(at_ns, self._rotation)
        if self._trouble:
            self._trouble = None
            self.say("the recording is up to date again")

    def _show(self) -> None:
        sinks = self._drain.sinks
        self._board.tell(
            state="recording" if sinks else "idle",
            ledger=self._facts.get("ledger"),
            segment=self._facts.get("segment"),
            take=self._recording.take and str(self._recording.take.absolute()),
            rows={name: sink.rows for name, sink in sinks.items() if name in ROW_BYTES},
            lost={ring: count for ring, count in self._drain.lost().items() if count},
            failing=self._drain.failing,
        )
        self._show_disk()

    def _begin_take(self) -> None:
        """Begin the take's file once the engine has told what it films."""
        take = self._recording.take
        if take is None or "take" in self._drain.sinks:
            return
        header = self._facts.get("take") or self._boards["engine"].value().get("take")
        if header is None:
            return
        self._facts["take"] = header  # an engine that starts again takes it from its board for a while
        lines = TakeLines(RingReader(self._session / "frames"), RingReader(self._session / "poses"), header)
        self._drain.add("take", Sink(recorded_at(take), lines, 0))

    def _learn(self, header: Header) -> None:
        """Put what the others have told into the header."""
        engine = self._boards["engine"].value()
        header.amend(**{key: engine[key] for key in _FACTS if key in engine})
        requests: list[dict[str, Any]] = list(header.known.get("requests", []))
        if NET not in self._boards and (self._session / NET).exists():
            self._boards[NET] = BoardReader(self._session / NET)
        for name in self._boards:
            told = self._boards[name].value().get("requests")
            if told is not None:
                others = [request for request in requests if request.get("process") != name]
                requests = [*others, *({"process": name, **request} for request in told)]
        requests.sort(key=lambda request: str(request.get("process")))
        unavailable = {**engine.get("unavailable", {}), **self._sampler.unavailable}
        header.amend(requests=requests, unavailable=unavailable)
        known = list(header.known.get("epochs", []))
        newest = known[-1].get("epoch", 0) if known else -1
        header.amend(
            epochs=[*known, *(each for each in self._facts.get("epochs", []) if each["epoch"] > newest)]
        )
        lead = self._boards["lead"].value()
        if "restarts" in lead:
            header.amend(restarts=lead["restarts"])

    def _end_segment(self, **facts: str) -> None:
        """Complete the running segment's header, if there is a ledger. Raises OSError."""
        if self._header is None:
            return
        counts = {name: self._drain.sinks[name].rows for name in ROW_BYTES}
        self._header.amend(**ending(self._ledger, counts, self._drain.lost()), **facts)
        self._header.write()

    def _following(self, at_ns: int, rotation: Rotation, *, ends: bool) -> Path | None:
        """Return the segment that is to begin now: one whose beginning was interrupted, or one whose time has come."""
        if "next" in self._facts:
            return Path(self._facts["next"])
        if ends or at_ns - self._facts["began_ns"] < rotation.period_ns:
            return None
        path = self._ledger.with_name(name_at(datetime.now().astimezone()))
        try:
            path.mkdir()
        except OSError:
            if path.exists():  # another instance's, or the clock was set back: a second later there is a name
                return None
        return path  # where it could not be made, making the ledger says why

    def _rotate(self, at_ns: int, following: Path) -> None:
        """Begin the next segment. A kill after any step leaves `next`, and all of it is done again."""
        facts, header = self._facts, self._header
        rows = [self._drain.sinks[name] for name in ROW_BYTES]
        if header is None or not all(sink.settled for sink in rows):
            return
        facts["next"] = str(following)
        self._drain.keep()
        try:
            create_ledger(following, header.next(facts["segment"] + 1, at_ns))
        except LaleluError as exc:
            del facts["next"]
            facts["began_ns"] += REMOVE_NS  # the running one goes on for a while
            self.say(str(exc))
            return
        begun = Header.read(following)
        self._end_segment(continued=following.name)
        for name, sink in zip(ROW_BYTES, rows, strict=True):
            sink.move(following / name)
        del facts["next"]
        facts |= {"ledger": str(following), "segment": facts["segment"] + 1, "began_ns": at_ns}
        self._header = begun
        self._drain.keep()  # from here on the new one is the running one

    def _remove(self, at_ns: int, rotation: Rotation) -> None:
        if at_ns < self._remove_ns:
            return
        self._remove_ns = at_ns + REMOVE_NS
        try:
            removed = remove_oldest(self._ledger.parent, rotation.keep_bytes, self._ledger)
        except OSError as exc:
            self._remove_ns = at_ns + REMOVE_AGAIN_NS
            self.say(
                f"old ledgers cannot be removed ({exc}); {self._ledger.parent} takes more than ledger.keep_mb"
            )
            return
        for gone in removed:
            self.say(f"removed {gone}: the ledgers took more than ledger.keep_mb allows", "removed")


def run(
    session: Session, plan: Outline | Plan, board: Bulletin, lifeline: int, rotation: Rotation | None
) -> int:
    """Record until the lifeline ends and everything is written; return the exit status."""
    desk = Desk(session, plan, board, rotation)
    if not desk.finished:
        desk.open()
        passed = BUSY_ROWS
        while passed >= BUSY_ROWS:  # what a desk before this one has left
            passed = desk.step()
        from lalelu.desk.services import Services  # the recording does not wait for them

        poller = select.poll()
        poller.register(lifeline, select.POLLIN)
        with Services(session, board, desk, poller) as services:
            while not _ended(poller, lifeline, 0 if passed >= BUSY_ROWS else POLL_MS):
                passed = desk.step()
                services.step()
            services.follow()  # the engine has ended by now
        if not desk.finish():
            error = "the end of the recording is missing: the disk took no more"
            board.tell(state="failed", error=error, exit_code=1)
            return 1
    desk.pack()
    board.tell(state="ended")
    return 0


def _ended(poller: "select.poll", lifeline: int, patience_ms: int) -> bool:
    """Wait for whatever comes first; whether it is the lifeline's end."""
    heard = dict(poller.poll(patience_ms))
    return lifeline in heard and not os.read(lifeline, 4096)


def main(arguments: Sequence[str]) -> int:
    """Run the session's desk; what it could not do is on its board."""
    for number in _ENDING_SIGNALS:  # rows still follow until the others are done
        signal.signal(number, signal.SIG_IGN)
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with suppress(OSError):  # where memory runs out, the desk goes before the sound
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
    return attend(Session(Path(arguments[0])), 0)


def attend(session: Session, lifeline: int) -> int:
    """Be a session's desk until its lifeline has ended; return the exit status."""
    # what a desk before this one found wrong is so until this one has looked
    board = Bulletin(session / "desk", problems=BoardReader(session / "desk").value().get("problems", {}))
    try:
        plan = session.outline
        rotation = Rotation(plan.rotate_hours * 3_600_000_000_000, plan.keep_mb * 1_000_000)
        return run(session, plan, board, lifeline, rotation if plan.recording.rotates else None)
    except LaleluError as exc:
        board.tell(state="failed", error=str(exc), exit_code=exc.exit_code)
        return exc.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
