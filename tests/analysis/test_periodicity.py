import numpy as np
import pytest

from lalelu.analysis.periodicity import find_rhythms


def comb(period_s: float, seconds: float, jitter_s: float = 0.004, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    times = np.arange(0.37, seconds, period_s)
    return times + random.normal(0, jitter_s, len(times))


def scattered(count: int, seconds: float, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, seconds, count)


@pytest.mark.parametrize("period_s", [0.5, 1.0, 2.5, 10.0])
@pytest.mark.parametrize("seconds", [120, 3600])
def test_spikes_that_come_regularly_are_told_with_their_period(period_s, seconds):
    at = np.concatenate([comb(period_s, seconds), scattered(int(seconds / period_s / 3), seconds)])
    rhythm = find_rhythms(at, seconds)[0]
    assert rhythm.period_s == pytest.approx(period_s, rel=0.002)
    assert rhythm.false_alarm < 1e-4
    assert rhythm.spikes >= 0.95 * seconds / period_s - 1


def test_a_period_holds_over_a_day():
    at = np.concatenate([comb(60.0, 86_400), scattered(1000, 86_400)])
    assert find_rhythms(at, 86_400)[0].period_s == pytest.approx(60.0, abs=0.001)


def test_spikes_that_miss_now_and_then_keep_their_period():
    at = comb(1.0, 300)
    assert find_rhythms(at[np.random.default_rng(3).random(300) < 0.6], 300)[0].period_s == pytest.approx(
        1.0, abs=0.001
    )


def test_two_rhythms_are_told_apart():
    at = np.concatenate([comb(1.0, 300), comb(7.3, 300, seed=4)])
    assert [round(each.period_s, 2) for each in find_rhythms(at, 300)] == [1.0, 7.3]


@pytest.mark.parametrize("seed", range(40))
def test_spikes_at_random_times_have_no_rhythm(seed):
    random = np.random.default_rng(seed)
    seconds = float(random.integers(20, 2000))
    at = scattered(int(random.integers(1, 200)), seconds, seed)
    bursts = np.concatenate([each + random.uniform(0, 4, 12) for each in scattered(3, seconds - 4, seed)])
    assert find_rhythms(at, seconds) == ()
    assert find_rhythms(bursts, seconds) == ()


@pytest.mark.parametrize("at", [[], [1.0], [1.0] * 50, [np.nan] * 20, list(range(3))])
def test_too_few_spikes_have_no_rhythm(at):
    assert find_rhythms(np.array(at, float), 60.0) == ()
