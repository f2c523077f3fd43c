"""Is one run slower than another? Effects with bootstrap confidence intervals. Pure over arrays.

Frames that follow each other are alike, so whole blocks of a second or more are drawn, not frames (block bootstrap,
Künsch 1989). The seed is fixed: the same two ledgers always give the same verdict.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["faster", "slower", "no difference beyond noise", "too few rows"]

STATISTICS: Final = ("p50", "p99", "mean", "sd")
TOLERANCE_MS: Final = 0.1  # the smallest effect of interest: a hundredth of what an instrument may take
TOLERANCE_SHARE: Final = 0.02  # ... and its share of a larger figure
CONFIDENCE: Final = 0.95  # for all effects together
_DRAWS: Final = 2000
_MOST_BLOCKS: Final = 1500  # longer runs have longer blocks
_LEAST_BLOCKS: Final = 8
_LEAST_ROWS: Final = 50
_BLOCK_NS: Final = 1_000_000_000
_BINS: Final = 800  # of the values of both runs, as many in each; and as many again above p95
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Timed:
    """One duration of one run."""

    at_ns: NDArray[np.int64]  # (N,), ascending
    values_ms: NDArray[np.float64]  # (N,)


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one statistic of one duration moved from the other run to this one."""

    duration: str  # "frame", "note", ...
    statistic: str  # one of STATISTICS
    other_ms: float
    this_ms: float
    change_ms: float  # this - other; more = slower
    low_ms: float  # of its confidence interval
    high_ms: float
    tolerance_ms: float  # a smaller change is of no interest
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against another one."""

    effects: tuple[Effect, ...]
    verdict: Verdict  # slower if any effect is; else faster if any is

    @property
    def slower(self) -> bool:
        """Whether some effect is slower beyond noise and tolerance."""
        return self.verdict == "slower"


def compare(
    this: dict[str, Timed],
    other: dict[str, Timed],
    tolerance_ms: float = TOLERANCE_MS,
    tolerance_share: float = TOLERANCE_SHARE,
) -> Comparison:
    """Compare the durations that both runs have.

    The tolerance of an effect is the larger one of `tolerance_ms` and `tolerance_share` of the other run's figure.
    """
    names = [name for name in this if name in other and _enough(this[name]) and _enough(other[name])]
    if not names:
        return Comparison((), "too few rows")
    tail = (1.0 - CONFIDENCE) / 2 / (len(names) * len(STATISTICS))
    effects = []
    for name in names:
        figures = [_figures(run[name].values_ms) for run in (this, other)]
        edges = _edges(this[name].values_ms, other[name].values_ms)
        drawn = [_drawn(run[name], edges, seed) for seed, run in enumerate((this, other), _SEED)]
        for i, statistic in enumerate(STATISTICS):
            change = figures[0][i] - figures[1][i]
            spread = drawn[0][:, i] - drawn[1][:, i]
            # the draws' own middle may lie off by a bin: their width is what counts
            low, high = change + np.quantile(spread, [tail, 1 - tail]) - np.median(spread)
            limit = max(tolerance_ms, tolerance_share * abs(figures[1][i]))
            verdict: Verdict = (
                "slower" if low > limit else "faster" if high < -limit else "no difference beyond noise"
            )
            effects.append(
                Effect(name, statistic, figures[1][i], figures[0][i], change, float(low), float(high), limit,
                       verdict)
            )  # fmt: skip
    verdicts = {effect.verdict for effect in effects}
    order: tuple[Verdict, ...] = ("slower", "faster", "no difference beyond noise")
    return Comparison(tuple(effects), next(verdict for verdict in order if verdict in verdicts))


def _enough(run: Timed) -> bool:
    return len(run.values_ms) >= _LEAST_ROWS and len(_blocks(run)) >= _LEAST_BLOCKS


def _figures(values: NDArray[np.float64]) -> list[float]:
    p50, p99 = np.percentile(values, [50, 99]).tolist()
    return [p50, p99, float(values.mean()), float(values.std())]


def _blocks(run: Timed) -> NDArray[np.int64]:
    """Return at which row each block begins."""
    since = run.at_ns - run.at_ns[:1]
    length = max(_BLOCK_NS, math.ceil(int(since[-1]) / _MOST_BLOCKS))
    number = since // length
    starts: NDArray[np.int64] = np.flatnonzero(np.append(True, number[1:] != number[:-1])).astype(np.int64)
    return starts


def _edges(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.append(np.linspace(0, 0.95, _BINS), np.linspace(0.95, 1, _BINS)[1:])
    return np.unique(np.concatenate([np.quantile(one, shares), np.quantile(two, shares)]))


def _drawn(run: Timed, edges: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return STATISTICS of every draw, (_DRAWS, 4)."""
    starts = _blocks(run)
    count = len(starts)
    sizes = np.diff(np.append(starts, len(run.values_ms)))
    place = np.searchsorted(edges, run.values_ms, side="right") - 1
    owner = np.repeat(np.arange(count), sizes)
    table = np.bincount(owner * len(edges) + place, minlength=count * len(edges))
    below = np.cumsum(table.reshape(count, len(edges)), axis=1).astype(np.float32)
    # float32 counts exactly up to 16 million
    generator = np.random.default_rng(seed)
    weights = np.zeros((_DRAWS, count), np.float32)
    picks = generator.integers(0, count, (_DRAWS, count))
    np.add.at(weights, (np.arange(_DRAWS)[:, None], picks), 1.0)
    rows = weights @ sizes.astype(np.float32)
    middle = float(run.values_ms.mean())
    sums = np.add.reduceat(run.values_ms - middle, starts)
    squares = np.add.reduceat((run.values_ms - middle) ** 2, starts)
    mean = weights @ sums / rows
    result = np.empty((_DRAWS, len(STATISTICS)))
    result[:, 2] = mean + middle
    result[:, 3] = np.sqrt(np.maximum(weights @ squares / rows - mean**2, 0.0))
    for first in range(0, _DRAWS, 100):
        part = slice(first, first + 100)
        cumulated = weights[part] @ below
        for column, share in ((0, 0.5), (1, 0.99)):
            reached = cumulated >= share * rows[part, None]
            result[part, column] = edges[np.argmax(reached, axis=1)]
    return result
