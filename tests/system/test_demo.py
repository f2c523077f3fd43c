"""`lalelu demo` as a newcomer runs it, twice into one folder (see the fixture `demo`)."""

import re
import wave

import numpy as np
import pytest
from system.stage import ledger_notes, notes_of

from lalelu.analysis.latency import STAGES, TOTALS
from lalelu.ledger.reader import read_ledger
from lalelu.take import read_take

pytestmark = pytest.mark.model

FRAMES = 300  # 3 s at 100 frames a second


def test_a_demo_leaves_the_files_of_the_contract_and_says_where(demo):
    folder, told = demo
    assert told.code == 0, told.err
    assert "Traceback" not in told.err
    files = {path.name for path in (folder / "out").iterdir()}
    assert files == {"demo.mid", "demo.wav", "demo.ledger", "demo.take.gz", "report.html"}
    for name in files - {"demo.take.gz"}:
        assert f"out/{name}" in told.out


def test_a_demo_counts_what_was_played_and_finds_some_of_it(demo):
    _, told = demo
    counts = re.search(r"hits: (\d+) played, (\d+) found, (\d+) missed, (\d+) extra", told.out)
    assert counts is not None, told.out
    played, found, missed, _ = map(int, counts.groups())
    assert played == found + missed
    assert found > 0


def test_a_demo_prints_the_latency_table(demo):
    _, told = demo
    rows = {line.split()[0] for line in told.out.splitlines() if line.strip()}
    assert rows >= {*STAGES, *TOTALS}


def test_a_demos_ledger_is_that_of_the_last_run_and_every_frame_is_accounted_for(demo):
    folder, _ = demo
    ledger = read_ledger(folder / "out" / "demo.ledger")
    assert ledger.problems == ()
    assert [event.kind for event in ledger.events] == ["end"]
    assert len(ledger.frames) + int(ledger.frames["skipped"].sum()) == FRAMES
    assert int(ledger.frames["seq"][-1]) == FRAMES - 1
    assert set(ledger.header["overruns"].values()) == {0}
    assert ledger.header["model"] == "lightning"


def test_a_demos_midi_file_holds_the_ledgers_notes(demo):
    folder, _ = demo
    notes = ledger_notes(read_ledger(folder / "out" / "demo.ledger"))
    assert len(notes) > 0
    assert notes_of(folder / "out" / "demo.mid") == notes


def test_a_demos_take_holds_the_ledgers_frames(demo):
    folder, _ = demo
    frames = read_take(folder / "out" / "demo.take.gz").frames
    rows = read_ledger(folder / "out" / "demo.ledger").frames
    assert [(frame.seq, frame.captured_ns) for frame in frames] == [
        (int(row["seq"]), int(row["captured_ns"])) for row in rows
    ]
    assert [len(frame.poses) for frame in frames] == rows["players"].tolist()


def test_a_demos_sound_is_heard(demo):
    folder, _ = demo
    with wave.open(str(folder / "out" / "demo.wav")) as sound:
        assert sound.getnframes() == 5 * sound.getframerate()  # 3 s and the tail
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
    assert np.abs(samples.astype(int)).max() > 1000


def test_a_demos_report_needs_no_other_file(demo):
    folder, _ = demo
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "<svg" in page
    assert re.findall(r"(?:src|href)=[\"']?https?:", page) == []
