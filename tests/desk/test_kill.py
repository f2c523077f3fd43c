"""The desk is killed at any moment, again and again: each row is on disk once, and none is missing."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from players import EVENT_EVERY, NOTE_EVERY, Leader, Players, players_of

from lalelu.bulletin import Bulletin
from lalelu.desk import process, services  # noqa: F401 - loaded before the forks: each desk comes to its loop
from lalelu.desk.process import Rotation, run
from lalelu.ledger.reader import Ledger, read_ledger
from lalelu.ledger.schema import RECORDS
from lalelu.take import read_take

KILLS = 30
FRAMES = 20_000
SECONDS = 4


def forked(leader: Leader, lifeline: int, rotation: Rotation | None) -> int:
    """Run the desk in a process of its own, as the leader would, but without the time of its start."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = run(leader.session, leader.plan, Bulletin(leader.session / "desk"), lifeline, rotation)
        finally:
            os._exit(status)
    return pid


def killed(pid: int, most_s: float) -> bool:
    """Kill a process at a random moment; whether it still ran."""
    time.sleep(random.uniform(0.0, most_s))
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def finished(leader: Leader) -> None:
    """Start the desk with nobody left, as the leader does at the end."""
    desk = subprocess.run(leader.session.command("desk"), check=False, stdin=subprocess.DEVNULL, timeout=60)
    assert desk.returncode == 0


def check_rows(ledgers: list[Ledger], frames: int) -> None:
    assert [ledger.problems for ledger in ledgers] == [()] * len(ledgers)
    seqs = [seq for ledger in ledgers for seq in ledger.frames["seq"].tolist()]
    assert seqs == list(range(frames))
    notes = [seq for ledger in ledgers for seq in ledger.notes["seq"].tolist()]
    assert notes == list(range(-(-frames // NOTE_EVERY)))
    events = [event.at_ns for ledger in ledgers for event in ledger.events if event.kind == "test"]
    assert events == list(range(-(-frames // EVENT_EVERY)))
    for ledger in ledgers:
        assert ledger.header["counts"] == {name: len(getattr(ledger, name)) for name in RECORDS}
        assert set(ledger.header["overruns"].values()) == {0}
        first = ledger.frames["captured_ns"][:1].tolist()
        assert ledger.header["first_captured_ns"] == (first[0] if first else None)


def check_take(path: Path, frames: int) -> None:
    take = read_take(path)
    assert take.problems == ()
    assert [frame.seq for frame in take.frames] == list(range(frames))
    assert [len(frame.poses) for frame in take.frames] == [players_of(seq) for seq in range(frames)]


def test_a_desk_that_is_killed_again_and_again_writes_every_row_once(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "TEND_NS", 0)  # every kill may meet a header or a rotation
    lifeline, other_end = os.pipe()
    with Leader(tmp_path, take="run.take.gz", rotates=True) as leader:
        rotation = Rotation(100_000_000, 10_000_000_000)
        playing = leader.play(FRAMES, FRAMES // SECONDS)
        for _ in range(KILLS):
            assert killed(forked(leader, lifeline, rotation), 0.15)
        playing.wait()
        os.close(other_end)
        ended = [not killed(forked(leader, lifeline, rotation), 0.1) for _ in range(KILLS)]
        os.close(lifeline)
        finished(leader)
        # an empty one was claimed in the moment of a kill, and its name is not used again
        begun = sorted(path for path in tmp_path.glob("2*.ledger") if any(path.iterdir()))
        ledgers = [read_ledger(path) for path in begun]
        ledgers.insert(0, read_ledger(leader.ledger))
        assert len(ledgers) > 1
        assert [ledger.header.get("segment", 1) for ledger in ledgers] == list(range(1, len(ledgers) + 1))
        assert [ledger.header["continued"] for ledger in ledgers[:-1]] == [
            led.path.name for led in ledgers[1:]
        ]
        assert [ledger.header["continues"] for ledger in ledgers[1:]] == [
            led.path.name for led in ledgers[:-1]
        ]
        assert "continued" not in ledgers[-1].header
        check_rows(ledgers, FRAMES)
        check_take(leader.take, FRAMES)
        assert not leader.take.with_suffix("").exists()
        assert len(ended) == KILLS


def test_the_real_process_goes_on_where_the_one_before_was_killed(tmp_path):
    with Leader(tmp_path, take="run.take") as leader:
        playing = leader.play(3000, 1500)
        for _ in range(3):
            desk = subprocess.Popen(leader.session.command("desk"), stdin=subprocess.PIPE)
            time.sleep(random.uniform(0.3, 1.0))
            desk.kill()
            desk.wait()
            desk.stdin.close()
        playing.wait()
        finished(leader)
        finished(leader)  # once more: nothing is left to do
        check_rows([read_ledger(leader.ledger)], 3000)
        check_take(leader.take, 3000)


@pytest.mark.parametrize("cut", ["nothing", "a byte", "all but a byte", "all"])
def test_a_kill_between_plan_and_end_of_a_batch_is_made_good(tmp_path, cut):
    with Leader(tmp_path) as leader:
        leader.play(100).wait()
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        drain = desk._drain
        for sink in drain.sinks.values():
            sink.settle()
            sink.plan()
        drain.keep()
        sink = drain.sinks["frames"]
        written = {"nothing": 0, "a byte": 1, "all but a byte": len(sink._data) - 1, "all": len(sink._data)}
        (leader.ledger / "frames").write_bytes(sink._data[: written[cut]])
        drain.close()
        again = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        again.open()
        assert again.finish()
        check_rows([read_ledger(leader.ledger)], 100)


def test_signals_that_end_the_others_do_not_end_the_desk(tmp_path):
    with Leader(tmp_path) as leader:
        leader.play(10).wait()
        desk = subprocess.Popen(leader.session.command("desk"), stdin=subprocess.PIPE)
        while not read_rows(leader, "frames"):
            time.sleep(0.01)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            desk.send_signal(number)
        leader.play(10).wait()
        desk.stdin.close()
        assert desk.wait(60) == 0
        assert len(read_ledger(leader.ledger).frames) == 20


def read_rows(leader: Leader, name: str) -> int:
    return (leader.ledger / name).stat().st_size // RECORDS[name].itemsize


def test_the_desk_waits_for_an_engine_that_still_plays_when_the_leader_has_died(tmp_path):
    with Leader(tmp_path) as leader:
        playing = leader.play(300, 200)
        desk = subprocess.Popen(leader.session.command("desk"), stdin=subprocess.DEVNULL)
        assert desk.wait(60) == 0
        assert playing.wait() == 0
        check_rows([read_ledger(leader.ledger)], 300)


def test_a_session_that_the_next_leader_has_cleared_away_is_still_written_to_its_end(tmp_path):
    with Leader(tmp_path, take="run.take.gz") as leader:
        players = Players(leader.session)
        for frame in range(100):
            players.frame(frame)
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        desk.step()
        players.frame(100)
        leader.session.remove()
        assert desk.finish()
        desk.pack()
        check_rows([read_ledger(leader.ledger)], 101)
        check_take(leader.take, 101)


def test_the_state_that_is_kept_is_small_and_whole(tmp_path):
    with Leader(tmp_path) as leader:
        leader.play(100).wait()
        desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
        desk.open()
        desk.step()
        desk._drain.close()
        kept = (leader.session / "drained.json").read_bytes()
        assert len(kept) < 4096
        done, planned = json.loads(kept)["sinks"]["frames"]
        assert done == [0, {}, {}]
        assert planned == [100 * RECORDS["frames"].itemsize, {"frames": 100}, {"frames": 0}]
