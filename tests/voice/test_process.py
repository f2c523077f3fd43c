"""The voice's process: what it plays, and that no end of engine, output or itself leaves a note sounding."""

import os
import signal
import time
from pathlib import Path

import mido
import numpy as np
import psutil
import pytest
from test_outputs_contract import JackEar

from lalelu import realtime
from lalelu.channel import RingReader
from lalelu.skeleton import COCO17
from lalelu.voice.delay import FIRST_MS
from lalelu.voice.message import note_off, note_on

MS = 1_000_000
OFF, ON = 0x80, 0x90
MANY = ("snare", "chord", "flam", "snare")  # chord: three notes


def heard(path: Path) -> list[tuple[int, bytes]]:
    """A MIDI file's messages, each with its time in ms from the first one."""
    now_s, messages = 0.0, []
    for message in mido.MidiFile(path):
        now_s += message.time
        if not message.is_meta:
            messages.append((round(now_s * 1000), bytes(message.bytes())))
    return messages


def note_ons(messages: list[bytes]) -> list[bytes]:
    """The note-ons among `messages`, once it is sure that each has exactly one note-off after it."""
    sounding: list[tuple[int, int]] = []
    for status, note, _ in messages:
        key = (status & 0x0F, note)
        if status & 0xF0 == ON:
            assert key not in sounding
            sounding.append(key)
        else:
            sounding.remove(key)
    assert sounding == [], "notes left sounding"
    return [message for message in messages if message[0] & 0xF0 == ON]


def in_file(path: Path) -> list[bytes]:
    return note_ons([message for _, message in heard(path)])


def in_rows(rows: np.ndarray) -> list[bytes]:
    return [note_on(int(row["channel"]), int(row["note"]), int(row["velocity"])) for row in rows]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.mid"


# -- what sounds --


@pytest.mark.parametrize("delay_ms", [0.0, 40.0, -30.0])
def test_every_hit_sounds_and_leaves_its_row(stage, out, delay_ms):
    played = stage(f"file:{out}", note_ms=50, delay_ms=delay_ms)
    played.start()
    hits = played.play_and_hear(*MANY) + played.play_and_hear(*reversed(MANY))
    played.tell("finish")
    assert played.end() == 0
    rows = played.rows()
    assert in_file(out) == in_rows(rows)
    pads = {"snare": (1, [38]), "flam": (2, [38]), "chord": (3, [60, 64, 67])}
    told = [(hit, note) for hit in hits for note in pads[hit["pad"]][1]]
    assert [
        (int(row["seq"]), int(row["captured_ns"]), int(row["struck_ns"]), int(row["pad"]), int(row["note"]))
        for row in rows
    ] == [(hit["seq"], hit["captured_ns"], hit["struck_ns"], pads[hit["pad"]][0], note) for hit, note in told]
    assert set(rows["limb"].tolist()) == {1 + COCO17.index("left_wrist")}
    assert (rows["due_ns"] == rows["struck_ns"] + round(delay_ms * MS)).all()
    assert (rows["sent_ns"] >= rows["due_ns"]).all()
    assert (rows["woken_ns"] <= rows["sent_ns"]).all()
    assert ((rows["late"] == 1) == (rows["sent_ns"] > rows["due_ns"] + MS)).all()
    assert played.said() == []
    assert played.board["state"] == "ended"


def test_the_automatic_delay_begins_as_it_says(stage, out):
    played = stage(f"file:{out}", note_ms=50, delay_ms="auto")
    played.start()
    played.play_and_hear(*MANY)
    played.tell("finish")
    assert played.end() == 0
    rows = played.rows()
    assert len(rows) == 6
    assert (rows["due_ns"] == rows["struck_ns"] + FIRST_MS * MS).all()
    assert f"timing: the delay begins at {FIRST_MS} ms and follows the hits" in played.board["lines"]


def test_a_later_hit_that_is_due_earlier_sounds_first(stage, out):
    played = stage(f"file:{out}")
    played.start()
    played.play("snare", in_ms=700)
    played.play("chord", in_ms=400)
    played.wait(lambda: played.notes.head == 4)
    played.tell("silence")
    assert played.end() == 0
    assert [message[1] for message in in_file(out)] == [60, 64, 67, 38]


@pytest.mark.parametrize("uri", ["virtual:lalelu-contract?api=jack", "port:ear:in?api=jack"])
def test_a_listener_on_jack_hears_what_the_rows_say(jack_server, stage, uri):
    ear = JackEar(uri)
    played = stage(uri)
    played.start()
    ear.attach(None)
    while not ear.heard(1):  # until the server has made the connection
        played.play_and_hear("snare")
        played.tell("silence")
    before = len(ear.heard(2)), played.notes.head
    played.play_and_hear(*MANY)
    played.engine.kill()
    assert played.voice.wait(30) == 0
    assert note_ons(ear.heard(before[0] + 12)[before[0] :]) == in_rows(played.rows())[before[1] :]
    ear.remove()


# -- how the engine ends --


def test_an_engine_that_is_killed_in_mid_note_is_silenced(stage, out):
    played = stage(f"file:{out}", delay_ms=200)
    played.start()
    played.play_and_hear("chord")
    before = played.rows()
    played.play("snare", in_ms=500)  # waits when the engine dies
    played.wait(lambda: RingReader(played.session / "hits").head == 2)
    played.engine.kill()
    assert played.voice.wait(30) == 0
    assert in_file(out) == in_rows(before)
    assert played.marks == set()
    ((kind, text),) = played.said()
    assert kind == "silenced"
    assert text.startswith("the engine has died; 3 notes ended in ")
    assert played.board["state"] == "ended"


def test_an_engine_that_dies_before_its_first_row_leaves_no_note_sounding(stage, out):
    played = stage(f"file:{out}")
    played.start_engine()
    played.start_voice()
    played.play_and_hear("chord")
    played.engine.kill()
    assert played.voice.wait(8) == 0  # its notes would sound for 10 s
    assert len(in_file(out)) == 3


def test_an_engine_that_is_stopped_is_silenced_and_plays_on_when_it_goes_on(stage, out):
    played = stage(f"file:{out}")
    played.start()
    played.play_and_hear("chord")
    os.kill(played.engine.pid, signal.SIGSTOP)
    played.wait(lambda: played.events.head == 1)
    played.wait(lambda: played.marks == set())
    os.kill(played.engine.pid, signal.SIGCONT)
    played.wait(lambda: played.events.head == 2)
    played.play_and_hear("snare")
    assert len(played.marks) == 1
    played.tell("silence")
    assert played.end() == 0
    assert in_file(out) == in_rows(played.rows())
    assert [kind for kind, _ in played.said()] == ["silenced", "engine back"]
    assert played.said()[0][1].startswith("the engine is stuck; 3 notes ended in ")


def test_an_engine_that_has_finished_lets_its_last_notes_ring_out(stage, out):
    played = stage(f"file:{out}", note_ms=400, delay_ms=300)
    played.start()
    played.play_and_hear("snare")
    played.play("chord")
    played.tell("finish")
    assert played.end() == 0
    assert in_file(out) == in_rows(played.rows())
    assert len(played.rows()) == 4
    times = {message[:2]: at_ms for at_ms, message in heard(out)}
    for status, note in ((0x99, 38), (0x91, 60), (0x91, 64), (0x91, 67)):
        assert times[bytes((status - ON + OFF, note))] >= times[bytes((status, note))] + 400
    assert played.said() == []


def test_an_engine_that_ends_with_silence_ends_its_notes_at_once_and_those_that_wait(stage, out):
    played = stage(f"file:{out}", delay_ms=200)
    played.start()
    played.play_and_hear("chord")
    played.play("snare", in_ms=500)
    played.tell("silence")
    assert played.end() == 0
    assert [message[1] for message in in_file(out)] == [60, 64, 67]
    assert played.said() == []


@pytest.mark.parametrize("case", ["before the first row", "paused", "at 2 frames a second"])
def test_an_engine_that_is_not_expected_to_have_a_row_is_not_called_stuck(stage, out, case):
    played = stage(f"file:{out}")
    played.start_engine(fps=2.0 if case == "at 2 frames a second" else 100.0)
    played.start_voice()
    if case == "before the first row":
        played.play_and_hear("snare")
    elif case == "paused":
        played.tell("rows", True)
        played.wait(lambda: played.frames.head > 2)
        played.play_and_hear("chord")
        played.tell("silence")
        played.wait(lambda: played.marks == set(), 8)  # by itself the chord would end after 10 s
        played.play_and_hear("snare")
    else:
        played.tell("rows", True)
        played.wait(lambda: played.frames.head == 1)
        played.play_and_hear("snare")
    time.sleep(1.0)
    assert (played.said(), len(played.marks)) == ([], 1)
    played.tell("silence")
    assert played.end() == 0


# -- how the voice ends --


@pytest.mark.parametrize("count", [1, 3])
def test_a_voice_that_is_told_to_end_ends_its_notes(stage, out, count):
    played = stage(f"file:{out}")
    played.start()
    played.play_and_hear(*MANY)
    for _ in range(count):
        played.voice.send_signal(signal.SIGTERM)
    assert played.voice.wait(30) == 0
    assert in_file(out) == in_rows(played.rows())
    assert played.marks == set()


def test_signals_that_are_for_the_leader_do_not_end_the_voice(stage, out):
    played = stage(f"file:{out}")
    played.start()
    for number in (signal.SIGINT, signal.SIGHUP):
        played.voice.send_signal(number)
        played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    assert len(in_file(out)) == 2


def test_after_a_killed_voice_the_next_one_ends_its_notes_and_plays_on(stage, out):
    played = stage(f"file:{out}")
    played.start()
    played.play_and_hear("chord")
    played.voice.kill()
    played.voice.wait()
    assert len(played.marks) == 3
    missed = played.play("flam")
    played.wait(lambda: RingReader(played.session / "hits").head == 2)
    played.start_voice()
    assert played.marks == set()
    (hit,) = played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    messages = [message for _, message in heard(out)]
    ends = [note_off(2, note) for note in (60, 64, 67)]
    assert messages[:6] == [*in_rows(played.rows())[:3], *ends]  # what the killed one has kept, too
    # the ends are sent once more later, for listeners that are slow to connect
    assert (
        note_ons([message for message in messages[6:] if message not in ends]) == in_rows(played.rows())[3:]
    )
    assert [int(seq) for seq in played.rows()["seq"]] == [1, 1, 1, hit["seq"]]
    assert missed[0]["seq"] == 2  # too late by then


def test_a_listener_on_jack_hears_the_ends_of_a_killed_voices_notes(jack_server, stage):
    uri = "port:ear:in?api=jack"
    ear = JackEar(uri)
    played = stage(uri)
    played.start()
    played.play_and_hear("chord")
    assert len(ear.heard(3)) == 3
    played.voice.kill()
    played.voice.wait()
    played.start_voice()
    ends = [note_off(2, note) for note in (60, 64, 67)]
    assert ear.heard(9)[3:] == [*ends, *ends]  # once more for listeners that are slow to connect
    played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    assert note_ons(ear.heard(11)[9:]) == in_rows(played.rows())[3:]
    ear.remove()


def test_what_the_sound_adds_and_how_it_fares_is_among_the_requests_that_the_ledger_keeps(stage):
    played = stage("synth:?engine=builtin&backend=null")
    played.start()

    def told():
        return [request["detail"] for request in played.board["requests"] if request["request"] == "sound"]

    (report,) = told()
    assert "buffer 2 x 144 frames = 6.0 ms asked for" in report
    played.wait(lambda: " underruns" in told()[0])
    assert "6.0 ms asked for" in told()[0]
    played.tell("finish")
    assert played.end() == 0


def test_what_an_output_lacks_is_on_the_board(stage, tmp_path):
    played = stage(f"file:{tmp_path / 'nowhere' / 'out.mid'}")
    played.start_engine()
    played.start_voice()
    assert played.voice.wait(30) == 3
    assert (played.board["state"], played.board["exit_code"]) == ("failed", 3)
    assert "no folder" in str(played.board["error"])


def test_a_voice_whose_engine_has_gone_before_ends_at_once(stage, out):
    played = stage(f"file:{out}")
    played.start_engine()
    played.engine.kill()
    played.start_voice()
    assert played.voice.wait(30) == 0
    assert played.said() == []


# -- outputs that are lost --


def test_of_two_outputs_a_lost_one_is_said_and_the_other_plays_on(jack_server, stage, out):
    played = stage("virtual:drums?api=jack", f"file:{out}")
    played.start()
    played.play_and_hear("chord")
    jack_server.kill()
    jack_server.wait(5)
    played.wait(lambda: played.events.head == 1)
    played.play_and_hear("snare")
    played.tell("silence")
    assert played.end() == 0
    assert in_file(out) == in_rows(played.rows())
    ((kind, text),) = played.said()
    assert kind == "lost"
    assert text.startswith("MIDI output virtual:drums is lost")
    assert [line for line in played.board["lines"] if "is lost" in line] == [
        "MIDI output virtual:drums is lost: the JACK server has ended; start it again"
    ]


def test_with_once_the_voice_fails_with_4_when_an_output_is_lost(jack_server, stage, out):
    played = stage("virtual:drums?api=jack", f"file:{out}", once=True)
    played.start()
    played.play_and_hear("chord")
    jack_server.kill()
    jack_server.wait(5)
    assert played.voice.wait(30) == 4
    assert (played.board["state"], played.board["exit_code"]) == ("failed", 4)
    assert str(played.board["error"]).startswith("MIDI output virtual:drums is lost")
    assert [kind for kind, _ in played.said()] == ["lost"]
    assert played.marks == set()
    assert in_file(out) == in_rows(played.rows())


# -- real time --


def test_its_thread_is_fifo_above_the_engines_where_that_is_granted_and_leaves_its_core(stage, out, expect):
    cores = realtime.allowed_cores()
    core = realtime.choose_core("auto")
    played = stage(f"file:{out}", core=core)
    realtime.leave_core(core)  # as the leader does
    try:
        played.start()
    finally:
        os.sched_setaffinity(0, cores)
    granted = {grant["request"]: grant["granted"] for grant in played.board["requests"]}
    assert set(granted) == {
        "garbage collector", "freed memory", "locked memory", "timer slack", "SCHED_FIFO priority 75",
    }  # fmt: skip
    if not granted["SCHED_FIFO priority 75"]:
        expect("realtime", "this user may not have SCHED_FIFO")
    pid = played.voice.pid
    assert os.sched_getscheduler(pid) == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    assert os.sched_getparam(pid).sched_priority == 75  # realtime.priority is 70
    others = [thread.id for thread in psutil.Process(pid).threads() if thread.id != pid]
    assert {os.sched_getscheduler(other) for other in others} <= {os.SCHED_OTHER}
    if len(cores) > 1:
        assert all(core not in os.sched_getaffinity(thread) for thread in [pid, *others])
