"""What a kit gives on a take, in its two parts: the one it is tuned on and the one that is held back. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lalelu.analysis.scoring import By, match, percentile
from lalelu.hits import HitRecord

# Time blocks, not single hits, are held back: neighbouring strokes are alike. Five seconds are two bars at 100 a
# minute; a short take has shorter blocks, so that both parts have several.
BLOCK_S: Final = 5.0
LEAST_BLOCKS: Final = 6
EVERY: Final = 3  # the last of so many blocks is held back
HELD_BACK: Final = EVERY - 1
TAKEN_AS_WORSE_MS: Final = (
    1.0  # of timing SD, where F1 is the same: less is not felt (Wessel and Wright 2002)
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kit gives on a part of a take, or on several."""

    matched: int = 0
    found: int = 0
    true: int = 0
    squares: float = 0.0  # ms^2: summed squared differences of the timed hits' errors from their take's mean
    lags_ms: tuple[float, ...] = ()  # of the found hits: from the stroke's end to the deciding frame
    untimed: int = 0  # matched hits of which the truth does not know when they were struck

    @property
    def f1(self) -> float:
        """Of all hits together; 1 where nothing was played and nothing found."""
        return 2 * self.matched / (self.found + self.true) if self.found + self.true else 1.0

    @property
    def false(self) -> int:
        """Found hits without a true one."""
        return self.found - self.matched

    @property
    def sd_ms(self) -> float | None:
        """Standard deviation of the timed hits' time, apart from each take's mean."""
        timed = self.matched - self.untimed
        return math.sqrt(self.squares / timed) if timed else None

    @property
    def lag_ms(self) -> float | None:
        """The median time from a stroke's end to the frame that decided it."""
        return percentile(self.lags_ms, 50.0) if self.lags_ms else None


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of several takes."""
    return Outcome(
        sum(each.matched for each in outcomes),
        sum(each.found for each in outcomes),
        sum(each.true for each in outcomes),
        math.fsum(each.squares for each in outcomes),
        tuple(lag for each in outcomes for lag in each.lags_ms),
        sum(each.untimed for each in outcomes),
    )


def third_of(time_s: float, length_s: float) -> int:
    """Return to which part of a take of this length a moment belongs, 0, 1 or HELD_BACK: blocks in turn."""
    block_s = min(BLOCK_S, length_s / LEAST_BLOCKS)
    return int(time_s // block_s) % EVERY if block_s > 0.0 else 0


def is_held_back(time_s: float, length_s: float) -> bool:
    """Whether a moment of a take of this length lies in a block that is held back."""
    return third_of(time_s, length_s) == HELD_BACK


def parted(
    found: Sequence[HitRecord],
    truth: Sequence[HitRecord],
    part_of: Callable[[float], int],
    parts: int,
    *,
    window_ms: float,
    by: By,
    timed: bool = True,
) -> list[Outcome]:
    """Return the outcome on each part of a take; `part_of` tells a moment's, `timed` whether the truth knows when.

    Hits are matched over the whole take, then counted where their true hit lies, the false ones where they lie
    themselves: a block's border makes no misses.
    """
    pairs = match(found, truth, window_s=window_ms * 1e-3, by=by)
    real_of = dict(pairs)
    mine_of: list[list[int]] = [[] for _ in range(parts)]
    for i, hit in enumerate(found):
        mine_of[part_of(truth[real_of[i]].time_s if i in real_of else hit.time_s)].append(i)
    results = []
    for part, mine in enumerate(mine_of):
        errors_ms = [(found[i].time_s - truth[real_of[i]].time_s) * 1e3 for i in mine if i in real_of]
        mean = math.fsum(errors_ms) / len(errors_ms) if errors_ms else 0.0
        lags_s = (found[i].decided_s for i in mine)
        results.append(
            Outcome(
                len(errors_ms),
                len(mine),
                sum(part_of(hit.time_s) == part for hit in truth),
                math.fsum((error - mean) ** 2 for error in errors_ms) if timed else 0.0,
                tuple(
                    (decided_s - found[i].time_s) * 1e3
                    for i, decided_s in zip(mine, lags_s, strict=True)
                    if decided_s is not None
                ),
                0 if timed else len(errors_ms),
            )
        )
    return results


def goodness(outcome: Outcome, window_ms: float) -> float:
    """Return one number, larger is better: F1 first, of equals the timing SD, of equals the false hits.

    What comes second and third together moves it by less than one hit does.
    """
    one_hit = 1.0 / (4.0 * max(outcome.true, 1))
    sd = window_ms if outcome.sd_ms is None else outcome.sd_ms
    return outcome.f1 - one_hit * (
        0.9 * sd / window_ms + 0.1 * min(1.0, outcome.false / max(outcome.true, 1))
    )


def is_worse(after: Outcome, before: Outcome) -> bool:
    """Whether a tuned kit is worse: a lower F1, or the same and a spread in time that is felt."""
    if after.f1 != before.f1:
        return after.f1 < before.f1
    return (after.sd_ms or 0.0) > (before.sd_ms or 0.0) + TAKEN_AS_WORSE_MS
