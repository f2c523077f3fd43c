import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import MS, Recorded, longer, looks, played, steady

from lalelu.analysis.diagnosis import diagnose
from lalelu.analysis.excess import CAUSES
from lalelu.analysis.plain import plain
from lalelu.analysis.text import sections
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, SAMPLE_DTYPE, UNTOLD

AT = np.arange(105, 2000, 200)  # the frames that are made late


def late_camera(rows):
    longer(rows, AT, "arrived", 4)


def woken_late(rows):
    longer(rows, AT, "wait", 4)
    rows["woken_late_ns"][AT] = 4 * MS


def queued(rows):
    longer(rows, AT, "work", 4)
    rows["queued_ns"][AT], rows["involuntary"][AT] = 4 * MS, 1


def collected(rows):
    longer(rows, AT, "work", 4)
    rows["running_ns"][AT] += 4 * MS
    rows["gc_ns"][AT] = 4 * MS


def mapped(rows):
    longer(rows, AT, "work", 4)
    rows["running_ns"][AT] += 4 * MS
    rows["minor_faults"][AT] = 1000


def read_from_disk(rows):
    longer(rows, AT, "work", 4)
    rows["major_faults"][AT], rows["voluntary"][AT] = 3, 3


def stopped(rows):
    longer(rows, AT, "work", 4)
    rows["voluntary"][AT] = 1


def stopped_while_reading(rows):
    longer(rows, AT, "wait", 4)


def computed_longer(rows):
    longer(rows, AT, "work", 4)
    rows["running_ns"][AT] += 4 * MS


def more_players(rows):
    computed_longer(rows)
    rows["players"][AT] = 2


def taken(rows):
    longer(rows, AT, "work", 4)


def stolen_at(time_s):
    """10 ms more each time that a frame of AT is done, counted a little late."""
    return 100 + 10 * np.searchsorted(AT / 100 + 0.02, time_s)


def slow_at(time_s):
    near = np.min(np.abs(time_s[:, None] - (AT / 100 + 0.05)[None]), axis=1) < 0.12
    return np.where(near, 2_000_000, 3_600_000)


def interrupted_at(time_s):
    return 1000 + (time_s * 250).astype(int) + 5000 * np.searchsorted(AT / 100 + 0.01, time_s)


def causes_of(rows, samples=None, notes=None, header=None):
    recorded = Recorded(rows, samples=looks(20) if samples is None else samples, header=header or {})
    if notes is not None:
        recorded.notes = notes
    return diagnose(recorded)


@pytest.mark.parametrize(
    ("make", "samples", "cause"),
    [
        (late_camera, {}, "camera"),
        (woken_late, {}, "woken_late"),
        (stopped_while_reading, {}, "reading"),
        (queued, {}, "queued"),
        (collected, {}, "collector"),
        (mapped, {}, "minor_faults"),
        (read_from_disk, {}, "major_faults"),
        (stopped, {}, "slept"),
        (computed_longer, {}, "computing"),
        (more_players, {}, "players"),
        (computed_longer, {"frequency_khz": slow_at}, "frequency"),
        (taken, {"stolen_ms": stolen_at}, "hypervisor"),
        (computed_longer, {"stolen_ms": stolen_at}, "hypervisor"),  # a guest that counts stolen time as run
        (taken, {"interrupts": interrupted_at}, "interrupts"),
        (taken, {}, "unexplained"),
        (taken, {"stolen_ms": -1}, "not_told"),
    ],
)
def test_the_cause_of_late_frames_is_named_and_nobody_else_is_blamed(make, samples, cause):
    rows = steady(2000)
    make(rows)
    causes = causes_of(rows, looks(20, **samples)).frame_causes
    assert causes.count == len(AT)
    assert (causes.ranking[0].cause, causes.ranking[0].outliers) == (cause, len(AT))
    assert causes.ranking[0].share > 0.93
    assert sorted(outlier.seq for outlier in causes.worst) == AT.tolist()
    assert [outlier.excess_ms for outlier in causes.worst] == pytest.approx([4.0] * len(AT), abs=0.3)


def test_a_clean_run_blames_nobody():
    rows = steady(5000)
    diagnosis = causes_of(rows, notes=played(rows[::50]))
    for causes in (diagnosis.frame_causes, diagnosis.note_causes):
        assert (causes.count, causes.ranking, causes.worst) == (0, (), ())


def test_two_causes_of_one_frame_get_their_shares():
    rows = steady(2000)
    woken_late(rows)
    longer(rows, AT, "work", 12)
    rows["queued_ns"][AT] = 12 * MS
    outliers = causes_of(rows).frame_causes.worst
    first = next(outlier for outlier in outliers if outlier.seq == AT[0])
    assert {part.cause: part.share for part in first.parts if part.share > 0.05} == pytest.approx(
        {"queued": 0.75, "woken_late": 0.25}, abs=0.03
    )


def test_a_frame_that_waits_for_the_one_before_inherits_its_cause():
    rows = steady(2000)
    longer(rows, AT, "work", 8)
    rows["running_ns"][AT] += 8 * MS
    rows["gc_ns"][AT] = 8 * MS
    # the next frame is there after 10 ms, and its work begins when the loop is done: 3.1 ms later
    longer(rows, AT + 1, "wait", 3.1)
    causes = causes_of(rows).frame_causes
    assert causes.count == 2 * len(AT)
    assert [each.cause for each in causes.ranking if each.share > 0.05] == ["collector"]


def test_a_competitor_is_named():
    rows = steady(2000)
    queued(rows)
    samples = looks(20, competitor_ms=740)
    samples["competitor"] = b"stress-ng"
    causes = causes_of(rows, samples).frame_causes
    assert causes.ranking[0].detail == "stress-ng"
    assert causes.worst[0].main.detail == "stress-ng, 740 ms of that second"


@pytest.mark.parametrize("make", [queued, taken, stopped_while_reading, woken_late])
def test_a_kernel_that_tells_no_queue_leads_to_not_told_and_to_no_wrong_cause(make):
    rows = steady(2000)
    make(rows)
    rows["queued_ns"] = rows["woken_late_ns"] = UNTOLD
    header = {"unavailable": {"queued_ns": "no schedstat"}}
    causes = causes_of(rows, header=header).frame_causes
    assert [each.cause for each in causes.ranking if each.share > 0.05] == ["not_told"]
    assert "queued_ns: no schedstat" in causes.not_told
    assert "woken_late_ns: the ledger does not say why" in causes.not_told


def test_what_the_header_says_of_missing_fields_may_be_damaged():
    assert causes_of(steady(100), header={"unavailable": 7, "camera": [], "x": 1}).frame_causes.count == 0


def test_a_slow_voice_and_a_slow_port_are_told_apart():
    rows = steady(2000)
    hits = rows[::20]
    late = np.arange(len(hits)) % 10
    woken = np.where(late == 3, 9.1, 0.1)
    notes = played(
        hits, due_ms=40.0, woken_ms=40 + woken, sent_ms=40.2 + woken + np.where(late == 6, 5.0, 0.0)
    )
    rows["hits"][::20] = 1
    causes = causes_of(rows, notes=notes).note_causes
    assert (causes.count, causes.of) == (20, 100)
    assert [(each.cause, each.outliers) for each in causes.ranking if each.share > 0.05] == [
        ("voice", 10),
        ("port", 10),
    ]


def test_a_late_note_without_a_delay_is_its_frames_fault():
    rows = steady(2000)
    queued(rows)
    rows["hits"][5::20] = 1
    causes = causes_of(rows, notes=played(rows[5::20])).note_causes
    assert (causes.count, causes.ranking[0].cause) == (len(AT), "queued")
    assert causes.ranking[0].share > 0.95


def test_with_a_delay_a_note_is_late_by_its_frame_or_because_it_was_recognised_too_late():
    rows = steady(2000)
    longer(rows, AT, "work", 30)
    rows["queued_ns"][AT] = 30 * MS
    index = np.arange(5, 2000, 20)
    notes = played(rows[index], due_ms=np.where(np.isin(index, AT), -25.0, 5.0), woken_ms=5.1, sent_ms=5.3)
    late = np.isin(index, AT)
    for name in ("woken_ns", "sent_ns"):
        notes[name][late] -= 5 * MS
    other = 7  # known 12 ms after it was due, though its frame was in time
    notes["due_ns"][other] = rows["sent_ns"][index[other]] - 12 * MS
    rows["hits"][index] = 1
    causes = causes_of(rows, notes=notes).note_causes
    assert {outlier.seq: outlier.main.cause for outlier in causes.worst} == {
        **dict.fromkeys(AT.tolist(), "queued"),
        int(index[other]): "decided_late",
    }


def test_the_worst_come_first_and_the_rest_is_counted():
    rows = steady(4000)
    at = np.arange(10, 4000, 20)
    rows["running_ns"][at] += 3 * MS
    longer(rows, at, "work", 3)
    longer(rows, at[-1], "work", 6)
    causes = causes_of(rows).frame_causes
    assert (causes.count, len(causes.worst), causes.worst[0].seq) == (200, 100, at[-1])
    assert len(causes.at_s) == len(causes.excess_ms) == 200


def as_rows(data: bytes, dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)


@settings(max_examples=150, deadline=None)
@given(frames=st.binary(max_size=1200), notes=st.binary(max_size=400), samples=st.binary(max_size=500))
def test_random_rows_never_crash_the_diagnosis(frames, notes, samples):
    check(Recorded(*map(as_rows, (frames, notes, samples), (FRAME_DTYPE, NOTE_DTYPE, SAMPLE_DTYPE))))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_fields_never_crash_and_shares_add_up(data):
    """An honest run in which some fields hold nonsense."""
    rows = steady(data.draw(st.integers(0, 60)))
    samples = looks(1)
    recorded = Recorded(rows, played(rows[::3]), samples)
    for array in (rows, recorded.notes, samples):
        for _ in range(data.draw(st.integers(0, 6)) if len(array) else 0):
            name = data.draw(st.sampled_from([n for n in array.dtype.names if array.dtype[n].kind in "iu"]))
            info = np.iinfo(array.dtype[name])
            value = data.draw(st.integers(info.min, info.max) | st.sampled_from([info.min, 0, info.max]))
            array[name][data.draw(st.integers(0, len(array) - 1))] = value
    check(recorded)


def check(recorded):
    diagnosis = diagnose(recorded)
    json.dumps(plain(diagnosis), allow_nan=False)
    assert all(sections(diagnosis, 80))
    for causes in (diagnosis.frame_causes, diagnosis.note_causes):
        assert {each.cause for each in causes.ranking} <= set(CAUSES)
        if causes.ranking:
            assert sum(each.share for each in causes.ranking) == pytest.approx(1.0)
            assert sum(each.outliers for each in causes.ranking) == causes.count
        for outlier in causes.worst:
            assert sum(part.share for part in outlier.parts) == pytest.approx(1.0)
            assert sum(part.ms for part in outlier.parts) == pytest.approx(outlier.excess_ms, rel=1e-3)
    assert sum(phase.frames for phase in diagnosis.phases) == len(recorded.frames)
