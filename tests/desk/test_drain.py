import json
import os
import struct
import subprocess
from contextlib import suppress

import pytest
from full_disk import files_up_to
from players import Leader, Players

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader, RingWriter, create_ring
from lalelu.desk import process
from lalelu.desk.drain import Drain, Progress, Rows, Sink
from lalelu.ledger.reader import read_ledger
from lalelu.ledger.schema import RECORDS
from lalelu.situation import Situation
from lalelu.wire import EventRing

ROW = struct.Struct("<qq")


@pytest.fixture
def ring(tmp_path):
    create_ring(tmp_path / "ring", ROW.size, 64)
    return RingWriter(tmp_path / "ring")


def a_drain(folder, said=None):
    drain = Drain(folder / "state", (said if said is not None else []).append)
    drain.add("rows", Sink(folder / "rows", Rows({"ring": RingReader(folder / "ring")}), ROW.size))
    return drain


def rows(folder):
    return [first for first, _ in ROW.iter_unpack((folder / "rows").read_bytes())]


def write(ring, *numbers):
    for number in numbers:
        ring.write(ROW.pack(number, 0))


def test_rows_are_passed_on_once_and_nothing_is_written_when_nothing_came(tmp_path, ring):
    drain = a_drain(tmp_path)
    write(ring, 0, 1, 2)
    assert drain.step(0) == 3
    state = (tmp_path / "state").stat().st_ino
    assert drain.step(1) == 0
    assert (tmp_path / "state").stat().st_ino == state
    assert rows(tmp_path) == [0, 1, 2]
    drain.close()


def test_what_was_overwritten_is_counted_as_lost_exactly_and_told(tmp_path, ring):
    said = []
    drain = a_drain(tmp_path, said)
    write(ring, *range(100))
    drain.step(0)
    assert rows(tmp_path) == list(range(37, 100))
    assert drain.lost() == {"ring": 37}
    assert said == ["37 rows of rows were lost: not written in time"]
    drain.close()
    again = a_drain(tmp_path)
    write(ring, 100)
    again.step(0)
    assert rows(tmp_path) == list(range(37, 101))
    assert again.lost() == {"ring": 37}
    again.close()


def test_a_file_that_somebody_has_cut_goes_on_at_a_whole_row_and_the_gap_is_counted(tmp_path, ring):
    drain = a_drain(tmp_path)
    write(ring, 0, 1, 2)
    drain.step(0)
    write(ring, 3)
    drain.step(0)
    drain.close()
    os.truncate(tmp_path / "rows", 2 * ROW.size - 1)
    said = []
    again = a_drain(tmp_path, said)
    again.step(0)
    again.close()
    assert rows(tmp_path) == [0, 3]
    assert again.lost() == {"ring": 0, "disk": 2}
    assert "17 bytes that were written before have gone" in said[0]


def test_a_take_that_somebody_has_cut_goes_on_after_its_last_whole_line(tmp_path):
    class Line:
        def read(self, done):
            return b"line\n", Progress(done.size + 5)

        def wrote(self):
            pass

    (tmp_path / "lines").write_bytes(b"line\nline\nli")
    sink = Sink(tmp_path / "lines", Line(), 0)
    sink.done = sink.planned = Progress(15)
    assert sink.settle() == 3
    sink.plan()
    sink.write()
    sink.close()
    assert (tmp_path / "lines").read_bytes() == b"line\n" * 3


def test_rows_of_several_rings_stand_in_the_order_of_their_stamps(tmp_path):
    rings = {}
    for name, stamps in {"a": (5, 1), "b": (3,), "c": (4, -2)}.items():
        create_ring(tmp_path / name, ROW.size, 8)
        write(RingWriter(tmp_path / name), *stamps)
        rings[name] = RingReader(tmp_path / name)
    source = Rows(rings, stamped=True)
    source.own.append(ROW.pack(2, 0))
    data, planned = source.read(Progress())
    assert [stamp for stamp, _ in ROW.iter_unpack(data)] == [-2, 1, 2, 3, 4, 5]
    assert planned.cursors == {"a": 2, "b": 1, "c": 2}
    source.wrote()
    assert not source.own


def test_a_disk_that_takes_no_more_is_told_once_and_the_rows_wait(tmp_path, ring):
    said = []
    drain = a_drain(tmp_path, said)
    write(ring, *range(10))
    drain.step(0)
    write(ring, *range(10, 60))
    with files_up_to(20 * ROW.size + 5):
        for at_s in range(5):
            assert drain.step(at_s * 1_000_000_000) == 0
        assert drain.failing
    assert rows(tmp_path) == list(range(10))
    write(ring, *range(60, 80))  # the ring holds 63: seven are lost
    assert drain.step(4_500_000_000) == 0  # an attempt each second, no more
    assert drain.step(5_500_000_000) == 70
    assert rows(tmp_path) == [*range(10), *range(17, 80)]
    assert drain.lost() == {"ring": 7}
    assert not drain.failing
    assert len(said) == 3
    assert "rows cannot be written (File too large); its rows wait in memory for five minutes" in said[0]
    assert said[1:] == [
        "written again after 5.5 s; 7 rows were lost",
        "7 rows of rows were lost: not written in time",
    ]
    drain.close()


def test_without_room_for_the_state_nothing_is_written_and_nothing_is_lost(tmp_path, ring):
    drain = a_drain(tmp_path)
    write(ring, *range(10))
    with files_up_to(10), pytest.raises(OSError, match="File too large"):
        drain.step(0)
    assert rows(tmp_path) == []
    assert drain.step(0) == 10
    assert rows(tmp_path) == list(range(10))
    drain.close()


@pytest.fixture
def small_disk(tmp_path, expect):
    """A file system of 400 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        expect("mount", "only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_desk_outlives_a_full_disk_and_says_so_in_board_and_ledger(small_disk, monkeypatch):
    monkeypatch.setattr(process, "TEND_NS", 0)
    monkeypatch.setattr("lalelu.desk.drain.RETRY_NS", 0)
    with Leader(
        small_disk.parent / "elsewhere", ledger_at=small_disk / "run.ledger", take="run.take"
    ) as leader:
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        players = Players(leader.session)
        for frame in range(1000):
            players.frame(frame)
        desk.step()
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, os.statvfs(small_disk).f_bavail * 4096)
        for frame in range(1000, 2000):
            players.frame(frame)
        for _ in range(3):
            desk.step()
        board = BoardReader(leader.session / "desk").value()
        assert board["failing"]
        assert sum("(No space left on device)" in line for line in board["lines"]) == 1
        assert board["problems"]["disk"] in board["lines"]  # word for word: the leader tells it once
        ballast.unlink()
        desk.step()
        assert BoardReader(leader.session / "desk").value()["problems"] == {}
        assert desk.finish()
        ledger = read_ledger(leader.ledger)
        assert ledger.problems == ()
        assert ledger.frames["seq"].tolist() == list(range(2000))
        told = [event.text for event in ledger.events if event.kind == "desk"]
        assert len(told) == 2
        assert told[0].startswith(str(small_disk)[:90])
        assert told[1].startswith("written again after")
        assert len(leader.take.read_text().splitlines()) == 1 + 2000


def test_a_full_disk_is_shown_before_it_is_said(tmp_path):
    with Leader(tmp_path) as leader:
        said = []
        situation = Situation(leader.session, leader.lead, EventRing(leader.session, "lead"), said.append)
        Players(leader.session).frame(0)
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        desk.step()
        for frame in range(1, 200):
            Players(leader.session).frame(frame)
        with files_up_to(8000):
            desk.step()
            board = BoardReader(leader.session / "desk").value()
        for _ in range(2):
            situation.say(board.pop("lines", []), board)
            situation.look({"state": "starting"}, {"desk": board})
        situation.close()
        desk._drain.close()
    assert len(said) == 1
    assert "cannot be written (File too large)" in said[0]


def test_a_disk_that_stays_full_ends_the_desk_after_a_while_with_the_rows_that_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GIVE_UP_NS", 200_000_000)
    with Leader(tmp_path) as leader:
        players = Players(leader.session)
        for frame in range(1000):
            players.frame(frame)
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        with files_up_to(70_010):
            assert not desk.finish()
        desk._drain.close()
        assert len(read_ledger(leader.ledger).frames) == 0
        assert len(read_ledger(leader.ledger).notes) == 334
        again = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        again.open()
        assert again.finish()  # as when the leader has started it once more
        assert len(read_ledger(leader.ledger).frames) == 1000


def test_a_damaged_header_does_not_stop_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "TEND_NS", 0)
    with Leader(tmp_path) as leader:
        header = (leader.ledger / "header.json").read_bytes()
        (leader.ledger / "header.json").write_text("{")
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        Players(leader.session).frame(0)
        desk.step()
        desk.step()
        board = BoardReader(leader.session / "desk").value()
        assert [line for line in board["lines"] if "cannot be kept up to date" in line] == board["lines"]
        assert [board["problems"]["disk"]] == board["lines"]
        assert (leader.ledger / "frames").stat().st_size == RECORDS["frames"].itemsize
        (leader.ledger / "header.json").write_bytes(header)
        assert desk.finish()
        assert json.loads((leader.ledger / "header.json").read_bytes())["counts"]["frames"] == 1
