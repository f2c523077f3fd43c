from dataclasses import replace

import pytest

from lalelu.hits import HitRecord
from lalelu.tuning.outcome import Outcome, goodness, is_held_back, is_worse, parted, together


def hits(*times_s):
    return [HitRecord(time_s, "right_wrist", decided_s=time_s + 0.03) for time_s in times_s]


def test_every_third_block_of_five_seconds_is_held_back():
    assert [is_held_back(at_s, 60.0) for at_s in (0.0, 4.9, 9.9, 10.1, 14.9, 15.1, 25.1)] == [
        False, False, False, True, True, False, True,
    ]  # fmt: skip


def test_a_short_take_has_two_blocks_held_back():
    length_s = 6.0
    assert [is_held_back(number + 0.5, length_s) for number in range(6)] == [False, False, True] * 2


def test_the_parts_are_the_whole_and_a_border_makes_no_misses():
    truth = hits(1.0, 9.99, 12.0, 16.0)
    found = hits(1.01, 10.01, 12.0, 13.0, 17.0)  # the second lies beyond the border to the part held back
    tuned_on, held = parted(
        found, truth, lambda time_s: int(is_held_back(time_s, 60.0)), 2, window_ms=50.0, by="limb"
    )
    assert (tuned_on.matched, tuned_on.found, tuned_on.true) == (2, 3, 3)
    assert (held.matched, held.found, held.true) == (1, 2, 1)
    assert tuned_on.lag_ms == pytest.approx(30.0)
    assert tuned_on.sd_ms == pytest.approx(5.0)
    whole = together([tuned_on, held])
    assert (whole.matched, whole.found, whole.true, whole.false) == (3, 5, 4, 2)


def test_one_hit_weighs_more_than_all_spread_and_false_hits():
    few = Outcome(matched=9, found=10, true=10, squares=9 * 50.0**2)
    assert goodness(few, 50.0) > goodness(Outcome(matched=8, found=9, true=10), 50.0)


def test_of_equal_f1_the_smaller_spread_is_better_and_of_equal_spread_fewer_false_hits():
    sharp = Outcome(matched=8, found=10, true=10, squares=8.0)
    assert goodness(sharp, 50.0) > goodness(replace(sharp, squares=80.0), 50.0)
    assert goodness(replace(sharp, found=8, true=12), 50.0) > goodness(sharp, 50.0)


def test_a_lower_f1_is_worse_and_so_is_a_spread_that_is_felt():
    before = Outcome(matched=9, found=10, true=10, squares=9 * 4.0)
    assert is_worse(replace(before, matched=8), before)
    assert not is_worse(replace(before, squares=9 * 8.0), before)
    assert is_worse(replace(before, squares=9 * 16.0), before)
    assert not is_worse(before, before)
