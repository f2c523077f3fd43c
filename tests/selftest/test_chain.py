"""From truth and ledger rows to the chain's figures."""

import json

import numpy as np
import pytest

from lalelu.analysis.latency import broken, parse_budget
from lalelu.config.loader import load_config
from lalelu.errors import UsageError
from lalelu.hits import HitRecord
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE
from lalelu.numbering import Numbers
from lalelu.selftest.chain import DURATIONS, as_json, measure, note_ons, received_ns
from lalelu.skeleton import COCO17

MS = 1_000_000
ORIGIN_NS = 5_000_000_000
LAG_NS = 10 * MS
KITS = load_config(None, builtin=True).kits
SNARE = Numbers(KITS).pads[0, "snare"]
NOTE = KITS[0].pads["snare"].notes[0]
LIMB = 1 + COCO17.index("right_wrist")


def frames(count=200, late=()):
    """Rows of a camera at 100 fps that is punctual but for the frames `late`."""
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    rows["captured_ns"] = ORIGIN_NS + rows["seq"] * 10 * MS
    rows["arrived_ns"] = rows["captured_ns"] + LAG_NS
    rows["arrived_ns"][list(late)] += 20 * MS
    return rows


def notes(true_ms, detection_ms=2.0, sounding_ms=30.0):
    """One note for each true hit, struck and sent as late as is said; decided 20 ms after the stroke."""
    rows = np.zeros(len(true_ms), NOTE_DTYPE)
    struck_ns = ORIGIN_NS + np.round((np.asarray(true_ms, float) + detection_ms) * MS).astype(np.int64)
    rows["struck_ns"] = struck_ns
    rows["seq"] = (struck_ns - ORIGIN_NS) // (10 * MS) + 2
    rows["captured_ns"] = ORIGIN_NS + rows["seq"] * 10 * MS
    rows["sent_ns"] = struck_ns + round(sounding_ms * MS)
    rows["channel"], rows["note"], rows["velocity"] = 10, NOTE, 100
    rows["limb"], rows["pad"] = LIMB, SNARE
    return rows


def truth(true_ms):
    return [HitRecord(ms * 1e-3, "right_wrist", "snare", velocity=100) for ms in true_ms]


def chain_of(rows, heard_ns, true_ms, late=()):
    return measure(
        frames(late=late), rows, heard_ns, truth(true_ms), KITS, origin_ns=ORIGIN_NS, lag_ns=LAG_NS
    )


def messages(rows, after_ms=1.0):
    """What a listener would write down of the notes, each with its end."""
    for row in rows:
        at_ns = int(row["sent_ns"]) + round(after_ms * MS)
        yield at_ns, bytes((0x99, row["note"], row["velocity"]))
        yield at_ns + 50 * MS, bytes((0x89, row["note"], 0))


def test_the_chain_is_the_sum_of_its_parts():
    true_ms = [100.0, 400.0, 900.0]
    rows = notes(true_ms)
    chain = chain_of(rows, received_ns(rows, note_ons(messages(rows))), true_ms)
    assert (chain.played, chain.found, chain.missed, chain.extra, chain.unheard) == (3, 3, 0, 0, 0)
    assert list(chain.durations) == list(DURATIONS)
    found = {name: (each.count, each.p50, each.sd) for name, each in chain.durations.items()}
    for name, p50 in {"chain": 33.0, "detection": 2.0, "sounding": 30.0, "arrival": 1.0}.items():
        assert found[name] == (3, pytest.approx(p50, abs=1e-4), pytest.approx(0.0, abs=1e-4))


def test_a_note_that_was_never_received_is_a_missed_hit_and_is_counted():
    true_ms = [100.0, 400.0, 900.0]
    rows = notes(true_ms)
    heard = [message for message in note_ons(messages(rows)) if message[0] != int(rows["sent_ns"][1]) + MS]
    chain = chain_of(rows, received_ns(rows, heard), true_ms)
    assert (chain.found, chain.missed, chain.unheard) == (2, 1, 1)
    assert chain.durations["arrival"].max == pytest.approx(1.0, abs=1e-4)


def test_a_lost_note_does_not_take_the_next_one_of_its_pad():
    rows = notes([100.0, 230.0])
    heard = note_ons(messages(rows))[1:]
    assert received_ns(rows, heard).tolist() == [-1, heard[0][0]]


def test_two_notes_of_one_kind_keep_their_order():
    rows = notes([100.0, 150.0])
    heard = note_ons(messages(rows, after_ms=60.0))
    assert received_ns(rows, heard).tolist() == [at_ns for at_ns, _ in heard]


def test_a_hit_nowhere_near_the_truth_is_extra_and_in_no_duration():
    rows = notes([100.0, 700.0])
    chain = chain_of(rows, received_ns(rows, note_ons(messages(rows))), [100.0])
    assert (chain.found, chain.extra) == (1, 1)
    assert chain.durations["chain"].count == 1


def test_a_hit_whose_frame_was_filmed_late_is_found_but_not_measured():
    rows = notes([100.0, 400.0])
    chain = chain_of(
        rows, received_ns(rows, note_ons(messages(rows))), [100.0, 400.0], late=[int(rows["seq"][1])]
    )
    assert (chain.found, chain.late_film, chain.durations["chain"].count) == (2, 1, 1)


def test_only_what_begins_a_note_counts_as_one():
    ends = [(1, bytes((0x89, 38, 0))), (2, bytes((0x99, 38, 0))), (3, bytes((0xB9, 4, 90))), (4, b"\xf8")]
    assert note_ons([*ends, (5, bytes((0x90, 60, 1)))]) == [(5, (1, 60, 1))]


def test_where_nothing_was_played_nothing_is_claimed():
    rows = notes([])
    chain = measure(
        np.zeros(0, FRAME_DTYPE), rows, received_ns(rows, []), [], KITS, origin_ns=0, lag_ns=LAG_NS
    )
    plain = json.loads(json.dumps(as_json(chain), allow_nan=False))
    assert plain["hits"] == {"played": 0, "found": 0, "missed": 0, "extra": 0, "late_film": 0}
    assert plain["durations_ms"]["chain"]["p50"] is None
    assert plain["skipped_share"] is None


def test_a_budget_names_a_part_of_the_chain():
    true_ms = [100.0, 400.0]
    rows = notes(true_ms)
    chain = chain_of(rows, received_ns(rows, note_ons(messages(rows))), true_ms)
    kept, missed = (parse_budget(f"chain.p99={limit}ms", tuple(DURATIONS)) for limit in (34, 32))
    assert broken(chain, [kept]) == []
    assert broken(chain, [missed]) == ["budget chain.p99=32ms: it is 33.000 ms"]
    with pytest.raises(UsageError, match=r"'frame' is not measured; choose one of chain, detection"):
        parse_budget("frame.p99=10ms", tuple(DURATIONS))
