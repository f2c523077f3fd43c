"""What goes through the rings comes out as it went in, and what fits no row is counted."""

import os
from dataclasses import replace

import numpy as np
import pytest
from system.stage import orders_of, poses_of, rows_of, session_of, stage_plan

from lalelu.channel import RingReader
from lalelu.clock import now_ns
from lalelu.config.kit import KitConfig
from lalelu.ledger.schema import NOTE_DTYPE, UNTOLD
from lalelu.numbering import limb_names
from lalelu.session import CONTROL, FINISH, HIT, PLAY, RELEASE, SILENCE, TAP
from lalelu.skeleton import COCO17
from lalelu.types import Command, Control, Hit, Pose, Release
from lalelu.voice.voice import NoteSent, Strike
from lalelu.wire import EngineRings, EventRing, note_row, read_hit

BOX = {"box": (-1.0, -1.0, 1.0, 1.0)}
PADS = {"left": {"zone": BOX, "note": 38}, "right": {"zone": BOX, "note": 45}}
VOLUME = {"gesture": "control", "by": {"y": "nose"}, "between": [0, 1], "to": {"controller": 7}}
KITS = tuple(
    KitConfig.model_validate({"name": name, "pads": PADS, "gestures": gestures, "keypoints": keypoints})
    for name, gestures, keypoints in (
        ("first", {"stomp": {"gesture": "kick", "pad": "left"}, "volume": VOLUME}, {}),
        ("second", {"volume": VOLUME}, {"elbow_tip": {"left_elbow": 1.2, "left_shoulder": -0.2}}),
    )
)
HIT_OF_A_PAD = Hit(
    seq=7, captured_ns=3 * 10**15, struck_ns=3 * 10**15 - 1, player=2, limb="right_wrist", pad="right",
    strength=0.1,
)  # fmt: skip
STRIKE = Strike(7, 3 * 10**15, 3 * 10**15 - 1, 0.1, 2, 1 + COCO17.index("right_wrist"), 2)
POSE = Pose(
    seq=9,
    captured_ns=10**15,
    player=1,
    xy=np.arange(34, dtype=np.float32).reshape(17, 2) / 7 - 1,
    score=np.arange(17, dtype=np.float32) / 17,
    via="flow",
)


@pytest.fixture
def wired(tmp_path):
    """A session and the engine's rings in it."""
    plan = replace(stage_plan(tmp_path), kits=KITS)
    with session_of(plan, tmp_path) as (session, bell):
        yield session, bell, EngineRings(session, bell, kits=KITS, skeleton=COCO17, keeps_poses=True)


def told(session):
    return [read_hit(record) for record in RingReader(session / "hits").read(0).records]


def test_the_voice_reads_the_hits_that_the_engine_played(wired):
    session, _, rings = wired
    other = replace(HIT_OF_A_PAD, limb="left_wrist", pad="left", strength=1.0, player=255)
    rings.send([HIT_OF_A_PAD, other])
    assert told(session) == [
        (PLAY, STRIKE),
        (PLAY, replace(STRIKE, limb=1 + COCO17.index("left_wrist"), pad=1, strength=1.0, player=255)),
    ]


def test_a_hit_on_another_kits_pad_has_a_number_behind_those_of_the_kits_before(wired):
    session, _, rings = wired
    rings.send([replace(HIT_OF_A_PAD, kit=1, pad="left")])
    assert told(session) == [(PLAY, replace(STRIKE, pad=3))]


@pytest.mark.parametrize(
    ("limb", "number"), [("nose", 1), ("head", 18), ("right_hand", 24), ("elbow_tip", 25), ("tail", 0)]
)
def test_keypoints_virtual_ones_and_the_kits_own_have_numbers_and_others_have_none(wired, limb, number):
    session, _, rings = wired
    rings.send([replace(HIT_OF_A_PAD, limb=limb)])
    ((_, strike),) = told(session)
    assert strike.limb == number
    assert (("", *limb_names(COCO17, KITS))[number] or "tail") == limb


def test_more_limbs_than_a_row_can_tell_have_no_number(wired):
    session, bell, _ = wired
    skeleton = [f"joint_{number}" for number in range(300)]
    rings = EngineRings(session, bell, kits=KITS, skeleton=skeleton, keeps_poses=False)
    rings.send([replace(HIT_OF_A_PAD, limb=limb) for limb in ("joint_254", "joint_255", "elbow_tip")])
    assert [strike.limb for _, strike in told(session)] == [255, 0, 0]


def test_releases_controls_taps_and_standby_are_told_with_their_numbers(wired):
    session, bell, rings = wired
    rings.send(
        [
            Release(seq=1, captured_ns=20, at_ns=10, player=3, pad="right", kit=1),
            Control(seq=2, captured_ns=30, player=4, target="volume", value=0.75, kit=1),
            Control(seq=3, captured_ns=40, player=0, target="volume", value=0.25),
            Command(seq=4, captured_ns=50, player=1, name="tap", at_ns=45),
            Command(seq=5, captured_ns=60, player=2, name="standby", at_ns=55),
        ]
    )
    assert told(session) == [
        (RELEASE, Strike(1, 20, 10, 0.0, 3, 0, 4)),
        (CONTROL, Strike(2, 30, 0, 0.75, 4, 0, 3)),
        (CONTROL, Strike(3, 40, 0, 0.25, 0, 0, 2)),
        (TAP, Strike(4, 50, 45, 0.0, 1, 0, 0)),
        (SILENCE, Strike(5, 60, 55, 0.0, 2, 0, 0)),
    ]
    assert os.eventfd_read(bell) == 1


@pytest.mark.parametrize("name", ["play", "kit"])
def test_what_is_nothing_to_the_voice_does_not_wake_it(wired, name):
    session, bell, rings = wired
    rings.send([Command(1, 10, 0, name, 10, 1)])
    assert told(session) == []
    os.set_blocking(bell, False)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(bell)


def test_the_bell_is_rung_once_for_each_call(wired):
    _, bell, rings = wired
    rings.send([HIT_OF_A_PAD, HIT_OF_A_PAD])
    assert os.eventfd_read(bell) == 1
    rings.silence()
    rings.finish()
    assert os.eventfd_read(bell) == 2


def test_silence_and_finish_stand_among_the_hits_in_their_order(wired):
    session, _, rings = wired
    rings.send([HIT_OF_A_PAD])
    rings.silence()
    rings.send([HIT_OF_A_PAD])
    rings.finish()
    assert [kind for kind, _ in told(session)] == [PLAY, SILENCE, PLAY, FINISH]


@pytest.mark.parametrize(
    "change", [{"player": 256}, {"seq": 1 << 63}, {"struck_ns": -(1 << 63) - 1}], ids=str
)
def test_a_hit_that_fits_no_row_is_counted_and_the_others_are_played(wired, change):
    session, bell, rings = wired
    rings.send([replace(HIT_OF_A_PAD, **change), HIT_OF_A_PAD])
    assert told(session) == [(PLAY, STRIKE)]
    assert (rings.unwritten, os.eventfd_read(bell)) == (1, 1)


def test_a_frames_row_reads_as_it_was_written(wired):
    session, _, rings = wired
    stamps = [3 * 10**15 + number for number in range(8)]
    rings.frame((1 << 63) - 1, *stamps, (1 << 31) - 1, 3, 255, 1, [UNTOLD, *range(7)])
    (row,) = rows_of(session)
    assert row.tolist() == ((1 << 63) - 1, *stamps, (1 << 31) - 1, 3, 255, 1, UNTOLD, *range(7))


def test_a_frame_that_fits_no_row_is_counted_and_spoils_no_other(wired):
    session, _, rings = wired
    stamps = [3 * 10**15 + number for number in range(8)]
    rings.frame(1, *stamps, 0, 0, 1, 0, [0] * 8)
    rings.frame(2, *stamps, 0, 1 << 15, 1, 0, [0] * 8)
    rings.frame(3, *stamps, 0, 0, 256, 0, [0] * 8)
    rings.frame(4, *stamps, 0, 0, 1, 0, [0] * 8)
    assert rings.unwritten == 2
    assert [row.tolist() for row in rows_of(session)] == [
        (seq, *stamps, 0, 0, 1, 0, *[0] * 8) for seq in (1, 4)
    ]


def test_a_pose_reads_as_it_was_written(wired):
    session, _, rings = wired
    rings.pose(POSE)
    rings.pose(
        replace(POSE, seq=10, xy=POSE.xy[:, ::-1].astype(np.float64), score=POSE.score[::-1], via="net")
    )
    first, second = poses_of(session)
    assert (first.seq, first.captured_ns, first.player, first.via) == (9, 10**15, 1, "flow")
    np.testing.assert_array_equal(first.xy, POSE.xy)
    np.testing.assert_array_equal(first.score, POSE.score)
    assert (second.seq, second.via) == (10, "net")
    np.testing.assert_array_equal(second.xy, POSE.xy[:, ::-1])
    np.testing.assert_array_equal(second.score, POSE.score[::-1])


def test_a_pose_that_fits_no_row_is_counted(wired):
    session, _, rings = wired
    rings.pose(replace(POSE, player=256))
    rings.pose(POSE)
    assert [pose.player for pose in poses_of(session)] == [1]
    assert rings.unwritten == 1


def test_new_rings_go_on_where_the_old_ones_ended(wired):
    session, bell, rings = wired
    rings.send([HIT_OF_A_PAD])
    EngineRings(session, bell, kits=KITS, skeleton=COCO17, keeps_poses=True).send([HIT_OF_A_PAD])
    assert [order[0] for order in orders_of(session)] == [7, 7]


def test_an_event_tells_when_and_what(wired):
    session, _, _ = wired
    before_ns = now_ns()
    EventRing(session, "lead").write("voice died", "SIGKILL")
    (row,) = rows_of(session, "events.lead")
    assert (row["kind"], row["text"]) == (b"voice died", b"SIGKILL")
    assert before_ns <= row["at_ns"] <= now_ns()


def test_a_long_event_is_cut_between_two_characters(wired):
    session, _, _ = wired
    EventRing(session, "lead").write("k" * 30 + "ü", "é" + 95 * "x" + "é")
    EventRing(session, "lead").write("ü", 95 * "x" + "é")
    rows = rows_of(session, "events.lead")
    assert rows["kind"].tolist() == [b"k" * 24, b"?"]
    assert [text.decode() for text in rows["text"].tolist()] == ["é" + 94 * "x", 95 * "x"]


def test_a_note_reads_as_it_was_sent():
    strike = replace(STRIKE, pad=1000)  # sixteen kits may have so many
    note = NoteSent(strike, due_ns=1, woken_ns=2, sent_ns=1_000_002, channel=16, note=127, velocity=1)
    (row,) = np.frombuffer(note_row(note), NOTE_DTYPE)
    stamps = (STRIKE.seq, STRIKE.captured_ns, STRIKE.struck_ns, 1, 2, 1_000_002)
    assert row.tolist() == (*stamps, 2, 16, 127, 1, True, STRIKE.limb, 1000)
    assert row["late"] == 1


def test_orders_have_the_size_of_a_rings_record(wired):
    session, _, _ = wired
    assert RingReader(session / "hits").record_bytes == HIT.size == 40
