"""The rules of a pad: threshold, mask, retrigger and crosstalk; `explain` names the one that refuses."""

from dataclasses import replace

import numpy as np
import pytest
from drummer import HIHAT, SNARE, changed, hits, poses, seconds, stamps, still, strokes
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.skeleton import COCO17, mirrored
from lalelu.types import Hit

FEW = settings(max_examples=10, deadline=None)
ASPECT = 4 / 3
# Zones of every kind around the snare and the hi-hat of the drummer, in both frames.
ZONES = {
    "box": {"box": [-0.5, -1.4, 0.0, -0.9]},
    "ellipse": {"ellipse": [-0.25, -1.15, 0.3, 0.3]},
    "half_plane": {"half_plane": [0.0, 0.0, 200.0]},
    "sector": {"sector": [0.0, -0.9, 0.1, 0.6, 180.0, 300.0]},
    "box of the picture": {"box": [0.55, 0.5, 0.75, 0.7], "frame": "image"},
    "ellipse of the picture": {"ellipse": [0.65, 0.58, 0.1, 0.1], "frame": "image"},
    "half plane of the picture": {"half_plane": [0.6, 0.5, -60.0], "frame": "image"},
    "sector of the picture": {"sector": [0.6, 0.5, 0.05, 0.2, -90.0, -30.0], "frame": "image"},
}


def kit(zone=None, **options):
    """The snare's pad with the options, and a hi-hat with its crosstalk."""
    pads = {
        "snare": {"note": 38, "zone": zone or {"ellipse": [-0.25, -1.15, 0.3, 0.3]}, **options},
        "hihat": {
            "note": 42,
            "zone": {"ellipse": [-0.85, -0.75, 0.2, 0.2]},
            "crosstalk": options.get("crosstalk", 0.0),
        },
    }
    return KitConfig.model_validate({"name": "test", "pads": pads})


def explained(film, kit):
    told = []
    detector = Detector(kit, skeleton=COCO17, explain=told.append)
    for pose in film:
        detector.step(pose)
    detector.finish()
    return sorted(told, key=lambda verdict: (verdict.lowest_ns, verdict.limb))


def film(*heights, hz=2.0, left=None, begin=1.0):
    """The right hand strikes the snare from each of the heights in turn, at an even pace."""
    t = stamps(begin + 0.5 + (len(heights) + 0.5) / hz)
    right = still(t, SNARE)
    for index, height in enumerate((*heights, heights[-1])):
        cycle = np.clip((t - begin) * hz - index, 0.0, 0.5 if index == len(heights) else 1.0)
        right[:, 1] += height * 0.5 * (1.0 - np.cos(2.0 * np.pi * cycle))
    return poses(t, still(t, HIHAT) if left is None else left(t), right)


def test_a_pad_with_a_threshold_plays_only_fast_strokes_and_says_so():
    told = explained(film(0.6, 0.3, 0.6), kit(threshold=3.0))
    assert [verdict.rule for verdict in told] == [None, "pad_threshold", None]
    assert told[1].pad == "snare"
    assert told[1].why.startswith("peak speed 1.")
    assert "needs 3 (pads.snare.threshold)" in told[1].why


def test_a_pad_with_a_mask_of_its_own_is_deaf_for_longer():
    told = explained(film(*[0.4] * 5, hz=4.0), kit(mask_ms=400))
    assert [verdict.rule for verdict in told] == [None, "pad_mask", None, "pad_mask", None]
    assert told[1].why.startswith("250 ms after")
    assert "400 (pads.snare.mask_ms)" in told[1].why


def test_the_swing_back_after_a_hard_stroke_is_no_retrigger():
    swing = film(0.5, 0.18, 0.18, hz=7.0)
    assert len(hits(swing, kit())) == 3
    told = explained(swing, kit(retrigger=0.5))
    assert [verdict.rule for verdict in told] == [None, "retrigger", None]  # 286 ms later it may sound
    assert "0.5 is needed (pads.snare.retrigger)" in told[1].why


def test_an_equal_stroke_soon_after_is_no_retrigger():
    assert len(hits(film(*[0.5] * 6, hz=7.0), kit(retrigger=0.6))) == 6


def shaken(height, late_s):
    def left(t):
        return strokes(t, HIHAT, hz=2.0, height=height, count=3, begin=1.0 + late_s)[0]

    return film(0.9, 0.9, 0.9, left=left)


# a weak stroke is sure later than a hard one: at -0.026 s both are with the same frame
@pytest.mark.parametrize("late_s", [-0.026, -0.01, 0.0, 0.01, 0.028])
def test_a_weak_stroke_of_the_other_hand_at_the_same_time_is_crosstalk(late_s):
    played = shaken(0.25, late_s)
    assert len(hits(played, kit())) == 6
    told = explained(played, kit(crosstalk=0.4))
    left, right = ([v for v in told if v.limb == limb] for limb in ("left_wrist", "right_wrist"))
    assert [v.rule for v in right] == [None] * 3
    assert [v.rule for v in left] == ["crosstalk"] * 3
    assert {v.why.partition(" as fast, ")[2] for v in left} == {"0.4 is needed (pads.hihat.crosstalk)"}


@pytest.mark.parametrize("late_s", [0.04, 0.12])
def test_a_weak_stroke_of_the_other_hand_a_moment_later_sounds(late_s):
    assert len(seconds(hits(shaken(0.25, late_s), kit(crosstalk=0.4)), "left_wrist")) == 3


def test_an_equal_stroke_of_the_other_hand_is_no_crosstalk():
    assert len(seconds(hits(shaken(0.8, 0.01), kit(crosstalk=0.4)), "left_wrist")) == 3


@pytest.mark.parametrize("options", [{}, {"retrigger": 1.0}, {"crosstalk": 1.0}, {"threshold": 3.0}])
def test_what_is_told_as_a_hit_is_a_hit(options):
    played = shaken(0.25, 0.01)
    found = hits(played, kit(**options))
    told = [(v.lowest_ns, v.limb, v.pad) for v in explained(played, kit(**options)) if v.rule is None]
    assert told == sorted((hit.struck_ns, hit.limb, hit.pad) for hit in found)


@FEW
@given(
    seed=st.integers(0, 10**6),
    hz=st.floats(1.0, 12.0),
    mask_ms=st.integers(80, 500),
    retrigger=st.floats(0.0, 1.0),
    sd=st.floats(0.0, 0.08),
)
def test_a_limb_never_sounds_a_pad_twice_within_its_mask(seed, hz, mask_ms, retrigger, sd):
    t = stamps(1.5 + 10 / hz)
    right, _ = strokes(t, SNARE, hz=hz, height=0.7, count=10)
    options = {"mask_ms": mask_ms} if mask_ms >= 150 else {"mask_ms": mask_ms, "retrigger": retrigger}
    found = hits(poses(t, still(t, HIHAT), right, sd=sd, seed=seed), kit(**options))
    for limb in ("left_wrist", "right_wrist"):
        struck = [hit.struck_ns for hit in found if (hit.limb, hit.pad) == (limb, "snare")]
        assert all(gap >= mask_ms * 1_000_000 for gap in np.diff(struck))


def mirror(pose):
    sides = [COCO17.index(mirrored(name)) for name in COCO17]
    xy = pose.xy[sides]
    xy[:, 0] = ASPECT - xy[:, 0]
    return replace(pose, xy=xy, score=pose.score[sides])


def played(film, kit, *, left_handed=False):
    detector = Detector(kit, skeleton=COCO17, left_handed=left_handed, aspect=ASPECT)
    return [event for pose in film for event in detector.step(pose) if isinstance(event, Hit)]


@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
def test_a_mirrored_picture_swaps_the_hands_of_a_left_handed_kit(zone):
    with_zone = kit(zone, crosstalk=0.3)
    shown = shaken(0.5, 0.0)
    one = [(mirrored(hit.limb), hit.pad, hit.seq) for hit in played(shown, with_zone)]
    other = [
        (hit.limb, hit.pad, hit.seq) for hit in played(changed(shown, mirror), with_zone, left_handed=True)
    ]
    assert sorted(one) == sorted(other)
    assert ("left_wrist", "snare") in {(limb, pad) for limb, pad, _ in one}


@pytest.mark.parametrize("zone", [zone for zone in ZONES.values() if "frame" not in zone])
@FEW
@given(size=st.floats(0.06, 0.4), x=st.floats(0.0, 1.3), y=st.floats(0.0, 0.7))
def test_a_player_nearer_or_elsewhere_plays_the_same_pads(zone, size, x, y):
    t = stamps(3.0)
    right, _ = strokes(t, SNARE, hz=2.0, height=0.6, count=3)
    here, there = (
        [
            (hit.limb, hit.pad, hit.seq, round(hit.strength, 2))
            for hit in hits(poses(t, still(t, HIHAT), right, **more), kit(zone))
        ]
        for more in ({}, {"size": size, "place": (x, y)})
    )
    assert [one[:3] for one in here] == [one[:3] for one in there] != []
    assert [one[3] for one in here] == pytest.approx([one[3] for one in there], abs=0.011)


def test_a_pad_of_the_picture_stays_when_the_player_walks_away():
    t = stamps(3.0)
    right, truth = strokes(t, SNARE, hz=2.0, height=0.6, count=3)
    in_picture = kit({"ellipse": [0.65, 0.58, 0.05, 0.05], "frame": "image"})
    for place, expected in (((0.6, 0.35), len(truth)), ((1.0, 0.35), 0)):
        found = hits(poses(t, still(t, HIHAT), right, place=place), in_picture)
        assert [hit.pad for hit in found] == ["snare"] * expected
