"""From a take of a pattern that somebody played along with to its true hits. Pure."""

from collections import Counter
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.gesture.verdict import Rule, Verdict
from lalelu.hits import HitRecord
from lalelu.take import Take
from lalelu.tuning.align import Alignment, align
from lalelu.tuning.lesson import heard
from lalelu.tuning.parameters import STRIKE, with_values
from lalelu.tuning.pattern import bar_of, bar_s

# Strokes all the same: their pad, or its absence, let them not sound.
_STROKES: Final[frozenset[Rule | None]] = frozenset(
    {None, "no_pad", "pad_threshold", "pad_mask", "retrigger", "crosstalk"}
)
LEAST_FIT: Final = (
    0.7  # of a pattern: a spread of 40 ms and a tenth missed and extra has 0.8, another tempo 0.5
)


def movements(take: Take, config: Config, kit: KitConfig) -> list[HitRecord]:
    """Return every stroke of a take, also soft and short ones and those out of reach of a pad, by time.

    `pad` is the one that it was heard on, or would have been.

    Only those of the player who played most.
    """
    lenient = with_values(
        kit.model_copy(update={"detector": "model", "learned": None}),
        {f"strike.{name}": low for name, (low, _) in STRIKE.items() if name != "min_score"},
    )
    verdicts: list[Verdict] = []
    heard(take, config, lenient, explain=verdicts.append, lead_ms=0.0)  # what was done, not what was foreseen
    strokes = [verdict for verdict in verdicts if verdict.rule in _STROKES and verdict.measured is not None]
    if not strokes:
        return []
    player = Counter(verdict.player for verdict in strokes).most_common(1)[0][0]
    origin_ns = take.frames[0].captured_ns
    found = [
        HitRecord((verdict.lowest_ns - origin_ns) * 1e-9, verdict.limb, verdict.pad, player)
        for verdict in strokes
        if verdict.player == player
    ]
    return sorted(found, key=lambda hit: hit.time_s)


def meant(
    name: str, take: Take, config: Config, kit: KitConfig, pattern: str, bpm: float
) -> tuple[Alignment, tuple[HitRecord, ...]]:
    """Return how a pattern lies in a take, and its true hits. Raises UsageError where it does not lie there."""
    bar = bar_of(pattern, bpm, kit, left_handed=config.left_handed)
    played = movements(take, config, kit)
    found = align(bar, bar_s(bpm), played)
    if found is None or found.fit < LEAST_FIT:
        share = "none" if found is None else f"hardly {100.0 * found.fit:.0f} %"
        raise UsageError(
            f"{name}: {share} of the strokes of --pattern {pattern} at {bpm:g} a minute lie in it; "
            "check pattern and tempo, or give the true hits with --truth"
        )
    return found, found.truth(played)
