"""Spikes that come at regular times: every 1.000 s. Pure over arrays.

The power spectrum of the spikes' times, harmonics included, names some periods to look at. For each of them it is
counted how many spikes lie in one narrow window of the period, each turn of it once; how likely as many would at random
times is bounded by Chernoff's inequality, for all the periods and windows that were tried.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BIN_S: Final = 0.01
_LONGEST: Final = 1 << 20  # bins that are looked at together: 2.9 hours
_APART_S: Final = 0.1  # spikes closer than this are one
_SHORTEST_S: Final = 0.25  # of a period: more than twice the distance at which spikes are one
_LEAST_KEPT: Final = 8  # turns with a spike in the window
_LEAST_SHARE: Final = 0.4  # of all turns between the first spike and the last
_HARMONICS: Final = 4
_CANDIDATES: Final = 24  # frequencies
_STRONG: Final = 0.6  # of the greatest power: as good as that, noise and steps considered
_WINDOWS: Final = (0.02, 0.06, 0.2)  # of a period
_AS_MANY: Final = 0.75  # of the most spikes that keep a period: a longer one with so many is the one
_NEAR: Final = 0.1  # of a period: a spike that far from the window's middle still belongs to it
_FALSE_ALARM: Final = 1e-4
_MOST: Final = 3  # rhythms that are told
_FINE: Final = 20  # steps to the spectrum's resolution when a period is refined
_REFINED: Final = 1000  # spikes that refine it


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Spikes that keep a period."""

    period_s: float
    spikes: int  # that keep it
    of: int  # spikes looked at, those within 0.1 s counted as one
    false_alarm: float  # chance that spikes at random times look as regular, or less


def find_rhythms(at_s: NDArray[np.float64], seconds: float) -> tuple[Rhythm, ...]:
    """Return the periods that spikes at `at_s` (K,) keep in a run of `seconds`, the most spikes first."""
    at = np.sort(at_s[np.isfinite(at_s)])
    at = at[np.append(True, np.diff(at) > _APART_S)] if len(at) else at
    found: list[Rhythm] = []
    rest = at
    while len(rest) >= _LEAST_KEPT and len(found) < _MOST:
        best = _strongest(rest, seconds)
        if best is None:
            break
        period_s, near, false_alarm = best
        found.append(Rhythm(period_s, int(np.count_nonzero(near)), len(at), false_alarm))
        rest = rest[~near]
    return tuple(sorted(found, key=lambda each: -each.spikes))


def _strongest(at: NDArray[np.float64], seconds: float) -> tuple[float, NDArray[np.bool_], float] | None:
    """Return the period that most spikes keep, which ones do, and the chance of that; None if there is none."""
    frequencies, tried = _candidates(at, seconds)
    kept = []
    for frequency in frequencies:
        refined = _refined(at, frequency)
        if refined > 0 and (result := _kept(at, refined, tried)) is not None:
            kept.append((refined, *result))
    if not kept:
        return None
    most = max(np.count_nonzero(near) for _, near, _ in kept)
    # what comes every second comes every half second too: the longest period is the one
    frequency, near, false_alarm = min(
        (each for each in kept if np.count_nonzero(each[1]) >= _AS_MANY * most), key=lambda each: each[0]
    )
    return 1.0 / frequency, near, false_alarm


def _kept(at: NDArray[np.float64], frequency: float, tried: float) -> tuple[NDArray[np.bool_], float] | None:
    """Return which spikes lie around the most telling window of a period, and the chance of those in it."""
    turns = at * frequency
    phase = turns % 1.0
    order = np.sort(phase)
    around = np.concatenate([order, order + 1.0])
    count = len(at)
    best = None
    for width in _WINDOWS:
        inside = np.searchsorted(around, order + width, side="right") - np.arange(count)
        begin = float(order[int(np.argmax(inside))])
        near = (phase - begin) % 1.0 <= width
        cycles = len(np.unique(np.floor(turns[near] - begin)))
        share = cycles / count
        if cycles < _LEAST_KEPT or share <= width or cycles < _LEAST_SHARE * (at[-1] - at[0]) * frequency:
            continue
        log_chance = -count * _divergence(share, width) + math.log(tried * count / width * len(_WINDOWS))
        if log_chance < math.log(_FALSE_ALARM) and (best is None or log_chance < best[1]):
            best = begin + width / 2, log_chance
    if best is None:
        return None
    middle, log_chance = best
    return np.abs((phase - middle + 0.5) % 1.0 - 0.5) <= _NEAR, math.exp(log_chance)


def _divergence(share: float, expected: float) -> float:
    """Return Kullback and Leibler's divergence of two chances."""
    rest = (1 - share) * math.log((1 - share) / (1 - expected)) if share < 1 else 0.0
    return share * math.log(share / expected) + rest


def _candidates(at: NDArray[np.float64], seconds: float) -> tuple[list[float], float]:
    """Return the frequencies (Hz) with most power in them and their harmonics, and how many there are to try."""
    bins = min(max(math.ceil(seconds / _BIN_S), 1), _LONGEST)
    length = bins * _BIN_S
    lowest, highest = _LEAST_KEPT - 1, int(length / _SHORTEST_S)
    if highest <= lowest:
        return [], 1.0
    power = np.zeros(bins // 2 + 1)
    for begin in np.arange(at[0], at[-1] + _BIN_S, length):
        here = at[(at >= begin) & (at < begin + length)]
        train = np.bincount(((here - begin) / _BIN_S).astype(np.intp), minlength=bins)[:bins]
        power += np.abs(np.fft.rfft(train)) ** 2
    # what falls between two of the spectrum's steps is found beside them
    power = np.maximum(power, np.maximum(np.roll(power, 1), np.roll(power, -1)))
    steps = np.arange(lowest, min(highest, len(power) - 1) + 1)
    total = np.zeros(len(steps))
    for harmonic in range(1, _HARMONICS + 1):
        place = steps * harmonic
        inside = place < len(power)
        total[inside] += power[place[inside]]
    # a comb has its power in all multiples of its frequency: the lowest ones are looked at first
    strong = np.flatnonzero(total >= _STRONG * total.max())
    ranked = np.concatenate([strong, np.argsort(-total, kind="stable")[: 8 * _CANDIDATES]])
    chosen: list[int] = []
    for place in ranked.tolist():
        if len(chosen) < _CANDIDATES and all(abs(place - other) > 2 for other in chosen):
            chosen.append(place)
    whole = max((at[-1] - at[0]) / length, 1.0)
    return (steps[chosen] / length).tolist(), len(steps) * whole


def _refined(at: NDArray[np.float64], frequency: float) -> float:
    """Return the frequency nearby at which the spikes agree best; step by step over longer stretches."""
    whole = at[-1] - at[0]
    span = min(whole, _LONGEST * _BIN_S)
    while True:
        part = at[at <= at[0] + span]
        part = part[:: max(len(part) // _REFINED, 1)]
        around = frequency + np.linspace(-2, 2, 4 * _FINE + 1) / max(span, 1.0)
        around = around[around > 0]
        if not len(around):
            return 0.0
        turned = np.exp(2j * np.pi * np.outer(around, part))
        # harmonics are sharper, and not so easily drawn aside by the spikes that keep no period
        agreement = sum(np.abs((turned**harmonic).mean(axis=1)) ** 2 for harmonic in range(1, _HARMONICS + 1))
        frequency = float(around[int(np.argmax(agreement))])
        if span >= whole:
            return frequency
        span = min(span * 4, whole)
