import json
import os
import shutil
import time
from pathlib import Path

import pytest
from players import Leader, Players, grant

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, create_board
from lalelu.desk import process
from lalelu.desk.process import Rotation
from lalelu.desk.segments import WAITING_NS, Header, remove_oldest
from lalelu.errors import UsageError
from lalelu.ledger.files import create_ledger, new_header
from lalelu.ledger.reader import read_ledger
from lalelu.session import NET

HEADER = new_header({"kit": "rock"}, camera={}, model="lightning", runtime={})
PLENTY = 10_000_000_000


def a_desk(leader, rotation=None):
    desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), rotation)
    desk.open()
    return desk


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    """Look at what changes seldom at every step."""
    monkeypatch.setattr(process, "TEND_NS", 0)
    monkeypatch.setattr(process, "REMOVE_NS", 0)


@pytest.fixture
def days(monkeypatch):
    """Name segments a, b, c, ... instead of by a clock that has to go on between them."""
    names = iter("abcdefgh")
    monkeypatch.setattr(process, "name_at", lambda _: f"{next(names)}.ledger")


def test_the_header_tells_what_the_boards_have_told(tmp_path):
    with Leader(tmp_path) as leader:
        desk = a_desk(leader)
        desk.step()
        header = read_ledger(leader.ledger).header
        assert header["camera"] == {"source": "sim"}
        asked = [(request["process"], request["request"]) for request in header["requests"]]
        assert asked == [("engine", "core"), ("voice", "fifo")]
        create_board(leader.session / NET)  # the engine makes it when it starts a network beside
        Bulletin(leader.session / NET).tell(requests=[grant("nice")])
        Bulletin(leader.session / "engine")  # starts again, and has not asked for anything yet
        leader.lead.tell(restarts={"engine": 1})
        leader.voice.tell(requests=[])
        desk.step()
        header = read_ledger(leader.ledger).header
        assert [(request["process"], request["request"]) for request in header["requests"]] == [
            ("engine", "core"),
            ("net", "nice"),
        ]
        assert header["restarts"] == {"engine": 1}
        assert header["camera"] == {"source": "sim"}
        assert desk.finish()


def test_each_segment_is_a_whole_ledger_and_knows_its_neighbours(tmp_path, days):
    with Leader(tmp_path, rotates=True) as leader:
        desk = a_desk(leader, Rotation(0, PLENTY))
        players = Players(leader.session)
        for frame in range(30):
            players.frame(frame)
            if frame % 10 == 9:
                desk.step()
        for frame in range(30, 35):
            players.frame(frame)
        assert desk.finish()
        ledgers = [read_ledger(tmp_path / f"{name}.ledger") for name in ("run", "a", "b", "c")]
        assert [ledger.problems for ledger in ledgers] == [()] * 4
        assert [ledger.frames["seq"].tolist() for ledger in ledgers] == [
            list(range(10)), list(range(10, 20)), list(range(20, 30)), list(range(30, 35)),
        ]  # fmt: skip
        headers = [ledger.header for ledger in ledgers]
        assert [header.get("continues") for header in headers] == [None, "run.ledger", "a.ledger", "b.ledger"]
        assert [header.get("continued") for header in headers] == ["a.ledger", "b.ledger", "c.ledger", None]
        assert [header.get("segment") for header in headers] == [None, 2, 3, 4]
        assert [header["first_captured_ns"] for header in headers] == [
            10**7,
            11 * 10**7,
            21 * 10**7,
            31 * 10**7,
        ]
        assert {json.dumps([h["epochs"], h["camera"], h["requests"]]) for h in headers} == {
            json.dumps([headers[0]["epochs"], {"source": "sim"}, headers[0]["requests"]])
        }


def test_a_segment_whose_beginning_failed_half_way_is_begun_again(tmp_path, days, monkeypatch):
    with Leader(tmp_path, rotates=True) as leader:
        players = Players(leader.session)
        desk = a_desk(leader, Rotation(PLENTY, PLENTY))
        players.frame(0)
        desk.step()
        desk._rotation = Rotation(0, PLENTY)
        with monkeypatch.context() as patched:
            patched.setattr(Header, "write", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
            desk.step()
        desk._drain.close()
        players.frame(1)
        again = a_desk(leader, Rotation(PLENTY, PLENTY))  # as after a kill
        again.step()
        players.frame(2)
        assert again.finish()
        ledgers = [read_ledger(tmp_path / name) for name in ("run.ledger", "a.ledger")]
        assert [ledger.frames["seq"].tolist() for ledger in ledgers] == [[0, 1], [2]]
        assert [ledger.problems for ledger in ledgers] == [(), ()]
        assert "continued" not in ledgers[1].header


def test_rows_lost_count_in_the_segment_in_which_they_were_lost(tmp_path, days):
    with Leader(tmp_path, rotates=True) as leader:
        players = Players(leader.session)
        desk = a_desk(leader, Rotation(0, PLENTY))
        for _ in range(600):
            players.lead.write("test", "an event")
        desk.step()
        players.lead.write("test", "an event")
        assert desk.finish()
        assert read_ledger(tmp_path / "run.ledger").header["overruns"]["events.lead"] == 600 - 511
        assert "89 rows of events.lead were lost" in read_ledger(tmp_path / "run.ledger").problems[0]
        assert read_ledger(tmp_path / "a.ledger").header["overruns"]["events.lead"] == 0


def test_a_segment_that_cannot_be_begun_leaves_the_running_one_running(tmp_path, days, monkeypatch):
    monkeypatch.setattr(process, "REMOVE_NS", 60_000_000_000)
    with Leader(tmp_path, rotates=True) as leader:
        (tmp_path / "b.ledger").symlink_to("a disk that is not there")
        desk = a_desk(leader, Rotation(0, PLENTY))
        players = Players(leader.session)
        for frame in range(4):
            players.frame(frame)
            desk.step()  # begins a, does not begin b, then waits a while
        assert desk.finish()
        assert read_ledger(tmp_path / "a.ledger").frames["seq"].tolist() == [1, 2, 3]
        assert not (tmp_path / "c.ledger").exists()
        lines = BoardReader(leader.session / "desk").value()["lines"]
        assert len([line for line in lines if "b.ledger cannot be written (File exists)" in line]) == 1


def a_closed(folder, name, closed_s, kilobytes=100):
    create_ledger(folder / name, {**HEADER, "closed": True})
    (folder / name / "frames").write_bytes(bytes(kilobytes * 1000))
    os.utime(folder / name / "header.json", (closed_s, closed_s))
    return folder / name


def test_the_ledgers_that_were_closed_first_go_until_the_rest_fits(tmp_path):
    running = a_closed(tmp_path, "running.ledger", 0)
    old = [
        a_closed(tmp_path, f"{name}.ledger", closed_s) for name, closed_s in (("c", 1), ("a", 2), ("b", 3))
    ]
    assert remove_oldest(tmp_path, 500_000, running) == []
    assert remove_oldest(tmp_path, 310_000, running) == old[:1]
    assert remove_oldest(tmp_path, 0, running) == old[1:]
    assert [path.name for path in tmp_path.iterdir()] == ["running.ledger"]


def test_nothing_else_is_ever_removed(tmp_path):
    running = tmp_path / "running.ledger"
    create_ledger(running, HEADER)
    create_ledger(tmp_path / "not closed.ledger", HEADER)
    a_closed(tmp_path, "another name", 0)
    elsewhere = a_closed(tmp_path, "elsewhere", 0)
    (tmp_path / "link.ledger").symlink_to(elsewhere)
    shutil.copytree(elsewhere, tmp_path / "other.ledger")
    (tmp_path / "other.ledger" / "header.json").write_text('{"closed": true}')
    shutil.copytree(elsewhere, tmp_path / "damaged.ledger")
    (tmp_path / "damaged.ledger" / "header.json").write_text("{")
    (tmp_path / "a file.ledger").touch()
    before = sorted(tmp_path.rglob("*"))
    assert remove_oldest(tmp_path, 0, running) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_killed_removal_left_is_removed(tmp_path):
    a_closed(tmp_path, "old.ledger", 0).rename(tmp_path / ".old.ledger.removed")
    assert remove_oldest(tmp_path, PLENTY, tmp_path / "running.ledger") == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_claimed_long_ago_and_never_begun_is_removed(tmp_path):
    for name in ("old.ledger", "just now.ledger"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old.ledger", (0, 0))
    assert remove_oldest(tmp_path, PLENTY, tmp_path / "running.ledger") == []
    assert [path.name for path in tmp_path.iterdir()] == ["just now.ledger"]


def test_the_desk_makes_room_and_says_what_has_gone(tmp_path):
    with Leader(tmp_path, rotates=True) as leader:
        a_closed(tmp_path, "old.ledger", time.time() - 1000)
        desk = a_desk(leader, Rotation(PLENTY * 1000, 50_000))
        desk.step()
        assert not (tmp_path / "old.ledger").exists()
        assert desk.finish()
        events = read_ledger(leader.ledger).events
        assert [event.kind for event in events] == ["removed"]


def test_a_ledger_that_cannot_be_removed_is_told_once_and_the_recording_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "old.ledger")

    monkeypatch.setattr(process, "remove_oldest", refuse)
    with Leader(tmp_path, rotates=True) as leader:
        desk = a_desk(leader, Rotation(PLENTY * 1000, 0))
        desk.step()
        desk.step()
        assert desk.finish()
        lines = BoardReader(leader.session / "desk").value()["lines"]
        assert len(lines) == 1
        assert "old ledgers cannot be removed ([Errno 13] Permission denied: 'old.ledger')" in lines[0]
        assert read_ledger(leader.ledger).problems == ()


def test_a_single_ledger_neither_rotates_nor_removes(tmp_path):
    with Leader(tmp_path) as leader:
        a_closed(tmp_path, "old.ledger", 0)
        desk = a_desk(leader)
        desk.step()
        assert desk.finish()
        assert sorted(path.name for path in tmp_path.glob("*.ledger")) == ["old.ledger", "run.ledger"]


def test_a_segment_carries_the_last_epoch_that_began_before_its_rows_and_those_after_it():
    epochs = [{"epoch": number, "began_ns": number * WAITING_NS} for number in range(5)]
    header = Header(Path("run.ledger"), {"epochs": epochs, "closed": True})
    for at_ns, first in (
        (0, 0),
        (WAITING_NS, 0),
        (3 * WAITING_NS - 1, 1),
        (3 * WAITING_NS, 2),
        (9 * WAITING_NS, 4),
    ):
        assert header.next(2, at_ns)["epochs"] == epochs[first:]


def test_a_header_that_is_no_object_is_refused(tmp_path):
    (tmp_path / "header.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no JSON object"):
        Header.read(tmp_path)
    with pytest.raises(UsageError):
        read_ledger(tmp_path)
