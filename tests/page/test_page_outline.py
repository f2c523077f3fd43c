"""Pads as they are drawn."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.page.outline import drawn_pads, stomps

ZONES = {
    "box": [-1.0, -1.2, 0.5, -0.4],
    "ellipse": [0.5, -0.8, 0.4, 0.2],
    "sector": [0.2, -0.5, 0.3, 0.9, 20.0, 200.0],
    "half_plane": [0.1, -0.3, 60.0],
}


def kit(shape, frame="body", **options):
    zone = {
        shape: [abs(number) for number in ZONES[shape]] if frame == "image" else ZONES[shape],
        "frame": frame,
    }
    if frame == "image" and shape == "box":
        zone["box"] = [0.1, 0.2, 0.5, 0.6]
    return KitConfig.model_validate({"name": "a", "pads": {"snare": {"note": 38, "zone": zone, **options}}})


@given(st.sampled_from(sorted(ZONES)), st.floats(1.0, 2.0))
def test_a_left_handed_player_s_pads_are_mirrored_with_their_limbs(shape, aspect):
    (pad,) = drawn_pads(kit(shape, limbs=["left_wrist"], players=[1]), left_handed=False, aspect=aspect)
    (other,) = drawn_pads(kit(shape, limbs=["left_wrist"]), left_handed=True, aspect=aspect)
    assert (pad["limbs"], other["limbs"]) == (("left_wrist",), ("right_wrist",))
    assert (pad["players"], other["players"]) == ((1,), None)
    assert [(-x, y) for x, y in pad["outline"]] == other["outline"]


def test_a_pad_of_the_picture_is_mirrored_in_the_picture_and_has_its_own_threshold():
    right, left = (
        drawn_pads(kit("box", "image", threshold=2.5), left_handed=handed, aspect=1.5)[0]
        for handed in (False, True)
    )
    assert right["threshold"] == 2.5
    assert [x for x, _ in left["outline"]] == pytest.approx([1.5 - x for x, _ in right["outline"]], abs=1e-3)


def test_a_pad_that_only_gestures_play_is_not_drawn():
    plain = KitConfig.model_validate(
        {
            "name": "a",
            "pads": {"kick": {"note": 36}, "snare": {"note": 38, "zone": {"box": ZONES["box"]}}},
            "gestures": {"foot": {"gesture": "kick", "limb": "right_ankle", "pad": "kick"}},
        }
    )
    assert [pad["name"] for pad in drawn_pads(plain, left_handed=False, aspect=1.0)] == ["snare"]
    assert math.isclose(
        drawn_pads(plain, left_handed=False, aspect=1.0)[0]["threshold"], plain.strike.min_speed
    )
    (stomp,) = stomps(plain, left_handed=True)
    assert (stomp["name"], stomp["limbs"], stomp["threshold"]) == ("kick", ["left_ankle"], 1.2)
