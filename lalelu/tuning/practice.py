"""From a take of a pattern that somebody played along with to its true hits. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.gesture.verdict import Rule
from lalelu.hits import HitRecord
from lalelu.take import Take, TakeHeader
from lalelu.takes.replaying import on_one_kit, play
from lalelu.tuning.align import Alignment, align
from lalelu.tuning.lesson import without_signs
from lalelu.tuning.parameters import STRIKE, with_values
from lalelu.tuning.pattern import bar_of, bar_s

# Strokes all the same: their pad, or its absence, let them not sound.
_STROKES: Final[frozenset[Rule | None]] = frozenset(
    {None, "no_pad", "pad_threshold", "pad_mask", "retrigger", "crosstalk"}
)
LEAST_FIT: Final = (
    0.7  # of a pattern: a spread of 40 ms and a tenth missed and extra has 0.8, another tempo 0.5
)


@dataclass(frozen=True, slots=True)
class Practice:
    """A take on which a pattern was found."""

    alignment: Alignment
    played: tuple[HitRecord, ...]  # every stroke, by time

    @property
    def truth(self) -> tuple[HitRecord, ...]:
        """What was meant, as true hits."""
        return self.alignment.truth(self.played)

    def sentence(self, asked: int = 0) -> str:
        """Return what was found; `asked`: of so many strokes, where more were asked for than bars were played."""
        found = self.alignment
        return (
            f"{found.matched} of {max(asked, len(found.pairs))} strokes of the pattern were played; movements that "
            f"were none of it: {len(found.extra)}; spread in time: {found.sd_ms(self.played):.0f} ms (SD)"
        )


def noted(header: TakeHeader) -> tuple[str, float] | None:
    """Return the pattern and the tempo that a take was recorded with; None where its first line names none."""
    told = header.more.get("practice")
    if not isinstance(told, dict):
        return None
    pattern, bpm = told.get("pattern"), told.get("bpm")
    if not isinstance(pattern, str) or not isinstance(bpm, int | float) or isinstance(bpm, bool):
        return None
    return pattern, float(bpm)


def movements(take: Take, config: Config, kit: KitConfig) -> list[HitRecord]:
    """Return every stroke of a take, also soft and short ones and those out of reach of a pad, by time.

    `pad` is the one that it was heard on, or would have been.

    Only those of the player who played most.
    """
    lenient = with_values(
        kit.model_copy(update={"detector": "model", "learned": None}),
        {f"strike.{name}": low for name, (low, _) in STRIKE.items() if name != "min_score"},
    )
    # what was done, not what was foreseen, and whatever was told meanwhile by a pose
    played = play(take, on_one_kit(config), [without_signs(lenient)], explain=True, lead_ms=0.0)
    strokes = [
        verdict for verdict in played.verdicts if verdict.rule in _STROKES and verdict.measured is not None
    ]
    if not strokes:
        return []
    player = Counter(verdict.player for verdict in strokes).most_common(1)[0][0]
    found = [
        HitRecord((verdict.lowest_ns - played.origin_ns) * 1e-9, verdict.limb, verdict.pad, player)
        for verdict in strokes
        if verdict.player == player
    ]
    return sorted(found, key=lambda hit: hit.time_s)


def practised(name: str, take: Take, config: Config, kit: KitConfig, pattern: str, bpm: float) -> Practice:
    """Return how a pattern lies in a take. Raises UsageError where it does not lie there."""
    bar = bar_of(pattern, bpm, kit, left_handed=config.left_handed)
    played = movements(take, config, kit)
    found = align(bar, bar_s(bpm), played)
    if found is None or found.fit < LEAST_FIT:
        share = "nothing" if found is None else f"hardly {100.0 * found.fit:.0f} %"
        raise UsageError(
            f"{name}: of {len(played)} strokes that were seen, {share} is the pattern {pattern} at {bpm:g} a minute; "
            "check pattern and tempo, and that both hands are seen all the time, or mark the true hits by hand"
        )
    return Practice(found, tuple(played))
