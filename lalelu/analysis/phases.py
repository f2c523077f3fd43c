"""Phases: where a run became faster or slower for a while. Pure over arrays."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.changepoints import level_changes
from lalelu.analysis.columns import Columns, Nanoseconds
from lalelu.analysis.explanations import Explanation, explain
from lalelu.analysis.seconds import Seconds

_LEAST_S: Final = 3  # a phase is no shorter: what is, is an outlier
_WARM_UP_S: Final = 30  # caches, clocks and the first inferences settle within this
_MOST: Final = 500  # phases
_FLOOR_MS: Final = (0.02, 0.1, 0.02, 0.1)  # of p50 and p95: a run on an idle machine repeats itself so well
# the smallest change of interest, and its share of the level: below, a player cannot know
_P50_MS, _P50_SHARE = 0.1, 0.02
_P95_MS, _P95_SHARE = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Phase:
    """Seconds that belong together."""

    number: int  # 1, 2, ... in time; the warm-up is 0
    first_s: int  # from the first frame
    last_s: int  # behind its last second
    first_row: int
    last_row: int  # behind its last row
    p50_ms: float  # expected arrival → row
    p95_ms: float
    p99_ms: float
    max_ms: float
    inference_p50_ms: float
    change_ms: float  # of p50 against the phase before; NaN for the first
    change_p95_ms: float
    change_inference_ms: float  # of its p50
    explanations: tuple[Explanation, ...]  # of that change, the largest share first
    unexplained: float  # 0..1 of the change; NaN for the first
    events: tuple[str, ...]  # what was recorded around its beginning

    @property
    def frames(self) -> int:
        """How many rows it has."""
        return self.last_row - self.first_row

    @property
    def warm_up(self) -> bool:
        """Whether the run was still getting to its speed."""
        return self.number == 0

    @property
    def name(self) -> str:
        """What people call it."""
        return "warm-up" if self.warm_up else f"phase {self.number}"


def find_phases(
    columns: Columns, seconds: Seconds, latency_ns: Nanoseconds, events: tuple[tuple[float, str], ...] = ()
) -> tuple[Phase, ...]:
    """Return the phases of a run, one if nothing changed, none without frames.

    `latency_ns` (N,) is that of `latency_of_rows_ns`; `events` are (seconds from the first frame, text).
    """
    if not len(seconds):
        return ()
    signal = np.stack(
        [seconds.frame_p50, seconds.frame_p95, seconds.inference_p50, seconds.inference_p95], axis=1
    )
    ends = _merged(signal, level_changes(signal, np.array(_FLOOR_MS), _LEAST_S))
    phases: list[Phase] = []
    warm = _warms_up(seconds, ends)
    bounds = [0, *ends]
    for i, (begin, end) in enumerate(pairwise(bounds)):
        rows = slice(
            int(columns.first_row[begin]), int(columns.first_row[end]) if end < len(seconds) else len(columns)
        )
        p50, p95, p99, most = (np.percentile(latency_ns[rows], [50, 95, 99, 100]) * 1e-6).tolist()
        inference = float(np.median(columns.stage_ns["inference"][rows])) * 1e-6
        before = phases[-1] if phases else None
        explanations, unexplained = (
            explain(seconds, slice(bounds[i - 1], begin), slice(begin, end)) if before else ((), math.nan)
        )
        first_s = int(seconds.second[begin])
        phases.append(
            Phase(
                number=i if warm else i + 1,
                first_s=first_s,
                last_s=int(seconds.second[end - 1]) + 1,
                first_row=rows.start,
                last_row=rows.stop,
                p50_ms=p50,
                p95_ms=p95,
                p99_ms=p99,
                max_ms=most,
                inference_p50_ms=inference,
                change_ms=p50 - before.p50_ms if before else math.nan,
                change_p95_ms=p95 - before.p95_ms if before else math.nan,
                change_inference_ms=inference - before.inference_p50_ms if before else math.nan,
                explanations=explanations,
                unexplained=unexplained,
                events=tuple(text for at, text in events if before and abs(at - first_s) <= 2.0),
            )
        )
    return tuple(phases)


def _merged(signal: NDArray[np.float64], ends: list[int]) -> list[int]:
    """Return `ends` without the boundaries at which too little changes, and at most _MOST of them."""
    ends = list(ends)
    levels = [np.median(signal[a:b], axis=0) for a, b in pairwise([0, *ends])]
    share = np.array([_P50_SHARE, _P95_SHARE, _P50_SHARE, _P95_SHARE])
    least_ms = np.array([_P50_MS, _P95_MS, _P50_MS, _P95_MS])
    while len(ends) > 1:
        change = np.abs(np.diff(levels, axis=0))
        lower = np.abs(np.minimum(levels[:-1], levels[1:]))
        # of the total only: what inference gains and another stage loses, nobody hears
        weight = (change / np.maximum(least_ms, share * lower))[:, :2].max(axis=1)
        least = int(np.argmin(weight))
        if weight[least] >= 1.0 and len(ends) <= _MOST:
            break
        del ends[least], levels[least]
        begin = ends[least - 1] if least else 0
        levels[least] = np.median(signal[begin : ends[least]], axis=0)
    return ends


def _warms_up(seconds: Seconds, ends: list[int]) -> bool:
    """Whether the first of several phases is short, and slower than what follows."""
    if len(ends) < 2 or seconds.second[ends[0] - 1] >= _WARM_UP_S:
        return False
    first, then = (
        np.median(part) for part in (seconds.frame_p50[: ends[0]], seconds.frame_p50[ends[0] : ends[1]])
    )
    return bool(first > then + _P50_MS)
