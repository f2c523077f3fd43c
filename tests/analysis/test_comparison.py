import numpy as np
import pytest

from lalelu.analysis.comparison import STATISTICS, Timed, compare


def run_of(seed: int, seconds: int = 60, more_ms: float = 0.0, wider: float = 1.0) -> dict[str, Timed]:
    """100 frames a second whose level wanders from second to second, as on a real machine."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.normal(0, 0.2, seconds), 100)
    values = 6 + level + wider * random.gamma(2, 0.2, seconds * 100) + more_ms
    return {"frame": Timed(np.arange(seconds * 100) * 10_000_000, values)}


def test_a_run_that_is_slower_is_told_with_how_much():
    comparison = compare(run_of(1, more_ms=0.8), run_of(2))
    median = comparison.effects[0]
    assert (comparison.verdict, comparison.slower) == ("slower", True)
    assert (median.duration, median.statistic, median.verdict) == ("frame", "p50", "slower")
    assert median.change_ms == pytest.approx(0.8, abs=0.15)
    assert median.low_ms < 0.8 < median.high_ms


def test_a_run_that_is_faster_is_not_slower():
    comparison = compare(run_of(1), run_of(2, more_ms=0.8))
    assert (comparison.verdict, comparison.slower) == ("faster", False)


def test_only_what_spreads_more_is_slower():
    verdicts = {
        e.statistic: e.verdict for e in compare(run_of(1, wider=4.0, more_ms=-1.1), run_of(2)).effects
    }
    assert (verdicts["sd"], verdicts["p99"]) == ("slower", "slower")


def test_a_difference_below_the_tolerance_is_of_no_interest():
    assert (
        compare(run_of(1, more_ms=0.8), run_of(2), tolerance_ms=2.0).verdict == "no difference beyond noise"
    )
    assert compare(run_of(1, more_ms=0.8), run_of(2), 0.0, 0.5).verdict == "no difference beyond noise"


def test_a_run_does_not_differ_from_itself():
    same = run_of(1)
    effects = compare(same, same).effects
    assert [effect.statistic for effect in effects] == list(STATISTICS)
    assert {(effect.change_ms, effect.verdict) for effect in effects} == {(0.0, "no difference beyond noise")}


def test_two_ledgers_always_give_the_same_figures():
    assert compare(run_of(1), run_of(2)) == compare(run_of(1), run_of(2))


def test_the_intervals_hold_what_they_promise():
    """All four of one comparison together in 95 of 100: of 60 pairs of like runs at most 8 may miss (p < 0.01)."""
    missed = 0
    for seed in range(60):
        effects = compare(run_of(2 * seed, 30), run_of(2 * seed + 1, 30), 0.0, 0.0).effects
        missed += any(not effect.low_ms <= 0.0 <= effect.high_ms for effect in effects)
    assert missed <= 8


@pytest.mark.parametrize("count", [0, 1, 40])
def test_too_few_rows_are_not_compared(count):
    few = {
        "frame": Timed(np.arange(count) * 10_000_000, np.ones(count)),
        "note": Timed(np.empty(0, np.int64), np.empty(0)),
    }
    assert compare(few, run_of(1)).verdict == "too few rows"
