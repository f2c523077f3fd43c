"""The instrument as it runs: a leader, an engine, a voice and a desk, each killed and stopped in mid-play."""

import json
import os
import signal
import time
from functools import partial

import psutil
import pytest
from system.played import LONG_S, Played, complete, gone, kinds, wait_until
from system.stage import finish, ledger_notes, notes_of, start

from lalelu.channel import BoardReader, RingReader
from lalelu.take import read_take


def test_a_take_is_played_to_its_end_and_every_process_leaves(place):
    played = Played(place, seconds=1.5, note_ms=80)
    told = finish(played.process)
    assert (told.code, told.out) == (0, "")
    ledger = played.ledger()
    assert complete(ledger)
    assert ledger.frames["seq"][-1] == 149
    assert len(ledger.notes) >= 8
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert kinds(ledger) == ["end"]
    assert [frame.seq for frame in read_take(place / "out.take.gz").frames] == ledger.frames["seq"].tolist()
    assert (ledger.notes["woken_ns"] <= ledger.notes["sent_ns"]).all()
    assert set(ledger.notes["limb"].tolist()) == {10, 11}  # the wrists, counted from 1
    assert set(ledger.notes["pad"].tolist()) == {1, 2}
    assert not psutil.pid_exists(played.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_in_the_middle_of_a_note_ends_the_note_and_keeps_all_rows(place, number):
    played = Played(place)
    played.wait_for_notes()
    pids = played.pids()
    played.process.send_signal(number)
    told = finish(played.process)
    assert (told.code, told.out) == (0, "")
    assert "Traceback" not in told.err
    ledger = played.ledger()
    assert 0 < len(ledger.frames) < LONG_S * 100
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    seqs = [frame.seq for frame in read_take(place / "out.take.gz").frames]
    assert seqs == ledger.frames["seq"].tolist()
    assert gone(pids)


def test_an_engine_that_is_killed_leaves_no_note_sounding_and_a_whole_ledger(place):
    played = Played(place)
    played.wait_for_notes()
    played.kill("engine")
    told = finish(played.process)
    assert told.code == 1
    assert "the engine has been killed by SIGKILL" in told.err
    ledger = played.ledger()
    assert notes_of(place / "out.mid") == ledger_notes(ledger)  # which is sure that each note ends
    assert complete(ledger)
    assert kinds(ledger) == ["silenced"]


def test_an_engine_that_is_stopped_is_silenced_and_plays_on_when_it_is_woken(place):
    played = Played(place)
    played.wait_for_notes()
    events = RingReader(played.session / "events.voice")
    before = events.head
    played.kill("engine", signal.SIGSTOP)
    played.wait(lambda: events.head > before)
    left_or_owed = 0b11  # a third bit stands for an end that some output may not have heard yet
    assert not any(mark & left_or_owed for mark in (played.session / "sounding").read_bytes())
    played.kill("engine", signal.SIGCONT)
    played.wait(lambda: events.head > before + 1)
    played.wait_for_notes()
    assert played.end().code == 0
    ledger = played.ledger()
    assert [event.kind for event in ledger.events][-2:] == ["silenced", "engine back"]
    assert notes_of(place / "out.mid") == ledger_notes(ledger)


def test_a_voice_that_is_killed_is_started_again_and_ends_what_it_had_begun(place):
    played = Played(place)
    played.wait_for_notes()
    sounding = played.session / "sounding"
    assert set(sounding.read_bytes()) == {0, 1}
    frames = RingReader(played.session / "frames")
    played.kill("voice")
    played.wait(lambda: played.lead()["restarts"]["voice"] == 1)
    before = frames.head
    played.wait(lambda: BoardReader(played.session / "voice").value().get("pid") == played.pid("voice"))
    played.wait_for_notes()
    assert frames.head > before
    told = played.end()
    assert told.code == 0
    assert "the voice has been killed by SIGKILL; it is started again" in told.err
    ledger = played.ledger()
    assert complete(ledger)
    assert kinds(ledger) == ["voice died"]


def test_a_desk_that_is_killed_again_and_again_loses_and_doubles_no_row(place):
    played = Played(place)
    played.wait_for_notes()
    for round_ in range(1, 4):
        played.kill("desk")
        played.wait(lambda: played.lead()["restarts"]["desk"] == round_)  # noqa: B023 - called in this turn
        played.wait_for_notes()
    told = played.end()
    assert told.code == 0
    ledger = played.ledger()
    assert complete(ledger)
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert kinds(ledger) == ["desk died"] * 3
    seqs = [frame.seq for frame in read_take(place / "out.take.gz").frames]
    assert seqs == ledger.frames["seq"].tolist()


def test_a_leader_that_is_killed_takes_all_processes_along_and_the_ledger_is_closed(place):
    played = Played(place)
    played.wait_for_notes()
    pids = played.pids()
    played.process.kill()
    played.process.communicate()
    wait_until(partial(gone, pids))
    ledger = played.ledger()
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert not played.session.alive()
    played.session.remove()  # which the next start does


def test_what_a_dead_leader_left_is_removed_by_the_next_start(place):
    first = Played(place)
    first.wait_for_notes()
    pids = first.pids()
    first.process.kill()
    first.process.communicate()
    wait_until(partial(gone, pids))
    (place / "next").mkdir()
    second = Played(place / "next", seconds=0.5)
    assert finish(second.process).code == 0
    assert not first.session.folder.exists()


def test_a_signal_to_all_processes_at_once_is_one_orderly_end(place):
    played = Played(place)
    played.wait_for_notes()
    for pid in [*played.pids(), played.process.pid]:  # as a service manager stops a whole control group
        os.kill(pid, signal.SIGTERM)
    told = finish(played.process)
    assert (told.code, told.out) == (0, "")
    assert "started again" not in told.err
    ledger = played.ledger()
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert kinds(ledger) == []


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 0.8])
def test_a_signal_before_the_first_frame_ends_the_start(place, after_s):
    played = Played(place)
    played.wait(played.session.folder.exists)
    time.sleep(after_s)
    told = played.end()
    assert (told.code, told.out) == (0, "")
    assert "Traceback" not in told.err


def test_a_second_ctrl_c_ends_it_at_once(place):
    played = Played(place)
    played.wait_for_notes()
    played.kill("engine", signal.SIGSTOP)  # it will not end in good order
    played.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    played.process.send_signal(signal.SIGINT)
    told = finish(played.process)
    assert told.code == 0
    assert "Traceback" not in told.err
    assert notes_of(place / "out.mid") == ledger_notes(played.ledger())


def test_what_the_voice_lacks_ends_the_start_and_leaves_nothing(place):
    played = Played(place, "--midi", f"file:{place / 'nowhere' / 'out.mid'}")
    told = finish(played.process)
    assert (told.code, told.out) == (3, "")
    assert told.err.splitlines()[-1].startswith("lalelu run: MIDI file ")


def test_what_the_engine_lacks_ends_the_start_and_leaves_nothing(place):
    played = Played(place, camera=f"take:{place / 'nowhere.take'}")
    told = finish(played.process)
    assert told.code == 2
    assert "nowhere.take" in told.err.splitlines()[-1]


def test_two_instruments_play_side_by_side(place):
    (place / "other").mkdir()
    first, second = Played(place), Played(place / "other")
    first.wait_for_notes()
    second.wait_for_notes()
    status = json.loads(finish(start("status", "--json")).out)
    assert {entry["leader"] for entry in status["instruments"]} == {first.process.pid, second.process.pid}
    assert [first.end().code, second.end().code] == [0, 0]
    assert len(first.ledger().frames) > 0
    assert len(second.ledger().frames) > 0


@pytest.mark.model
def test_a_simulated_camera_whose_film_is_torn_is_found_again(place):
    played = Played(place, camera="sim:?groove=fast", note_ms=80)
    played.wait_for_notes()
    (film,) = psutil.Process(played.pid("engine")).children()
    film.kill()
    events = RingReader(played.session / "events.engine")
    played.wait(lambda: events.head >= 2)
    played.wait_for_notes()
    told = played.end()
    assert told.code == 0
    assert "camera: found again" in told.err
    assert kinds(played.ledger()) == ["lost", "found"]


@pytest.mark.model
def test_with_once_a_lost_camera_ends_the_run_with_4(place):
    played = Played(place, "--once", camera="sim:?groove=fast", note_ms=10_000)
    played.wait_for_notes()
    (film,) = psutil.Process(played.pid("engine")).children()
    film.kill()
    told = finish(played.process)
    assert told.code == 4
    assert told.err.splitlines()[-1].startswith("lalelu run: sim: the film's process has ended")
    ledger = played.ledger()
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
