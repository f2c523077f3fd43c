"""Collect what the kernel says about this machine as a real-time instrument. Reads /proc and /sys, changes nothing."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.realtime import parse_cpu_list
from lalelu.realtime.requests import CAP_IPC_LOCK, CAP_SYS_NICE, capabilities

PROC: Final = Path("/proc")
SYS: Final = Path("/sys")

_BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # the last one is Arm's


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may ask for. A limit is None where there is none."""

    real_time_priority: int | None  # RLIMIT_RTPRIO
    locked_bytes: int | None  # RLIMIT_MEMLOCK
    may_nice: bool  # CAP_SYS_NICE: the first limit does not hold
    may_lock: bool  # CAP_IPC_LOCK: nor does the second


@dataclass(frozen=True, slots=True)
class Machine:
    """The kernel's facts; None or empty where it does not tell."""

    online: tuple[int, ...]  # cores
    isolated: tuple[int, ...]
    tickless: tuple[int, ...]  # nohz_full
    callbacks_elsewhere: tuple[int, ...]  # rcu_nocbs, which nohz_full implies
    governors: Mapping[int, str]  # core -> cpufreq governor
    throttle_us: tuple[int, int] | None  # real time may run so long (-1: always), of so long
    kernel: str  # release
    is_preempt_rt: bool
    is_virtual: bool
    stolen_share: float | None  # of all processor time since boot
    swap_kb: int
    has_bf16: bool
    limits: Limits


def collect(proc: Path = PROC, sys: Path = SYS) -> Machine:
    """Read the facts; a file that is not there leaves its fact empty."""
    cpus = sys / "devices/system/cpu"
    tickless = parse_cpu_list(text_of(cpus / "nohz_full"))
    words = text_of(proc / "cmdline").split()
    online = parse_cpu_list(text_of(cpus / "online"))
    return Machine(
        online=online,
        isolated=parse_cpu_list(text_of(cpus / "isolated")),
        tickless=tickless,
        callbacks_elsewhere=tuple(sorted({*tickless, *_callbacks(words, online)})),
        governors={
            core: governor
            for core in online
            if (governor := text_of(cpus / f"cpu{core}/cpufreq/scaling_governor").strip())
        },
        throttle_us=_throttle(proc / "sys/kernel"),
        kernel=text_of(proc / "sys/kernel/osrelease").strip(),
        is_preempt_rt=text_of(sys / "kernel/realtime").strip() == "1"
        or "PREEMPT_RT" in text_of(proc / "version"),
        is_virtual="hypervisor" in _flags(proc) or (proc / "device-tree/hypervisor").exists(),
        stolen_share=_stolen_share(text_of(proc / "stat")),
        swap_kb=sum(int(line.split()[2]) for line in text_of(proc / "swaps").splitlines()[1:]),
        has_bf16=not _BF16_FLAGS.isdisjoint(_flags(proc)),
        limits=_limits(text_of(proc / "self/status")),
    )


def text_of(path: Path) -> str:
    """Return a kernel's file; nothing where it is not there, or does not answer."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _callbacks(words: list[str], online: tuple[int, ...]) -> tuple[int, ...]:
    value = next((word.partition("=")[2] for word in reversed(words) if word.startswith("rcu_nocbs=")), "")
    return online if value == "all" else parse_cpu_list(value)


def _throttle(kernel: Path) -> tuple[int, int] | None:
    runtime = text_of(kernel / "sched_rt_runtime_us").strip()
    period = text_of(kernel / "sched_rt_period_us").strip()
    return (int(runtime), int(period)) if runtime and period else None


def _flags(proc: Path) -> frozenset[str]:
    for line in text_of(proc / "cpuinfo").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return frozenset(flags.split())
    return frozenset()


def _stolen_share(stat: str) -> float | None:
    fields = stat.partition("\n")[0].split()[1:9]  # user, nice, system, idle, iowait, irq, softirq, steal
    ticks = [int(field) for field in fields]
    total = sum(ticks)
    return ticks[7] / total if len(ticks) == 8 and total else None


def _limits(status: str) -> Limits:
    held = capabilities(status)

    def limit(number: int) -> int | None:
        soft, _ = resource.getrlimit(number)
        return None if soft == resource.RLIM_INFINITY else soft

    return Limits(
        real_time_priority=limit(resource.RLIMIT_RTPRIO),
        locked_bytes=limit(resource.RLIMIT_MEMLOCK),
        may_nice=CAP_SYS_NICE in held,
        may_lock=CAP_IPC_LOCK in held,
    )
