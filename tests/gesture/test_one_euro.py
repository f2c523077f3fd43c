"""The 1 euro filter: calm at rest, quick in movement, the same at every frame rate."""

import numpy as np
import pytest
from drummer import stamps
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.gesture.one_euro import OneEuro

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

RATES = [24, 30, 60, 100, 200]


def filtered(t, values, *, min_cutoff_hz=1.5, beta=2.0):
    one_euro = OneEuro(min_cutoff_hz, beta)
    return np.array(
        [one_euro.step(round(float(time) * 1e9), float(value)) for time, value in zip(t, values, strict=True)]
    )


def noisy(t, sd=0.03, seed=0):
    return 0.5 + np.random.default_rng(seed).normal(0.0, sd, len(t))


@pytest.mark.parametrize("fps", RATES)
def test_a_constant_stays_as_it_is(fps):
    t = stamps(2.0, fps)
    assert filtered(t, np.full(len(t), 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize("fps", RATES)
def test_a_hand_at_rest_shakes_less_than_half_as_much(fps):
    t = stamps(20.0, fps)
    assert np.std(filtered(t, noisy(t))[fps:]) < 0.5 * 0.03


@pytest.mark.parametrize("fps", RATES)
def test_a_jump_is_followed_within_a_tenth_of_a_second_at_every_rate(fps):
    t = stamps(2.0, fps)
    after = filtered(t, np.where(t < 1.0, 0.0, 1.0))
    reached = t[np.argmax(after > 0.63)]
    assert 1.0 <= reached < 1.1 + 1.0 / fps


def test_a_fast_movement_lags_less_than_without_beta():
    t = stamps(2.0, 100)
    ramp = np.clip((t - 0.5) / 0.5, 0.0, 1.0)
    quick, slow = filtered(t, ramp), filtered(t, ramp, beta=0.0)
    assert np.max(ramp - quick) < 0.8 * np.max(ramp - slow)


def test_at_rest_less_cutoff_is_calmer():
    t = stamps(10.0, 100)
    assert np.std(filtered(t, noisy(t), min_cutoff_hz=0.5)) < np.std(filtered(t, noisy(t), min_cutoff_hz=5.0))


def test_frames_that_are_dropped_change_little():
    t = stamps(3.0, 100)
    path = 0.5 - 0.5 * np.cos(2.0 * np.pi * 0.5 * t)
    keep = np.random.default_rng(3).random(len(t)) > 0.3
    keep[0] = True
    assert filtered(t[keep], path[keep]) == pytest.approx(filtered(t, path)[keep], abs=0.06)


def test_only_the_time_between_frames_counts():
    t = stamps(3.0, 60)
    early, late = OneEuro(1.5, 2.0), OneEuro(1.5, 2.0)
    for time, value in zip((t * 1e9).astype(np.int64).tolist(), noisy(t).tolist(), strict=True):
        assert early.step(time, value) == late.step(time + 10**15, value)


@pytest.mark.parametrize("anew", ["a gap", "forget"])
def test_after_a_gap_it_begins_anew(anew):
    one_euro = OneEuro(1.5, 2.0)
    for frame in range(100):
        one_euro.step(frame * 10_000_000, 0.0)
    if anew == "forget":
        one_euro.forget()
    now_ns = 1_000_000_000 if anew == "forget" else 1_300_000_000
    assert one_euro.step(now_ns, 0.8) == 0.8


@MANY
@given(
    st.floats(1e-300, 50.0),
    st.floats(0.0, 50.0),
    st.lists(st.tuples(st.integers(1, 10**12), st.floats(0.0, 1.0)), min_size=1),
)
def test_it_never_leaves_the_range_of_what_it_is_shown(min_cutoff_hz, beta, frames):
    one_euro = OneEuro(min_cutoff_hz, beta)
    now_ns = 0
    shown = [value for _, value in frames]
    for gap_ns, value in frames:
        now_ns += gap_ns
        assert min(shown) - 1e-9 <= one_euro.step(now_ns, value) <= max(shown) + 1e-9
