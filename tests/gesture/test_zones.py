import pytest
import yaml

from lalelu.config.kit import KitConfig, PadSection
from lalelu.config.loader import shipped_kits
from lalelu.errors import UsageError
from lalelu.gesture.zones import REACH, STAY, Zones

# Where a drummer's wrists are at their lowest, body units.
PLACES = {
    "hihat": (-0.75, -0.75),
    "snare": (-0.25, -1.15),
    "tom": (0.15, -0.6),
    "floor_tom": (0.75, -1.15),
    "ride": (1.2, -0.6),
    "crash": (-0.85, -0.05),
}


def kit(project, name):
    values = yaml.safe_load((project / "config" / "kits" / f"{name}.yaml").read_text(encoding="utf-8"))
    for pad in values["pads"].values():
        pad["note"] = 38  # names of notes are not this test's matter
    return KitConfig.model_validate(values)


def pad(**more):
    return PadSection.model_validate({"note": 38, **more})


@pytest.mark.parametrize("limb", ["left_wrist", "right_wrist"])
@pytest.mark.parametrize("dx", [-0.12, 0.0, 0.12])
@pytest.mark.parametrize("dy", [-0.12, 0.0, 0.12])
def test_the_rock_kit_lies_where_the_wrists_strike(project, limb, dx, dy):
    zones = Zones(kit(project, "rock").pads)
    assert {name: zones.pad_at(limb, x + dx, y + dy) for name, (x, y) in PLACES.items()} == {
        name: name for name in PLACES
    }


@pytest.mark.parametrize("name", shipped_kits())
def test_no_pad_reaches_the_thighs(project, name):
    zones = Zones(kit(project, name).pads)
    assert {zones.pad_at("right_wrist", x / 10, -1.56) for x in range(-20, 21)} == {None}


def test_left_handed_pads_change_sides_and_limbs():
    zones = Zones(
        {"hat": pad(zone={"box": [-1.0, -1.0, -0.5, -0.5]}, limbs=["right_wrist"])}, left_handed=True
    )
    assert zones.limbs == ("left_wrist",)
    assert zones.pad_at("left_wrist", 0.75, -0.75) == "hat"
    assert zones.pad_at("left_wrist", -0.75, -0.75) is None
    assert zones.pad_at("right_wrist", 0.75, -0.75) is None


def test_a_stroke_at_the_rim_sounds_and_one_beyond_the_reach_does_not():
    zones = Zones({"one": pad(zone={"ellipse": [0.0, -1.0, 0.2, 0.1]})})
    assert zones.pad_at("left_wrist", 0.19 + REACH, -1.0) == "one"
    assert zones.pad_at("left_wrist", 0.21 + REACH, -1.0) is None


def test_the_nearest_of_two_pads_wins():
    zones = Zones(
        {
            "one": pad(zone={"box": [-1.0, -1.0, 0.0, 0.0]}),
            "two": pad(zone={"box": [-0.2, -1.0, 1.0, 0.0]}),
        }
    )
    assert [zones.pad_at("left_wrist", x, -0.5) for x in (-1.2, -0.15, -0.05, 1.2)] == [
        "one",
        "one",
        "two",
        "two",
    ]


def at(zone, *points, **more):
    zones = Zones({"one": pad(zone=zone)}, **more)
    return [zones.pad_at("left_wrist", x, y) == "one" for x, y in points]


def test_a_half_plane_is_all_on_one_side_of_a_line():
    above = {"half_plane": [0.0, 0.5, 90.0]}
    assert at(above, (5.0, 0.6), (-5.0, 9.0), (0.0, 0.51 - REACH), (0.0, 0.49 - REACH)) == [
        True,
        True,
        True,
        False,
    ]
    right_below = {"half_plane": [1.0, 0.0, -45.0]}
    assert at(right_below, (3.0, -1.0), (1.0, 1.0), (1.0, 0.4)) == [True, False, True]


def test_a_sector_is_a_part_of_a_ring():
    quarter = {"sector": [0.0, 0.0, 1.0, 2.0, 0.0, 90.0]}
    inside = [(1.5, 0.1), (0.1, 1.5), (1.0, 1.0)]
    near = [(0.99 - REACH, 0.0), (2.01 + REACH - 0.02, 0.0), (1.5, 0.01 - REACH), (0.01 - REACH, 1.5)]
    beyond = [(0.0, 0.0), (2.02 + REACH, 0.0), (1.5, -0.01 - REACH), (-0.01 - REACH, 1.5), (-1.0, -1.0)]
    assert at(quarter, *inside) == [True] * 3
    assert at(quarter, *near[1:]) == [True] * 3
    assert at(quarter, *beyond) == [False] * 5


def test_a_sector_may_go_all_around_and_across_the_left():
    ring = {"sector": [0.0, 0.0, 1.0, 1.5, -180.0, 180.0]}
    assert at(ring, (-1.2, 0.0), (1.2, 0.0), (0.0, -1.2), (0.5, 0.0)) == [True, True, True, False]
    left = {"sector": [0.0, 0.0, 0.0, 1.0, 170.0, 190.0]}
    assert at(left, (-0.9, 0.05), (-0.9, -0.05), (0.9, 0.0)) == [True, True, False]


def test_a_pad_with_a_middle_wins_in_a_half_plane():
    zones = Zones(
        {
            "all": pad(zone={"half_plane": [0.0, -1.0, 90.0]}),
            "bell": pad(zone={"ellipse": [0.0, 0.0, 0.2, 0.2]}),
        }
    )
    assert [zones.pad_at("left_wrist", x, 0.0) for x in (0.1, 0.3)] == ["bell", "all"]


def test_a_pad_in_the_picture_is_measured_there_and_its_reach_in_body_units():
    zones = Zones({"one": pad(zone={"box": [0.1, 0.2, 0.3, 0.4], "frame": "image"})})
    unit = 0.2  # image heights
    for x, y, reached in (
        (0.2, 0.3, True),
        (0.2, 0.41, True),
        (0.2, 0.4 + 0.99 * REACH * unit, True),
        (0.2, 0.4 + 1.01 * REACH * unit, False),
        (0.2, -0.3, False),
    ):
        assert (zones.pad_at("left_wrist", 9.0, 9.0, image=(x, y, unit)) == "one") is reached
    assert zones.pad_at("left_wrist", 0.2, 0.3) is None  # nobody knows where that is in the picture


def test_left_handed_pads_of_the_picture_change_its_sides_which_takes_its_width():
    pads = {"one": pad(zone={"half_plane": [0.3, 0.0, 180.0], "frame": "image"})}
    zones = Zones(pads, left_handed=True, aspect=1.5)
    places = [(x, 0.5, 0.01) for x in (0.2, 1.1, 1.3)]
    assert [zones.pad_at("left_wrist", 0, 0, image=place) for place in places] == [None, None, "one"]
    with pytest.raises(UsageError, match=r"pads\.one\.zone has frame: image"):
        Zones(pads, left_handed=True)


def test_the_pad_that_was_played_last_keeps_what_another_one_is_hardly_nearer_to():
    zones = Zones(
        {"one": pad(zone={"box": [-1.0, -1.0, -0.1, 0.0]}), "two": pad(zone={"box": [0.1, -1.0, 1.0, 0.0]})}
    )
    stays, goes = 0.45 * STAY, 0.55 * STAY  # nearer to one of them by twice this
    for x, last, expected in (
        (-stays, None, "one"),
        (stays, "one", "one"),
        (goes, "one", "two"),
        (-stays, "two", "two"),
        (-goes, "two", "one"),
        (0.05, "elsewhere", "two"),
    ):
        assert zones.pad_at("left_wrist", x, -0.5, last=last) == expected


def test_a_small_pad_on_a_large_one_is_found_from_it():
    zones = Zones(
        {
            "ride": pad(zone={"ellipse": [0.0, 0.0, 0.6, 0.4]}),
            "bell": pad(zone={"ellipse": [0.2, 0.0, 0.12, 0.12]}),
        }
    )
    assert zones.pad_at("left_wrist", 0.2, 0.02, last="ride") == "bell"
    assert zones.pad_at("left_wrist", -0.1, 0.0, last="bell") == "ride"
