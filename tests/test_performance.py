import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.hits import HitRecord, read_hits, write_hits
from lalelu.ledger.schema import NOTE_DTYPE
from lalelu.numbering import limb_names
from lalelu.performance import (
    UNTOLD_LIMB,
    Delays,
    hit_records,
    hit_records_from_notes,
    hit_records_of_epochs,
    sounding_notes,
)
from lalelu.skeleton import COCO17, virtual_of
from lalelu.types import Hit

START = 3 * 10**15  # 35 days of uptime in ns: nothing may be lost in a float
MS = 1_000_000
LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")


def kit() -> KitConfig:
    box = {"box": (-1.0, -1.0, 1.0, 0.0)}
    pads = {"snare": {"zone": box, "note": 38}, "chord": {"zone": box, "note": (60, 64, 67), "channel": 1}}
    return KitConfig.model_validate({"name": "two pads", "pads": pads})


def other() -> KitConfig:
    """A kit with a pad of the same name, one of its own, and a keypoint of its own."""
    pads = {
        "snare": {"zone": {"box": (-1.0, -1.0, 1.0, 0.0)}, "note": [40, 41], "channel": 3},
        "bell": {"zone": {"box": (0.0, 0.0, 1.0, 1.0)}, "note": 84},
    }
    own = {"elbow_tip": {"left_elbow": 1.0}}
    return KitConfig.model_validate({"name": "another", "channel": 2, "pads": pads, "keypoints": own})


def note(**values: int) -> np.ndarray:
    row = np.zeros(1, NOTE_DTYPE)
    usual = {"seq": 7, "limb": 1 + RIGHT, "pad": 1, "note": 38, "channel": 10, "velocity": 96}
    stamps = {"captured_ns": 30 * MS, "struck_ns": 10 * MS, "due_ns": 10 * MS, "sent_ns": 36 * MS}
    for name, value in {**usual, **stamps, **values}.items():
        row[name] = value + START if name.endswith("_ns") else value
    return row


def records_of(*notes: np.ndarray, skeleton=COCO17) -> list[HitRecord]:
    rows = np.concatenate([np.zeros(0, NOTE_DTYPE), *notes])
    return hit_records_from_notes(rows, [kit()], skeleton=skeleton, origin_ns=START)


def chord(**values: int) -> list[np.ndarray]:
    return [
        note(pad=2, channel=1, note=key, sent_ns=(36 + i) * MS, **values)
        for i, key in enumerate((60, 64, 67))
    ]


def test_a_note_tells_who_struck_what_when_it_was_known_and_when_it_sounded():
    assert records_of(note(player=1)) == [
        HitRecord(
            time_s=pytest.approx(0.010, abs=1e-9),
            limb="right_wrist",
            pad="snare",
            player=1,
            velocity=96,
            note=38,
            channel=10,
            decided_s=pytest.approx(0.030, abs=1e-9),
            note_s=pytest.approx(0.036, abs=1e-9),
        )
    ]


def test_a_chord_is_one_hit_told_by_the_note_that_left_first():
    records = records_of(*chord())
    assert [(hit.pad, hit.note, hit.channel, hit.note_s) for hit in records] == [
        ("chord", 60, 1, pytest.approx(0.036))
    ]


def test_a_chord_stays_one_hit_when_another_hits_notes_leave_between_its_own():
    first, *rest = chord()
    assert [hit.pad for hit in records_of(first, note(), *rest)] == ["chord", "snare"]


@pytest.mark.parametrize("other", [{"player": 1}, {"limb": 1 + LEFT}, {"struck_ns": 11 * MS}, {"seq": 8}])
def test_the_same_note_of_another_player_limb_stroke_or_frame_is_another_hit(other):
    assert len(records_of(note(), note(**other))) == 2


def test_hits_are_sorted_by_the_time_of_their_strokes():
    late, early = note(struck_ns=20 * MS), note(struck_ns=5 * MS, sent_ns=50 * MS, limb=1 + LEFT)
    assert [hit.limb for hit in records_of(late, early)] == ["left_wrist", "right_wrist"]


def test_a_limb_and_a_pad_that_are_not_told_stay_unknown():
    assert [(hit.limb, hit.pad) for hit in records_of(note(limb=0, pad=0))] == [(UNTOLD_LIMB, None)]


def test_a_limb_or_a_pad_beyond_the_last_is_unknown_too():
    assert [(hit.limb, hit.pad) for hit in records_of(note(limb=25, pad=3))] == [(UNTOLD_LIMB, None)]


def test_limbs_are_those_of_the_skeleton_that_was_played_with():
    assert [hit.limb for hit in records_of(note(limb=2), skeleton=("foot", "hand"))] == ["hand"]


def test_no_notes_are_no_hits():
    assert records_of() == []


def test_hits_from_notes_can_be_written_and_read_back(tmp_path):
    records = records_of(*chord(), note(limb=0, pad=0, struck_ns=40 * MS))
    write_hits(tmp_path / "hits.jsonl", records)
    assert [(hit.limb, hit.pad, hit.note) for hit in read_hits(tmp_path / "hits.jsonl")] == [
        ("right_wrist", "chord", 60),
        (UNTOLD_LIMB, None, 38),
    ]


def test_the_ledgers_notes_and_the_detectors_hits_tell_the_same_performance():
    hits = [
        Hit(7, START + 30 * MS, START + 10 * MS, 0, "right_wrist", "chord", 96 / 127),
        Hit(9, START + 50 * MS, START + 31 * MS, 0, "left_wrist", "snare", 60 / 127),
    ]
    snare = note(seq=9, captured_ns=50 * MS, struck_ns=31 * MS, sent_ns=56 * MS, limb=1 + LEFT, velocity=60)
    told = hit_records(hits, [kit()], origin_ns=START, delays=Delays(pipeline_ns=6 * MS))
    assert records_of(*chord(), snare) == told
    assert sounding_notes(told, [kit()]) == [
        (pytest.approx(0.036), 60, 96),
        (pytest.approx(0.036), 64, 96),
        (pytest.approx(0.036), 67, 96),
        (pytest.approx(0.056), 38, 60),
    ]


@pytest.mark.parametrize(
    ("delays", "note_s"),
    [
        (Delays(), 0.030),  # known only after it was due
        (Delays(pipeline_ns=6 * MS), 0.036),
        (Delays(delay_ns=60 * MS, pipeline_ns=6 * MS), 0.070),
        (Delays(delay_ns=-5 * MS), 0.030),
    ],
)
def test_a_hits_note_goes_out_when_it_is_due_and_known(delays, note_s):
    hit = Hit(7, START + 30 * MS, START + 10 * MS, 0, "right_wrist", "snare", 0.5)
    [record] = hit_records([hit], [kit()], origin_ns=START, delays=delays)
    assert record.note_s == pytest.approx(note_s)


def test_the_automatic_delay_of_a_performance_is_the_least_that_its_hits_keep():
    hits = [
        Hit(n, START + (30 + n % 10) * MS, START + 10 * MS, 0, "right_wrist", "snare", 0.5) for n in range(50)
    ]
    delays = Delays.asked("auto", hits, pipeline_ms=6.0)  # the last ones are known 29 ms after their strokes
    assert delays == Delays(delay_ns=36 * MS, pipeline_ns=6 * MS)
    assert {delays.note_ns(hit) - hit.struck_ns for hit in hits} == {36 * MS}


def test_a_delay_that_is_asked_for_is_kept_whatever_the_hits_need():
    assert Delays.asked(-5.0, [], pipeline_ms=6.0) == Delays(delay_ns=-5 * MS, pipeline_ns=6 * MS)


@given(st.binary(max_size=56 * 12))
def test_damaged_rows_lose_no_hit_and_make_no_more_than_there_are_notes(data):
    rows = np.frombuffer(data[: len(data) // 56 * 56], NOTE_DTYPE)
    records = hit_records_from_notes(rows, [kit()], skeleton=COCO17, origin_ns=START)
    keys = {tuple(row) for row in rows[["seq", "captured_ns", "struck_ns", "player", "limb", "pad"]].tolist()}
    assert len(records) == len(keys)
    assert [hit.time_s for hit in records] == sorted(hit.time_s for hit in records)


def test_pads_and_limbs_of_notes_are_numbered_over_all_kits():
    rows = np.concatenate([note(pad=pad, limb=limb) for pad, limb in ((2, 18), (3, 24), (4, 25), (5, 26))])
    records = hit_records_from_notes(rows, [kit(), other()], skeleton=COCO17, origin_ns=START)
    assert {(hit.pad, hit.limb) for hit in records} == {
        ("chord", "head"), ("snare", "right_hand"), ("bell", "elbow_tip"), (None, UNTOLD_LIMB),
    }  # fmt: skip


def test_a_hits_kit_tells_its_note_and_the_players_own_channel_goes_before_the_kits():
    hits = [
        Hit(1, START, START + number, player, "right_wrist", pad, 0.5, number % 2)
        for number, (pad, player) in enumerate(
            [("snare", 0), ("bell", 1), ("snare", 1), ("snare", 1), ("chord", 1)]
        )
    ]
    records = hit_records(hits, [kit(), other()], channels=[None, 9], origin_ns=START)
    assert [(hit.note, hit.channel) for hit in records] == [(38, 10), (84, 9), (38, 9), (40, 3), (60, 1)]


def test_pads_of_the_same_name_sound_the_notes_of_their_own_kits():
    records = [
        HitRecord(0.0, "left_wrist", "snare", velocity=1, note=first, note_s=0.0) for first in (38, 40, 99)
    ]
    assert sounding_notes(records, [kit(), other()]) == [(0.0, 38, 1), (0.0, 40, 1), (0.0, 41, 1)]


def test_limbs_are_numbered_by_skeleton_virtual_ones_and_kits_each_name_once():
    names = limb_names(COCO17, [kit(), other(), other()])
    assert names == (*COCO17, *virtual_of(COCO17), "elbow_tip")


def test_each_note_is_told_by_the_kits_of_its_epoch():
    one = {"config": {"kit": kit().model_dump(mode="json")}}  # as in headers from before there were several
    two = {"began_ns": START + 40 * MS, "config": {"kit": None, "kits": [other().model_dump(mode="json")]}}
    two["config"]["kit"] = two["config"]["kits"][0]
    rows = np.concatenate(
        [note(pad=2), note(pad=2, captured_ns=39 * MS), note(pad=2, captured_ns=40 * MS, seq=8)]
    )
    records = hit_records_of_epochs(rows, [one, two], skeleton=COCO17, origin_ns=START)
    assert [(round(hit.decided_s, 3), hit.pad) for hit in records] == [
        (0.030, "chord"),
        (0.039, "chord"),
        (0.040, "bell"),
    ]
