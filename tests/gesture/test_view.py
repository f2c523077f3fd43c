"""What a detector shows of a player: where their body lies, and whether a stroke would count."""

import numpy as np
import pytest
from feet import stomps
from system.stage import KIT, SHOULDERS, WIDTH, poses

from lalelu.config.kit import KitConfig
from lalelu.gesture.band import Band
from lalelu.skeleton import COCO17
from lalelu.types import Hit


@pytest.fixture
def band():
    kit = KitConfig.model_validate(
        {
            "name": "stage",
            "strike": {"mask_ms": 100},
            "pads": {
                "left": {"note": 38, "zone": {"box": [-1.2, -1.4, -0.1, -0.4]}},
                "right": {"note": 45, "zone": {"box": [0.1, -1.4, 1.2, -0.4]}},
            },
        }
    )
    assert set(kit.pads) == {line.split(":")[0].strip() for line in KIT.splitlines() if "note:" in line}
    return Band([kit], skeleton=COCO17)


def test_nobody_is_shown_before_they_are_seen(band):
    assert band.view(0) is None


def test_the_body_frame_and_the_limbs_follow_the_player(band):
    for pose in poses(1.0):
        band.frame(pose.seq, pose.captured_ns, [pose])
        view = band.view(0)
        assert view.place == pytest.approx(SHOULDERS, abs=1e-4)
        assert (view.size, view.side) == (pytest.approx(WIDTH, rel=0.02), -1.0)
        if pose.seq > 20:
            left, right = view.limbs
            assert (left.limb, right.limb) == ("left_wrist", "right_wrist")
            truth = -0.6 + 0.4 * np.cos(2 * np.pi * 3.0 * pose.seq / 100)
            assert left.y == pytest.approx(truth, abs=0.05)
            assert right.x == pytest.approx(0.6, abs=0.02)


def test_a_limb_is_armed_but_in_the_mask_time_after_its_stroke(band):
    struck_ns = {}
    unarmed = 0
    for pose in poses(1.5):
        for event in band.frame(pose.seq, pose.captured_ns, [pose]):
            if isinstance(event, Hit):
                struck_ns[event.limb] = event.struck_ns
        for limb in band.view(0).limbs:
            if limb.limb in struck_ns:
                masked = pose.captured_ns - struck_ns[limb.limb] < 100_000_000
                assert limb.armed is not masked
                unarmed += masked
    assert unarmed > 10


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_foot_that_only_a_gesture_plays_is_shown_too(left_handed):
    foot = "left_ankle" if left_handed else "right_ankle"
    kit = KitConfig.model_validate(
        {
            "name": "feet",
            "pads": {"bass": {"note": 36}, "snare": {"note": 38, "zone": {"box": [-1.2, -1.4, 1.2, -0.4]}}},
            "gestures": {"stomp": {"gesture": "kick", "pad": "bass", "mask_ms": 150}},
        }
    )
    band = Band([kit], skeleton=COCO17, left_handed=left_handed)
    t = np.arange(300) / 100
    height, _ = stomps(t, hz=2.0, mm=80.0, begin=0.5, count=4)
    shown, struck_ns = [], None
    for pose, up in zip(poses(3.0), height, strict=True):
        at = COCO17.index(foot)
        pose.xy[at] = (SHOULDERS[0], SHOULDERS[1] + WIDTH * (3.0 - up))
        pose.score[at] = 0.7
        for event in band.frame(pose.seq, pose.captured_ns, [pose]):
            if isinstance(event, Hit) and event.limb == foot:
                struck_ns = event.struck_ns
        seen = {limb.limb: limb for limb in band.view(0).limbs}
        assert {"left_wrist", "right_wrist"} < {*seen, foot}
        if foot in seen:
            shown.append((seen[foot].y, up))
            if struck_ns is not None:
                assert seen[foot].armed is (pose.captured_ns - struck_ns >= 150_000_000)
    assert struck_ns is not None
    y, up = np.array(shown).T
    assert len(shown) > 250
    assert y - y[0] == pytest.approx(up - up[0], abs=0.05)
