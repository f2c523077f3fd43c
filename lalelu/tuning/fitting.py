"""What of a kit can be fitted to lessons, and by whom it is judged. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.parameters import GROUPS, LEAST_HITS, Parameter, parameters_of

WINDOW_MS: Final = 50.0  # the largest difference of a hit, as `lalelu score` has it
LEAST_TRUE: Final = 3 * LEAST_HITS  # true hits: a third is held back, and is to tell something


@dataclass(frozen=True, slots=True)
class Fitting:
    """The parameters that are searched for; none where no pad has enough true hits and `strike` is not asked for."""

    judge: Judge
    parameters: tuple[Parameter, ...]


def fitting(
    config: Config,
    kit: KitConfig,
    lessons: Sequence[Lesson],
    *,
    groups: Sequence[str] | None = None,
    window_ms: float = WINDOW_MS,
) -> Fitting:
    """Return how a kit is fitted to lessons; `groups` None: strike, and the rest too where the truth names pads.

    Raises UsageError where nothing was meant.
    """
    truth = [hit for lesson in lessons for hit in lesson.truth]
    if not truth:
        raise UsageError("these takes have no true hit; a kit that hears nothing would be the best one")
    with_pads = all(hit.pad is not None for hit in truth)
    pads = Counter(hit.pad for hit in truth if hit.pad is not None)
    wanted = groups or (GROUPS if with_pads else ("strike",))
    return Fitting(Judge(config, window_ms, "pad" if with_pads else "limb"), parameters_of(kit, pads, wanted))
