"""What tools/soak.py counts, on runs that are written down by hand: a good one breaks no rule, each bad one its own."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lalelu.camera.simulated.groove import TruthHit
from lalelu.ledger.schema import FRAME_DTYPE

S = 1_000_000_000
BEGIN_NS = 1000 * S
PERIOD_NS = 10_000_000
LAG_NS = 10_500_000
DELAY_NS = 60_000_000
SECONDS = 60
SNARE = 38


@pytest.fixture
def soaking(project, monkeypatch):
    """The tool's package: `counting`, `faults`, `log`, `report` and `rules`."""
    monkeypatch.syspath_prepend(project / "tools")
    import soaking
    import soaking.counting
    import soaking.faults
    import soaking.log
    import soaking.report
    import soaking.rules

    return soaking


def film(begin_ns, count):
    """The rows of a film without any trouble."""
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    rows["captured_ns"] = begin_ns + PERIOD_NS * np.arange(count)
    rows["arrived_ns"] = rows["captured_ns"] + LAG_NS
    rows["sent_ns"] = rows["arrived_ns"] + 6_000_000
    return rows


@pytest.fixture
def good(soaking):
    """A minute with a stroke each half second, each heard, and each note ended."""
    truth = [
        TruthHit(BEGIN_NS + round((0.5 + 0.5 * i) * S), "left_wrist", "snare", 0, 90)
        for i in range(2 * SECONDS - 2)
    ]
    messages = [(BEGIN_NS, b"")]
    for hit in truth:
        messages.append((hit.time_ns + DELAY_NS, bytes((0x99, SNARE, 90))))
        messages.append((hit.time_ns + DELAY_NS + S // 10, bytes((0x89, SNARE, 0))))
    log = soaking.log
    return log.Log(
        BEGIN_NS,
        BEGIN_NS + SECONDS * S,
        DELAY_NS,
        LAG_NS,
        {SNARE: "snare"},
        truth=tuple(truth),
        heard={log.GRAPH: tuple(messages), log.SYNTH: tuple(messages)},
        frames=(film(BEGIN_NS, 100 * SECONDS),),
        uses=tuple(log.Use(BEGIN_NS + i * S, "voice", 7, 30_000, 60_000, None, 20) for i in range(SECONDS)),
    )


def fault(soaking, name="voice killed", begin_s=20.0, lasts_s=0.0, well_s=0.5, **more):
    """A fault as it was made, by default one that all recovered from in time and that was told."""
    kind = next(each.kind for each in soaking.faults.FAULTS if each.kind.name == name)
    begin_ns = BEGIN_NS + round(begin_s * S)
    end_ns = begin_ns + round(lasts_s * S)
    told = ((begin_ns + 1, True), (end_ns + round(well_s * S), False)) if kind.condition else ()
    back_ns = end_ns + round(well_s * S)
    return replace(soaking.log.Done(kind, begin_ns, end_ns, back_ns, back_ns + S, told), **more)


def deaf(log, name, begin_s, end_s):
    """The log without what a listener heard in a time."""
    begin_ns, end_ns = (BEGIN_NS + round(edge * S) for edge in (begin_s, end_s))
    kept = tuple(message for message in log.heard[name] if not begin_ns <= message[0] <= end_ns)
    return replace(log, heard={**log.heard, name: kept})


def test_a_run_without_any_trouble_breaks_no_rule(soaking, good):
    figures = soaking.counting.count(good)
    assert soaking.rules.broken(good, figures) == []
    notes = figures.notes["graph"]
    assert (notes.expected, notes.sounded, notes.extra, notes.hanging) == (118, 118, 0, 0)
    assert notes.longest_s == pytest.approx(0.1)
    assert (figures.rows.rows, figures.rows.films) == (6000, 1)
    assert json.loads(json.dumps(soaking.report.as_json(good, figures)))["broken"] == []
    assert soaking.report.text(good, figures).endswith("no rule is broken")


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("hang", "graph: 1 notes hang"),
        ("notes", "missed for 118 strokes"),
        ("row", "frames: 1 rows are missing, 0 doubled"),
        ("memory", "voice 7: 3.1 MB more of its own"),
        ("descriptors", "file descriptors more"),
    ],
)
def test_what_is_made_wrong_in_the_log_is_found(soaking, good, how, sentence):
    assert how in soaking.log.SPOILT
    log = soaking.log.spoilt(good, how)
    broken = soaking.rules.broken(log, soaking.counting.count(log))
    assert any(sentence in each for each in broken)


def test_strokes_within_a_faults_window_are_not_expected_to_sound_and_those_after_it_are(soaking, good):
    log = deaf(replace(good, faults=(fault(soaking),)), "graph", 20.0, 21.2)
    figures = soaking.counting.count(log)
    assert soaking.rules.broken(log, figures) == []
    assert figures.notes["graph"].excused == 4
    (recovery,) = figures.recoveries
    assert recovery.recovered
    assert recovery.well_s == pytest.approx(1.0)  # the last stroke that was not heard
    assert recovery.note_s == pytest.approx(1.5)
    late = deaf(log, "graph", 20.0, 24.2)
    broken = soaking.rules.broken(late, soaking.counting.count(late))
    assert "voice killed at 20 s: well again after 4.00 s; within 2 s it must be" in broken


def test_a_fault_that_nobody_may_hear_excuses_no_stroke(soaking, good):
    log = deaf(replace(good, faults=(fault(soaking, "desk killed"),)), "graph", 20.0, 24.2)
    figures = soaking.counting.count(log)
    assert (figures.notes["graph"].missed, figures.notes["graph"].excused) == (9, 0)
    assert any("9 missed" in broken for broken in soaking.rules.broken(log, figures))


def test_an_unplugged_synthesiser_misses_strokes_and_nobody_else_does(soaking, good):
    unplugged = fault(soaking, "synth unplugged", lasts_s=2.0)
    log = deaf(replace(good, faults=(unplugged,)), "synth", 20.0, 22.2)
    figures = soaking.counting.count(log)
    assert soaking.rules.broken(log, figures) == []
    assert (figures.notes["synth"].missed, figures.notes["graph"].excused) == (0, 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"remark": "not well again"}, "voice killed at 20 s: not well again"),
        ({"back_ns": None}, "voice killed at 20 s: well again never"),
        ({"told": ()}, "the condition voice was not told"),
        ({"told": ((BEGIN_NS + 21 * S, True),)}, "the condition voice was not told, or not taken back"),
    ],
)
def test_a_fault_that_was_not_recovered_from_or_not_told_breaks_a_rule(soaking, good, change, sentence):
    log = replace(good, faults=(fault(soaking, **change),))
    figures = soaking.counting.count(log)
    assert any(sentence in broken for broken in soaking.rules.broken(log, figures))
    assert sentence in soaking.report.text(log, figures)


def test_a_film_that_begins_anew_leaves_no_gap_and_a_row_that_stands_twice_is_found(soaking):
    first, second = film(BEGIN_NS, 100), film(BEGIN_NS + 5 * S, 50)[2:]
    second["skipped"][0] = 2
    rows = np.concatenate([first, second])
    counted = soaking.counting.count_rows([rows])
    assert counted == soaking.counting.Rows(rows=148, films=2, skipped=2, missing=0, doubled=0)
    assert soaking.counting.films([rows], PERIOD_NS) == [
        (BEGIN_NS, BEGIN_NS + 99 * PERIOD_NS),
        (BEGIN_NS + 5 * S, BEGIN_NS + 5 * S + 49 * PERIOD_NS),
    ]
    assert soaking.counting.count_rows([np.concatenate([first[:50], first[49:]])]).doubled == 1


def test_strokes_that_the_film_itself_showed_too_late_are_counted_nowhere(soaking, good):
    rows = good.frames[0].copy()
    rows["arrived_ns"][3000:3300] += 500_000_000
    log = deaf(replace(good, frames=(rows,)), "graph", 30.0, 33.0)
    figures = soaking.counting.count(log)
    assert soaking.rules.broken(log, figures) == []
    notes = figures.notes["graph"]
    assert (notes.unseen, notes.extra) == (8, 0)
    heard = soaking.counting.count(replace(good, frames=(rows,))).notes["graph"]  # their notes, all the same
    assert (heard.sounded, heard.unseen, heard.extra) == (notes.sounded, 8, 0)
    assert heard.blind == 8


def test_notes_that_jack_repeats_a_period_later_are_echoes_and_others_that_come_twice_are_extra(
    soaking, good
):
    period_ns = 5_333_333
    for after_ns, echoes, extra in ((period_ns + 20_000, 118, 0), (2 * period_ns, 0, 118)):
        twice = ((at_ns + late_ns, data) for at_ns, data in good.heard["graph"] for late_ns in (0, after_ns))
        log = replace(good, heard={**good.heard, "graph": tuple(sorted(twice))}, period_ns=period_ns)
        notes = soaking.counting.count(log).notes["graph"]
        assert (notes.sounded, notes.echoes, notes.extra) == (118, echoes, extra)


def test_a_note_ends_with_its_port_or_hangs(soaking):
    on, off = bytes((0x99, SNARE, 90)), bytes((0x99, SNARE, 0))
    sounding = soaking.counting.sounding
    assert sounding([(0, on), (S, off)]) == ([], [S], 0)
    assert sounding([(0, on), (13 * S, off)]) == ([0], [], 0)
    assert sounding([(0, on), (S, b"")]) == ([], [S], 1)
    assert sounding([(0, on), (S, bytes((0xB9, 123, 0)))]) == ([], [S], 0)
    assert sounding([(0, on)]) == ([0], [], 0)


def test_an_instrument_may_end_only_where_its_fault_allows_it(soaking, good):
    ended = ((BEGIN_NS + 21 * S, 1),)
    allowed = replace(good, ended=ended, faults=(fault(soaking, "engine killed", well_s=2.0),))
    figures = soaking.counting.count(allowed)
    assert soaking.rules.broken(allowed, figures) == []
    assert figures.recoveries[0].ended_s == pytest.approx(1.0)
    for wrong in ((), ((BEGIN_NS + 21 * S, 3),)):
        log = replace(allowed, ended=wrong)
        assert "engine killed at 20 s: lalelu did not end with status 1, as it must" in soaking.rules.broken(
            log, soaking.counting.count(log)
        )
    alone = replace(good, ended=ended)
    assert soaking.rules.broken(alone, soaking.counting.count(alone)) == [
        "lalelu ended by itself at 21 s, with status 1"
    ]
