"""Phases: where a run became faster or slower for a while, and what changed with it. Pure over arrays."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing that changed at a phase's beginning."""

    name: str  # a key of SERIES, or "event"
    text: str  # "the core's frequency fell from 3.6 to 2.9 GHz"
    share: float  # 0..1 of the change
    model: Literal["accounts", "follows"]  # ms against ms; or the latency's seconds follow the series (R²)


@dataclass(frozen=True, slots=True)
class Phase:
    """Seconds that belong together."""

    number: int  # 1, 2, ... in time; the warm-up is 0
    first_s: int  # from the first frame
    last_s: int  # behind its last second
    frames: int
    p50_ms: float  # frame → row
    p95_ms: float
    p99_ms: float
    max_ms: float
    inference_p50_ms: float
    change_ms: float  # of p50 against the phase before; NaN for the first
    change_p95_ms: float
    explanations: tuple[Explanation, ...]  # of that change, the largest share first
    unexplained: float  # 0..1 of the change; NaN for the first

    @property
    def warm_up(self) -> bool:
        """Whether the run was still getting to its speed."""
        return self.number == 0
