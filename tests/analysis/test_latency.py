import json
import math
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.analysis.latency import (
    STATISTICS,
    as_json,
    broken,
    histogram_text,
    parse_budget,
    summarize,
    table,
)
from lalelu.commands import latency as command
from lalelu.errors import CheckFailedError, UsageError
from lalelu.ledger.files import create_ledger
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE

MS = 1_000_000
STAMPS = [name for name in FRAME_DTYPE.names if name.endswith("_ns")]
STEPS_MS = [0.0, 8.0, 0.1, 0.2, 5.0, 0.3, 0.05, 0.15]  # from one stamp to the next
START = 3 * 10**15  # 35 days of uptime in ns: nothing may be lost in a float


def frames_of(count: int) -> np.ndarray:
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    at = START + np.arange(count) * 10 * MS
    for name, step in zip(STAMPS, STEPS_MS, strict=True):
        at = at + round(step * MS)
        rows[name] = at
    return rows


def notes_of(struck_to_sent_ms: list[float]) -> np.ndarray:
    rows = np.zeros(len(struck_to_sent_ms), NOTE_DTYPE)
    rows["struck_ns"] = START
    rows["due_ns"] = START
    rows["sent_ns"] = START + np.round(np.array(struck_to_sent_ms) * MS).astype(np.int64)
    return rows


def p50s(summary) -> dict[str, float]:
    return {name: round(d.p50, 6) for name, d in summary.durations.items()}


def test_every_stage_is_the_time_between_its_two_stamps():
    frames = frames_of(100)
    frames["hits"][::10] = 1
    assert p50s(summarize(frames, notes_of([20.0, 22.0]))) == {
        "camera": 8.0,
        "decode": 0.1,
        "prepare": 0.2,
        "inference": 5.0,
        "pose": 0.3,
        "detect": 0.05,
        "send": 0.15,
        "frame": 5.8,
        "outside": 0.8,
        "note": 5.8,
        "light": 13.8,
        "hit": 21.0,
        "voice": 21.0,
        "period": 10.0,
    }


def test_only_frames_with_hits_count_as_notes():
    frames = frames_of(10)
    frames["hits"][3] = 2
    frames["sent_ns"][3] += 4 * MS
    summary = summarize(frames, notes_of([]))
    assert (summary.frames, summary.hit_frames) == (10, 1)
    assert summary.durations["note"].count == 1
    assert summary.durations["note"].p50 == pytest.approx(9.8)
    assert summary.durations["frame"].p50 == pytest.approx(5.8)
    assert summary.main.name == "note"


def test_statistics_are_those_of_numpy():
    values = np.random.default_rng(1).gamma(2.0, 3.0, 5000)
    hit = summarize(frames_of(0), notes_of(list(values))).durations["hit"]
    expected = [*np.percentile(values, [0, 50, 90, 99, 99.9, 100]), values.mean(), values.std()]
    assert [hit.statistic(s) for s in STATISTICS] == pytest.approx(expected, abs=1e-5)
    assert sum(hit.histogram.counts) == 5000


def test_skipped_frames_are_a_share_of_all_that_the_camera_delivered():
    frames = frames_of(90)
    frames["skipped"][[5, 50]] = [4, 6]
    summary = summarize(frames, notes_of([]))
    assert (summary.skipped, summary.skipped_share) == (10, 0.1)


def test_the_frame_period_leaves_gaps_out():
    frames = frames_of(50)[np.r_[0:20, 25:50]]
    period = summarize(frames, notes_of([])).durations["period"]
    assert (period.count, round(period.max, 6)) == (43, 10.0)


def test_an_empty_ledger_has_no_figures_but_a_table():
    summary = summarize(frames_of(0), notes_of([]))
    assert all(d.count == 0 and math.isnan(d.p99) for d in summary.durations.values())
    assert as_json(summary)["durations_ms"]["frame"]["p99"] is None
    assert as_json(summary)["skipped_share"] is None
    assert "0 frames, 0 skipped;" in table(summary)
    assert "no rows" in histogram_text(summary.main)


def test_one_row_in_the_tail_stays_visible_in_the_histogram():
    summary = summarize(frames_of(0), notes_of([5.0 + i * 1e-3 for i in range(2000)] + [60.0]))
    lines = histogram_text(summary.durations["hit"]).splitlines()
    assert lines[-1].endswith("1")
    assert "█" in lines[-1]
    assert len(lines) < 25


def test_table_names_every_duration_once():
    summary = summarize(frames_of(5), notes_of([1.0]))
    first_words = [line.split()[0] for line in table(summary).splitlines()]
    assert [w for w in first_words if w in summary.durations] == list(summary.durations)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("frame.p99=6ms", True),
        ("frame.p99=5.7ms", False),
        ("frame.max=5900us", True),
        ("hit.sd=1ms", True),
        ("hit.p99.9=0.02s", False),
        ("skipped=1%", True),
        ("skipped=0.9%", False),
        ("note.p99=10ms", False),  # nobody played: nothing shows that it holds
    ],
)
def test_budgets_hold_or_break(text, kept):
    frames = frames_of(99)
    frames["skipped"][0] = 1
    summary = summarize(frames, notes_of([20.0, 22.0]))
    assert (broken(summary, [parse_budget(text)]) == []) is kept


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("frame.p99", "has no limit"),
        ("fraem.p99=1ms", 'did you mean "frame"'),
        ("frame.p98=1ms", 'did you mean "p9'),
        ("frame=1ms", "'nothing' was given"),
        ("frame.p99=fast", "'fast' is not a limit"),
        ("frame.p99=10%", "not a limit"),
        ("frame.p99=10", "not a limit"),
        ("skipped=1ms", "not a limit"),
        ("skipped.p99=1%", "a share, as in"),
    ],
)
def test_a_budget_that_cannot_be_understood_is_refused(text, sentence):
    with pytest.raises(UsageError, match=sentence):
        parse_budget(text)


@settings(max_examples=200, deadline=None)
@given(frames=st.binary(max_size=1600), notes=st.binary(max_size=560))
def test_damaged_rows_never_crash_the_analysis(frames, notes):
    frame_rows = np.frombuffer(frames[: len(frames) // 80 * 80], FRAME_DTYPE)
    note_rows = np.frombuffer(notes[: len(notes) // 56 * 56], NOTE_DTYPE)
    summary = summarize(frame_rows, note_rows)
    json.dumps(as_json(summary), allow_nan=False)
    assert table(summary)
    for d in summary.durations.values():
        assert histogram_text(d)
        assert sum(d.histogram.counts) == d.count


def a_ledger(directory: Path, count: int) -> Path:
    create_ledger(directory, {"lalelu_ledger": 1, "closed": True})
    (directory / "frames").write_bytes(frames_of(count).tobytes())
    return directory


def run_command(*arguments: str) -> int:
    parser = ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args(arguments))


def test_command_prints_tables_for_people(tmp_path, capsys):
    assert run_command(str(a_ledger(tmp_path / "a", 10)), str(a_ledger(tmp_path / "b", 0))) == 0
    out = capsys.readouterr().out
    assert "frame → row" in out
    assert "This ledger has no frames" in out


def test_command_prints_one_json_object_and_nothing_else(tmp_path, capsys):
    assert run_command(str(a_ledger(tmp_path / "a", 10)), str(a_ledger(tmp_path / "b", 0)), "--json") == 0
    first, second = json.loads(capsys.readouterr().out)["ledgers"]
    assert first["durations_ms"]["frame"]["p50"] == pytest.approx(5.8)
    assert (second["frames"], second["durations_ms"]["frame"]["p50"]) == (0, None)


def test_a_broken_budget_fails_the_command_and_names_ledger_limit_and_value(tmp_path):
    with pytest.raises(CheckFailedError, match=r"a: budget frame\.p99=5ms: it is 5\.800 ms"):
        run_command(str(a_ledger(tmp_path / "a", 10)), "--budget", "frame.p99=5ms")


def test_the_tool_is_the_same_command(tmp_path):
    tool = Path(__file__).parents[2] / "tools" / "analyze_latency.py"
    ledger = str(a_ledger(tmp_path / "a", 10))
    kept = subprocess.run([sys.executable, tool, ledger], capture_output=True, text=True, check=True)
    assert "frame → row" in kept.stdout
    wrong = subprocess.run(
        [sys.executable, tool, ledger, "--budget", "frame.p99=5ms"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    nothing = subprocess.run(
        [sys.executable, tool, str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert (nothing.returncode, "does not exist" in nothing.stderr) == (2, True)
