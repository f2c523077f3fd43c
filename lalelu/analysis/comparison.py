"""Is one run slower than another? Effects with bootstrap confidence intervals. Pure over arrays."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["faster", "slower", "no difference beyond noise", "too few rows"]


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one statistic of one duration moved from the other run to this one."""

    duration: str  # "frame", "note", ...
    statistic: str  # "p50", "p99", "mean", "sd"
    other_ms: float
    this_ms: float
    change_ms: float  # this - other; more = slower
    low_ms: float  # of its 95 % confidence interval
    high_ms: float
    tolerance_ms: float  # a smaller change is of no interest
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """This run against another one."""

    effects: tuple[Effect, ...]
    verdict: Verdict  # slower if any effect is; else faster if any is

    @property
    def slower(self) -> bool:
        """Whether some effect is slower beyond noise and tolerance."""
        return self.verdict == "slower"
