"""Find what a player meant who played a known pattern: when they began, and which stroke was which. Pure.

The pattern is a bar that repeats. Every difference of a played and a meant stroke of one limb votes for the moment at
which a bar begins; for the best of these moments the cheapest assignment of played to meant strokes is found by dynamic
programming (Needleman and Wunsch 1970), in order, each at most once, with a price for what is missed and what is extra.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import pstdev
from typing import Final

from lalelu.analysis.scoring import percentile
from lalelu.hits import HitRecord
from lalelu.tuning.pattern import Meant

# A learner's spread is 20..40 ms; what is farther off than this was another stroke, or none of the pattern.
FARTHEST_S: Final = 0.12
SHARE_OF_GAP: Final = (
    0.7  # of the least time between two meant strokes of a limb; their order tells which is which
)
SKIP: Final = 0.5  # price of a meant stroke that was missed, and of an extra one; a pair costs up to 1
VOTE_S: Final = 0.02  # differences so near to each other vote for one beginning
CANDIDATES: Final = 8  # beginnings that are tried
ROUNDS: Final = 3  # of assigning, and moving the beginning by the median difference
LEAST_PLAYED: Final = 0.5  # of a bar's strokes: with fewer it was a rest
# A pair whose stroke was heard on another pad costs so much more when beginnings are compared: hands that alternate
# are as well a beat later, and most strokes are heard where they were meant.
OTHER_PAD: Final = 0.1


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a pattern lies in what was played.

    `pairs`: (meant stroke of the bars that were played, its time by the pattern, the played one's index or None for
    one that was missed), by time. `extra`: indices of played strokes that belong to none. `fit`: 1 where every stroke
    is there on time and none is extra; strokes at random, or of another tempo, give about a half.
    """

    begins_s: float  # a bar begins here, 0 <= begins_s < the bar's length
    pairs: tuple[tuple[Meant, float, int | None], ...]
    extra: tuple[int, ...]
    fit: float

    @property
    def matched(self) -> int:
        """How many meant strokes were found."""
        return sum(played is not None for _, _, played in self.pairs)

    @property
    def first_bar_s(self) -> float:
        """When the bar of the first stroke begins."""
        meant, time_s, _ = self.pairs[0]
        return time_s - meant.time_s

    def sd_ms(self, played: Sequence[HitRecord]) -> float:
        """Return the standard deviation of the played strokes from the pattern's times."""
        return 1e3 * pstdev(
            played[index].time_s - time_s for _, time_s, index in self.pairs if index is not None
        )

    def truth(self, played: Sequence[HitRecord]) -> tuple[HitRecord, ...]:
        """Return what was meant as true hits: at the time at which it was played, a missed one at the pattern's."""
        hits = [
            HitRecord(
                time_s=time_s if index is None else played[index].time_s,
                limb=meant.limb,
                pad=meant.pad,
                player=played[0].player,
            )
            for meant, time_s, index in self.pairs
        ]
        return tuple(sorted(hits, key=lambda hit: hit.time_s))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair of an assignment, and the one before it."""

    due: int
    played: int
    before: "_Pair | None"


def align(bar: Sequence[Meant], bar_s: float, played: Sequence[HitRecord]) -> Alignment | None:
    """Return how the repeated `bar` fits best to what one player played, or None where nothing of it fits."""
    beginnings = _beginnings(bar, bar_s, played)
    found = [_refined(bar, bar_s, played, begins_s) for begins_s in beginnings]
    best = min(found, key=lambda each: each[0] + OTHER_PAD * _elsewhere(each[1], played), default=None)
    return None if best is None else _without_rests(best[1], bar, bar_s, played)


def _beginnings(bar: Sequence[Meant], bar_s: float, played: Sequence[HitRecord]) -> list[float]:
    """Return the moments of a bar's beginning for which most differences vote."""
    votes: dict[int, float] = {}
    cells = max(1, round(bar_s / VOTE_S))
    for hit in played:
        for meant in bar:
            if hit.limb == meant.limb:
                cell = int((hit.time_s - meant.time_s) % bar_s / bar_s * cells) % cells
                for neighbour, weight in ((-1, 0.5), (0, 1.0), (1, 0.5)):
                    at = (cell + neighbour) % cells
                    votes[at] = votes.get(at, 0.0) + weight
    best = sorted(votes, key=lambda cell: (-votes[cell], cell))[:CANDIDATES]
    return [(cell + 0.5) * bar_s / cells for cell in best]


def _refined(
    bar: Sequence[Meant], bar_s: float, played: Sequence[HitRecord], begins_s: float
) -> tuple[float, Alignment]:
    """Return the price and the alignment near a beginning, moved to where the strokes are early as often as late."""
    price, found = _assigned(bar, bar_s, played, begins_s)
    for _ in range(ROUNDS):
        late = [played[index].time_s - time_s for _, time_s, index in found.pairs if index is not None]
        if not late:
            break
        moved = _assigned(bar, bar_s, played, (begins_s + percentile(late, 50.0)) % bar_s)
        if moved[0] >= price:
            break
        (price, found), begins_s = moved, moved[1].begins_s
    return price, found


def _elsewhere(found: Alignment, played: Sequence[HitRecord]) -> int:
    """Return how many strokes were heard on another pad than the one that was meant."""
    pads = ((meant.pad, played[index].pad) for meant, _, index in found.pairs if index is not None)
    return sum(heard is not None and heard != meant for meant, heard in pads)


def _farthest_s(bar: Sequence[Meant], bar_s: float, limb: str) -> float:
    """Return how far from its time a stroke of a limb may be played."""
    times = sorted(meant.time_s for meant in bar if meant.limb == limb)
    gaps = (after - before for before, after in pairwise([*times, *(times[0] + bar_s for _ in times[:1])]))
    return min([FARTHEST_S, *(SHARE_OF_GAP * gap for gap in gaps)])


def _assigned(
    bar: Sequence[Meant], bar_s: float, played: Sequence[HitRecord], begins_s: float
) -> tuple[float, Alignment]:
    """Return the price and the alignment with this beginning: of whole bars, and `fit` of all strokes."""
    early_s = min(_farthest_s(bar, bar_s, meant.limb) for meant in bar)  # the first stroke of a bar may be
    first = math.floor((min(hit.time_s for hit in played) - begins_s + early_s) / bar_s)
    last = math.floor((max(hit.time_s for hit in played) - begins_s + early_s) / bar_s)
    price = 0.0
    pairs: list[tuple[Meant, float, int | None]] = []
    extra: list[int] = []
    for limb in sorted({hit.limb for hit in played} | {meant.limb for meant in bar}):
        indices = sorted(
            (index for index, hit in enumerate(played) if hit.limb == limb),
            key=lambda index: played[index].time_s,
        )
        due = sorted(
            (
                (begins_s + number * bar_s + meant.time_s, meant)
                for number in range(first, last + 1)
                for meant in bar
                if meant.limb == limb
            ),
            key=lambda each: each[0],
        )
        cost, assigned = _cheapest(
            [time_s for time_s, _ in due],
            [played[index].time_s for index in indices],
            _farthest_s(bar, bar_s, limb),
        )
        price += cost
        of_due = dict(assigned)
        pairs += [
            (meant, time_s, indices[of_due[place]] if place in of_due else None)
            for place, (time_s, meant) in enumerate(due)
        ]
        extra += [index for place, index in enumerate(indices) if place not in set(of_due.values())]
    pairs.sort(key=lambda pair: (pair[1], pair[0].limb))
    fit = 1.0 - price / (SKIP * (len(pairs) + len(played)))
    return price, Alignment(begins_s, tuple(pairs), tuple(sorted(extra)), fit)


def _cheapest(
    due: Sequence[float], played: Sequence[float], farthest_s: float
) -> tuple[float, list[tuple[int, int]]]:
    """Return the price of the best assignment in order, and its (due, played) pairs; times in seconds, sorted."""
    # reach[j]: what the best assignment of the first j played strokes saves, and its last pair
    reach: list[tuple[float, _Pair | None]] = [(0.0, None)]
    first = 0
    for i, due_s in enumerate(due):
        while first < len(played) and played[first] < due_s - farthest_s:
            first += 1
        better = []
        j = first
        while j < len(played) and played[j] <= due_s + farthest_s:
            while len(reach) <= j + 1:
                reach.append(reach[-1])
            apart = (played[j] - due_s) / farthest_s
            saved, before = reach[j]
            better.append((saved + 2.0 * SKIP - apart * apart, _Pair(i, j, before)))
            j += 1
        for place, new in enumerate(better, first + 1):
            reach[place] = max(reach[place], reach[place - 1], new, key=lambda each: each[0])
    saved, last = reach[-1]
    pairs = []
    while last is not None:
        pairs.append((last.due, last.played))
        last = last.before
    return SKIP * (len(due) + len(played)) - saved, pairs


def _without_rests(
    found: Alignment, bar: Sequence[Meant], bar_s: float, played: Sequence[HitRecord]
) -> Alignment | None:
    """Leave out what comes before the first stroke and after the last, and the bars of which hardly one was played.

    The strokes that close a bar's play on the next one stay. None where nothing is left.
    """
    bars: dict[int, list[tuple[Meant, float, int | None]]] = {}
    for pair in found.pairs:
        bars.setdefault(round((pair[1] - pair[0].time_s - found.begins_s) / bar_s), []).append(pair)
    pairs: list[tuple[Meant, float, int | None]] = []
    goes_on = False
    for in_bar in bars.values():
        was_played = sum(index is not None for _, _, index in in_bar) >= LEAST_PLAYED * len(in_bar)
        if was_played:
            pairs += in_bar
        elif goes_on:
            pairs += takewhile(lambda pair: pair[2] is not None, in_bar)
        goes_on = was_played
    while pairs and pairs[0][2] is None:
        pairs.pop(0)
    while pairs and pairs[-1][2] is None:
        pairs.pop()
    if not pairs:
        return None
    kept = {index for _, _, index in pairs}
    extra = tuple(index for index in range(len(played)) if index not in kept)
    saved = 0.0
    for meant, time_s, index in pairs:
        if index is not None:
            apart = (played[index].time_s - time_s) / _farthest_s(bar, bar_s, meant.limb)
            saved += 2.0 * SKIP - apart * apart
    fit = saved / (SKIP * (len(pairs) + len(played)))
    return Alignment(found.begins_s, tuple(pairs), extra, fit)
