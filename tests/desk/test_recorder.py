import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lalelu.desk.recorder import Recorder
from lalelu.errors import UsageError
from lalelu.ledger.files import new_header
from lalelu.ledger.reader import read_ledger
from lalelu.skeleton import COCO17
from lalelu.types import Pose
from lalelu.voice.voice import NoteSent

HEADER = new_header(
    {"kit": "rock"}, camera={"source": "sim"}, model="lightning", runtime={"name": "scripted"}
)
TAKE_HEADER = {"source": "sim", "fps": 100, "width": 640, "height": 480, "model": "lightning"}


def a_recorder(ledger: Path | None, take: Path | None = None) -> Recorder:
    return Recorder(ledger, take, HEADER, skeleton=COCO17, take_header=TAKE_HEADER)


def a_pose(seq: int, player: int = 0, x: float = 0.5) -> Pose:
    return Pose(seq, seq * 10, player, np.full((17, 2), x, np.float32), np.full(17, 0.9, np.float32))


def send_frame(recorder: Recorder, seq: int) -> None:
    recorder.frame(seq, seq * 10, *range(seq * 10 + 1, seq * 10 + 8), 0, 1, 1, 0)


def take_lines(path: Path) -> list[dict]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def test_all_rows_come_back_and_the_ledger_is_closed(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    for seq in range(1000):
        send_frame(recorder, seq)
        recorder.note(NoteSent(seq, seq * 10, 1, 2, 4, 0, 10, 38, 96, True))
    recorder.event("loss", "the camera has gone")
    recorder.close()
    recorder.close()
    ledger = read_ledger(tmp_path / "run.ledger")
    assert recorder.problem == ""
    assert recorder.overruns == 0
    assert ledger.problems == ()
    assert ledger.frames["seq"].tolist() == list(range(1000))
    assert ledger.frames[3].tolist() == (3, 30, *range(31, 38), 0, 1, 1, 0)
    assert ledger.notes[7].tolist()[:11] == (7, 70, 1, 2, 0, 4, 0, 10, 38, 96, 1)
    assert [(e.kind, e.text) for e in ledger.events] == [("loss", "the camera has gone")]
    assert ledger.header["counts"] == {"frames": 1000, "notes": 1000, "events": 1}
    assert (ledger.header["closed"], ledger.header["first_captured_ns"], ledger.header["overruns"]) == (
        True,
        0,
        0,
    )


def test_players_of_a_frame_share_a_line_and_an_empty_frame_keeps_its_own(tmp_path):
    recorder = a_recorder(None, tmp_path / "x.take")
    recorder.open()
    recorder.pose(a_pose(0, 0))
    recorder.pose(a_pose(0, 1))
    send_frame(recorder, 0)
    send_frame(recorder, 1)
    send_frame(recorder, 2)
    recorder.pose(a_pose(2, 0))  # after its frame: the same line all the same
    recorder.close()
    header, *lines = take_lines(tmp_path / "x.take")
    assert header == {"lalelu_take": 1, **TAKE_HEADER, "skeleton": "coco17"}
    assert [(line["seq"], [p["player"] for p in line["players"]]) for line in lines] == [
        (0, [0, 1]),
        (1, []),
        (2, [0]),
    ]
    assert lines[0]["players"][0] == {"player": 0, "via": "net", "xy": [[0.5, 0.5]] * 17, "score": [0.9] * 17}


def test_a_take_that_ends_in_gz_is_packed_at_the_end(tmp_path):
    recorder = a_recorder(None, tmp_path / "x.take.gz")
    recorder.open()
    assert (tmp_path / "x.take").exists()
    recorder.pose(a_pose(0))
    recorder.close()
    assert [p.name for p in tmp_path.iterdir()] == ["x.take.gz"]
    assert len(take_lines(tmp_path / "x.take.gz")) == 2


def test_keypoints_that_are_not_numbers_become_unknown(tmp_path):
    recorder = a_recorder(None, tmp_path / "x.take")
    recorder.open()
    pose = a_pose(0)
    pose.xy[3, 0] = np.nan
    pose.score[4] = np.inf
    recorder.pose(pose)
    recorder.close()
    player = take_lines(tmp_path / "x.take")[1]["players"][0]
    assert player["xy"][2:6] == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0], [0.5, 0.5]]
    assert player["score"][2:6] == [0.9, 0.0, 0.0, 0.9]


def test_a_stopped_child_costs_rows_but_never_a_wait(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    os.kill(recorder._child.pid, signal.SIGSTOP)
    for seq in range(30_000):  # 2.4 MB into a pipe of 1 MiB
        send_frame(recorder, seq)
    os.kill(recorder._child.pid, signal.SIGCONT)
    lost = recorder.overruns
    recorder.close()
    ledger = read_ledger(tmp_path / "run.ledger")
    assert lost > 0
    assert len(ledger.frames) + lost == 30_000
    assert ledger.frames["seq"].tolist() == list(range(len(ledger.frames)))
    assert ledger.header["overruns"] == lost


def test_a_killed_child_is_counted_and_told_not_raised(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    recorder._child.kill()
    recorder._child.wait()
    send_frame(recorder, 0)
    recorder.event("loss", "x")
    assert recorder.overruns == 2
    recorder.close()
    assert "the recorder ended with status -9" in recorder.problem
    assert "was not closed" in " ".join(read_ledger(tmp_path / "run.ledger").problems)


def test_ending_signals_do_not_end_the_child_before_its_pipe_does(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # while it is still starting
        os.kill(recorder._child.pid, number)
    send_frame(recorder, 0)
    until = time.monotonic() + 30
    while not (tmp_path / "run.ledger" / "frames").stat().st_size:
        assert time.monotonic() < until, "the child never wrote"
        time.sleep(0.01)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # while it runs
        os.kill(recorder._child.pid, number)
    send_frame(recorder, 1)
    recorder.close()
    assert recorder.problem == ""
    assert read_ledger(tmp_path / "run.ledger").frames["seq"].tolist() == [0, 1]


ENGINE = """
import os, signal, sys
from pathlib import Path
from lalelu.desk.recorder import Recorder
from lalelu.skeleton import COCO17
recorder = Recorder(Path(sys.argv[1]), None, {"lalelu_ledger": 1}, skeleton=COCO17)
recorder.open()
for seq in range(500):
    recorder.frame(seq, *range(8), 0, 0, 0, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_engine_leaves_a_whole_and_closed_ledger(tmp_path):
    directory = tmp_path / "run.ledger"
    engine = subprocess.run([sys.executable, "-c", ENGINE, str(directory)], check=False)
    assert engine.returncode == -signal.SIGKILL
    until = time.monotonic() + 30
    while json.loads((directory / "header.json").read_text()).get("closed") is not True:
        assert time.monotonic() < until, "the child never finished"
        time.sleep(0.01)
    ledger = read_ledger(directory)
    assert len(ledger.frames) == 500
    assert ledger.problems == ()


def test_numbers_that_do_not_fit_are_counted_not_raised(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    recorder.note(NoteSent(0, 0, 0, 0, 0, 0, 10, 38, 300, False))
    recorder.frame(1 << 80, *range(8), 0, 0, 0, 0)
    recorder.close()
    assert recorder.overruns == 2
    assert len(read_ledger(tmp_path / "run.ledger").notes) == 0


def test_what_becomes_known_later_is_put_into_the_header(tmp_path):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    recorder.amend({"requests": [{"name": "fifo", "granted": False}]})
    recorder.close()
    header = read_ledger(tmp_path / "run.ledger").header
    assert header["requests"] == [{"name": "fifo", "granted": False}]
    assert (header["model"], header["closed"]) == ("lightning", True)


def test_without_a_ledger_and_a_take_nothing_happens():
    recorder = a_recorder(None)
    recorder.open()
    send_frame(recorder, 0)
    recorder.pose(a_pose(0))
    recorder.close()
    assert recorder.overruns == 0


def test_a_take_that_cannot_be_written_is_refused_at_open(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        a_recorder(None, tmp_path / "file" / "x.take").open()


def test_a_full_disk_ends_the_recording_with_a_sentence_not_the_engine(tmp_path, capfd):
    recorder = a_recorder(tmp_path / "run.ledger")
    recorder.open()
    recorder.close()
    (tmp_path / "run.ledger" / "frames").unlink()
    (tmp_path / "run.ledger" / "frames").symlink_to("/dev/full")
    recorder = a_recorder(tmp_path / "run.ledger")  # an earlier ledger is replaced
    recorder.open()
    send_frame(recorder, 0)
    recorder.close()
    assert "ended with status 1" in recorder.problem
    assert capfd.readouterr().err == "recorder: the recording: No space left on device; recording stopped\n"
