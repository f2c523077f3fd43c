"""A take of which it is known what was meant, and what a kit makes of it. Pure."""

from dataclasses import dataclass

from lalelu.analysis.scoring import By
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.hits import HitRecord
from lalelu.take import Take
from lalelu.takes.replaying import play
from lalelu.tuning.outcome import Outcome, outcomes


@dataclass(frozen=True, slots=True)
class Lesson:
    """A take and its true hits; times count from its first frame."""

    name: str
    take: Take
    truth: tuple[HitRecord, ...]

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
        found = heard(lesson.take, self.config, kit)
        return outcomes(found, lesson.truth, length_s=lesson.length_s, window_ms=self.window_ms, by=self.by)


def heard(take: Take, config: Config, kit: KitConfig) -> list[HitRecord]:
    """Return the hits of a take that everybody plays on one kit."""
    return list(play(take, on_one_kit(config), [kit]).hits)


def on_one_kit(config: Config) -> Config:
    """Return the configuration with which everybody plays the same kit."""
    return config.model_copy(update={"player": config.player.model_copy(update={"kits": {}})})
