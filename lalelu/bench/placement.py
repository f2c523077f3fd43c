"""Where a contestant runs: on one core, on any, or on a core that the kernel keeps free. Reads /sys."""

import os
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

from lalelu.errors import MissingError
from lalelu.realtime import isolated_cores

# pinned: one core a thread, shared with whatever else the kernel puts there; unpinned: wherever the kernel likes;
# isolated: a core that the kernel gives to nobody by itself (isolcpus=)
Placement: TypeAlias = Literal["pinned", "unpinned", "isolated"]
PLACEMENTS: Final[tuple[Placement, ...]] = get_args(Placement)


def cores_for(placement: Placement, threads: int, core: int) -> tuple[int, ...]:
    """Return the cores for so many threads, `core` among them where it can be. Raises MissingError for too few."""
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    if placement == "unpinned":
        return tuple(allowed)
    if placement == "pinned":
        return _some(allowed, threads, core, "this process may use")
    isolated = isolated_cores()
    if not isolated:
        raise MissingError(
            "this machine has no isolated core; `isolcpus=N` on the kernel's command line makes one"
        )
    return _some(sorted(isolated, reverse=True), threads, core, "isolated are")


def _some(cores: Sequence[int], threads: int, core: int, what: str) -> tuple[int, ...]:
    if len(cores) < threads:
        raise MissingError(f"{threads} threads need a core each; {what} {sorted(cores)}")
    return tuple(sorted(cores, key=lambda each: each != core)[:threads])
