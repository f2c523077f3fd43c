import numpy as np
import pytest
from drummer import HIHAT, KIT, SNARE, hits, poses, stamps, still, strokes
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig, PadSection
from lalelu.gesture.velocity import (
    ENOUGH,
    FIRST_FULL_SPEED,
    LEAST_FULL_SPEED,
    MOST_FULL_SPEED,
    Range,
    Speeds,
    strength_curve,
)
from lalelu.voice.voice import velocity_of

FRAME_NS = 10_000_000
SCAN_NS = 20_000_000


def curve(**options):
    return strength_curve(PadSection.model_validate({"note": 38, "zone": {"box": (0, 0, 1, 1)}, **options}))


POINTS = (
    st.tuples(
        st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8, unique=True),
        st.lists(st.integers(1, 127), min_size=8, max_size=8),
    )
    .map(lambda both: list(zip(sorted(both[0]), sorted(both[1]), strict=False)))
    .map(lambda points: {"curve": points})
)
CURVES = st.one_of(
    st.sampled_from([{"curve": "linear"}, {"curve": "log"}, {"curve": "exp"}]),
    st.integers(1, 127).map(lambda velocity: {"curve": "fixed", "velocity": velocity}),
    POINTS,
)


@given(options=CURVES, shares=st.lists(st.floats(0.0, 1.0), min_size=2))
def test_velocity_never_falls_with_speed_and_stays_in_range(options, shares):
    strengths = [curve(**options)(share) for share in sorted(shares)]
    assert strengths == sorted(strengths)
    assert all(0.0 <= strength <= 1.0 for strength in strengths)


def test_the_curves_meet_at_both_ends_and_differ_between_them():
    curves = {name: curve(curve=name) for name in ("exp", "linear", "log")}
    assert [[c(0.0), c(1.0)] for c in curves.values()] == [pytest.approx([0.0, 1.0])] * 3
    assert [round(c(0.5), 2) for c in curves.values()] == [0.24, 0.5, 0.74]
    assert curves["log"](curves["exp"](0.3)) == pytest.approx(0.3)


def test_a_fixed_curve_plays_the_velocity_that_it_names():
    assert {velocity_of(curve(curve="fixed", velocity=77)(share)) for share in (0.0, 0.4, 1.0)} == {77}


def test_points_are_joined_by_lines_and_level_beyond_their_ends():
    line = curve(curve=[[0.2, 20], [0.6, 60], [0.8, 127]])
    assert [velocity_of(line(share)) for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)] == [
        20,
        20,
        40,
        60,
        127,
        127,
    ]


def seen(velocities, gap_ns=FRAME_NS):
    speeds = Speeds()
    for index, (vx, vy) in enumerate(velocities):
        speeds.see(index * gap_ns, vx, vy)
    return speeds


def test_the_peak_is_the_mean_of_the_fastest_frames_within_the_scan():
    fall = seen([(0, -1), (0, -1), (0, -2), (0, -6), (0, -7), (0, -5), (0, -1), (0, 1)])
    assert fall.fastest(SCAN_NS) == pytest.approx(6.0)
    assert fall.fastest(0) == pytest.approx(7.0)


def test_a_scan_is_a_time_and_not_a_number_of_frames():
    t = np.arange(0.0, 0.25, 0.001)
    smooth = 5.0 * np.sin(np.pi * t / 0.25)
    by_rate = [
        seen([(0.0, -v) for v in smooth[::step]], step * 1_000_000).fastest(SCAN_NS) for step in (2, 5, 10)
    ]
    assert by_rate == pytest.approx([5.0] * 3, rel=0.01)


def test_a_sweep_to_the_side_before_the_fall_adds_no_strength():
    assert seen([(30, -0.5), (30, -0.5), (30, -0.5), (0, -4), (0, -4), (0, -4)]).fastest(SCAN_NS) == 4.0


def test_nothing_seen_and_nothing_falling_are_no_speed():
    assert Speeds().fastest(SCAN_NS) == 0.0
    assert seen([(3.0, 2.0)] * 5).fastest(SCAN_NS) == 0.0
    forgotten = seen([(0, -4)] * 5)
    forgotten.forget()
    assert forgotten.fastest(SCAN_NS) == 0.0


def tilted(degrees, kit=KIT):
    """Strokes of 0.9 body units along a line that leans to the player's left by so much."""
    t = stamps(4.0)
    right, _ = strokes(t, SNARE, hz=2.0, height=0.9, count=4)
    lift = right[:, 1] - SNARE[1]
    right[:, 0] -= lift * np.sin(np.radians(degrees))
    right[:, 1] = SNARE[1] + lift * np.cos(np.radians(degrees))
    return [hit.strength for hit in hits(poses(t, still(t, HIHAT), right), kit)]


def test_a_sweep_that_hardly_falls_is_not_taken_for_a_hard_stroke():
    assert seen([(20, -3)] * 5).fastest(SCAN_NS) == 6.0


@pytest.mark.parametrize("degrees", [20, 40, 55])
def test_a_tilted_stroke_keeps_its_strength(degrees):
    upright, leaning = tilted(0), tilted(degrees)
    assert len(upright) == len(leaning) == 4
    assert leaning == pytest.approx(upright, rel=0.02)


def test_sensitivity_works_before_the_curve():
    def kit(**options):
        pads = {"all": {"note": 38, "zone": {"box": [-1.0, -1.5, 1.0, 0.0]}, **options}}
        return KitConfig.model_validate({"name": "one", "pads": pads})

    plain = tilted(0, kit())
    half = tilted(0, kit(sensitivity=0.5, curve="exp"))
    exp = curve(curve="exp")
    assert half == pytest.approx([exp(0.5 * strength) for strength in plain])


def test_a_range_that_the_kit_fixes_is_not_learned():
    fixed = Range(8.0)
    for _ in range(100):
        fixed.learn(3.0)
    assert fixed.full_speed == 8.0


@pytest.mark.parametrize(("speed", "least", "most"), [(4.0, 4.2, 4.7), (8.0, 8.6, 9.2), (14.0, 15.0, 16.0)])
def test_the_range_finds_the_player_s_accents(speed, least, most):
    learned = Range(None)
    rng = np.random.default_rng(1)
    for _ in range(200):
        learned.learn(float(speed * rng.uniform(0.4, 1.0)))
    assert least < learned.full_speed < most


def test_a_few_wild_strokes_do_not_move_the_range():
    learned = Range(None)
    for index in range(200):
        learned.learn(40.0 if index % 40 == 0 else 5.0)
    assert learned.full_speed == pytest.approx(5.0 / 0.9, rel=0.05)


@given(speeds=st.lists(st.floats(0.0, 1000.0), max_size=300))
@settings(max_examples=50, deadline=None)
def test_the_range_moves_slowly_and_within_its_bounds(speeds):
    learned = Range(None)
    before = learned.full_speed
    assert before == FIRST_FULL_SPEED
    for index, speed in enumerate(speeds):
        learned.learn(speed)
        assert LEAST_FULL_SPEED <= learned.full_speed <= MOST_FULL_SPEED
        assert abs(learned.full_speed - before) <= 0.05 * (MOST_FULL_SPEED - LEAST_FULL_SPEED) + 1e-9
        assert index >= ENOUGH - 1 or learned.full_speed == FIRST_FULL_SPEED
        before = learned.full_speed


def test_each_player_s_range_is_learned_from_that_player():
    kit = KIT.model_copy(update={"strike": KIT.strike.model_copy(update={"full_speed": "auto"})})
    t = stamps(30.0)
    soft, _ = strokes(t, SNARE, hz=2.0, height=0.4, count=50)
    found = [hit.strength for hit in hits(poses(t, still(t, HIHAT), soft), kit)]
    assert len(found) == 50
    assert found[:ENOUGH] == pytest.approx([found[0]] * ENOUGH, rel=0.05)
    assert found[-1] > 1.8 * found[0]
