"""Where a series of values changes its level: the exact best segmentation. Pure over arrays.

PELT (Killick, Fearnhead, Eckley 2012): the segmentation that makes squared distances from the segments' means plus a
penalty for each change least, in about linear time where changes come now and then.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.columns import SD_OF_MAD

_MOST_STEPS: Final = 6000  # longer series are cut on a coarser grid first: the time grows with the square
_SAFETY: Final = 4.0  # times the BIC's penalty, because the seconds of a run are not independent


def pelt(signal: NDArray[np.float64], penalty: float, least: int = 2) -> list[int]:
    """Return the ends of the best segments of `signal` (N, D), its last N included; each holds `least` or more.

    Cost: squared distances from a segment's mean, over all D; each change costs `penalty`.
    """
    count = len(signal)
    if count < 2 * least:
        return [count]
    values = np.ascontiguousarray((signal - signal.mean(axis=0)).T)  # (D, N)
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    squares = np.append(0.0, np.cumsum((values**2).sum(axis=0)))
    best = np.full(count + 1, math.inf)
    best[0] = -penalty
    before = np.zeros(count + 1, np.int64)
    candidates = np.zeros(1, np.int64)
    until = np.full(count + 1, count + 1)  # from when on a candidate cannot be the best any more
    for end in range(least, count + 1):
        apart = sums[:, end, None] - sums[:, candidates]
        total = best[candidates] + squares[end] - squares[candidates]
        total -= (apart * apart).sum(axis=0) / (end - candidates)
        chosen = int(np.argmin(total))
        best[end] = total[chosen] + penalty
        before[end] = candidates[chosen]
        # beaten now, beaten by `end` itself as soon as a segment from there is long enough
        beaten = candidates[total > best[end]]
        until[beaten] = np.minimum(until[beaten], end + least)
        candidates = candidates[until[candidates] > end + 1]
        start = end - least + 1
        if start >= least:
            candidates = np.append(candidates, start)
    ends = [count]
    while before[ends[-1]] > 0:
        ends.append(int(before[ends[-1]]))
    return ends[::-1]


def level_changes(signal: NDArray[np.float64], floor: NDArray[np.float64], least: int) -> list[int]:
    """Return the ends of the segments of `signal` (N, D) whose levels differ beyond its noise; N is the last.

    Each column is measured in its own noise, told from its neighbours' differences, but at least `floor` (D,).
    Single values that stick out make no segment: the medians of five are looked at.
    """
    count = len(signal)
    if count < 2 * least:
        return [count]
    noise = SD_OF_MAD * np.median(np.abs(np.diff(signal, axis=0)), axis=0) / math.sqrt(2.0)
    scaled = _medians(signal) / np.maximum(noise, floor)
    grid = math.ceil(count / _MOST_STEPS)
    whole = count // grid * grid
    coarse = scaled[:whole].reshape(-1, grid, signal.shape[1]).mean(axis=1)
    penalty = _SAFETY * (signal.shape[1] + 1) * math.log(count)
    ends = [end * grid for end in pelt(coarse, penalty / grid, max(math.ceil(least / grid), 1))]
    ends[-1] = count
    return _needed(scaled, _refine(scaled, ends, grid), penalty, least) if grid > 1 else ends


def _medians(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each value and its two neighbours on both sides."""
    around = np.pad(signal, ((2, 2), (0, 0)), mode="edge")
    windows = np.stack([around[i : i + len(signal)] for i in range(5)])
    middle: NDArray[np.float64] = np.median(windows, axis=0)
    return middle


def _refine(scaled: NDArray[np.float64], ends: list[int], grid: int) -> list[int]:
    """Move each boundary to the best place within one step of the grid."""
    bounds = [0, *ends]
    for i in range(1, len(bounds) - 1):
        low, high = max(bounds[i] - grid, bounds[i - 1] + 1), min(bounds[i] + grid, bounds[i + 1] - 1)
        begin, end = max(bounds[i - 1], low - 8 * grid), min(bounds[i + 1], high + 8 * grid)
        places = np.arange(low, high + 1)
        if len(places):
            bounds[i] = low + int(np.argmax(_gain(scaled, begin, places, end)))
    return bounds[1:]


def _needed(scaled: NDArray[np.float64], ends: list[int], penalty: float, least: int) -> list[int]:
    """Leave out the boundaries that gain less than they cost, and those of too short segments; the worst first."""
    sums = np.concatenate([np.zeros((1, scaled.shape[1])), np.cumsum(scaled - scaled.mean(axis=0), axis=0)])
    bounds = np.array([0, *ends])
    while len(bounds) > 2:
        size = np.diff(bounds)
        means = np.diff(sums[bounds], axis=0) / size[:, None]
        apart = (np.diff(means, axis=0) ** 2).sum(axis=1)
        gains = apart * size[:-1] * size[1:] / (size[:-1] + size[1:])
        gains[np.minimum(size[:-1], size[1:]) < least] = -1.0
        worst = int(np.argmin(gains))
        if gains[worst] >= penalty:
            break
        bounds = np.delete(bounds, worst + 1)
    kept: list[int] = bounds[1:].tolist()
    return kept


def _gain(
    scaled: NDArray[np.float64], begin: int, places: NDArray[np.int64], end: int
) -> NDArray[np.float64]:
    """Return how much cost a boundary at each of `places` between begin and end saves."""
    part = scaled[begin:end] - scaled[begin:end].mean(axis=0)
    left = np.cumsum(part, axis=0)[places - begin - 1]
    size = places - begin
    gain: NDArray[np.float64] = (left**2).sum(axis=1) * (1.0 / size + 1.0 / (end - begin - size))
    return gain
