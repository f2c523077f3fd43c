import pytest

from lalelu.config.kit import KitConfig
from lalelu.tuning.parameters import GROUPS, changes, parameters_of, with_values

KIT = KitConfig.model_validate(
    {
        "name": "three",
        "pads": {
            "snare": {"note": 38, "zone": {"box": [-0.5, -1.2, 0.1, -1.0]}},
            "ride": {"note": 51, "zone": {"ellipse": [1.2, -0.5, 0.4, 0.3]}, "threshold": 2.0},
            "wall": {"note": 49, "zone": {"half_plane": [0, 0.2, 90]}},
        },
    }
)


def test_pads_with_too_few_true_hits_are_left_alone():
    names = {one.name for one in parameters_of(KIT, {"snare": 5, "ride": 4}, GROUPS)}
    assert {name.split(".")[1] for name in names if name.startswith("pads.")} == {"snare"}
    assert "strike.min_speed" in names


def test_the_kit_as_it_is_lies_within_all_bounds_and_changes_nothing():
    parameters = parameters_of(KIT, dict.fromkeys(KIT.pads, 9), GROUPS)
    assert all(one.low <= one.now <= one.high for one in parameters)
    assert with_values(KIT, {one.name: one.now for one in parameters}) == KIT


@pytest.mark.parametrize("end", ["low", "high"])
def test_every_bound_makes_a_valid_kit(end):
    parameters = parameters_of(KIT, dict.fromkeys(KIT.pads, 9), GROUPS)
    for one in parameters:
        with_values(KIT, {one.name: getattr(one, end)})


def test_a_box_and_an_ellipse_move_and_grow_about_their_middles():
    values = {f"pads.{pad}.zone.{what}": 0.1 for pad in ("snare", "ride") for what in ("shift_x", "shift_y")}
    kit = with_values(KIT, {**values, "pads.snare.zone.scale": 0.5, "pads.ride.zone.scale": 1.5})
    assert kit.pads["snare"].zone.box == (-0.25, -1.05, 0.05, -0.95)
    assert kit.pads["ride"].zone.ellipse == (1.3, -0.4, 0.6, 0.45)


def test_a_pads_own_threshold_and_mask_never_lie_below_the_strikes():
    values = {"strike.min_speed": 2.5, "strike.mask_ms": 120.4, "pads.snare.mask_ms": 90.0}
    kit = with_values(KIT, {**values, "pads.snare.threshold": 2.0})
    assert (kit.strike.mask_ms, kit.pads["snare"].mask_ms, kit.pads["snare"].threshold) == (120, None, None)
    assert kit.pads["ride"].threshold == 2.5


def test_changes_name_the_places_in_the_kit():
    kit = with_values(KIT, {"strike.min_speed": 0.98765, "pads.snare.zone.shift_x": 0.1})
    assert changes(KIT, kit) == {
        ("strike", "min_speed"): 0.988,
        ("pads", "snare", "zone", "box"): [-0.4, -1.2, 0.2, -1.0],
    }
