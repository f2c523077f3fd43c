"""Count the devices' interrupts that come to the loop's core between two looks. Reads /proc, changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.clock import now_ns
from lalelu.doctor.machine import PROC, text_of
from lalelu.realtime import parse_cpu_list

BALANCER: Final = "irqbalance"
# each core's own, which no setting moves (Arm numbers them among the devices')
OF_THE_CORE: Final = frozenset({"arch_timer", "arm-pmu", "timer"})


@dataclass(frozen=True, slots=True)
class Look:
    """What /proc/interrupts told at one moment."""

    at_ns: int
    counts: Mapping[int, int]  # number -> how often it came to the core since boot
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Fired:
    """A device's interrupt that came to the core."""

    number: int
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Interrupts:
    """What came to the core between two looks."""

    seconds: float
    fired: tuple[Fired, ...]  # the most frequent first
    allowed: int  # how many devices' interrupts may come to the core
    is_balanced: bool  # irqbalance runs


def look_at_interrupts(core: int, proc: Path = PROC) -> Look:
    """Read the core's column; a core that is off has none."""
    titles, *lines = text_of(proc / "interrupts").splitlines() or [""]
    columns = titles.split()
    at_ns = now_ns()
    if f"CPU{core}" not in columns:
        return Look(at_ns, {}, {})
    place = columns.index(f"CPU{core}") + 1
    counts: dict[int, int] = {}
    names: dict[int, str] = {}
    for line in lines:
        number, *fields = line.replace(":", " ", 1).split()
        if number.isdecimal() and len(fields) > len(columns) and fields[-1] not in OF_THE_CORE:
            counts[int(number)] = int(fields[place - 1])
            names[int(number)] = fields[-1]
    return Look(at_ns, counts, names)


def between(core: int, first: Look, second: Look, proc: Path = PROC) -> Interrupts:
    """Return what came to `core` since `first`, of those that their smp_affinity_list lets come."""
    allowed = {
        number
        for number in second.counts
        if core in parse_cpu_list(text_of(proc / f"irq/{number}/smp_affinity_list"))
    }
    fired = [
        Fired(number, second.names[number], count)
        for number in allowed
        if (count := second.counts[number] - first.counts.get(number, 0)) > 0
    ]
    return Interrupts(
        seconds=(second.at_ns - first.at_ns) * 1e-9,
        fired=tuple(sorted(fired, key=lambda each: (-each.count, each.number))),
        allowed=len(allowed),
        is_balanced=any(text_of(comm).strip() == BALANCER for comm in proc.glob("[0-9]*/comm")),
    )
