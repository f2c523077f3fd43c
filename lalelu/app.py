"""The composition root: one configuration becomes the processes of one instrument. Starts and watches processes.

The leading process, this one, is ordinary and mostly asleep. It starts the engine, the voice and the desk (see
ARCHITECTURE), tells people and the service manager what they say on their boards, starts a dead voice or desk again,
and ends with the engine.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from lalelu import realtime
from lalelu.bulletin import Bulletin, lines_after
from lalelu.channel import BoardReader, RingReader
from lalelu.child import RESTART_S, Child, how_ended
from lalelu.clock import now_ns
from lalelu.config.loader import Loaded
from lalelu.config.schema import Config
from lalelu.desk import midi_in
from lalelu.desk.attendance import Attendance, is_asked_for
from lalelu.errors import BY_EXIT_CODE, CheckFailedError
from lalelu.ledger.files import create_ledger, new_header
from lalelu.notify import notify, watchdog_period_s
from lalelu.registry import from_uri
from lalelu.session import ROLES, Plan, Recording, Session, create_session
from lalelu.signals import Signals
from lalelu.situation import Situation
from lalelu.skeleton import MOST_KEYPOINTS, SKELETONS
from lalelu.wire import EventRing

ENDING_LOOK_S: Final = 0.02  # between two looks whether a process has ended
LOOK_MS: Final = 50  # between two looks at the boards; an ended process is noticed at once
STOP_S: Final = 5.0  # an engine that has not ended by then is killed; the voice ends its notes all the same
VOICE_S: Final = 60.0  # for the voice to end: notes may sound on for 10 s, an hour's MIDI file takes seconds
DESK_S: Final = 60.0  # for the desk to end; packing an hour's take takes some ten seconds
SLOWEST_RESTART_S: Final = 5.0  # before a process that dies again and again is started again
HEALTHY_S: Final = 5.0  # who has lived for so long is started as fast as the first time
LEAVING_S: Final = 1.0  # patience with a process that has ended in order before it is started again
PATIENCE_S: Final = 60.0  # asked of the service manager for the next step of a start
WAITING_S: Final = 2.0  # between two words to the service manager while a camera is waited for
START_PRIORITY: Final = (
    1  # SCHED_FIFO: what starts again is silent until then, and needs 0.3 s of a processor
)
_PACKAGES: Final = (
    "openvino",
    "onnxruntime",
    "ai-edge-litert",
    "tensorflow",
    "torch",
    "opencv-python-headless",
    "mido",
    "python-rtmidi",
)


def play(
    loaded: Loaded,
    recording: Recording,
    say: Callable[[str], None],
    *,
    seconds: float | None = None,
    once: bool = False,
) -> bool:
    """Play until a signal, the end of `seconds` or of a finite camera; whether it came to playing at all.

    `say` gets each line for people. Raises MissingError, UsageError or LostError for what the engine or the voice
    lacks or has lost, CheckFailedError when the engine has died.
    """
    signals = Signals()
    with signals.heard(), ExitStack() as opened:
        if loaded.config.midi.input is not None:  # the desk opens it; a wrong address stops the start
            from_uri("MIDI input", midi_in.ADAPTERS, loaded.config.midi.input)
        core = realtime.choose_core(loaded.config.realtime.core)
        plan = _plan(loaded, recording, core, seconds, once=once)
        session, lock = create_session(plan, os.environ, keypoints=_keypoints(loaded.config))
        opened.callback(lock.close)
        opened.callback(session.remove)
        if recording.ledger is not None:
            header = new_header(loaded.effective, camera={}, model="", runtime={}, packages=_PACKAGES)
            create_ledger(recording.ledger, header)
        cores = realtime.allowed_cores()
        if cores:
            opened.callback(os.sched_setaffinity, 0, cores)
        realtime.leave_core(core)
        leader = _Leader(session, plan, say, signals)
        opened.callback(leader.end)
        leader.start()
        return leader.lead()


def hasten(pid: int) -> None:
    """Let a process start before all ordinary ones, where that may be done; what it starts itself is ordinary."""
    with suppress(OSError):  # its own request is refused, too, and told
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(START_PRIORITY))


class _Leader:
    def __init__(self, session: Session, plan: Plan, say: Callable[[str], None], signals: Signals) -> None:
        self._session = session
        self._plan = plan
        self._say = say
        self._signals = signals
        self._board = Bulletin(session / "lead")
        self._events = EventRing(session, "lead")
        self._frames = RingReader(session / "frames")
        self._bell = os.eventfd(0)
        self._children = {role: Child(role, BoardReader(session / role)) for role in ROLES}
        self._engine, self._voice, self._desk = (self._children[role] for role in ROLES)
        self._attendance: Attendance | None = None  # of a desk that is a service of its own
        if is_asked_for(os.environ):
            self._attendance = Attendance(session, self._board, self._events, say)
        self._told_stop_s: float | None = None
        self._told_kill = False
        self._reloads = 0  # told to the desk
        self._played = False
        self._situation = Situation(session, self._board, self._events, say)
        self._told_state = ""  # of the engine
        self._beat = (-1, -1)  # the engine's rows and states when the watchdog was last fed
        self._feed_s = watchdog_period_s()
        self._fed_s = 0.0
        self._poller = select.poll()
        self._poller.register(signals.descriptor, select.POLLIN)

    def start(self) -> None:
        """Start the processes."""
        for child in self._children.values():
            if child.role != "desk" or self._attendance is None:
                self._start(child)

    def lead(self) -> bool:
        """Watch over the processes until the engine has ended; whether it has played. Raises its error."""
        while not self._engine.ended:
            for descriptor, _ in self._poller.poll(LOOK_MS):
                if descriptor == self._signals.descriptor:
                    os.read(descriptor, 64)
                else:
                    self._poller.unregister(descriptor)  # an ended process is readable for ever
            self._situation.look(
                self._engine.board.value(), {c.role: c.board.value() for c in (self._voice, self._desk)}
            )
            self._tell()
            self._heed_signals()
            self._pass_on_reload()
            self._pulse()
            self._mend(self._voice)
            self._mend(self._desk)
            if self._attendance is not None:
                self._attendance.look()
                if self._attendance.problem is None:
                    self._situation.own.pop("desk", None)
                else:
                    self._situation.own["desk"] = self._attendance.problem
        self._finish()
        failed = next((child for child in (self._voice, self._engine) if child.given_up), None)
        if failed is not None:
            value = failed.board.value()
            error = BY_EXIT_CODE.get(int(value["exit_code"]), CheckFailedError)
            raise error(value["error"])
        status = self._engine.process.returncode if self._engine.process else 0
        expected = {0} if self._told_stop_s is None else {0, -signal.SIGTERM}
        if status not in expected and not self._told_kill:
            raise CheckFailedError(
                f"the engine has {how_ended(status)}; its notes were ended: start lalelu again"
            )
        return self._played

    def end(self) -> None:
        """End what still runs, after whatever went wrong: the voice ends its notes, the desk its files."""
        if self._engine.process is not None and not self._engine.ended:
            self._engine.process.kill()
            self._engine.process.wait()
        self._wait(self._voice, VOICE_S)
        self._close_lifeline(self._desk)
        self._wait(self._desk, DESK_S)
        for child in self._children.values():
            if child.descriptor >= 0:
                os.close(child.descriptor)
                child.descriptor = -1
        os.close(self._bell)
        self._situation.close()

    @staticmethod
    def _close_lifeline(child: Child) -> None:
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()

    def _start(self, child: Child) -> None:
        if child.descriptor >= 0:
            os.close(child.descriptor)
        arguments, passed, stdin = self._order(child.role)
        # a session of its own: Ctrl-C reaches this process only, which ends the others in order
        child.process = subprocess.Popen(
            arguments, stdin=stdin, stdout=subprocess.DEVNULL, pass_fds=passed, start_new_session=True
        )
        child.descriptor = os.pidfd_open(child.process.pid)
        if child.role == "voice" and self._plan.config.realtime.priority:
            hasten(child.process.pid)
        child.started_s, child.due_s = time.monotonic(), None
        self._poller.register(child.descriptor, select.POLLIN)
        pids = {role: c.process.pid for role, c in self._children.items() if c.process is not None}
        self._board.tell(**pids, restarts={role: c.restarts for role, c in self._children.items()})

    def _order(self, role: str) -> tuple[list[str], tuple[int, ...], int]:
        passed: tuple[int, ...] = ()
        if role == "engine":
            passed = (self._bell,)
        elif role == "voice":
            passed = (self._bell, self._engine.descriptor)
        return (
            self._session.command(role, *passed),
            passed,
            subprocess.PIPE if role == "desk" else subprocess.DEVNULL,
        )

    def _tell(self) -> None:
        for child in self._children.values():
            value = child.board.value()
            pid, said = child.said
            self._situation.say(lines_after(value, said if pid == value.get("pid") else 0), value)
            child.said = value.get("pid"), int(value.get("said", 0))
            if child.given_up and child.role == "desk":
                self._situation.own["desk"] = (
                    f"the desk: {value.get('error')}; nothing is recorded from here on"
                )
            elif child.ready:
                self._situation.own.pop(child.role, None)
        if self._engine.state == "warm" and self._voice.state == "ready" and not self._played:
            self._board.tell(go=True)
        if self._engine.state == "playing" and not self._played:
            self._played = True
            self._board.tell(state="playing", since_ns=now_ns())
            self._say("playing")
            notify(READY=1)
        if self._engine.state != self._told_state:
            self._told_state = self._engine.state
            self._ask_patience()

    def _heed_signals(self) -> None:
        if (
            (self._signals.count or self._voice.given_up)
            and self._told_stop_s is None
            and self._engine.process is not None
        ):
            self._told_stop_s = time.monotonic()
            notify(STOPPING=1, STATUS="ending")
            self._engine.process.terminate()
        asked_again = self._signals.count > 1
        late = self._told_stop_s is not None and time.monotonic() > self._told_stop_s + STOP_S
        if (asked_again or late) and self._engine.process is not None and not self._told_kill:
            self._told_kill = True
            self._say("the engine does not end; it is killed" if late else "ended at once")
            self._engine.process.kill()

    def _pass_on_reload(self) -> None:
        if self._signals.reloads != self._reloads:
            self._reloads = self._signals.reloads
            self._board.tell(reload=self._reloads)

    def _pulse(self) -> None:
        """Feed the service's watchdog, but only while the engine's loop, or its search for a camera, goes on."""
        now_s = time.monotonic()
        if now_s < self._fed_s + min(self._feed_s or WAITING_S, WAITING_S):
            return
        beat = (self._frames.head, self._engine.board.changes)
        if beat != self._beat:
            self._beat, self._fed_s = beat, now_s
            # the first one arms it: not in the midst of a slow start
            if self._feed_s is not None and self._played:
                notify(WATCHDOG=1)
            if self._engine.state == "waiting":
                self._ask_patience()

    def _ask_patience(self) -> None:
        if not self._played:  # the start takes as long as the camera is waited for
            notify(EXTEND_TIMEOUT_USEC=round(PATIENCE_S * 1e6))

    def _mend(self, child: Child) -> None:
        """Start a process again that has died; not one that has said why it cannot go on."""
        if child.process is None or not child.ended or child.given_up or self._told_stop_s is not None:
            return
        now_s = time.monotonic()
        if child.due_s is None:
            if child.state == "ended":  # told to by somebody who tells us, too; or the engine has gone
                child.due_s = now_s + LEAVING_S
                return
            error = child.board.value().get("error")
            how = str(error) if error else how_ended(child.process.returncode)
            self._events.write(f"{child.role} died", how)
            self._situation.own[child.role] = (
                f"the {child.role}{':' if error else ' has'} {how}; it is started again"
            )
            if now_s - child.started_s > HEALTHY_S:
                child.pause_s = RESTART_S
            child.due_s = now_s + child.pause_s
            child.pause_s = min(2 * child.pause_s, SLOWEST_RESTART_S)
            self._close_lifeline(child)
        if now_s >= child.due_s:
            child.restarts += 1
            self._start(child)

    def _finish(self) -> None:
        """Wait for the voice, then for the desk."""
        if self._voice.ended and self._voice.state not in ("ended", "failed"):
            self._start(self._voice)  # it ends what the one that died had begun, writes its files, and leaves
        self._wait(self._voice, VOICE_S)
        self._tell()
        self._board.tell(state="ended")
        if self._desk.process is not None:
            if self._desk.ended and self._desk.state not in ("ended", "failed"):
                self._start(self._desk)  # what is in the rings is not on disk yet
            self._close_lifeline(self._desk)
            self._wait(self._desk, DESK_S)
            self._tell()
            if self._desk.process.returncode != 0:
                self._say("the desk did not finish; the end of the recording may be missing")
        elif self._attendance is not None:
            self._attendance.wait(DESK_S, self._pass_time)
            self._tell()

    def _pass_time(self) -> bool:
        """Let a moment pass; whether the end was asked for once more meanwhile."""
        time.sleep(ENDING_LOOK_S)
        if self._feed_s is not None:
            notify(WATCHDOG=1)
        return self._signals.count > 1

    def _wait(self, child: Child, seconds: float) -> None:
        """Wait for a process's end; it is killed after `seconds`, or when the end is asked for once more."""
        if child.process is None:
            return
        give_up_s = time.monotonic() + seconds
        asked = self._signals.count
        while not child.ended:
            if time.monotonic() > give_up_s or self._signals.count > max(asked, 1):
                self._say(f"the {child.role} does not end; it is killed")
                child.process.kill()
                child.process.wait()
                return
            self._pass_time()


def _plan(
    loaded: Loaded, recording: Recording, core: int | None, seconds: float | None, *, once: bool
) -> Plan:
    """Return the plan, its paths absolute: a desk that is a service has another working directory."""
    return Plan(
        loaded.config,
        loaded.kits,
        replace(recording, ledger=_absolute(recording.ledger), take=_absolute(recording.take)),
        core,
        seconds,
        once,
        replace(loaded.source, path=_absolute(loaded.source.path)),
    )


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _keypoints(config: Config) -> int:
    """Return how many keypoints a pose may have: as the network's, or as any take's."""
    recorded = config.camera.uri.startswith("take:")
    return MOST_KEYPOINTS if recorded else len(SKELETONS[config.pose.skeleton])
