import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from full_disk import files_up_to
from players import Leader, Players

from lalelu.asks import ask
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.clock import now_ns
from lalelu.config.schema import TakesSection
from lalelu.desk.recorder import Recorder
from lalelu.errors import LostError, UsageError
from lalelu.glimpse import GlimpseWriter
from lalelu.take import pack, read_take
from lalelu.takes.film import read_film
from lalelu.takes.folder import film_of
from lalelu.types import Frame


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
        ending = recorder.stop()
    assert ending.said.endswith("had no frame and was not kept")
    assert takes(tmp_path) == []


def test_the_next_take_may_begin_while_one_is_packed(leader, tmp_path, monkeypatch):
    players, board, disk = Players(leader.session), BoardReader(leader.session / "desk"), threading.Event()

    def slowly(plain, take):
        assert disk.wait(60)
        pack(plain, take)

    monkeypatch.setattr("lalelu.desk.recorder.pack", slowly)
    with recorder_of(leader, said := []) as recorder:
        recorder.start()
        players.frame(0)
        first = recorder.stop()
        recorder.start()
        players.frame(1)
        recorder.step()
        told = board.value()
        assert (told["packing"], said) == ([first.name], [])
        assert told["recording"]["take"] not in (None, first.name)
        disk.set()
    assert board.value()["packing"] == []
    assert said == [f"recorded the take {file.name.removesuffix('.take.gz')}" for file in takes(tmp_path)]
    assert [len(read_take(file).frames) for file in takes(tmp_path)] == [1, 1]


def film(recorder, camera, pictures):
    """Show pictures of growing brightness until so many are filmed."""
    path = film_of(recorder._recording)
    deadline = time.monotonic() + 60
    for brightness in count():
        at_ns = now_ns()
        image = np.full((48, 64, 3), min(brightness, 255), np.uint8)
        camera.show(Frame(brightness, at_ns, at_ns, 0, image))
        recorder.step()
        with suppress(UsageError):  # no picture yet
            if len(read_film(path).places) >= pictures:
                return
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_filmed_take_has_its_pictures_beside_it_also_after_a_kill(leader, tmp_path):
    players, camera = Players(leader.session), GlimpseWriter(leader.session / "picture")
    killed = recorder_of(leader, [])
    killed.__enter__()
    killed.start(film=True)
    players.frame(0)
    film(killed, camera, 3)
    killed._film.end()  # its thread ends with the desk
    killed._closing.close()
    with recorder_of(leader, said := []) as recorder:
        assert BoardReader(leader.session / "desk").value()["recording"]["film"] is True
        film(recorder, camera, 6)
        recorder.stop()
    filmed, file = takes(tmp_path)
    times_ms = read_film(filmed).times_ms
    assert times_ms == sorted(times_ms)
    assert f"its film has {len(times_ms)} pictures" in said[-1]
    assert read_take(file).header.more["film_from_ns"] > 0


def test_a_film_that_cannot_go_on_is_told_and_the_take_goes_on(leader, tmp_path, monkeypatch):
    monkeypatch.setattr("lalelu.takes.film.MOST_PICTURES", 2)
    players, camera = Players(leader.session), GlimpseWriter(leader.session / "picture")
    with recorder_of(leader, said := []) as recorder:
        recorder.start(film=True)
        film(recorder, camera, 2)
        while not said:
            camera.show(Frame(9, now_ns(), now_ns(), 0, np.zeros((48, 64, 3), np.uint8)))
            recorder.step()
            time.sleep(0.005)
        players.frame(0)
        recorder.stop()
    assert said[0] == "the take's film has ended (a film has up to 2 pictures); the take goes on without it"
    filmed, file = takes(tmp_path)
    assert (len(read_film(filmed).places), len(read_take(file).frames)) == (2, 1)


def test_a_take_without_a_word_on_it_is_filmed_as_the_configuration_says(leader, tmp_path):
    wanted = leader.plan.config.model_copy(update={"takes": TakesSection(film=True)})
    leader.session.keep_plan(replace(leader.plan, config=wanted), 1)
    board, players = BoardReader(leader.session / "desk"), Players(leader.session)
    with recorder_of(leader, said := []) as recorder:
        filmed = []
        for epoch, film in ((0, None), (1, None), (1, False)):
            leader.engine.tell(epoch=epoch)
            recorder.start(film=film)
            filmed.append(board.value()["recording"]["film"])
            players.frame(epoch)
            recorder.stop()
    assert filmed == [False, True, False]
    assert [line.partition("; ")[2] for line in said] == ["", "no picture came for its film", ""]
    assert all(file.name.endswith(".take.gz") for file in takes(tmp_path))


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
            packed = [file.name for file in takes(tmp_path)]
        finally:
            over.set()
            desk.join()
    assert started["take"] == stopped["take"]
    assert packed == [f"{started['take']}.take.gz"]  # when the answer came
    (file,) = takes(tmp_path)
    assert read_take(file).header.more["practice"] == practice
    with pytest.raises(LostError, match="does not answer"):
        ask(leader.session, {"do": "stop"})


def test_a_folder_that_cannot_be_made_is_told(leader, tmp_path):
    (tmp_path / "data").write_text("")
    with recorder_of(leader, []) as recorder, pytest.raises(UsageError, match=r"or set takes\.dir"):
        recorder.start()


def test_frames_that_a_full_disk_has_not_taken_are_told_as_missing(leader, tmp_path):
    players = Players(leader.session)
    with recorder_of(leader, []) as recorder:
        recorder.start()
        for frame in range(10):
            players.frame(frame)
        recorder.step()
        (file,) = takes(tmp_path)
        with files_up_to(file.stat().st_size):
            for frame in range(10, 16):
                players.frame(frame)
            recorder.step()
            ending = recorder.stop()
            ending.join()
    assert ending.said.endswith("; 6 frames are missing")
    (file,) = takes(tmp_path)
    assert len(read_take(file).frames) == 10


def test_a_take_that_cannot_be_packed_leaves_nothing_unfinished(leader, tmp_path):
    players = Players(leader.session)
    with recorder_of(leader, []) as recorder:
        recorder.start()
        for frame in range(200):
            players.frame(frame)
        recorder.step()
        with files_up_to(1500):
            ending = recorder.stop()
            ending.join()
    assert "stays unpacked" in ending.said
    assert [file.suffix for file in takes(tmp_path)] == [".take"]


def test_another_user_s_instrument_says_whose_it_is(leader):
    folder = leader.session.folder
    folder.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(UsageError, match="is another user's; ask as the user who has started it"):
            ask(leader.session, {"do": "record"})
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
