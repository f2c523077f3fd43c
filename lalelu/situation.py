"""What the leader knows of everybody: which conditions hold, told to people, the service manager and the journal.

Reads boards and rings, asks the clocks; only the leader has one, so nothing is told twice.
"""

import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from lalelu.alive import lives
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader
from lalelu.clock import day_ns, now_ns, slept_ns
from lalelu.conditions import CONDITIONS, Change, Conditions, Standing
from lalelu.journal import CONDITION_ID, ERROR, INFO, NOTICE, OVER_ID, STATE_ID, WARNING, Journal
from lalelu.ledger.layout import offset_in_frame
from lalelu.notify import notify
from lalelu.session import NET, NET_RESULTS, Session
from lalelu.wire import EventRing

STUCK_NS: Final = 1_500_000_000  # without a row for so long, a loop stands still: cameras are lost before ...
STUCK_FRAMES: Final = 4  # ... or for so many frame periods, of a film slower than any camera
NET_STUCK_NS: Final = 1_750_000_000  # without a result: later than a loop that asks for none
RATE_NS: Final = 2_000_000_000  # over which the frame rate is measured
RATE_TOLERANCE: Final = 0.1  # of the rate that was asked for
JUMP_NS: Final = 500_000_000  # from one look to the next: no clock is slewed so fast
SHOWN_NS: Final = 10_000_000_000  # for so long a moment, such as a step of the clock, counts as a condition
_ENDING: Final = ("ending", "ended", "failed")  # states of an engine in which nothing is judged
_OF_ROWS: Final = frozenset({"player", "rate"})
_OF_PICTURES: Final = frozenset({"player", "dark", "frozen"})
_SEQ_AT, _CAPTURED_AT, _PLAYERS_AT = (offset_in_frame(name) for name in ("seq", "captured_ns", "players"))


class Frames:
    """What the engine's rows tell: whether the loop goes on, the camera's rate, and whether somebody is in view."""

    def __init__(self, ring: RingReader) -> None:
        self._ring = ring
        self._head = -1
        self._moved_ns = 0
        self._passed: deque[tuple[int, int]] = deque()  # (captured_ns, seq), one a look
        self.unjudged = _OF_ROWS  # names of what could not be judged at the last look

    def look(self, at_ns: int, camera: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong at `at_ns`; `camera` are the facts of the one that plays."""
        head = self._ring.head
        self.unjudged = _OF_ROWS
        if head != self._head:
            self._head, self._moved_ns = head, at_ns
        elif at_ns - self._moved_ns > max(STUCK_NS, STUCK_FRAMES * 1e9 / (camera.get("fps") or 100.0)):
            return {"engine": "the engine's loop stands still"}
        rows = self._ring.newest(1)
        if not rows:
            return {}
        problems = {}
        if rows[0][_PLAYERS_AT] == 0:
            problems["player"] = "nobody is in view"
        asked = camera.get("asked_fps")
        rate = self._rate(_int_at(rows[0], _CAPTURED_AT), _int_at(rows[0], _SEQ_AT))
        self.unjudged = frozenset({"rate"} if asked and rate is None else ())
        if asked and rate is not None and abs(rate - asked) > RATE_TOLERANCE * asked:
            problems["rate"] = (
                f"the camera gives {rate:.0f} frames a second of {asked:g}: set its exposure below "
                f"{1000.0 / asked:.3g} ms, or give it more light or a faster USB port"
            )
        return problems

    @property
    def begun(self) -> bool:
        """Whether a frame has left a row."""
        return self._ring.head > 0

    def pause(self, at_ns: int) -> None:
        """Expect no rows now."""
        self._moved_ns = at_ns
        self._passed.clear()
        self.unjudged = _OF_ROWS

    def _rate(self, captured_ns: int, seq: int) -> float | None:
        """Return the frames that the camera counts a second; None until they have been watched for RATE_NS."""
        passed = self._passed
        if passed and (seq < passed[-1][1] or captured_ns - passed[-1][0] > RATE_NS):
            passed.clear()  # another camera, or a long pause
        passed.append((captured_ns, seq))
        while len(passed) > 2 and captured_ns - passed[1][0] >= RATE_NS:
            passed.popleft()
        since_ns, first = passed[0]
        span_ns = captured_ns - since_ns
        return (seq - first) / span_ns * 1e9 if span_ns >= RATE_NS else None


class Network:
    """Whether the network's own process, where there is one, lives and works."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._board: BoardReader | None = None
        self._results: RingReader
        self._head = -1
        self._moved_ns = 0

    def look(self, at_ns: int) -> dict[str, str]:
        """Return what is wrong at `at_ns`, while the engine plays."""
        if self._board is None:
            if not (self._session / NET).exists():
                return {}
            self._board = BoardReader(self._session / NET)
            self._results = RingReader(self._session / NET_RESULTS)
        value, head = self._board.value(), self._results.head
        if head != self._head:
            self._head, self._moved_ns = head, at_ns
        if value.get("state") != "ready" or not lives(value.get("pid")):
            return {"net": "the network's process has died; it is started again"}
        if at_ns - self._moved_ns > NET_STUCK_NS:
            return {"net": "the network's process stands still"}
        return {}

    def pause(self, at_ns: int) -> None:
        """Expect no results now."""
        self._moved_ns = at_ns


class Clocks:
    """Tells when the machine has slept, and when its time of day was set."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None
        self._shown: dict[str, tuple[str, int]] = {}  # sentence, and until when

    def look(self, at_ns: int, slept_ns: int, day_ns: int) -> dict[str, str]:
        """Return what has happened in the last ten seconds, by what `lalelu.clock` tells at `at_ns`."""
        if self._before is not None:
            slept, stepped = slept_ns - self._before[0], day_ns - self._before[1]
            if slept > JUMP_NS:
                text = f"the machine has slept for {slept * 1e-9:.1f} s"
                self._shown["suspend"] = text, at_ns + SHOWN_NS
            if abs(stepped) > JUMP_NS:
                text = f"the time of day was set by {stepped * 1e-9:+.1f} s"
                self._shown["clock"] = text, at_ns + SHOWN_NS
        self._before = slept_ns, day_ns
        self._shown = {name: shown for name, shown in self._shown.items() if shown[1] > at_ns}
        return {name: text for name, (text, _) in self._shown.items()}


class Situation:
    """Merges what every process shows as `problems` with what the leader sees itself, and tells each change.

    `own` are the leader's sentences about other processes, by name. `say` gets one line for people. On the leader's
    board `conditions` holds what is wrong now, the worst first.
    """

    def __init__(
        self, session: Session, board: Bulletin, events: EventRing, say: Callable[[str], None]
    ) -> None:
        self.own: dict[str, str] = {}
        self._session = session
        self._board = board
        self._events = events
        self._say = say
        self._conditions = Conditions()
        self._shown: list[Standing] = []
        self._frames = Frames(RingReader(session / "frames"))
        self._clocks = Clocks()
        self._journal = Journal.of_stderr(os.environ)
        self._network = Network(session)
        self._state = ""  # the engine's
        self._judges = True
        self._notified = ""  # to the service manager

    def look(self, engine: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
        """Look at everything; `engine` and `others`, by role, are what their boards show."""
        at_ns = now_ns()
        problems = dict(self._clocks.look(at_ns, slept_ns(), day_ns()))
        for board in (engine, *others.values()):
            problems |= board.get("problems", {})
        state = str(engine.get("state", ""))
        if state == "playing":
            problems |= self._frames.look(at_ns, engine.get("camera", {}))
        else:
            self._frames.pause(at_ns)
        unjudged = set(self._frames.unjudged)
        if state == "playing" and "engine" not in problems:
            problems |= self._network.look(at_ns)
        else:
            self._network.pause(at_ns)
            unjudged.add("net")
        if state == "waiting":
            problems["camera"] = str(engine.get("problem"))
            unjudged |= _OF_PICTURES
        if {"dark", "frozen", "net"} & problems.keys():
            unjudged.add("player")  # nobody could be seen
        problems |= self.own
        self._judges = state not in _ENDING
        if self._judges:
            for change in self._conditions.look(problems, at_ns, unjudged):
                self._tell(change)
        self._show(state)

    def say(self, lines: list[str], board: Mapping[str, Any]) -> None:
        """Tell people the new lines of a board, but for its problems that are told as conditions."""
        problems = {"camera": board.get("problem"), **board.get("problems", {})}
        for line in lines:
            named = next((name for name, text in problems.items() if text and line.endswith(text)), None)
            if named is None or not self._is_told(named, problems[named]):
                self._say(line)

    def _is_told(self, name: str, text: str) -> bool:
        """Whether people hear of it as a condition; words that are new to them are noted as told."""
        if not self._judges:
            return any(text == standing.text for standing in self._shown)
        if self._conditions.is_told(name, text):
            return True
        self._conditions.tell(name, text)
        return False

    @property
    def status(self) -> str:
        """What to tell the service manager: the state, and the worst condition."""
        standing = self._conditions.standing
        return f"{self._state}: {standing[0].text}" if standing else self._state

    def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            self._journal.close()

    def _tell(self, change: Change) -> None:
        kind, line = CONDITIONS[change.name], change.sentence
        over = change.over_ns is not None
        if change.name == "camera" and not over and not self._frames.begun:
            line = f"waiting for a camera: {line}"
        if kind.recorded:
            self._events.write(change.name, line if over else change.text)
        priority = NOTICE if over else ERROR if kind.grave else INFO if change.name == "player" else WARNING
        told = self._journal is not None and self._journal.send(
            line,
            priority,
            MESSAGE_ID=OVER_ID if over else CONDITION_ID,
            LALELU_INSTRUMENT=self._session.leader,
            LALELU_STATE=self._state,
            LALELU_CONDITION=change.name,
            LALELU_SINCE_MONOTONIC_NS=change.since_ns,
            LALELU_TIMES=change.times,
        )
        if not told and not (over and kind.own_end):
            self._say(line)

    def _show(self, state: str) -> None:
        standing = self._conditions.standing
        if state != self._state and self._journal is not None:
            self._journal.send(
                f"state: {state}",
                INFO,
                MESSAGE_ID=STATE_ID,
                LALELU_INSTRUMENT=self._session.leader,
                LALELU_STATE=state,
            )
        self._state = state
        if standing != self._shown:
            self._shown = standing
            self._board.tell(conditions=[each._asdict() for each in standing])
        if self.status != self._notified:
            self._notified = self.status
            notify(STATUS=self.status)


def _int_at(row: bytes, at: int) -> int:
    return int.from_bytes(row[at : at + 8], "little", signed=True)
