"""A desk that is a service of its own: it comes and goes while instruments play."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from system.played import Played, gone, kinds, wait_until
from system.stage import finish

from lalelu.bulletin import Bulletin
from lalelu.channel import create_board, create_ring
from lalelu.desk import attendance
from lalelu.desk.attendance import Attendance
from lalelu.ledger.schema import EVENT
from lalelu.session import Session
from lalelu.wire import EventRing


@pytest.fixture
def started(place, monkeypatch):
    """Start desks that serve whatever plays; none is left over."""
    monkeypatch.setenv(attendance.VARIABLE, attendance.SERVICE)
    desks = []

    def start():
        desks.append(subprocess.Popen([sys.executable, "-m", "lalelu.desk.attach"]))
        return desks[-1]

    yield start
    for desk in desks:
        desk.kill()
        desk.wait()


def serves(played, desk):
    played.wait(lambda: played.session.is_attended() and played.lead().get("desk") == desk.pid)


def test_one_desk_after_the_other_writes_the_whole_ledger_and_waits_for_the_next_instrument(place, started):
    first = started()
    played = Played(place)
    played.wait_for_notes()
    serves(played, first)
    first.kill()
    first.wait()
    played.wait(lambda: not played.session.is_attended())
    time.sleep(2 * attendance.LOOK_S)  # the leader sees that nobody is there
    second = started()
    serves(played, second)
    played.wait_for_notes()
    told = played.end()
    assert told.code == 0, told.err
    assert kinds(played.ledger()).count("desk died") == 1
    assert (place / "out.take.gz").exists()
    assert second.poll() is None
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0


def test_a_desk_closes_the_recording_of_an_instrument_that_was_killed(place, started):
    played = Played(place)
    played.wait_for_notes()
    desk = started()
    serves(played, desk)
    others = [played.pid(role) for role in ("engine", "voice")]
    played.process.kill()
    finish(played.process)
    for pid in others:  # as a service manager does
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not played.session.is_attended())
    assert gone(others)
    assert "desk died" not in kinds(played.ledger())
    played.session.remove()


def test_people_are_told_that_there_is_no_desk_and_nobody_waits_for_it(tmp_path, monkeypatch):
    said, rang = [], []
    session = Session(tmp_path)
    create_board(session / "desk")
    create_board(session / "lead")
    create_ring(session / "events.lead", EVENT.size, 8)
    monkeypatch.setattr(attendance, "LOOK_S", 0)
    monkeypatch.setattr(attendance, "COMING_S", 0)
    desk = Attendance(session, Bulletin(session / "lead"), EventRing(session, "lead"), said.append)
    desk.look()
    assert "systemctl status 'lalelu-desk*'" in desk.problem
    desk.wait(60, lambda: rang.append(0) or True)  # no waiting for one that does not come
    assert (len(said), rang) == (1, [])
    with session.attended() as mine:
        assert mine
        desk.look()
    assert desk.problem is None
