"""All that a ledger's rows tell: percentiles, cadence, phases, causes, periodicity. Pure over arrays."""

from dataclasses import dataclass

from lalelu.analysis.cadence import Cadence
from lalelu.analysis.causes import Causes
from lalelu.analysis.latency import LatencySummary
from lalelu.analysis.periodicity import Rhythm
from lalelu.analysis.phases import Phase
from lalelu.analysis.seconds import Seconds


@dataclass(frozen=True, slots=True)
class StageShare:
    """What one stage takes of a frame, from the exposure until its hits are handed over."""

    stage: str  # a key of STAGES
    median_ms: float  # mean within the middle tenth of all frames
    median_share: float  # 0..1 of that frame
    tail_ms: float  # mean within the slowest 1 %
    tail_share: float  # 0..1 of that frame


@dataclass(frozen=True, slots=True)
class OverBudget:
    """How often frames took longer than a limit."""

    limit_ms: float
    what: str  # "the frame period", or the budget as it was given
    share: float  # 0..1 of all frames; NaN without frames


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `diagnose` found."""

    summary: LatencySummary
    stages: tuple[StageShare, ...]  # in the order of STAGES
    over: tuple[OverBudget, ...]
    cadence: Cadence
    seconds: Seconds
    phases: tuple[Phase, ...]  # one when nothing changed
    frame_causes: Causes
    note_causes: Causes
    rhythms: tuple[Rhythm, ...]  # the strongest first
    unavailable: dict[str, str]  # field -> why this machine does not tell it, from the header
    verdict: tuple[str, ...]  # the few lines for a player
