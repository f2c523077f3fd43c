"""A take of which it is known what was meant, and what a kit makes of it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lalelu.analysis.scoring import By
from lalelu.config.gestures import HiHat, Hold
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.gesture.band import Band
from lalelu.gesture.verdict import Verdict
from lalelu.hits import HitRecord
from lalelu.performance import hit_records
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.skeleton import SKELETONS
from lalelu.take import Take, TakeHeader
from lalelu.tuning.outcome import Outcome, is_held_back, parted
from lalelu.types import Hit


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
        found = heard(lesson.take, self.config, kit)
        if lesson.by_pattern:
            limbs = {hit.limb for hit in lesson.truth}
            # a pattern does not say how far the foot opens a hi-hat
            closed = {each.open_pad: each.pad for each in kit.gestures.values() if isinstance(each, HiHat)}
            found = [
                replace(hit, pad=closed.get(hit.pad or "", hit.pad)) for hit in found if hit.limb in limbs
            ]
        return parted(
            found,
            lesson.truth,
            part_of,
            parts,
            window_ms=self.window_ms,
            by=self.by,
            timed=not lesson.by_pattern,
        )


def band_of(
    config: Config,
    kits: Sequence[KitConfig],
    header: TakeHeader,
    *,
    explain: Callable[[Verdict], None] | None = None,
    lead_ms: float | None = None,
) -> Band:
    """Return the band that plays a take's poses; `lead_ms` None: the configured one."""
    aspect = header.width / header.height
    return Band(
        kits,
        skeleton=SKELETONS[header.skeleton],
        player_kits=config.player_kits,
        left_handed=config.left_handed,
        row_delay_ns=rolling_shutter(
            header.readout_ms or 0.0, Orientation(config.camera.rotate, config.camera.mirror), aspect
        ),
        aspect=aspect,
        explain=explain,
        lead_ms=config.timing.lead_ms if lead_ms is None else lead_ms,
        chokes=config.timing.choke,
    )


def heard(
    take: Take,
    config: Config,
    kit: KitConfig,
    *,
    explain: Callable[[Verdict], None] | None = None,
    lead_ms: float | None = None,
) -> list[HitRecord]:
    """Return the hits of a take that everybody plays on one kit; poses that are held command nothing."""
    alone = config.model_copy(update={"player": config.player.model_copy(update={"kits": {}})})
    gestures = {name: each for name, each in kit.gestures.items() if not isinstance(each, Hold)}
    kit = kit.model_copy(update={"gestures": gestures})
    band = band_of(alone, [kit], take.header, explain=explain, lead_ms=lead_ms)
    events = [
        event
        for frame in take.frames
        for event in tuple(band.frame(frame.seq, frame.captured_ns, frame.poses))
    ]
    band.finish()
    origin_ns = take.frames[0].captured_ns if take.frames else 0
    return hit_records((event for event in events if isinstance(event, Hit)), [kit], origin_ns=origin_ns)
