"""Spikes that come at regular times: every 1.000 s. Pure over arrays.

The power spectrum of the spikes' times with its harmonics names a period; the Rayleigh test tells how likely spikes at
random times would look as regular.
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
_LEAST_SPIKES: Final = 8
_LEAST_CYCLES: Final = 8  # that the run must hold of a period
_HARMONICS: Final = 4
_LEAST_STRENGTH: Final = 0.5
_LEAST_KEPT: Final = 0.3  # of all cycles that must have a spike
_FALSE_ALARM: Final = 1e-4
_NEAR: Final = 0.1  # of a period: a spike that far off does not belong to it
_MOST: Final = 3  # rhythms that are told
_FINE: Final = 10  # steps to the spectrum's resolution when a period is refined


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Spikes that keep a period."""

    period_s: float
    spikes: int  # that keep it
    of: int  # spikes looked at, those within 0.1 s counted as one
    strength: float  # 0..1, 1 = all at the same point of the period
    false_alarm: float  # chance that spikes at random times look as regular


def find_rhythms(at_s: NDArray[np.float64], seconds: float) -> tuple[Rhythm, ...]:
    """Return the periods that spikes at `at_s` (K,) keep in a run of `seconds`, the most spikes first."""
    at = np.sort(at_s[np.isfinite(at_s)])
    at = at[np.append(True, np.diff(at) > _APART_S)] if len(at) else at
    found: list[Rhythm] = []
    rest = at
    while len(rest) >= _LEAST_SPIKES and len(found) < _MOST:
        best = _strongest(rest, seconds)
        if best is None:
            break
        rhythm, near = best
        found.append(Rhythm(rhythm.period_s, rhythm.spikes, len(at), rhythm.strength, rhythm.false_alarm))
        rest = rest[~near]
    return tuple(sorted(found, key=lambda each: -each.spikes))


def _strongest(at: NDArray[np.float64], seconds: float) -> tuple[Rhythm, NDArray[np.bool_]] | None:
    frequency, tried = _candidate(at, seconds)
    if frequency <= 0:
        return None
    frequency = _refined(at, frequency)
    turns = at * frequency
    direction = complex(np.exp(2j * np.pi * turns).mean())
    strength = abs(direction)
    away = (turns - np.angle(direction) / (2 * np.pi) + 0.5) % 1.0 - 0.5
    near = np.abs(away) < _NEAR
    cycles = len(np.unique(np.round(turns[near] - np.angle(direction) / (2 * np.pi))))
    span = (at[-1] - at[0]) * frequency
    false_alarm = min(tried * math.exp(-len(at) * strength**2), 1.0)
    kept = int(np.count_nonzero(near))
    if (
        strength < _LEAST_STRENGTH
        or false_alarm > _FALSE_ALARM
        or kept < _LEAST_SPIKES
        or cycles < _LEAST_KEPT * span
        or span < _LEAST_CYCLES - 1
    ):
        return None
    return Rhythm(1.0 / frequency, kept, len(at), strength, false_alarm), near


def _candidate(at: NDArray[np.float64], seconds: float) -> tuple[float, float]:
    """Return the frequency (Hz) with most power in it and its harmonics, 0 for none, and how many were tried."""
    bins = min(max(math.ceil(seconds / _BIN_S), 1), _LONGEST)
    length = bins * _BIN_S
    lowest, highest = math.ceil(_LEAST_CYCLES), int(length / _SHORTEST_S)
    if highest <= lowest:
        return 0.0, 1.0
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
    # a comb has as much power at each multiple of its frequency: the lowest of the best is the period
    good = np.flatnonzero(total >= 0.8 * total.max())
    return float(steps[good[0]] / length), float(len(steps))


def _refined(at: NDArray[np.float64], frequency: float) -> float:
    """Return the frequency nearby at which the spikes agree best; step by step over longer stretches."""
    span = min(at[-1] - at[0], _LONGEST * _BIN_S)
    whole = at[-1] - at[0]
    while True:
        part = at[at <= at[0] + span]
        around = frequency + np.linspace(-2, 2, 4 * _FINE + 1) / max(span, 1.0)
        around = around[around > 0]
        agreement = [abs(np.exp(2j * np.pi * f * part).mean()) for f in around.tolist()]
        frequency = float(around[int(np.argmax(agreement))])
        if span >= whole:
            return frequency
        span = min(span * 4, whole)
