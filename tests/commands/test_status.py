import json
import os

import numpy as np
import pytest

from lalelu import cli
from lalelu.bulletin import Bulletin
from lalelu.channel import RingWriter, create_board
from lalelu.clock import now_ns
from lalelu.commands import status
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE
from lalelu.session import NET, Plan, Recording, create_session

KIT = KitConfig.model_validate(
    {"name": "one", "pads": {"snare": {"note": 38, "zone": {"box": [-1, -1, 1, 1]}, "limbs": ["left_wrist"]}}}
)
MS = 1_000_000


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "memory"))
    monkeypatch.setattr(status, "SERVICES", tmp_path / "run")


@pytest.fixture
def session():
    session, lock = create_session(Plan(Config(), (KIT,), Recording(), core=0), os.environ, keypoints=17)
    yield session
    lock.close()
    session.remove()


def row(dtype, **values):
    made = np.zeros(1, dtype)
    for name, value in values.items():
        made[name] = value
    return made.tobytes()


def play(session):
    """Leave what a playing instrument leaves: 201 frames at 100 a second, one of them long ago, and three notes."""
    now = now_ns()
    lead = Bulletin(session / "lead")
    engine, voice, desk = (Bulletin(session / role) for role in ("engine", "voice", "desk"))
    lead.tell(
        state="playing",
        since_ns=now - 3_725_000 * MS,
        engine=os.getpid(),
        voice=1 << 30,
        restarts={"voice": 2},
    )
    camera = {"source": "sim", "width": 640, "height": 480, "fps": 100.0}
    granted = {"request": "core 1", "granted": True, "detail": "isolated", "remedy": ""}
    refused = {"request": "FIFO 70", "granted": False, "detail": "not permitted", "remedy": "LimitRTPRIO=70"}
    engine.tell(
        state="playing", camera=camera, model="lightning", runtime={"name": "openvino"}, requests=[granted]
    )
    engine.tell(kit="rock", standby=False, epoch=2)
    dark = {"name": "dark", "text": "the picture is black", "since_ns": now - 65_000 * MS}
    lead.tell(conditions=[dark])
    sound = {"request": "sound", "granted": True, "detail": "synth: 6.0 ms; 2 underruns", "remedy": ""}
    voice.tell(requests=[refused, sound])
    desk.tell(epoch=2, config_file="my.yaml")
    desk.tell(ledger="a.ledger", segment=2, rows={"frames": 201}, lost={"notes": 5}, failing=True)
    voice.say("MIDI: port:synth")
    create_board(session / NET)
    net = {
        "request": "niceness -10",
        "granted": False,
        "detail": "Permission denied",
        "remedy": "LimitNICE=-10",
    }
    Bulletin(session / NET).tell(state="ready", requests=[net])
    frames, notes = RingWriter(session / "frames"), RingWriter(session / "notes")
    frames.write(row(FRAME_DTYPE, sent_ns=now - 20_000 * MS, arrived_ns=0, skipped=1000))
    for number in range(200):
        sent_ns = now - (2000 - 10 * number) * MS
        frames.write(
            row(FRAME_DTYPE, seq=number, arrived_ns=sent_ns - 6 * MS, sent_ns=sent_ns, hits=number % 2)
        )
    frames.write(row(FRAME_DTYPE, arrived_ns=now - 9 * MS, sent_ns=now, skipped=1))
    for late in (0, 1, 1):
        notes.write(row(NOTE_DTYPE, sent_ns=now, late=late))


def test_without_an_instrument_that_is_said_and_the_exit_status_is_3(capsys):
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().err == (
        "lalelu status: no instrument is running; start one with `lalelu run`\n"
    )
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"instruments": []}


def test_a_playing_instrument_tells_all_figures_as_json(session, capsys):
    play(session)
    assert cli.main(["status", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["instruments"]
    assert (told["leader"], told["state"], round(told["playing_s"])) == (os.getpid(), "playing", 3725)
    (condition,) = told["conditions"]
    assert (condition["name"], condition["text"]) == ("dark", "the picture is black")
    assert condition["for_s"] == pytest.approx(65, abs=5)
    assert (told["kit"], told["standby"]) == ("rock", False)
    assert told["configuration"] == {"epoch": 2, "file": "my.yaml"}
    assert told["last_10_s"] == {
        "frames": 201,
        "frames_per_s": 100.0,
        "frame_p50_ms": 6.0,
        "frame_p99_ms": 6.0,
        "skipped_share": round(1 / 202, 5),
        "hits": 100,
        "notes": 3,
        "late": 2,
    }
    assert [(r["process"], r["request"], r["granted"]) for r in told["requests"]] == [
        ("engine", "core 1", True),
        ("voice", "FIFO 70", False),
        ("voice", "sound", True),
        ("net", "niceness -10", False),
    ]
    assert told["processes"]["net"]["pid"] == os.getpid()
    assert told["processes"]["engine"]["resident_kib"] > 1000
    assert told["processes"]["voice"] == {
        "pid": 1 << 30,
        "state": "starting",
        "resident_kib": None,
        "restarts": 2,
    }
    assert told["ledger"] == {
        "ledger": "a.ledger", "segment": 2, "take": None, "rows": {"frames": 201}, "lost": {"notes": 5},
        "failing": True,
    }  # fmt: skip
    assert told["lines"] == [{"process": "voice", "line": "MIDI: port:synth"}]


def test_a_playing_instrument_is_told_in_a_table(session, capsys):
    play(session)
    assert cli.main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    memory = [line for line in lines if "MiB" in line]
    assert [line for line in lines if line not in memory] == [
        f"instrument {os.getpid()}: playing for 1:02:05",
        "  conditions dark for 0:01:05: the picture is black",
        "  kit        rock",
        "  config     my.yaml, epoch 2",
        "  camera     sim, 640x480 at 100 fps",
        "             lightning on openvino",
        "  last 10 s  100.0 frames/s, 0.50% skipped",
        "             frame to row 6.00 ms p50, 6.00 ms p99",
        "             100 hits, 3 notes, 2 late",
        "  real time  1 of 3 requests granted",
        "             refused to the voice: FIFO 70 (not permitted)",
        "             refused to the net: niceness -10 (Permission denied)",
        "  sound      synth: 6.0 ms; 2 underruns",
        f"             voice  {1 << 30:>8}  gone  started again 2 times",
        "  recording  a.ledger (segment 2)",
        "             201 frames, 0 notes, 0 events, 0 samples",
        "             lost: 5 of notes",
        "             the disk takes nothing now; rows wait in memory",
        "  said last  voice: MIDI: port:synth",
    ]
    assert [line.split()[:2] for line in memory] == [
        ["processes", "lead"],
        ["engine", str(os.getpid())],
        ["net", str(os.getpid())],
    ]


def test_an_instrument_that_does_not_play_yet_is_told_and_the_exit_status_is_3(session, capsys):
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().out.startswith(f"instrument {os.getpid()}: starting\n")
    Bulletin(session / "engine").tell(state="waiting", problem="no camera at /dev/video0")
    assert cli.main(["status"]) == 3
    assert f"{os.getpid()}: waiting: no camera at /dev/video0\n" in capsys.readouterr().out


def test_an_instrument_that_stands_by_is_told_with_its_kit(session, capsys):
    engine = Bulletin(session / "engine")
    engine.tell(state="playing", kit="latin", standby=True)
    assert cli.main(["status"]) == 0
    assert "  kit        latin; standby, nothing sounds\n" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["instruments"]
    assert (told["kit"], told["standby"]) == ("latin", True)


def test_what_a_dead_leader_has_left_is_not_told(tmp_path, capsys):
    session, lock = create_session(Plan(Config(), (KIT,), Recording(), core=0), os.environ, keypoints=17)
    lock.close()
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"instruments": []}
    assert session.folder.exists()  # looking changes nothing


@pytest.mark.parametrize("name", ["lalelu", "lalelu-left"])  # of lalelu.service, of lalelu@left.service
def test_a_system_services_instrument_is_found_from_a_shell(name, tmp_path, capsys):
    environment = {"RUNTIME_DIRECTORY": str(tmp_path / "run" / name)}
    session, lock = create_session(Plan(Config(), (KIT,), Recording(), core=0), environment, keypoints=17)
    play(session)
    assert cli.main(["status", "--json"]) == 0
    assert [each["leader"] for each in json.loads(capsys.readouterr().out)["instruments"]] == [os.getpid()]
    lock.close()


def test_an_instrument_that_ends_while_it_is_looked_at_is_left_out(session, capsys):
    (session / "frames").unlink()
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"instruments": []}
