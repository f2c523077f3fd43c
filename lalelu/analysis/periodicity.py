"""Spikes that come at regular times: every 1.000 s. Pure over arrays."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Spikes that keep a period."""

    period_s: float
    spikes: int  # of those looked at
    strength: float  # 0..1, 1 = all at the same point of the period
    false_alarm: float  # chance that spikes at random times look as regular
