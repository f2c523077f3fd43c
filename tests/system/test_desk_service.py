"""A desk that is a service of its own: it comes and goes while instruments play."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from system.played import Played, gone, kinds, wait_until
from system.stage import finish, session_of, stage_plan

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, create_board, create_ring
from lalelu.desk import attendance, process
from lalelu.desk.attendance import Attendance
from lalelu.errors import UsageError
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


@pytest.fixture
def said():
    return []


@pytest.fixture
def attended(tmp_path, monkeypatch, said):
    """A session and its leader's Attendance, which looks as often as it is asked to."""
    session = Session(tmp_path)
    create_board(session / "desk")
    create_board(session / "lead")
    create_ring(session / "events.lead", EVENT.size, 8)
    monkeypatch.setattr(attendance, "LOOK_S", 0)
    return session, Attendance(session, Bulletin(session / "lead"), EventRing(session, "lead"), said.append)


def test_people_are_told_that_there_is_no_desk_and_nobody_waits_for_it(attended, said, monkeypatch):
    session, desk = attended
    rang = []
    monkeypatch.setattr(attendance, "COMING_S", 0)
    desk.look()
    assert "systemctl status 'lalelu-desk*'" in desk.problem
    desk.wait(60, lambda: rang.append(0) or True)  # no waiting for one that does not come
    assert (len(said), rang) == (1, [])
    board = Bulletin(session / "desk")
    with session.attended() as mine:
        assert mine
        desk.look()
        assert desk.problem is not None  # it is still starting
        board.tell(state="recording")
        desk.look()
        assert desk.problem is None


def test_people_are_told_of_a_desk_that_dies_until_the_next_one_works(attended):
    session, desk = attended
    board = Bulletin(session / "desk", "recording")
    with session.attended():
        desk.look()
        assert desk.problem is None
    desk.look()
    assert desk.problem == "the desk has died; its service starts it again"
    with session.attended():
        desk.look()  # the board is still the dead one's
        assert desk.problem is not None
        board = Bulletin(session / "desk")
        desk.look()
        assert desk.problem is not None
        board.tell(state="idle")
        desk.look()
        assert desk.problem is None


def test_people_are_told_why_a_desk_has_given_up_and_nobody_waits_for_it(attended):
    session, desk = attended
    with session.attended():
        desk.look()
        Bulletin(session / "desk").tell(state="failed", error="the plan cannot be read")
    desk.look()
    assert desk.problem == "the desk: the plan cannot be read; nothing is recorded from here on"
    desk.wait(60, lambda: pytest.fail("it is waited for"))


@pytest.mark.parametrize(
    ("name", "text"), [("drained.json", "{"), ("drained.json", "[]"), ("plan.json", "[" * 100_000)]
)
def test_a_damaged_file_of_a_session_makes_its_desk_give_up_with_a_sentence(tmp_path, name, text):
    with session_of(stage_plan(tmp_path), tmp_path) as (session, _):
        (session / name).write_text(text)
        assert process.attend(session, -1) == UsageError.exit_code
        board = BoardReader(session / "desk").value()
    assert board["state"] == "failed"
    assert f"{name}" in board["error"]
