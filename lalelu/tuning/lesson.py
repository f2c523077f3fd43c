"""A take of which it is known what was meant, and what a kit makes of it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lalelu.analysis.scoring import By
from lalelu.config.gestures import HiHat, Hold
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.hits import HitRecord
from lalelu.take import Take
from lalelu.takes.replaying import on_one_kit, play
from lalelu.tuning.outcome import Outcome, is_held_back, parted


@dataclass(frozen=True, slots=True)
class Lesson:
    """A take and its true hits; times count from its first frame.

    With `by_pattern` the truth is a pattern that somebody played along with: its times are those at which the detector
    found the strokes, so that they tell nothing of its timing, and what other limbs did is no part of it.
    """

    name: str
    take: Take
    truth: tuple[HitRecord, ...]
    by_pattern: bool = False

    @property
    def length_s(self) -> float:
        """From the first frame to the last."""
        frames = self.take.frames
        return (frames[-1].captured_ns - frames[0].captured_ns) * 1e-9 if frames else 0.0


@dataclass(frozen=True, slots=True)
class Judge:
    """How takes are played and scored."""

    config: Config
    window_ms: float
    by: By

    def play(self, lesson: Lesson, kit: KitConfig) -> tuple[Outcome, Outcome]:
        """Return what a kit gives on the part of a take that is tuned on, and on the one held back."""
        tuned_on, held = self.parted(
            lesson, kit, lambda time_s: int(is_held_back(time_s, lesson.length_s)), 2
        )
        return tuned_on, held

    def parted(
        self, lesson: Lesson, kit: KitConfig, part_of: Callable[[float], int], parts: int
    ) -> list[Outcome]:
        """Return what a kit gives on each part of a take; `part_of` tells a moment's."""
        found, truth = heard(lesson.take, self.config, kit), list(lesson.truth)
        if lesson.by_pattern:
            limbs = {hit.limb for hit in lesson.truth}
            # a pattern does not say how far the foot opens a hi-hat
            closed = {each.open_pad: each.pad for each in kit.gestures.values() if isinstance(each, HiHat)}
            found, truth = (
                [replace(hit, pad=closed.get(hit.pad or "", hit.pad)) for hit in hits if hit.limb in limbs]
                for hits in (found, truth)
            )
        return parted(
            found,
            truth,
            part_of,
            parts,
            window_ms=self.window_ms,
            by=self.by,
            timed=not lesson.by_pattern,
        )


def heard(take: Take, config: Config, kit: KitConfig) -> list[HitRecord]:
    """Return the hits of a take that everybody plays on one kit; poses that are held command nothing."""
    return list(play(take, on_one_kit(config), [without_signs(kit)]).hits)


def without_signs(kit: KitConfig) -> KitConfig:
    """Return the kit without the poses that command something, so that a take is played whole."""
    gestures = {name: each for name, each in kit.gestures.items() if not isinstance(each, Hold)}
    return kit.model_copy(update={"gestures": gestures})
