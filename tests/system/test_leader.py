"""What the leading process tells the service manager, and what it survives itself."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from system.played import Played, kinds
from system.stage import finish, ledger_notes, notes_of, write_config

from lalelu import app
from lalelu.channel import RingReader
from lalelu.config.loader import load_config
from lalelu.session import Recording


class Manager:
    """A service manager's ear: what was sent to $NOTIFY_SOCKET, with the time."""

    def __init__(self, path):
        self.heard = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self._socket.recv(8192).decode()
                self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def lines(self):
        self.listen()
        return [line for _, line in self.heard]

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(tmp_path, monkeypatch):
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield manager
    manager.close()


def test_a_desk_in_another_folder_finds_every_file(tmp_path, monkeypatch):
    write_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    recording = Recording(Path("a.ledger"), Path("b.take"), rotates=True)
    plan = app._plan(load_config(Path("lalelu.yaml")), recording, None, None, once=False)
    assert plan.recording == Recording(tmp_path / "a.ledger", tmp_path / "b.take", rotates=True)
    assert plan.source.path == tmp_path / "lalelu.yaml"


def test_the_service_is_ready_once_it_plays_and_says_when_it_ends(place, manager):
    played = Played(place)
    played.wait_for_notes()
    lines = manager.lines()
    assert "READY=1" in lines
    assert lines.index("STATUS=starting") < lines.index("READY=1")
    assert "STATUS=playing" in lines
    assert "STOPPING=1" not in lines
    assert played.end().code == 0
    assert "STOPPING=1" in manager.lines()


def test_the_watchdog_is_fed_by_the_loop_and_by_nothing_else(place, manager):
    played = Played(place)
    played.wait_for_notes()
    lines = manager.lines()
    assert "WATCHDOG=1" not in lines[: lines.index("READY=1")]  # it would arm it in the midst of the start
    fed = manager.lines().count("WATCHDOG=1")
    played.wait(lambda: manager.lines().count("WATCHDOG=1") > fed + 2)
    played.kill("engine", signal.SIGSTOP)
    time.sleep(0.5)  # what was on its way has come
    fed = manager.lines().count("WATCHDOG=1")
    time.sleep(1.5)
    assert manager.lines().count("WATCHDOG=1") == fed
    played.kill("engine", signal.SIGCONT)
    played.wait(lambda: manager.lines().count("WATCHDOG=1") > fed)
    assert played.end().code == 0


def test_people_who_no_longer_listen_disturb_nothing(place):
    played = Played(place)
    played.wait_for_notes()
    played.process.stderr.close()  # the terminal has gone
    played.kill("desk")  # which is said
    played.wait(lambda: played.lead()["restarts"]["desk"] == 1)
    played.wait_for_notes()
    played.process.send_signal(signal.SIGTERM)
    assert played.process.wait(60) == 0
    played.process.stdout.close()
    ledger = played.ledger()
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert kinds(ledger) == ["desk died"]


def test_a_voice_that_is_dead_when_the_run_ends_leaves_no_note_sounding(place):
    played = Played(place)
    played.wait_for_notes()
    sounding = os.open(played.session / "sounding", os.O_RDONLY)  # it is readable when the session is gone
    assert any(os.pread(sounding, 2048, 0))
    played.kill("voice")
    played.process.send_signal(signal.SIGTERM)
    told = finish(played.process)
    assert told.code == 0, told.err
    assert not any(os.pread(sounding, 2048, 0))
    os.close(sounding)


def test_a_voice_that_cannot_start_again_is_tried_less_and_less_often(place):
    (place / "out").mkdir()
    played = Played(place, "--midi", f"file:{place / 'out' / 'second.mid'}")
    played.wait_for_notes()
    for path in (place / "out").iterdir():
        path.unlink()
    (place / "out").rmdir()
    events = RingReader(played.session / "events.lead")
    began = time.monotonic()
    played.kill("voice")
    played.wait(lambda: events.head >= 4)
    assert time.monotonic() - began > 0.05 + 0.1 + 0.2  # the pauses alone, the starts come on top
    (place / "out").mkdir()
    played.wait_for_notes()
    assert played.end().code == 0


def test_what_is_hastened_comes_before_ordinary_programs_and_what_it_starts_does_not():
    with subprocess.Popen(["sleep", "60"]) as process:
        app.hasten(process.pid)
        policy, priority = os.sched_getscheduler(process.pid), os.sched_getparam(process.pid).sched_priority
        process.kill()
    if policy == os.SCHED_OTHER:
        pytest.skip("SCHED_FIFO is refused here")
    assert (policy, priority) == (os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, app.START_PRIORITY)
