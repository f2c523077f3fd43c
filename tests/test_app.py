"""The whole instrument: what is kept and ended when devices go, when it fails, and when it is told to stop."""

import os
import signal
import time
from functools import partial

import pytest
from system.stage import (
    finish,
    lalelu,
    ledger_notes,
    network,
    notes_of,
    poses,
    start,
    write_config,
    write_take,
)

from lalelu import app
from lalelu.app import Instrument, Recording, Stop
from lalelu.camera import port as camera_port
from lalelu.config.loader import load_config, with_overrides
from lalelu.ledger.reader import read_ledger
from lalelu.take import read_take
from lalelu.types import Hit
from lalelu.voice import port as voice_port

FRAMES = 150


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """`stage:` and `fragile:` in the registries, a network that sees the player, and no waiting."""
    monkeypatch.setitem(camera_port.ADAPTERS, "stage", "system.stage:StageCamera")
    monkeypatch.setitem(voice_port.ADAPTERS, "fragile", "system.stage:FragileOutput")
    monkeypatch.setattr(app, "build_estimator", lambda _config: network(poses(1.0))[0])
    monkeypatch.setattr(app, "RETRY_S", 0.0)
    return tmp_path


def play(folder, *arguments, camera="stage:", note_ms=10_000):
    """`lalelu run` with a ledger, a take and a MIDI file in `folder`; notes sound until they are ended."""
    return lalelu(
        *("run", "--config", write_config(folder, note_ms), "--camera", camera),
        *("--midi", f"file:{folder / 'out.mid'}"),
        *("--log", folder / "ledger", "--take", folder / "out.take.gz"),
        *arguments,
    )


def kept(folder):
    """The ledger, once it is sure that it is whole and agrees with the MIDI file."""
    ledger = read_ledger(folder / "ledger")
    assert ledger.problems == ()
    assert ledger.header["closed"] is True
    assert ledger.header["overruns"] == 0
    assert ledger.header["counts"]["frames"] == len(ledger.frames)
    assert notes_of(folder / "out.mid") == ledger_notes(ledger)
    return ledger


def kinds(ledger):
    return [event.kind for event in ledger.events]


def test_a_finite_source_is_played_to_its_end(stage):
    told = play(stage)
    assert (told.code, told.out) == (0, "")
    ledger = kept(stage)
    assert ledger.frames["seq"].tolist() == list(range(FRAMES))
    assert len(ledger.notes) >= 8
    assert kinds(ledger) == ["end"]
    assert ledger.header["requests"][0]["request"] == "garbage collector"


def test_the_recorded_take_replays_to_the_same_hits(stage):
    played = []
    loaded = with_overrides(load_config(write_config(stage)), camera="stage:", midi=["memory:"])
    recording = Recording(stage / "ledger", stage / "out.take.gz")
    with Instrument(loaded, recording, say=lambda _line: None, on_hit=played.append) as instrument:
        instrument.play(Stop(), once=True)
        detector = app.Detector(loaded.kit, skeleton=instrument._estimator.skeleton)
    frames = read_take(stage / "out.take.gz").frames
    assert len(frames) == FRAMES
    again = [e for f in frames for pose in f.poses for e in detector.step(pose) if isinstance(e, Hit)]
    assert [(hit.seq, hit.limb, hit.pad) for hit in again] == [(hit.seq, hit.limb, hit.pad) for hit in played]
    assert [hit.struck_ns for hit in again] == pytest.approx([hit.struck_ns for hit in played], abs=100_000)


def test_a_lost_camera_is_waited_for_and_played_again(stage):
    told = play(stage, camera="stage:?unplug_after=60&away=2")
    assert (told.code, told.out) == (0, "")
    assert told.err.count("the stage's camera has gone") == 1
    assert told.err.count("camera: found again") == 1
    ledger = kept(stage)
    assert ledger.frames["seq"].tolist() == list(range(FRAMES))
    assert kinds(ledger) == ["lost", "found", "end"]
    assert ledger.events[0].text == "the stage's camera has gone; was it unplugged?"
    assert len([frame for frame in read_take(stage / "out.take.gz").frames if frame.poses]) == FRAMES


def test_nothing_sounds_while_a_lost_camera_is_waited_for(stage):
    sounding = {}
    loaded = with_overrides(
        load_config(write_config(stage, 10_000)), camera="stage:?unplug_after=60", midi=["memory:"]
    )

    def say(line):
        sounding[line] = set(instrument._voice._outputs[0].sounding)

    instrument = Instrument(loaded, Recording(), say=say)
    with instrument:
        instrument.play(Stop(), once=False)
    assert sounding["the stage's camera has gone; was it unplugged?"] != set()  # else this test shows nothing
    assert sounding["camera: found again"] == set()
    assert instrument._voice._outputs[0].sounding == set()


def test_with_once_a_lost_camera_ends_the_run_with_4(stage):
    told = play(stage, "--once", camera="stage:?unplug_after=60")
    assert (told.code, told.out) == (4, "")
    assert told.err.endswith("\nlalelu run: the stage's camera has gone; was it unplugged?\n")
    ledger = kept(stage)
    assert ledger.frames["seq"].tolist() == list(range(60))
    assert len(ledger.notes) >= 3
    assert kinds(ledger) == ["lost"]


def test_a_signal_ends_the_wait_for_a_camera(stage, monkeypatch):
    monkeypatch.setattr(app, "RETRY_S", 60.0)
    told = play(stage, camera="stage:?unplug_after=60&away=1000&terminates=true")
    assert (told.code, told.out) == (0, "")
    ledger = kept(stage)
    assert len(ledger.frames) == 60
    assert kinds(ledger) == ["lost"]


def test_one_lost_output_is_said_and_the_others_play_on(stage):
    told = play(stage, "--midi", "fragile:?after=3")
    assert told.code == 0
    assert told.err.count("MIDI output memory: is lost") == 1
    assert "found again" not in told.err
    ledger = kept(stage)
    assert ledger.frames["seq"].tolist() == list(range(FRAMES))
    assert len(ledger.notes) >= 8
    assert kinds(ledger) == ["lost", "end"]


def test_with_once_one_lost_output_ends_the_run_with_4(stage):
    told = play(stage, "--once", "--midi", "fragile:?after=3")
    assert told.code == 4
    assert "lalelu run: MIDI output memory: is lost" in told.err
    ledger = kept(stage)
    assert 0 < len(ledger.frames) < FRAMES
    assert len(ledger.notes) >= 3


def test_when_all_outputs_are_lost_the_run_ends_with_4(stage):
    told = lalelu(
        *("run", "--config", write_config(stage), "--camera", "stage:", "--log", stage / "ledger"),
        *("--midi", "fragile:?after=3", "--midi", "fragile:?after=5"),
    )
    assert told.code == 4
    assert told.err.count("MIDI output memory: is lost") == 3  # as each goes, and as the reason of the end
    ledger = read_ledger(stage / "ledger")
    assert ledger.problems == ()
    assert kinds(ledger) == ["lost", "lost"]
    assert 0 < len(ledger.frames) < FRAMES


def test_every_note_is_ended_and_every_row_kept_when_the_loop_fails(stage):
    loaded = with_overrides(
        load_config(write_config(stage, 10_000)),
        camera="stage:",
        midi=["memory:", f"file:{stage / 'out.mid'}"],
    )
    seen = []

    def fail_at_the_fourth(hit):
        seen.append(hit)
        if len(seen) == 4:
            assert instrument._voice._outputs[0].sounding != set()
            raise RuntimeError("a bug")

    instrument = Instrument(
        loaded, Recording(stage / "ledger"), say=lambda _line: None, on_hit=fail_at_the_fourth
    )
    with pytest.raises(RuntimeError, match="a bug"), instrument:
        instrument.play(Stop(), once=False)
    assert instrument._voice._outputs[0].sounding == set()
    ledger = kept(stage)
    assert int(ledger.frames["seq"][-1]) == seen[-1].seq


def test_a_recording_that_is_refused_leaves_nothing_open(stage):
    (stage / "file").write_text("in the way")
    told = play(stage, "--log", stage / "file" / "ledger")
    assert told.code == 2
    assert told.err.endswith("(Not a directory); choose a folder you may write to\n")
    assert sorted(path.name for path in stage.iterdir() if path.name.startswith(".")) == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are asked for on Linux only")
def test_a_start_that_fails_gives_the_cores_back(stage):
    before = os.sched_getaffinity(0)
    write_config(stage).write_text("kit: stage.yaml\nrealtime: {core: auto}\n")
    told = lalelu(
        *("run", "--config", stage / "lalelu.yaml", "--camera", "stage:", "--midi", "file:none/out.mid")
    )
    assert told.code == 3
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
def test_a_signal_before_the_first_frame_ends_the_start(stage, monkeypatch, number):
    def load_for_ever(_config):
        signal.raise_signal(number)
        time.sleep(60)

    monkeypatch.setattr(app, "build_estimator", load_for_ever)
    told = play(stage)
    assert (told.code, told.out) == (0, "")
    assert "playing" not in told.err
    told = lalelu("demo", "--out", stage / "demo")
    assert (told.code, told.out) == (0, "")
    assert told.err.endswith("stopped before the first frame; nothing to report\n")


def wait_for(process, condition):
    """Wait until `condition()` holds; fail with what the process said when it ends before."""
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"no note was played: {process.communicate()}")
        time.sleep(0.01)


def notes_recorded(folder):
    notes = folder / "ledger" / "notes"
    return notes.exists() and notes.stat().st_size > 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_signal_in_the_middle_of_a_note_ends_the_note_and_keeps_all_rows(tmp_path, number):
    take = write_take(tmp_path / "long.take", seconds=120)
    process = start(
        *("run", "--config", write_config(tmp_path, note_ms=10_000), "--camera", f"take:{take}"),
        *("--midi", f"file:{tmp_path / 'out.mid'}"),
        *("--log", tmp_path / "ledger", "--take", tmp_path / "out.take.gz"),
    )
    wait_for(process, partial(notes_recorded, tmp_path))
    process.send_signal(number)
    told = finish(process)
    assert (told.code, told.out) == (0, "")
    assert "Traceback" not in told.err
    ledger = kept(tmp_path)
    assert 0 < len(ledger.frames) < 12_000
    assert len(ledger.notes) > 0
    seqs = [frame.seq for frame in read_take(tmp_path / "out.take.gz").frames]
    assert seqs == ledger.frames["seq"].tolist()


@pytest.mark.model
def test_ctrl_c_in_a_demo_reaches_all_its_processes_and_the_report_is_still_made(tmp_path):
    process = start("demo", "--seconds", "60", "--out", tmp_path, new_session=True)
    (tmp_path / "ledger").symlink_to(tmp_path / "demo.ledger")
    wait_for(process, partial(notes_recorded, tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    told = finish(process)
    assert told.code == 0, told.err
    assert "Traceback" not in told.err
    assert "hits: " in told.out
    ledger = read_ledger(tmp_path / "demo.ledger")
    assert ledger.problems == ()
    assert notes_of(tmp_path / "demo.mid") == ledger_notes(ledger)
    assert (tmp_path / "report.html").stat().st_size > 0
