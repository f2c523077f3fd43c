import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.gesture.turn import LEAST_SAMPLES, measure_turn


def samples(path, *, fps=100.0, count=20):
    """What frames show of `path(t)` -> (x, y) until t = 0."""
    times = (np.arange(count) - count + 1) / fps
    return [(7_000_000_000 + round(t * 1e9), *path(t)) for t in times.tolist()]


@given(
    st.floats(5.0, 400.0), st.floats(-4.0, 4.0), st.floats(0.0, 0.04), st.sampled_from([60.0, 100.0, 200.0])
)
def test_of_a_parabola_the_braking_and_the_speed_across_are_exact(braking, across, ago_s, fps):
    turn = measure_turn(
        samples(lambda t: (across * t, 0.5 * braking * (t + ago_s) ** 2), fps=fps), since_s=0.1
    )
    assert turn is not None
    assert turn.braking == pytest.approx(braking, rel=1e-6)
    assert turn.across == pytest.approx(across, abs=1e-6)


def test_a_hand_that_turns_back_on_its_slanting_way_does_not_move_across():
    turn = measure_turn(samples(lambda t: (20.0 * (t + 0.02) ** 2, 20.0 * (t + 0.02) ** 2)), since_s=0.1)
    assert turn is not None
    assert turn.across == pytest.approx(0.0, abs=1e-9)


def test_its_doubts_are_the_spread_that_noise_gives_it():
    noise = np.random.default_rng(1).normal(0.0, 0.01, (400, 20, 2))
    seen = [
        measure_turn(samples(lambda t, e=errors: (0.0 + e[round(t * 100) + 19, 0],
                                                  20.0 * (t + 0.03) ** 2 + e[round(t * 100) + 19, 1])), since_s=0.1)
        for errors in noise
    ]  # fmt: skip
    turns = [turn for turn in seen if turn is not None]
    assert len(turns) == len(noise)
    assert np.std([turn.braking for turn in turns]) == pytest.approx(0.01 * turns[0].braking_doubt, rel=0.15)
    mean_doubt = float(np.mean([turn.across_doubt for turn in turns]))
    assert np.std([turn.across for turn in turns]) == pytest.approx(0.01 * mean_doubt, rel=0.2)


def test_a_movement_of_few_keypoints_is_not_measured():
    few = samples(lambda t: (0.0, t * t), count=LEAST_SAMPLES)
    assert measure_turn(few[1:], since_s=0.1) is None
    turn = measure_turn(few, since_s=0.001)  # older ones are taken where it needs them
    assert turn is not None
    assert math.isclose(turn.braking, 2.0, rel_tol=1e-6)
