"""The trace shows each row where and when it happened."""

import json

import pytest
from analysis.recorded import MS, START, Recorded, longer, looks, played, steady

from lalelu.analysis.diagnosis import diagnose
from lalelu.analysis.trace_events import CAMERA, ENGINE, MACHINE, VOICE, between, trace_events
from lalelu.ledger.reader import LedgerEvent
from lalelu.ledger.schema import UNTOLD


@pytest.fixture
def recorded():
    frames = steady(500)
    longer(frames, 300, "work", 30.0)
    frames["voluntary"][300] = 1
    frames["queued_ns"][7] = UNTOLD
    return Recorded(frames, played(frames[::50]), looks(5.0))


def events_of(recorded, **options):
    return list(trace_events(recorded.frames, recorded.notes, recorded.samples, start_ns=START, **options))


def named(events, name, process):
    return [event for event in events if event["name"] == name and event["pid"] == process]


def test_each_frames_stages_follow_one_another_within_it(recorded):
    events = events_of(recorded)
    frames = named(events, "frame", ENGINE)
    assert len(frames) == 500
    first = recorded.frames[0]
    assert frames[0]["ts"] == pytest.approx((int(first["decoded_ns"]) - START) / 1000)
    stages = [named(events, stage, ENGINE)[0] for stage in ("prepare", "inference", "pose", "detect", "send")]
    ends = [stage["ts"] + stage["dur"] for stage in stages]
    assert ends[:-1] == pytest.approx([stage["ts"] for stage in stages[1:]])
    assert (stages[0]["ts"], ends[-1]) == pytest.approx((frames[0]["ts"], frames[0]["ts"] + frames[0]["dur"]))
    assert "queued_ns" not in frames[7]["args"]
    assert frames[8]["args"]["queued_ns"] == 0


def test_what_overlaps_has_a_beginning_and_an_end_of_its_own(recorded):
    events = events_of(recorded)
    spans = [event for event in events if event["pid"] == CAMERA and event["ph"] in "be"]
    assert [(event["ph"], event["id"]) for event in spans[:2]] == [("b", "1.0"), ("e", "1.0")]
    assert spans[1]["ts"] - spans[0]["ts"] == pytest.approx(8000)
    notes = [event for event in events if event["pid"] == VOICE and event["ph"] == "b"]
    assert len(notes) == len(recorded.notes)


def test_counters_are_told_as_what_they_counted_since_the_look_before(recorded):
    counted = named(events_of(recorded), "interrupts", MACHINE)
    assert len(counted) == len(recorded.samples) - 1
    assert {event["args"]["interrupts"] for event in counted} == {25}
    assert named(events_of(recorded), "frequency_khz", MACHINE) == []  # not told here


def test_what_happened_and_what_was_late_is_marked(recorded):
    diagnosis = diagnose(recorded)
    told = events_of(
        recorded,
        events=[LedgerEvent(START + 1000 * MS, "lost", "camera gone")],
        phases=diagnosis.phases,
        outliers=diagnosis.frame_causes.worst,
    )
    assert [event["ts"] for event in told if event["name"] == "lost"] == [1e6]
    assert [event["ts"] for event in told if event["name"].startswith("late frame: asleep")] == [3e6]
    assert [event["dur"] for event in told if event["name"] == "phase 1"] == [5e6]
    json.dumps(told, allow_nan=False)


def test_a_window_holds_the_rows_whose_moment_lies_in_it(recorded):
    rows = between(recorded.frames, "captured_ns", START + 1000 * MS, START + 2000 * MS)
    assert rows["seq"].tolist() == list(range(100, 200))


def test_stamps_that_run_backwards_give_no_slice_of_negative_length(recorded):
    recorded.frames["sent_ns"][0] = 0
    assert all(event["dur"] >= 0 for event in events_of(recorded) if event["ph"] == "X")
