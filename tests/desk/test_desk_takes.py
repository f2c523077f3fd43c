import gzip
import json

import numpy as np
import pytest
from players import KEYPOINTS, TAKE, Leader, Players

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader
from lalelu.desk import process
from lalelu.desk.drain import Progress
from lalelu.desk.takes import TakeLines
from lalelu.take import read_take
from lalelu.types import Pose


@pytest.fixture
def leader(tmp_path):
    with Leader(tmp_path, take="run.take.gz") as leader:
        yield leader


def lines_of(leader):
    return TakeLines(RingReader(leader.session / "frames"), RingReader(leader.session / "poses"), TAKE)


def read(source, done=Progress(100)):  # noqa: B008 - frozen
    data, planned = source.read(done)
    return [json.loads(line) for line in data.splitlines()], planned


def pose(players, seq, captured_ns, player=0, x=0.5):
    xy = np.full((KEYPOINTS, 2), x, np.float32)
    players._rings.pose(Pose(seq, captured_ns, player, xy, np.full(KEYPOINTS, 0.9, np.float32)))


def frame(players, seq, captured_ns, count):
    players._rings.frame(seq, captured_ns, *range(captured_ns + 1, captured_ns + 8), 0, 0, count, 0, [0] * 8)


def test_a_line_is_a_frame_with_its_players_and_a_frame_without_has_one_too(leader):
    players = Players(leader.session)
    pose(players, 7, 70, 0)
    pose(players, 7, 70, 1)
    frame(players, 7, 70, 2)
    frame(players, 8, 80, 0)
    (first, second), planned = read(lines_of(leader))
    assert [(p["player"], p["via"], p["xy"][16], p["score"][0]) for p in first["players"]] == [
        (0, "net", [0.5, 0.5], 0.9),
        (1, "net", [0.5, 0.5], 0.9),
    ]
    assert second == {"seq": 8, "captured_ns": 80, "players": []}
    assert planned.cursors == {"frames": 2, "poses": 2}


def test_poses_wait_for_their_frames_row(leader):
    players, source = Players(leader.session), lines_of(leader)
    pose(players, 0, 10)
    frame(players, 0, 10, 1)
    pose(players, 1, 20)
    lines, planned = read(source)
    assert [line["seq"] for line in lines] == [0]
    assert planned.cursors == {"frames": 1, "poses": 1}
    frame(players, 1, 20, 1)
    lines, planned = read(source, planned)
    assert [(line["seq"], len(line["players"])) for line in lines] == [(1, 1)]


def test_a_camera_that_was_opened_again_counts_from_its_start_and_its_poses_find_their_frames(leader):
    players = Players(leader.session)
    for captured_ns, x in ((10, 0.25), (20, 0.75)):
        pose(players, 0, captured_ns, x=x)
        frame(players, 0, captured_ns, 1)
    lines, _ = read(lines_of(leader))
    assert [line["players"][0]["xy"][0][0] for line in lines] == [0.25, 0.75]


def test_a_pose_of_an_engine_that_died_before_its_row_has_no_line(leader):
    players = Players(leader.session)
    pose(players, 0, 10)
    pose(players, 0, 20)
    frame(players, 0, 20, 1)
    lines, planned = read(lines_of(leader))
    assert [(line["captured_ns"], len(line["players"])) for line in lines] == [(20, 1)]
    assert planned.lost == {"take": 0}


def test_a_frame_whose_poses_were_overwritten_has_no_line_and_is_counted(leader):
    players = Players(leader.session)
    frame(players, 0, 10, 1)
    frame(players, 1, 20, 0)
    lines, planned = read(lines_of(leader))
    assert [line["seq"] for line in lines] == [1]
    assert planned.lost == {"take": 1}


def test_a_keypoint_that_is_not_finite_becomes_one_that_is_not_known(leader):
    players = Players(leader.session)
    pose(players, 0, 10, x=float("nan"))
    frame(players, 0, 10, 1)
    ((line,), _) = read(lines_of(leader))
    assert line["players"][0]["xy"] == [[0.0, 0.0]] * KEYPOINTS
    assert line["players"][0]["score"] == [0.0] * KEYPOINTS


def test_more_poses_than_one_batch_find_their_frames(leader, monkeypatch):
    monkeypatch.setattr("lalelu.desk.takes.BATCH_ROWS", 3)
    players, source = Players(leader.session), lines_of(leader)
    for seq in range(5):
        for player in range(4):
            pose(players, seq, 10 * seq, player)
        frame(players, seq, 10 * seq, 4)
    first, planned = read(source)
    second, planned = read(source, planned)
    assert [(line["seq"], len(line["players"])) for line in first + second] == [(seq, 4) for seq in range(5)]


def test_the_take_begins_when_the_engine_has_told_what_it_films_and_is_packed_at_the_end(leader, monkeypatch):
    monkeypatch.setattr(process, "TEND_NS", 0)
    leader.engine = Bulletin(leader.session / "engine")  # not warm yet
    desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
    desk.open()
    players = Players(leader.session)
    for number in range(10):
        players.frame(number)
    desk.step()
    plain = leader.take.with_suffix("")
    assert not plain.exists()
    leader.engine.tell(take={**TAKE, "readout_ms": 12.5})
    desk.step()
    desk.step()
    assert len(plain.read_bytes().splitlines()) == 11
    Bulletin(leader.session / "engine")  # an engine that starts again has told nothing yet
    assert desk.finish()
    desk.pack()
    desk.pack()
    assert not plain.exists()
    header = json.loads(gzip.decompress(leader.take.read_bytes()).splitlines()[0])
    assert header == {"lalelu_take": 1, "skeleton": "coco17", **TAKE, "readout_ms": 12.5}
    assert len(read_take(leader.take).frames) == 10


def test_a_take_that_cannot_be_packed_stays_plain(leader, monkeypatch):
    monkeypatch.setattr(process, "TEND_NS", 0)
    desk = process.Desk(leader.session, leader.plan, Bulletin(leader.session / "desk"), None)
    desk.open()
    Players(leader.session).frame(0)
    leader.take.mkdir()
    assert desk.finish()
    desk.pack()
    assert len(read_take(leader.take.with_suffix("")).frames) == 1
    (line,) = BoardReader(leader.session / "desk").value()["lines"]
    assert "cannot be packed (Is a directory); it stays unpacked as" in line
