"""A learned detector through all the processes: grown by the command, played as replay plays it, taken over."""

import os
import signal
from pathlib import Path

import mido
import numpy as np
import pytest
from system.played import wait_until
from system.stage import finish, lalelu, notes_of, start
from tuning.lessons import rock

from lalelu.channel import BoardReader, RingReader
from lalelu.config.loader import shipped_dir
from lalelu.hits import read_hits, write_hits
from lalelu.ledger.reader import read_ledger
from lalelu.session import Session
from lalelu.take import TakeWriter

SNARE, HIHAT = 38, 42  # of the left hand, which was not meant, and of the right one


def write_take(path, lesson):
    with TakeWriter(path, lesson.take.header) as take:
        for frame in lesson.take.frames:
            take.write(frame)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A kit whose detector has learned that only the small strokes were meant, and a take to be played by it."""
    folder = tmp_path_factory.mktemp("learned")
    lesson = rock(height=0.2)
    write_take(folder / "mine.take", lesson)
    write_hits(folder / "mine.truth.jsonl", [hit for hit in lesson.truth if hit.limb == "right_wrist"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lalelu.tuning.learn.MARGINS", (0.0,))  # the choice among several takes seconds
        done = lalelu(
            "tune", folder / "mine.take", "--learn", "--kit", "rock", "--write", folder / "mine.yaml"
        )
    assert done.code == 0, done.err
    write_take(folder / "source.take", rock(height=0.2, bars=1))
    return folder


def config(folder, kit):
    path = folder / "lalelu.yaml"
    path.write_text(f"kit: {kit}\nrealtime: {{core: none, priority: 0}}\npage: {{at: null}}\n")
    return path


def test_the_processes_play_what_replay_plays_into_a_file_that_sequencers_open(folder):
    common = ("--config", config(folder, "mine.yaml"))
    done = lalelu(
        "replay", folder / "source.take", *common, "--midi", folder / "offline.mid", "--hits", folder / "hits",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert {hit.limb for hit in read_hits(folder / "hits")} == {"right_wrist"}
    done = lalelu(
        "run", *common, "--camera", f"take:{folder / 'source.take'}", "--midi", f"file:{folder / 'live.mid'}"
    )
    assert done.code == 0, done.err
    # not their velocities: a busy machine skips frames
    live, offline = ([note[:2] for note in notes_of(folder / name)] for name in ("live.mid", "offline.mid"))
    assert live == offline
    assert len(live) >= 7  # of 8 strokes
    conductor, drums = mido.MidiFile(folder / "live.mid").tracks
    assert (conductor.name, drums.name) == ("lalelu", "lalelu drums")
    assert [message.tempo for message in conductor if message.type == "set_tempo"] == [mido.bpm2tempo(120)]
    assert {message.channel for message in drums if not message.is_meta} == {10 - 1}


def test_a_kit_becomes_learned_while_it_is_played(folder, place):
    kit = folder / "played.yaml"
    kit.write_text((shipped_dir() / "kits" / "rock.yaml").read_text())
    running = start(
        *(
            "run",
            "--config",
            config(folder, kit.name),
            "--camera",
            f"take:{folder / 'source.take'}?repeat=true",
        ),
        *("--midi", f"file:{place / 'out.mid'}", "--log", place / "ledger"),
    )
    session = Session(Path(os.environ["XDG_RUNTIME_DIR"]) / "lalelu" / str(running.pid))
    try:
        wait_until((session / "notes").exists)
        notes, engine = RingReader(session / "notes"), BoardReader(session / "engine")
        wait_until(lambda: notes.head >= 6)
        new = folder / "new.yaml"
        new.write_text((folder / "mine.yaml").read_text())
        new.replace(kit)
        wait_until(lambda: engine.value().get("epoch") == 1)
        before = notes.head
        wait_until(lambda: notes.head >= before + 8)
        running.send_signal(signal.SIGTERM)
        assert finish(running).code == 0
    finally:
        running.kill()
    ledger = read_ledger(place / "ledger")
    first_ns, second_ns = (epoch["began_ns"] for epoch in ledger.header["epochs"])
    learned = ledger.notes["captured_ns"] >= second_ns
    assert first_ns < second_ns
    assert set(ledger.notes["note"][~learned].tolist()) == {SNARE, HIHAT}
    assert set(ledger.notes["note"][learned].tolist()) == {HIHAT}
    assert (np.diff(ledger.frames["seq"]) == 1 + ledger.frames["skipped"][1:]).all()
