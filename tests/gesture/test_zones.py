import pytest
import yaml

from lalelu.config.schema import KitConfig, PadSection
from lalelu.gesture.zones import REACH, Zones

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


@pytest.mark.parametrize("name", ["rock", "minimal"])
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
