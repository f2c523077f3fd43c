"""Ask the machine for real time, and report what was granted. Changes this process's scheduling.

Affinity and priority are the hot thread's alone, asked for after warm-up: a library's helper threads that were
started earlier keep ordinary scheduling on the other cores.
"""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lalelu.config.schema import RealtimeSection
from lalelu.errors import MissingError

ISOLATED = Path("/sys/devices/system/cpu/isolated")
MAX_LOAD = 0.9  # a FIFO thread that hardly sleeps is throttled by the kernel at 95 % of each second


@dataclass(frozen=True, slots=True)
class Grant:
    """One request to the machine and its answer."""

    request: str
    granted: bool
    detail: str  # what is in force, or why not and what would grant it

    def __str__(self) -> str:
        return f"{'granted' if self.granted else 'refused'}: {self.request} ({self.detail})"


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the cores of a kernel list such as `2-3,7` (`sched(7)`, cpuset format)."""
    cores: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cores.extend(range(int(first), int(last or first) + 1))
    return tuple(cores)


def isolated_cores() -> tuple[int, ...]:
    """Return the cores that the kernel keeps for nobody but those who ask for them by number."""
    return parse_cpu_list(ISOLATED.read_text(encoding="ascii")) if ISOLATED.exists() else ()


def choose_core(asked: str | int) -> int | None:
    """Return the core for the hot thread: the first isolated one, else the last allowed; None for "none".

    Raises MissingError when a core asked for by number cannot be used by this process.
    """
    if not sys.platform.startswith("linux") or asked == "none":
        return None
    allowed = sorted(os.sched_getaffinity(0))
    isolated = isolated_cores()
    if isinstance(asked, int):
        if asked not in allowed and asked not in isolated:
            raise MissingError(
                f"realtime.core is {asked}; this process may use {allowed}: choose one, or auto"
            )
        return asked
    return next(iter(isolated), allowed[-1])


def leave_core(core: int | None) -> None:
    """Keep this process, and children it starts, off `core`, so that only the hot thread lives there."""
    if core is None:
        return
    others = os.sched_getaffinity(0) - {core}
    if others:
        os.sched_setaffinity(0, others)


def enter(asked: RealtimeSection, core: int | None, load: float) -> Sequence[Grant]:
    """Move the calling thread to `core` and to SCHED_FIFO, freeze the garbage collector; report each.

    `load` is the share of a frame period that the loop needs (1 = all of it). Raises MissingError when a
    request is refused and `realtime.required` is set.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    grants = [Grant("garbage collector", granted=True, detail="frozen and off in the loop")]
    if core is not None:
        grants.append(_affinity(core))
    if asked.priority:
        grants.append(_fifo(asked.priority, load))
    refused = [grant for grant in grants if not grant.granted]
    if asked.required and refused:
        raise MissingError("realtime.required is set, and the machine " + "; ".join(map(str, refused)))
    return grants


def end(cores: frozenset[int]) -> None:
    """Give the calling thread ordinary scheduling back, on `cores`, and the garbage collector its work."""
    gc.enable()
    gc.unfreeze()
    if sys.platform.startswith("linux"):
        with suppress(PermissionError):  # refused before, so nothing is to be undone
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)


def allowed_cores() -> frozenset[int]:
    """Return the cores that this process may use now."""
    return frozenset(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else frozenset()


def _affinity(core: int) -> Grant:
    request = f"core {core} for the loop"
    try:
        os.sched_setaffinity(0, {core})
    except OSError as exc:
        return Grant(request, granted=False, detail=f"{exc.strerror}: allow the core in the service's cpuset")
    shared = "shared with others: isolcpus= on the kernel command line isolates it"
    return Grant(request, granted=True, detail="isolated" if core in isolated_cores() else shared)


def _fifo(priority: int, load: float) -> Grant:
    request = f"SCHED_FIFO priority {priority}"
    if not sys.platform.startswith("linux"):
        return Grant(request, granted=False, detail="only Linux has it")
    if load > MAX_LOAD:
        return Grant(
            request,
            granted=False,
            detail=f"the loop needs {load:.0%} of a frame period, at most {MAX_LOAD:.0%} may be FIFO: "
            "fewer frames a second or a smaller pose.model would grant it",
        )
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as exc:
        remedy = f"LimitRTPRIO={priority} in the unit, or ulimit -r, grants it"
        return Grant(request, granted=False, detail=f"{exc.strerror}: {remedy}")
    return Grant(request, granted=True, detail="the loop's thread alone, reset on fork")
