"""Which processor core the hot thread gets. Reads /sys, changes this process's affinity."""

import os
import sys
from pathlib import Path

from lalelu.errors import MissingError

ISOLATED = Path("/sys/devices/system/cpu/isolated")


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the cores of a kernel list such as `2-3,7` (`sched(7)`, cpuset format).

    None where the kernel prints `(null)` or words of its own for them.
    """
    cores: list[int] = []
    try:
        for part in filter(None, text.strip().split(",")):
            first, _, last = part.partition("-")
            cores.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        return ()
    return tuple(cores)


def isolated_cores() -> tuple[int, ...]:
    """Return the cores that the kernel keeps for nobody but those who ask for them by number."""
    return parse_cpu_list(ISOLATED.read_text(encoding="utf-8")) if ISOLATED.exists() else ()


def allowed_cores() -> frozenset[int]:
    """Return the cores that this process may use now."""
    return frozenset(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else frozenset()


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
