import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.analysis.changepoints import level_changes, pelt


def cost(signal: np.ndarray, begin: int, end: int) -> float:
    part = signal[begin:end]
    return float(((part - part.mean(axis=0)) ** 2).sum())


def total(signal: np.ndarray, ends: list[int], penalty: float) -> float:
    begins = [0, *ends[:-1]]
    return sum(cost(signal, a, b) for a, b in zip(begins, ends, strict=True)) + penalty * (len(ends) - 1)


def cheapest(signal: np.ndarray, penalty: float, least: int) -> float:
    """The plain way: every last change, in quadratic time."""
    best = [-penalty] + [np.inf] * len(signal)
    for end in range(least, len(signal) + 1):
        best[end] = min(best[a] + cost(signal, a, end) + penalty for a in range(end - least + 1))
    return best[-1]


@settings(max_examples=150, deadline=None)
@given(
    levels=st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    least=st.integers(1, 6),
    penalty=st.floats(0.5, 30),
    width=st.integers(1, 3),
)
def test_the_segmentation_is_the_cheapest_there_is(levels, seed, least, penalty, width):
    random = np.random.default_rng(seed)
    signal = np.repeat(levels, random.integers(2, 12, len(levels)))[:, None] + random.normal(0, 1, (1, width))
    signal = signal + random.normal(0, 1, signal.shape)
    ends = pelt(signal, penalty, least)
    assert ends[-1] == len(signal)
    assert all(b - a >= least for a, b in zip([0, *ends[:-1]], ends, strict=True)) or ends == [len(signal)]
    if len(signal) >= least:
        assert total(signal, ends, penalty) == pytest.approx(cheapest(signal, penalty, least), abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_it_agrees_with_ruptures(seed):
    ruptures = pytest.importorskip("ruptures", reason="the eval extra is not installed")
    random = np.random.default_rng(seed)
    signal = random.normal(size=(200, 2))
    for begin, end in np.sort(random.integers(0, 200, (4, 2)), axis=1):
        signal[begin:end] += random.normal() * 3
    expected = ruptures.Pelt(model="l2", jump=1, min_size=3).fit(signal).predict(pen=12.0)
    assert pelt(signal, 12.0, 3) == expected


def test_noise_has_no_levels_and_a_single_spike_is_none():
    random = np.random.default_rng(1)
    signal = random.normal(6, 0.1, (600, 2))
    signal[[100, 300]] += 20
    assert level_changes(signal, np.array([0.01, 0.01]), 3) == [600]


def test_a_day_is_cut_to_the_second():
    random = np.random.default_rng(1)
    signal = random.normal(6, 0.1, (86_400, 2))
    signal[30_000:40_000] += 0.2
    signal[70_000:70_060] += 2.0
    ends = level_changes(signal, np.array([0.01, 0.01]), 3)
    assert len(ends) == 5
    assert ends == pytest.approx([30_000, 40_000, 70_000, 70_060, 86_400], abs=3)
