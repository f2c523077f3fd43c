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
    STAGES,
    STATISTICS,
    TOTALS,
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
from lalelu.ledger.schema import FRAME_DTYPE, LEDGER_VERSION, NOTE_DTYPE, STAMPS

MS = 1_000_000
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
    """Notes whose frames left no rows."""
    rows = np.zeros(len(struck_to_sent_ms), NOTE_DTYPE)
    rows["struck_ns"] = START
    rows["due_ns"] = START
    rows["sent_ns"] = START + np.round(np.array(struck_to_sent_ms) * MS).astype(np.int64)
    return rows


def played(frames: np.ndarray, due_ms=-20.0, woken_ms=0.2, sent_ms=0.5) -> np.ndarray:
    """One note for each of `frames`, struck 20 ms before; all counted from when its hits were handed over."""
    rows = np.zeros(len(frames), NOTE_DTYPE)
    rows["seq"], rows["captured_ns"] = frames["seq"], frames["captured_ns"]
    for name, ms in (("struck", -20.0), ("due", due_ms), ("woken", woken_ms), ("sent", sent_ms)):
        rows[f"{name}_ns"] = frames["sent_ns"] + np.round(np.array(ms) * MS).astype(np.int64)
    return rows


def hit_frames_of(count: int) -> np.ndarray:
    rows = frames_of(count)
    rows["hits"] = 1
    return rows


def p50s(summary) -> dict[str, float]:
    return {name: round(d.p50, 6) for name, d in summary.durations.items()}


def counts(summary, *names: str) -> list[int]:
    return [summary.durations[name].count for name in names]


def test_every_stage_is_the_time_between_its_two_stamps():
    frames = frames_of(100)
    frames["hits"][::10] = 1
    notes = np.concatenate([played(frames[:10:10]), played(frames[10:20:10], 40.0, 40.1, 40.3)])
    assert p50s(summarize(frames, notes)) == {
        "camera": 8.0,
        "decode": 0.1,
        "prepare": 0.2,
        "inference": 5.0,
        "pose": 0.3,
        "detect": 0.05,
        "send": 0.15,
        "frame": 5.8,
        "frame_all": 5.8,
        "outside": 0.8,
        "note": 6.2,  # of 6.3 and 6.1
        "light": 34.2,  # of 14.3 and 54.1
        "hit": 40.4,  # of 20.5 and 60.3
        "handover": 0.2,
        "late": 0.3,
        "port": 0.25,  # of 0.3 and 0.2
        "period": 10.0,
    }


def test_a_note_that_is_due_later_waits_on_purpose_and_its_wait_is_not_the_machines():
    frames = hit_frames_of(2)
    summary = summarize(frames, played(frames, [-20.0, 40.0], [0.2, 40.1], [0.5, 40.6]))
    assert [summary.durations["note"].min, summary.durations["note"].max] == pytest.approx([6.3, 6.4])
    assert [summary.durations["light"].min, summary.durations["light"].max] == pytest.approx([14.3, 54.4])
    assert counts(summary, "handover", "late", "port") == [1, 1, 2]
    assert summary.durations["handover"].p50 == pytest.approx(0.2)
    assert summary.durations["late"].p50 == pytest.approx(0.6)


def test_a_note_due_at_the_moment_of_handing_over_has_nothing_to_wait_for():
    frames = hit_frames_of(1)
    summary = summarize(frames, played(frames, due_ms=0.0))
    assert counts(summary, "handover", "late") == [1, 0]
    assert summary.durations["note"].p50 == pytest.approx(6.3)


def test_a_voice_that_sends_before_the_engine_has_marked_the_handing_over_shows_below_zero():
    frames = hit_frames_of(1)
    summary = summarize(frames, played(frames, woken_ms=-0.1, sent_ms=-0.02))
    assert summary.durations["handover"].p50 == pytest.approx(-0.1)
    assert summary.durations["note"].p50 == pytest.approx(5.78)


def test_every_note_of_a_chord_counts():
    frames = hit_frames_of(1)
    summary = summarize(frames, played(frames[[0, 0, 0]], sent_ms=[0.4, 0.7, 1.0]))
    assert (summary.hit_frames, summary.notes) == (1, 3)
    assert counts(summary, "note", "light", "hit", "port") == [3, 3, 3, 3]
    assert summary.durations["note"].max == pytest.approx(6.8)


def test_an_older_ledger_that_tells_of_no_waking_has_no_figures_for_it():
    frames = hit_frames_of(3)
    notes = played(frames)
    notes["woken_ns"] = 0
    assert counts(summarize(frames, notes), "note", "hit", "handover", "port") == [3, 3, 0, 0]


def test_notes_that_the_voice_marked_late_are_counted():
    frames = hit_frames_of(3)
    notes = played(frames)
    notes["late"][[0, 2]] = 1
    assert "3 notes, 2 late" in table(summarize(frames, notes))


def test_a_note_whose_frame_left_no_row_is_counted_and_left_out_of_what_needs_the_row():
    frames = hit_frames_of(20)
    summary = summarize(frames[np.r_[0:5, 8:20]], played(frames))
    assert (summary.notes, summary.unmatched_notes) == (20, 3)
    assert counts(summary, "note", "handover") == [17, 17]
    assert counts(summary, "light", "hit", "port") == [20, 20, 20]
    assert "20 notes, 0 late, 3 without their frame" in table(summary)


def test_a_camera_that_was_opened_again_counts_anew_and_notes_find_their_own_frames():
    first, again = hit_frames_of(10), hit_frames_of(10)
    for name in STAMPS:
        again[name] += 60_000 * MS
    again["sent_ns"] += 3 * MS  # slower than before
    frames = np.concatenate([first, again])
    summary = summarize(frames, played(frames))
    assert summary.unmatched_notes == 0
    assert summary.durations["note"].count == 20
    assert [summary.durations["note"].min, summary.durations["note"].max] == pytest.approx([6.3, 9.3])


def test_a_frame_with_the_notes_capture_but_another_number_is_not_its_frame():
    frames = hit_frames_of(3)
    notes = played(frames)
    notes["seq"] += 1
    summary = summarize(frames, notes)
    assert summary.unmatched_notes == 3
    assert math.isnan(summary.durations["note"].p50)


def test_where_no_note_was_measured_the_frames_are_looked_at_first():
    frames = hit_frames_of(4)
    assert summarize(frames, played(frames)).main.name == "note"
    assert summarize(frames, notes_of([20.0])).main.name == "frame"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_notes_find_the_frames_that_a_dictionary_finds_and_their_shares_add_up(data):
    """Against the plain way, note by note: lost frames, doubled numbers, rows in any order."""
    numbers = st.integers(0, 6)
    frames = hit_frames_of(data.draw(st.integers(0, 12)))
    frames["seq"] = data.draw(st.lists(numbers, min_size=len(frames), max_size=len(frames)))
    frames["hits"] = data.draw(st.lists(st.integers(0, 2), min_size=len(frames), max_size=len(frames)))
    frames = frames[data.draw(st.permutations(range(len(frames))))]
    kept = frames[[i for i in range(len(frames)) if data.draw(st.booleans())]]
    sources = [i for i in range(len(frames)) if frames["hits"][i] for _ in range(frames["hits"][i])]
    offsets = st.lists(st.integers(-50, 50), min_size=len(sources), max_size=len(sources))
    due_ms, after_ms = data.draw(offsets), data.draw(offsets)
    notes = played(frames[sources], due_ms, 0.2, np.maximum(due_ms, 0) + np.abs(after_ms))

    row_of = {(row["seq"], row["captured_ns"]): row for row in kept}
    pairs = [(row_of.get((note["seq"], note["captured_ns"])), note) for note in notes]
    both = [(row, note) for row, note in pairs if row is not None]
    expected = sorted(
        int(note["sent_ns"] - row["arrived_ns"]) - max(0, int(note["due_ns"] - row["sent_ns"]))
        for row, note in both
    )
    summary = summarize(kept, notes)
    note = summary.durations["note"]
    assert (note.count, summary.unmatched_notes) == (len(both), len(pairs) - len(both))
    assert counts(summary, "handover", "late") == [
        sum(note["due_ns"] <= row["sent_ns"] for row, note in both),
        sum(note["due_ns"] > row["sent_ns"] for row, note in both),
    ]
    if expected:
        assert [note.min, note.max, note.mean] == pytest.approx(
            [expected[0] / MS, expected[-1] / MS, sum(expected) / len(expected) / MS]
        )
        assert note.min >= summary.durations["frame"].min - 1e-6  # the machine's share holds the frame's row


def test_statistics_are_those_of_numpy():
    values = np.random.default_rng(1).gamma(2.0, 3.0, 5000)
    hit = summarize(frames_of(0), notes_of(list(values))).durations["hit"]
    expected = [*np.percentile(values, [0, 50, 90, 99, 99.9, 99.99, 100]), values.mean(), values.std()]
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
    assert (summary.notes, summary.unmatched_notes) == (0, 0)
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
    assert [w for w in first_words if w in summary.durations] == [*STAGES, *TOTALS]


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
        ("note.p99=10ms", False),  # no note has its frame: nothing shows that it holds
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


def a_ledger(directory: Path, count: int, **header: object) -> Path:
    create_ledger(directory, {"lalelu_ledger": LEDGER_VERSION, "closed": True, **header})
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


def test_command_says_what_the_machine_refused_and_how_many_rows_were_lost(tmp_path, capsys):
    requests = [
        {"process": "engine", "request": "garbage collector", "granted": True, "detail": "off"},
        {"process": "engine", "request": "core 1", "granted": True, "detail": "isolated"},
        {"process": "voice", "request": "FIFO 75", "granted": False, "detail": "set LimitRTPRIO=75"},
        {"process": "voice", "request": "sound", "granted": True, "detail": "synth: 6.0 ms; no underruns"},
    ]
    lost = {"frames": 12, "notes": 0, "events.voice": 1}
    assert run_command(str(a_ledger(tmp_path / "a", 10, requests=requests, overruns=lost))) == 0
    assert capsys.readouterr().out.splitlines()[1:5] == [
        "real time granted: engine: garbage collector, engine: core 1",
        "real time refused: voice: FIFO 75 (set LimitRTPRIO=75)",
        "sound: synth: 6.0 ms; no underruns",
        "rows lost before the disk: frames 12, events.voice 1",
    ]


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ({}, []),
        ({"overruns": 3}, ["rows lost before the disk: 3"]),
        ({"overruns": {"frames": 0, "notes": 0}}, ["rows lost before the disk: none"]),
        (
            {"requests": [{"granted": False}, 7, {}]},
            ["real time refused: a request without a name (no reason is recorded)"],
        ),
        ({"requests": "all", "overruns": "many"}, []),
    ],
)
def test_a_header_that_lacks_something_or_is_damaged_is_told_as_far_as_it_goes(header, lines):
    assert command.header_lines(header) == lines


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
