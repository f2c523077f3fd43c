from itertools import pairwise

import numpy as np
import pytest

from lalelu.gesture.ending import LATEST_S, lowest_point

HEIGHT = 0.4  # body units


def stroke(hz, fps, phase=0.0, before=1.0, after=0.02, rise=1.0):
    """Samples of a sinusoid whose lowest point is at time 0, `before` strokes earlier to `after` seconds later.

    After its end it rises at `rise` of the pace of its fall.
    """
    first, last = np.ceil(-before / hz * fps - phase), np.floor(after * fps - phase)
    t = (np.arange(first, last + 1) + phase) / fps
    y = HEIGHT * 0.5 * (1.0 - np.cos(2.0 * np.pi * hz * np.where(t > 0, rise * t, t)))
    return [(round(at * 1e9), 0.1, float(high)) for at, high in zip(t, y, strict=True)]


def error_ms(samples, since_ns=None):
    return lowest_point(samples, since_ns=samples[-1][0] if since_ns is None else since_ns).at_ns * 1e-6


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("hz", [1.5, 3.0, 5.0])
def test_the_end_of_a_stroke_lies_between_the_frames_where_it_is(hz, phase):
    assert error_ms(stroke(hz, 100.0, phase)) == pytest.approx(0.0, abs=2.5)


def test_the_end_is_found_although_the_newest_frame_still_counts_as_a_fall():
    """A quick fall's mean speed is high in the deciding frame yet."""
    samples = stroke(20 / 3, 80.0, 0.5, after=0.03)
    assert error_ms(samples, since_ns=samples[-1][0]) == pytest.approx(0.0, abs=5.0)


@pytest.mark.parametrize("after", [0.02, 0.04, 0.06])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_a_missing_frame_moves_the_end_by_less_than_a_period(phase, after):
    whole = stroke(20 / 3, 80.0, phase, after=after)
    for gone in range(-8, -1):
        assert error_ms([*whole[:gone], *whole[gone + 1 :]]) == pytest.approx(error_ms(whole), abs=12.5)


def test_the_stroke_before_is_not_taken_for_this_one():
    """At 10 Hz, the fastest hand, the one before ended within a tenth of a second, here lower."""
    before = [(at, x, y - 0.1 if at < -60_000_000 else y) for at, x, y in stroke(10.0, 100.0, before=1.4)]
    assert error_ms(before) == pytest.approx(0.0, abs=5.0)


def test_a_stroke_that_is_told_late_is_looked_for_where_its_fall_was_fast():
    samples = stroke(3.0, 100.0, 0.3, after=0.16, rise=0.3)
    assert 0.0 < error_ms(samples, since_ns=40_000_000) < error_ms(samples, since_ns=samples[-1][0])


def test_noise_moves_the_end_by_a_few_milliseconds():
    random = np.random.default_rng(7)
    errors = []
    for _ in range(300):
        samples = stroke(3.0, 100.0, random.uniform(), after=0.03)
        noisy = [(at, x, y + random.normal(0.0, 0.01)) for at, x, y in samples]
        errors.append(error_ms(noisy))
    assert abs(np.mean(errors)) < 1.5
    assert np.std(errors) < 6.0


def test_the_end_is_not_told_for_long_after_the_newest_frame():
    falling = [sample for sample in stroke(3.0, 100.0) if sample[0] <= -20_000_000]
    assert lowest_point(falling, since_ns=falling[-1][0]).at_ns <= falling[-1][0] + LATEST_S * 1e9


def test_the_place_is_that_of_the_sample_nearest_to_the_end():
    samples = [(at, at * 1e-9, y) for at, _, y in stroke(3.0, 100.0, 0.3)]
    end = lowest_point(samples, since_ns=0)
    nearest = min(samples, key=lambda sample: abs(sample[0] - end.at_ns))
    assert (end.x, end.y) == nearest[1:]


def test_shifted_stamps_shift_the_end():
    samples = stroke(3.0, 100.0, 0.3)
    shifts = [0, 1, 10**9, 10**17]
    ends = [lowest_point([(at + by, x, y) for at, x, y in samples], since_ns=by).at_ns for by in shifts]
    assert [b - a for a, b in pairwise(ends)] == [b - a for a, b in pairwise(shifts)]


def test_three_samples_are_enough():
    samples = [(0, 0.0, 0.2), (10_000_000, 0.0, 0.1), (20_000_000, 0.0, 0.2)]
    assert lowest_point(samples, since_ns=0).at_ns == pytest.approx(10_000_000, abs=1000)
