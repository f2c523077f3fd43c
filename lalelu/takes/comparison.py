"""What another kit makes of a take: more and fewer hits, doubles, earlier or later notes. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lalelu.analysis.scoring import DOUBLE_S, Score, match, score
from lalelu.hits import HitRecord

WINDOW_S: Final = 0.05  # two hits of one limb within are the same stroke, as `lalelu score` has it
LEAST_MS: Final = 0.5  # less is told as no difference
NO_PAD: Final = "-"


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes from one replay to the other. `gained` and `lost` do not count doubles."""

    before: int  # hits
    after: int
    gained: int
    lost: int
    more_doubles: int
    fewer_doubles: int
    moved: int  # the same stroke plays another pad
    later_ms: float | None  # notes of the same strokes, mean; below 0 = earlier; None = no stroke is in both


@dataclass(frozen=True, slots=True)
class Comparison:
    """One take on two kits; `before_truth` and `after_truth` are None where no truth is known."""

    all: Difference
    by_pad: Mapping[str, Difference]
    before_truth: Score | None
    after_truth: Score | None

    @property
    def sentence(self) -> str:
        """What a player wants to know, as in "+2 hits, -1 double, 3 ms earlier"."""
        told = _told(self.all)
        before, after = self.before_truth, self.after_truth
        if before is not None and after is not None:
            told += f"; against the truth F1 {before.f1:.3f} -> {after.f1:.3f}"
            if before.error_ms is not None and after.error_ms is not None:
                told += f", SD {before.error_ms.sd:.1f} -> {after.error_ms.sd:.1f} ms"
        return told

    @property
    def pad_sentences(self) -> dict[str, str]:
        """The same for every pad that changes."""
        return {
            pad: sentence
            for pad, difference in self.by_pad.items()
            if not (sentence := _told(difference)).startswith("no difference")
        }

    def plain(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "sentence": self.sentence,
            "pads": self.pad_sentences,
            "all": asdict(self.all),
            "by_pad": {pad: asdict(difference) for pad, difference in self.by_pad.items()},
            "truth": None
            if self.before_truth is None or self.after_truth is None
            else {"before": asdict(self.before_truth), "after": asdict(self.after_truth)},
        }


def compare(
    before: Sequence[HitRecord], after: Sequence[HitRecord], truth: Sequence[HitRecord] | None = None
) -> Comparison:
    """Compare two replays of one take, stroke by stroke."""
    pairs = match(before, after, window_s=WINDOW_S, by="limb")
    pads = sorted({hit.pad or NO_PAD for hit in (*before, *after)})
    return Comparison(
        _difference(before, after, pairs, None),
        {pad: _difference(before, after, pairs, pad) for pad in pads},
        None if truth is None else score(before, truth),
        None if truth is None else score(after, truth),
    )


def _difference(
    before: Sequence[HitRecord],
    after: Sequence[HitRecord],
    pairs: Sequence[tuple[int, int]],
    pad: str | None,
) -> Difference:
    def counts(hit: HitRecord) -> bool:
        return pad is None or (hit.pad or NO_PAD) == pad

    of_before, of_after = {i for i, _ in pairs}, {j for _, j in pairs}
    doubles_before, doubles_after = _doubles(before), _doubles(after)
    lost = [i for i, hit in enumerate(before) if counts(hit) and i not in of_before]
    gained = [j for j, hit in enumerate(after) if counts(hit) and j not in of_after]
    same = [(before[i], after[j]) for i, j in pairs if counts(after[j])]
    delays = [
        (new.note_s - old.note_s) * 1e3
        for old, new in same
        if old.note_s is not None and new.note_s is not None
    ]
    return Difference(
        before=sum(map(counts, before)),
        after=sum(map(counts, after)),
        gained=sum(j not in doubles_after for j in gained),
        lost=sum(i not in doubles_before for i in lost),
        more_doubles=sum(j in doubles_after for j in gained),
        fewer_doubles=sum(i in doubles_before for i in lost),
        moved=sum(old.pad != new.pad for old, new in same),
        later_ms=math.fsum(delays) / len(delays) if delays else None,
    )


def _doubles(hits: Sequence[HitRecord]) -> set[int]:
    """Return the hits that follow another one of their limb too soon for a second stroke."""
    last_s: dict[tuple[int, str], float] = {}
    doubles = set()
    for index in sorted(range(len(hits)), key=lambda i: hits[i].time_s):
        hit = hits[index]
        limb = hit.player, hit.limb
        if hit.time_s - last_s.get(limb, -math.inf) < DOUBLE_S:
            doubles.add(index)
        last_s[limb] = hit.time_s
    return doubles


def _told(difference: Difference) -> str:
    counted = [
        f"{sign}{count} {word}{'' if count == 1 else 's'}"
        for sign, count, word in (
            ("+", difference.gained, "hit"),
            ("-", difference.lost, "hit"),
            ("+", difference.more_doubles, "double"),
            ("-", difference.fewer_doubles, "double"),
        )
        if count
    ]
    if difference.moved:
        counted.append(f"{difference.moved} on another pad")
    later_ms = difference.later_ms
    if later_ms is not None and abs(later_ms) >= LEAST_MS:
        counted.append(f"{abs(later_ms):.0f} ms {'later' if later_ms > 0 else 'earlier'}")
    if counted:
        return ", ".join(counted)
    return (
        f"no difference: the same {difference.after} hits" if difference.after else "no difference: no hits"
    )
