"""The engine as a process of its own, started as the leader starts it: its go, its ends, its memory."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from system.stage import orders_of, rows_of, session_of, stage_plan, write_take

from lalelu.channel import BoardReader, BoardWriter, RingReader
from lalelu.models import store
from lalelu.session import FINISH, PLAY, SILENCE

WAIT_S = 60.0  # for what a busy machine may be slow to do
MOST_MEMORY_KIB = 250_000  # of the engine with MoveNet Lightning

# A leader that makes a session, starts its engine with the go given, says both ids, and then does nothing.
LEADER = """
import os, subprocess, sys, time
from pathlib import Path
from system.stage import session_of, stage_plan
from lalelu import instrument
from lalelu.channel import BoardWriter
folder = Path(sys.argv[1])
plan = stage_plan(folder, f"take:{folder / 'long.take'}", note_ms=10_000)
with session_of(plan, folder) as (session, bell):
    if sys.argv[2] == "go":
        BoardWriter(session / "lead").show({"go": True})
    engine = subprocess.Popen(session.command("engine", bell), pass_fds=[bell], start_new_session=True)
    print(engine.pid, session.folder, flush=True)
    time.sleep(600)
"""


class Engine:
    """An engine's process on a session that this process leads."""

    def __init__(self, session, bell):
        self.session = session
        # as the leader starts it: in a session of its own, with the bell
        self.process = subprocess.Popen(
            session.command("engine", bell),
            pass_fds=[bell],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._frames = RingReader(session / "frames")
        self._board = BoardReader(session / "engine")

    @property
    def shown(self):
        return self._board.value()

    def go(self):
        BoardWriter(self.session / "lead").show({"go": True})

    def wait_for(self, state=None, *, frames=0):
        """Wait for a state on its board and for so many rows; fail with what it says when it ends before."""
        deadline_s = time.monotonic() + WAIT_S
        while self._frames.head < frames or (state and self.shown.get("state") != state):
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.process.kill()
                pytest.fail(f"no {state}, {frames}: {self.shown}, {self.process.communicate()}")
            time.sleep(0.01)

    def ended(self):
        """Wait for its end; its exit status, and what it printed."""
        _, err = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, err


@contextmanager
def engine_on(folder, uri, **options):
    with session_of(stage_plan(folder, uri, **options), folder) as (session, bell):
        engine = Engine(session, bell)
        try:
            yield engine
        finally:
            with engine.process:  # which closes its pipe and waits
                engine.process.kill()


def kinds(session):
    return [order[4] for order in orders_of(session)]


def alive(pid):
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition):
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_it_waits_for_the_go_and_plays_its_source_to_the_end(tmp_path):
    take = write_take(tmp_path / "short.take", seconds=1.0)
    with engine_on(tmp_path, f"take:{take}") as engine:
        engine.wait_for("warm")
        time.sleep(0.3)  # in which it would play
        assert (engine.shown["state"], len(rows_of(engine.session))) == ("warm", 0)
        engine.go()
        assert engine.ended() == (0, "")
        rows = rows_of(engine.session)
        assert int(rows["skipped"].sum()) + len(rows) == 100
        assert int(rows["seq"][-1]) == 99
        assert engine.shown["state"] == "ended"
        assert engine.shown["pid"] == engine.process.pid
        assert kinds(engine.session)[-1] == FINISH
        assert SILENCE not in kinds(engine.session)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_in_the_middle_of_the_playing_ends_it_in_silence(tmp_path, number):
    take = write_take(tmp_path / "long.take", seconds=120)
    with engine_on(tmp_path, f"take:{take}") as engine:
        engine.go()
        engine.wait_for("playing", frames=50)
        engine.process.send_signal(number)
        assert engine.ended() == (0, "")
        assert engine.shown["state"] == "ended"
        assert kinds(engine.session)[-1] == SILENCE
        assert FINISH not in kinds(engine.session)


def test_a_signal_ends_the_wait_for_the_go(tmp_path):
    take = write_take(tmp_path / "short.take", seconds=1.0)
    with engine_on(tmp_path, f"take:{take}") as engine:
        engine.wait_for("warm")
        engine.process.terminate()
        assert engine.ended() == (0, "")
        assert engine.shown["state"] == "ended"
        assert (len(rows_of(engine.session)), kinds(engine.session)) == (0, [SILENCE])


@pytest.mark.parametrize("go", ["go", "no go"])
def test_it_ends_by_itself_in_silence_when_its_leader_is_killed(tmp_path, go):
    write_take(tmp_path / "long.take", seconds=120)
    paths = os.pathsep.join(str(path) for path in (Path(__file__).parent, Path(__file__).parent.parent))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", LEADER, str(tmp_path), go]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as leader:
        pid, _, folder = leader.stdout.readline().strip().partition(" ")
        session = Path(folder)
        state = "playing" if go == "go" else "warm"
        wait_until(lambda: BoardReader(session / "engine").value().get("state") == state)
        wait_until(lambda: RingReader(session / "hits").head >= 1 or go != "go")
        assert alive(pid)
        leader.kill()
    wait_until(lambda: not alive(pid))
    assert BoardReader(session / "engine").value()["state"] == "ended"
    told = kinds(session)
    assert told[-1] == SILENCE
    assert (PLAY in told) == (go == "go")


def test_it_ends_at_once_where_its_leader_has_gone_before(tmp_path):
    take = write_take(tmp_path / "short.take", seconds=1.0)
    with session_of(stage_plan(tmp_path, f"take:{take}"), tmp_path) as (session, bell):
        orphaned = tmp_path / "1"  # led by somebody who did not start this engine
        orphaned.symlink_to(session.folder)
        command = [*session.command("engine", bell)[:-2], str(orphaned), str(bell)]
        done = subprocess.run(command, pass_fds=[bell], timeout=WAIT_S, check=False)
        assert done.returncode == 0
        assert BoardReader(session / "engine").value() == {}


def test_what_it_cannot_do_is_on_its_board(tmp_path):
    with engine_on(tmp_path, f"take:{tmp_path / 'none.take'}") as engine:
        assert engine.ended() == (2, "")
        shown = engine.shown
        assert (shown["state"], shown["exit_code"]) == ("failed", 2)
        assert "none.take" in shown["error"]
        assert kinds(engine.session) == []


@pytest.mark.model
def test_the_engine_with_lightning_stays_small(tmp_path, monkeypatch, expect):
    try:
        store.onnx_path("lightning")
    except Exception as exc:  # noqa: BLE001 - whatever keeps the file away, the test cannot run
        expect("model", str(exc))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # the simulated camera's
    # few slots: the ring of pictures is the simulation's, not the engine's
    with engine_on(tmp_path, "sim:?fps=60&slots=16", realtime={"core": "none", "priority": 0}) as engine:
        engine.go()
        engine.wait_for("playing", frames=120)
        status = Path(f"/proc/{engine.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        resident_kib = int(fields["VmRSS"].split()[0])
        assert engine.shown["runtime"]["name"] == "openvino"
        engine.process.terminate()
        assert engine.ended() == (0, "")
    assert resident_kib <= MOST_MEMORY_KIB
