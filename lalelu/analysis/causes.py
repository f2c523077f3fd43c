"""Why a frame or a note was late: its excess over the ordinary one, cause by cause. Pure over arrays."""

from dataclasses import dataclass
from typing import Final, Literal

# cause -> what people are told, in the order in which a frame meets them
CAUSES: Final[dict[str, str]] = {
    "camera": "camera late",
    "frame_before": "busy with the frame before",
    "woken_late": "run-queue wait before the work",
    "queued": "run-queue wait within the work",
    "collector": "garbage collection",
    "minor_faults": "page faults",
    "major_faults": "pages read from the disk",
    "hypervisor": "time taken by the hypervisor",
    "interrupts": "interrupts",
    "slept": "asleep, stopped or blocked",
    "frequency": "slower core",
    "players": "more players to compute",
    "computing": "longer computing",
    "decided_late": "recognised after it was due",
    "voice": "voice woken late",
    "port": "slow MIDI port",
    "not_told": "not told by this machine",
    "unexplained": "unexplained",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one cause adds to one outlier."""

    cause: str  # a key of CAUSES
    ms: float
    share: float  # 0..1; the parts of an outlier sum to 1
    detail: str  # e.g. who used the core: "bench, 740 ms in that second"; may be empty


@dataclass(frozen=True, slots=True)
class Outlier:
    """One frame or note that took much longer than the others."""

    kind: Literal["frame", "note"]
    seq: int
    at_s: float  # the frame's capture, from the first frame's
    latency_ms: float  # frames: expected arrival → row; notes: what the player waited too long
    excess_ms: float  # over the ordinary one of that phase
    parts: tuple[Part, ...]  # the largest first

    @property
    def main(self) -> Part:
        """The largest part."""
        return self.parts[0]


@dataclass(frozen=True, slots=True)
class CauseTotal:
    """One cause over all outliers."""

    cause: str
    ms: float  # lost to it, over all
    share: float  # 0..1 of what all causes took
    outliers: int  # in which it is the main cause
    detail: str  # the commonest detail, e.g. the competitor named most


@dataclass(frozen=True, slots=True)
class Causes:
    """The outliers of one kind and why they were late."""

    kind: Literal["frame", "note"]
    count: int  # outliers in all
    of: int  # rows looked at
    threshold_ms: float  # an excess above this makes an outlier (the lowest of the phases')
    ranking: tuple[CauseTotal, ...]  # most ms first; empty = no outliers
    worst: tuple[Outlier, ...]  # at most WORST, the longest excess first
    not_told: tuple[str, ...]  # what this machine did not tell, with the reason: "queued_ns: ..."


WORST: Final = 100  # outliers that are kept one by one
