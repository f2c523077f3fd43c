"""What the leader makes of boards, rows and clocks, and whom it tells what."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from system.stage import session_of, stage_plan

from lalelu import journal, situation
from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader, RingReader, RingWriter, create_board, create_ring
from lalelu.ledger.schema import EVENT_DTYPE, FRAME_DTYPE
from lalelu.session import NET, NET_RESULTS
from lalelu.situation import Clocks, Frames, Network, Situation
from lalelu.wire import EventRing

S = 1_000_000_000
CAMERA = {"fps": 100.0, "asked_fps": 100.0}
BLACK = "the picture is black"


@pytest.fixture
def session(tmp_path):
    with session_of(stage_plan(tmp_path), tmp_path) as (session, _):
        yield session


class Rows:
    """An engine's rows, `fps` frames a second by the camera's own count."""

    def __init__(self, session):
        self._ring = RingWriter(session / "frames")
        self.at_ns = self._seq = 0

    def write(self, *, fps=100.0, players=1):
        row = np.zeros(1, FRAME_DTYPE)
        self.at_ns += round(S / fps)
        row["seq"], row["captured_ns"], row["players"] = self._seq, self.at_ns, players
        self._seq += 1
        self._ring.write(row.tobytes())


@pytest.fixture
def rows(session):
    return Rows(session)


def test_a_loop_that_leaves_rows_is_well(session, rows):
    frames = Frames(RingReader(session / "frames"))
    for _ in range(300):
        rows.write()
        assert frames.look(rows.at_ns, CAMERA) == {}


def test_a_loop_without_rows_stands_still_until_the_next_one(session, rows):
    frames = Frames(RingReader(session / "frames"))
    rows.write()
    began_ns = rows.at_ns
    looks = [frames.look(began_ns + t * S // 10, CAMERA) for t in range(20)]
    assert looks == [{}] * 16 + [{"engine": "the engine's loop stands still"}] * 4
    rows.write()
    assert frames.look(began_ns + 3 * S, CAMERA) == {}
    slow = {"fps": 1.0}  # in which a row a second is no standstill
    assert frames.look(began_ns + 6 * S, slow) == {}
    assert frames.look(began_ns + 8 * S, slow) != {}


@pytest.mark.parametrize(("fps", "wrong"), [(100.0, False), (92.0, False), (60.0, True), (125.0, True)])
def test_a_rate_is_wrong_when_it_is_off_by_a_tenth_for_two_seconds(session, rows, fps, wrong):
    frames = Frames(RingReader(session / "frames"))
    seen = []
    for _ in range(300):
        rows.write(fps=fps)
        seen.append("rate" in frames.look(rows.at_ns, CAMERA))
    assert not any(seen[: round(1.9 * fps)])
    assert seen[-1] == wrong
    assert frames.look(rows.at_ns, {"fps": 100.0}) == {}  # a film, which is as it is


def test_a_rate_that_recovers_is_right_after_two_seconds(session, rows):
    frames = Frames(RingReader(session / "frames"))
    for fps, count in ((50.0, 150), (100.0, 205)):
        for _ in range(count):
            rows.write(fps=fps)
            found = frames.look(rows.at_ns, CAMERA)
    assert found == {}


def test_an_empty_stage_is_seen(session, rows):
    frames = Frames(RingReader(session / "frames"))
    rows.write(players=0)
    assert frames.look(rows.at_ns, CAMERA) == {"player": "nobody is in view"}


def test_a_sleep_and_a_clock_that_is_set_are_told_for_ten_seconds():
    clocks = Clocks()
    assert clocks.look(0, 0, 1000 * S) == {}
    assert clocks.look(S, 0, 1000 * S + 1000) == {}
    slept = {"suspend": "the machine has slept for 60.0 s"}
    assert clocks.look(2 * S, 60 * S, 1000 * S) == slept
    step = {"clock": "the time of day was set by -1000.0 s"}
    assert clocks.look(3 * S, 60 * S, 0) == {**slept, **step}
    assert clocks.look(12 * S, 60 * S, 0) == step
    assert clocks.look(13 * S, 60 * S, 0) == {}


def test_a_networks_process_that_dies_or_stands_still_is_seen(session):
    network = Network(session)
    assert network.look(0) == {}  # there is none
    create_ring(session / NET_RESULTS, 8, 4)
    create_board(session / NET)
    results, board = RingWriter(session / NET_RESULTS), Bulletin(session / NET)
    assert network.look(0) == {"net": "the network's process has died; it is started again"}
    board.tell(state="ready")
    results.write(bytes(8))
    assert network.look(S) == {}
    assert network.look(3 * S) == {"net": "the network's process stands still"}
    results.write(bytes(8))
    assert network.look(4 * S) == {}
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        board.tell(pid=gone.pid)
        assert "net" in network.look(4 * S)


class Lead:
    """A leader's Situation, and everybody who is told."""

    def __init__(self, session):
        self.said = []
        self._session = session
        board = Bulletin(session / "lead")
        self.situation = Situation(session, board, EventRing(session, "lead"), self.said.append)

    def look(self, engine=None, **others):
        self.situation.look({"state": "playing", "camera": CAMERA, **(engine or {})}, others)

    @property
    def shown(self):
        conditions = BoardReader(self._session / "lead").value()["conditions"]
        return [(each["name"], each["text"]) for each in conditions]

    @property
    def events(self):
        records = RingReader(self._session / "events.lead").read(0).records
        return [
            (row["kind"].decode(), row["text"].decode())
            for row in np.frombuffer(b"".join(records), EVENT_DTYPE)
        ]


@pytest.fixture
def lead(session):
    made = Lead(session)
    yield made
    made.situation.close()


def test_problems_of_all_boards_and_the_leaders_own_are_merged_the_worst_first(lead):
    lead.situation.own["desk"] = "the desk has died"
    lead.look({"problems": {"dark": BLACK}}, voice={"problems": {"midi": "the synth has gone"}}, desk={})
    assert lead.shown == [("midi", "the synth has gone"), ("dark", BLACK), ("desk", "the desk has died")]
    assert lead.said == ["the synth has gone", BLACK, "the desk has died"]
    assert lead.situation.status == "playing: the synth has gone"
    del lead.situation.own["desk"]
    lead.look({"problems": {}}, voice={}, desk={})
    assert lead.shown == []
    assert lead.said[3].startswith("dark: all right again after ")
    assert lead.said[4].startswith("desk: all right again after ")
    assert len(lead.said) == 5  # the voice tells by itself that the output is back
    assert [kind for kind, _ in lead.events] == [
        "dark",
        "dark",
    ]  # the others' processes have rows of their own
    assert lead.situation.status == "playing"


def test_a_lost_camera_is_what_is_waited_for_and_hides_the_empty_stage(lead, rows):
    rows.write(players=0)
    lead.look({"state": "waiting", "problem": "no camera at /dev/video0"})
    assert lead.shown == [("camera", "no camera at /dev/video0")]
    assert lead.situation.status == "waiting: no camera at /dev/video0"
    assert lead.said == ["no camera at /dev/video0"]


@pytest.fixture
def clock(monkeypatch):
    """The clocks that the leader looks at, as a list of one time that a test sets."""
    at_ns = [100 * S]
    monkeypatch.setattr(situation, "now_ns", lambda: at_ns[0])
    monkeypatch.setattr(situation, "slept_ns", lambda: 0)
    monkeypatch.setattr(situation, "day_ns", lambda: 0)
    return at_ns


def film(lead, rows, clock, seconds, engine=None, **row):
    """Look ten times a second at an engine that goes on."""
    for _ in range(round(10 * seconds)):
        clock[0] += S // 10
        for _ in range(round(row.get("fps", 100.0) / 10)):
            rows.write(**row)
        lead.look(engine)


def test_what_nobody_can_see_while_the_camera_is_away_or_at_the_end_is_not_all_right_again(lead, rows, clock):
    film(lead, rows, clock, 9.0, players=0, fps=50.0)
    assert [line.split(":")[0] for line in lead.said] == [
        "the camera gives 50 frames a second of 100",
        "nobody is in view",
    ]
    film(lead, rows, clock, 0.5, {"problems": {"dark": BLACK}}, players=0, fps=50.0)
    lead.look({"state": "waiting", "problem": "no camera"})
    lead.said.clear()
    film(lead, rows, clock, 1.0, players=0, fps=50.0)
    assert [line.split(":")[0] for line in lead.said] == ["dark"]  # the picture shows something again
    clock[0] += 5 * S
    lead.look({})
    assert lead.said[1:] == ["the engine's loop stands still"]
    for state in ("ending", "ended", "failed"):
        lead.look({"state": state})
    assert len(lead.said) == 2
    assert {name for name, _ in lead.shown} >= {"engine", "rate", "player"}


def test_a_network_is_not_said_to_stand_still_with_the_loop(lead, rows, clock, session):
    create_ring(session / NET_RESULTS, 8, 4)
    create_board(session / NET)
    Bulletin(session / NET, "ready")
    film(lead, rows, clock, 1.0)
    RingWriter(session / NET_RESULTS).write(bytes(8))
    film(lead, rows, clock, 0.2)
    for _ in range(40):
        clock[0] += S // 10
        lead.look()
    assert lead.said == ["the engine's loop stands still"]
    film(lead, rows, clock, 0.1)
    assert len(lead.said) == 2  # that the loop goes on


def test_other_words_for_a_condition_that_people_know_are_told_by_the_line(lead):
    for sentence in ("kept: a.yaml:1", "kept: a.yaml:2"):
        board = {"problems": {"config": sentence}}
        lead.look(desk=board)
        lead.situation.say([sentence], board)
    assert lead.said == ["kept: a.yaml:1", "kept: a.yaml:2"]


def test_a_problem_that_comes_at_the_end_is_told_by_its_line(lead):
    board = {"problems": {"disk": "full"}}
    lead.look({"state": "ending"}, desk=board)
    lead.situation.say(["full"], board)
    assert lead.said == ["full"]


def test_before_the_first_frame_a_camera_is_waited_for(lead):
    lead.look({"state": "waiting", "problem": "no camera"})
    assert lead.said == ["waiting for a camera: no camera"]


def test_a_line_that_is_a_problem_is_not_told_twice(lead):
    board = {"state": "waiting", "problem": "no camera", "problems": {"disk": "full"}}
    lead.situation.say(["waiting for a camera: no camera", "full", "MIDI: virtual:lalelu"], board)
    lead.situation.say(["no problem at all"], {"problem": None})
    assert lead.said == ["MIDI: virtual:lalelu", "no problem at all"]


def test_the_service_manager_is_told_of_each_change_once(lead, monkeypatch):
    told = []
    monkeypatch.setattr(situation, "notify", lambda **assignments: told.append(assignments))
    for problems in ({}, {}, {"dark": BLACK}, {"dark": BLACK}, {}):
        lead.look({"problems": problems})
    assert told == [{"STATUS": text} for text in ("playing", f"playing: {BLACK}", "playing")]


def test_where_the_errors_go_to_the_journal_conditions_go_there_with_their_fields_and_nowhere_else(
    session, tmp_path, monkeypatch
):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald, (tmp_path / "err").open("w") as err:
        journald.bind(str(tmp_path / "journal"))
        journald.settimeout(10)
        monkeypatch.setattr(journal.Journal.__init__, "__defaults__", (tmp_path / "journal",))
        monkeypatch.setattr(sys, "stderr", err)
        told = os.fstat(err.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{told.st_dev}:{told.st_ino}")
        lead = Lead(session)
        lead.look()
        lead.look({"problems": {"dark": BLACK}})
        lead.look()
        entries = []
        for _ in range(3):
            lines = journald.recv(1 << 16).decode().splitlines()
            entries.append(dict(line.split("=", 1) for line in lines))
        lead.situation.close()
    assert lead.said == []
    assert entries[0]["MESSAGE"] == "state: playing"
    assert entries[0]["LALELU_STATE"] == "playing"
    came, over = entries[1:]
    assert (came["MESSAGE"], came["PRIORITY"], came["LALELU_CONDITION"]) == (BLACK, "3", "dark")
    assert (over["PRIORITY"], over["LALELU_SINCE_MONOTONIC_NS"]) == ("5", came["LALELU_SINCE_MONOTONIC_NS"])
    assert len({entry["MESSAGE_ID"] for entry in entries}) == 3
