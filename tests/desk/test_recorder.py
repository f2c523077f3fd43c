import threading

import pytest
from players import Leader, Players

from lalelu.asks import ask
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.desk.recorder import Recorder
from lalelu.errors import LostError, UsageError
from lalelu.take import read_take


@pytest.fixture
def leader(tmp_path, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Leader(tmp_path) as leader:
        yield leader


def recorder_of(leader, said):
    return Recorder(leader.session, leader.plan, Bulletin(leader.session / "desk"), said.append)


def takes(tmp_path):
    return sorted((tmp_path / "data" / "lalelu" / "takes").iterdir())


def test_a_take_has_the_frames_from_its_start_to_its_stop(leader, tmp_path):
    players, said = Players(leader.session), []
    with recorder_of(leader, said) as recorder:
        for frame in range(5):
            players.frame(frame)
        recorder.start()
        recording = BoardReader(leader.session / "desk").value()["recording"]
        for frame in range(5, 12):
            players.frame(frame)
        recorder.step()
        with pytest.raises(UsageError, match="is being recorded; stop it first"):
            recorder.start()
        recorder.stop()
        for frame in range(12, 15):
            players.frame(frame)
        recorder.step()
        with pytest.raises(UsageError, match="start one first"):
            recorder.stop()
    (file,) = takes(tmp_path)
    assert file.name == f"{recording['take']}.take.gz"
    take = read_take(file)
    assert [(frame.seq, len(frame.poses)) for frame in take.frames] == [
        (seq, seq % 3) for seq in range(5, 12)
    ]
    assert BoardReader(leader.session / "desk").value()["recording"] is None


def test_a_desk_that_was_killed_leaves_a_take_that_the_next_one_goes_on_with(leader, tmp_path):
    players, said = Players(leader.session), []
    killed = recorder_of(leader, said)
    killed.__enter__()
    killed.start()
    for frame in range(4):
        players.frame(frame)
    killed.step()
    for frame in range(4, 8):
        players.frame(frame)
    killed._closing.close()  # all that a kill does
    with recorder_of(leader, said) as recorder:
        recorder.step()
        players.frame(8)
    (file,) = takes(tmp_path)  # the end of the run ends the take
    assert [frame.seq for frame in read_take(file).frames] == list(range(9))


def test_a_take_begins_and_ends_by_a_pose(leader, tmp_path):
    players, said = Players(leader.session), []
    with recorder_of(leader, said) as recorder:
        for count in (1, 2):
            leader.engine.tell(takes=count)
            recorder.step()
            players.frame(count)
    assert [line.split(" take ")[0] for line in said] == ["recording the", "recorded the"]
    assert [len(read_take(file).frames) for file in takes(tmp_path)] == [1]


def test_a_take_without_a_frame_is_not_kept(leader, tmp_path):
    with recorder_of(leader, []) as recorder:
        Players(leader.session).frame(0)
        recorder.start()
        recorder.step()
        assert recorder.stop().endswith("had no frame and was not kept")
    assert takes(tmp_path) == []


def test_who_asks_is_answered_also_with_a_refusal(leader, tmp_path):
    with recorder_of(leader, []) as recorder:
        over = threading.Event()

        def steps():
            while not over.wait(0.002):
                recorder.step()

        desk = threading.Thread(target=steps)
        desk.start()
        try:
            with pytest.raises(UsageError, match="no take is being recorded"):
                ask(leader.session, {"do": "stop"})
            with pytest.raises(UsageError, match="is nothing to ask for; there are record and stop"):
                ask(leader.session, {"do": "dance"})
            with pytest.raises(UsageError, match=r"practice is .pattern, bpm.: a name"):
                ask(leader.session, {"do": "record", "practice": {"pattern": "rock", "bpm": -1}})
            practice = {"pattern": "rock", "bpm": 100}
            started = ask(leader.session, {"do": "record", "practice": practice})
            Players(leader.session).frame(1)
            stopped = ask(leader.session, {"do": "stop"})
        finally:
            over.set()
            desk.join()
    (file,) = takes(tmp_path)
    assert started["take"] == stopped["take"] == file.name.removesuffix(".take.gz")
    assert read_take(file).header.more["practice"] == practice
    with pytest.raises(LostError, match="does not answer"):
        ask(leader.session, {"do": "stop"})


def test_a_folder_that_cannot_be_made_is_told(leader, tmp_path):
    (tmp_path / "data").write_text("")
    with recorder_of(leader, []) as recorder, pytest.raises(UsageError, match=r"or set takes\.dir"):
        recorder.start()
