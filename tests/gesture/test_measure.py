"""What gestures go by: places, angles, distances, and how far outside of a zone a limb is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onlooker import body
from pydantic import TypeAdapter, ValidationError

from lalelu.config.gestures import Ends, Measure
from lalelu.config.zones import Zone
from lalelu.gesture.act import Sight
from lalelu.gesture.measure import Border, limbs_of, measure, position

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

ARM = {"angle": ["left_shoulder", "left_elbow", "left_wrist"]}
NUMBER = st.floats(-5.0, 5.0)
POINTS = st.none() | st.tuples(NUMBER, NUMBER)


def section(words) -> Measure:
    return TypeAdapter(Measure).validate_python(words)


def value(words, points):
    return measure(section(words))(points)


def arm(degrees, *, forearm=0.7):
    turn = math.radians(90 + degrees)
    wrist = (-0.5 + forearm * math.cos(turn), -0.7 + forearm * math.sin(turn))
    return {"left_shoulder": (-0.5, 0.0), "left_elbow": (-0.5, -0.7), "left_wrist": wrist}


def border(words, mirror_at=None) -> Border:
    return Border(TypeAdapter(Zone).validate_python(words), mirror_at)


def outside(words, x, y, *, handed=1.0, mirror_at=None):
    zone = border(words, mirror_at)
    return zone.outside(zone.place(Sight(0, {}, body(), handed), x, y))


@pytest.mark.parametrize(
    ("words", "limbs"),
    [
        ({"x": "nose"}, ("nose",)),
        ({"y": "mid_hip"}, ("mid_hip",)),
        ({"distance": ["left_wrist", "right_wrist"]}, ("left_wrist", "right_wrist")),
        (ARM, ("left_shoulder", "left_elbow", "left_wrist")),
    ],
)
def test_a_measure_needs_its_limbs_in_their_order(words, limbs):
    assert limbs_of(section(words)) == limbs


def test_a_place_is_measured_to_the_right_or_upwards():
    points = {"nose": (0.25, 0.5)}
    assert (value({"x": "nose"}, points), value({"y": "nose"}, points)) == (0.25, 0.5)


def test_a_distance_is_a_straight_line():
    assert value({"distance": ["a", "b"]}, {"a": (0.0, 0.0), "b": (0.3, -0.4)}) == pytest.approx(0.5)


@pytest.mark.parametrize("degrees", [0, 1, 45, 90, 135, 179, 180, -90, 270])
def test_an_elbow_is_measured_between_the_upper_arm_and_the_forearm(degrees):
    least = abs((degrees + 180) % 360 - 180)
    assert value(ARM, arm(degrees)) == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize("forearm", [0.0, 0.04])
def test_a_limb_without_length_has_no_angle(forearm):
    assert value(ARM, arm(90, forearm=forearm)) is None


def test_a_fore_arms_angle_shakes_by_a_few_degrees_only():
    random = np.random.default_rng(1)
    shaken = [
        value(ARM, {limb: (x + dx, y + dy) for (limb, (x, y)), (dx, dy) in zip(arm(90).items(), noise, strict=True)})
        for noise in random.normal(0.0, 0.02, (2000, 3, 2))
    ]  # fmt: skip
    assert np.std(shaken) < 4.0
    assert np.mean(shaken) == pytest.approx(90.0, abs=0.5)


@pytest.mark.parametrize(
    "words", [{"x": "a"}, {"y": "a"}, {"distance": ["a", "b"]}, {"angle": ["a", "b", "c"]}]
)
def test_a_measure_is_not_known_while_one_of_its_limbs_is_not(words):
    points = {"a": (0.0, 1.0), "b": (1.0, 1.0), "c": (2.0, 0.0)}
    assert value(words, points) is not None
    for limb in limbs_of(section(words)):
        assert value(words, points | {limb: None}) is None


@MANY
@given(POINTS, POINTS, POINTS)
def test_an_angle_is_unknown_or_between_0_and_180_from_wherever_it_is_looked_at(first, middle, last):
    forth = value({"angle": ["a", "b", "c"]}, {"a": first, "b": middle, "c": last})
    back = value({"angle": ["a", "b", "c"]}, {"a": last, "b": middle, "c": first})
    assert forth == back
    assert forth is None or 0.0 <= forth <= 180.0


@pytest.mark.parametrize(("ends", "place"), [((0.0, 2.0), 0.25), ((2.0, 0.0), 0.75), ((-1.5, 0.5), 1.0)])
def test_a_position_runs_from_the_first_end_to_the_last(ends, place):
    assert position(0.5, ends) == pytest.approx(place)


@pytest.mark.parametrize("ends", [(0.5, 0.5), (90.0, 90.005), (-1.0, -1.0)])
def test_ends_in_one_place_are_no_range(ends):
    with pytest.raises(ValidationError, match=r"at least 0\.01 apart"):
        TypeAdapter(Ends).validate_python(ends)


@MANY
@given(st.floats(-360.0, 360.0), st.floats(-360.0, 360.0), st.floats(-1e4, 1e4))
def test_every_range_that_is_allowed_gives_a_number(first, last, seen):
    try:
        ends = TypeAdapter(Ends).validate_python((first, last))
    except ValidationError:
        return
    assert math.isfinite(position(seen, ends))


def test_a_zone_around_the_player_is_measured_in_body_units():
    box = {"box": [0.5, 0.0, 1.0, 1.0]}
    assert outside(box, 0.2, 0.5) == pytest.approx(0.3)
    assert outside(box, 0.7, 0.5) == 0.0


def test_a_zone_in_the_picture_is_measured_in_body_units_as_well():
    # The player of the test is 0.2 image heights wide and has the shoulders at (0.6, 0.35), facing the camera.
    top_left = {"frame": "image", "box": [0.0, 0.0, 0.3, 0.25]}
    assert outside(top_left, 1.5, 0.5) == pytest.approx(0.0, abs=1e-9)
    assert outside(top_left, 1.0, 0.5) == pytest.approx(0.5)
    assert outside(top_left, 1.5, 0.0) == pytest.approx(0.5)


def test_a_left_handed_players_zone_in_the_picture_changes_sides():
    top_left = {"frame": "image", "box": [0.0, 0.0, 0.3, 0.25]}
    # Shown mirrored: what seems to be on the right is on the left, so to the right in the picture: at x = 0.9.
    assert outside(top_left, 1.5, 0.5, handed=-1.0, mirror_at=0.6) == pytest.approx(0.0, abs=1e-9)
    assert outside(top_left, 1.5, 0.5, handed=-1.0) == pytest.approx(3.0)


def test_a_zone_around_a_left_handed_player_is_shown_mirrored_already():
    box = {"box": [0.5, 0.0, 1.0, 1.0]}
    assert outside(box, 0.7, 0.5, handed=-1.0, mirror_at=0.6) == 0.0
