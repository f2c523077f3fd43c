"""The requests to the machine, one function each. Changes this process's scheduling and memory.

Each returns what is in force then, leaves on `undo` what takes it back, and raises RefusedError when the
machine does not grant it.
"""

import ctypes
import gc
import os
import struct
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lalelu.realtime.cores import isolated_cores

AWAKE: Final = "processor wakes at once"  # the name of the request that keeps processors out of deep sleep
MAX_LOAD: Final = 0.9  # a FIFO thread that hardly sleeps is throttled by the kernel at 95 % of each second
HIGHEST: Final = 99  # SCHED_FIFO's highest priority
ROOM: Final = 10  # a limit so much above the loop's priority lets the voice lie above it, too
LATENCY_DEVICE: Final = Path("/dev/cpu_dma_latency")
LATENCY_RULE: Final = 'KERNEL=="cpu_dma_latency", GROUP="lalelu", MODE="0660"'
KEPT_BLOCK: Final = 32 << 20  # bytes; glibc's greatest threshold: larger blocks are still mapped one by one

CAP_IPC_LOCK: Final = 14  # linux/capability.h
CAP_SYS_NICE: Final = 23
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # asm-generic/mman.h (x86, Arm, RISC-V)
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30  # linux/prctl.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_NO_LIMIT: Final = 2**31 - 1


class RefusedError(Exception):
    """The machine does not grant a request: the reason, and the line that would grant it."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Grant:
    """One request to the machine and its answer."""

    request: str
    granted: bool
    detail: str  # what is in force, or why not
    remedy: str = ""  # of a refused one: the line that would grant it

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{'granted' if self.granted else 'refused'}: {self.request} ({self.detail}{remedy})"


def freeze_garbage(undo: ExitStack) -> str:
    """Stop the garbage collector; what is alive now is never looked at again."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    undo.callback(gc.unfreeze)
    if was_on:
        undo.callback(gc.enable)
    return "frozen and off in the loop"


def keep_freed_memory(_undo: ExitStack) -> str:
    """Let malloc keep what is freed: a picture's buffer given back to the kernel is faulted in anew each frame.

    This is not taken back: malloc's own thresholds, which adapt, cannot be set again, and fixed ones are worse.
    """
    libc = _libc()
    try:
        mallopt = libc.mallopt
    except AttributeError:
        raise RefusedError("only the GNU C library has mallopt") from None
    mallopt(_M_TRIM_THRESHOLD, _NO_LIMIT)
    mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK)
    return "kept for reuse, so that a picture's pages are not faulted in anew"


def lock_memory(undo: ExitStack) -> str:
    """Lock every page that is touched, now and later; untouched ones take no memory (MCL_ONFAULT)."""
    libc = _libc()
    limit = _memory_limit()
    if limit is not None:
        # with a limit, an allocation in the middle of the playing would fail for reaching it
        raise RefusedError(f"only {limit // 1024} kB may be locked", _limit_remedy("MEMLOCK", "infinity"))
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        raise RefusedError(_last_error(), _limit_remedy("MEMLOCK", "infinity"))
    undo.callback(libc.munlockall)
    return "pages stay in memory once they are touched"


def hold_latency(undo: ExitStack) -> str:
    """Keep the processors out of sleep states that take long to leave, for as long as the file is open."""
    _require_linux()
    try:
        held = os.open(LATENCY_DEVICE, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise RefusedError(
            f"there is no {LATENCY_DEVICE}; containers hide it",
            "processor.max_cstate=1 on the kernel command line does the same",
        ) from None
    except OSError as exc:
        raise RefusedError(
            f"{LATENCY_DEVICE}: {exc.strerror}",
            f"the udev rule {LATENCY_RULE} and DeviceAllow={LATENCY_DEVICE} rw in the unit, "
            f"or `sudo chown $USER {LATENCY_DEVICE}` until the next boot",
        ) from exc
    undo.callback(os.close, held)
    os.write(held, struct.pack("i", 0))  # us that waking may take
    return "no deep sleep states while it plays"


def sharpen_timers(undo: ExitStack) -> str:
    """Let the calling thread's sleeps end when they are due (ordinary threads are woken up to 50 us late)."""
    libc = _libc()
    before = libc.prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0):
        raise RefusedError(_last_error())
    undo.callback(libc.prctl, _PR_SET_TIMERSLACK, before, 0, 0, 0)
    return "1 ns"


def take_core(core: int, undo: ExitStack) -> str:
    """Move the calling thread to `core`, alone."""
    _require_linux()
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {core})
    except OSError as exc:
        raise RefusedError(
            f"{exc.strerror}: the core is off, or outside of this process's cpuset",
            f"AllowedCPUs= with {core} in the unit's slice, or a realtime.core of {sorted(before)}",
        ) from exc
    undo.callback(os.sched_setaffinity, 0, before)
    if core in isolated_cores():
        return "isolated"
    return f"shared with others: isolcpus={core} on the kernel command line isolates it"


def take_fifo(priority: int, load: float, undo: ExitStack) -> str:
    """Move the calling thread to SCHED_FIFO; threads and processes it starts are ordinary again.

    Refused for a `load` above MAX_LOAD (the share of a frame period that the loop needs).
    """
    _require_linux()
    if load > MAX_LOAD:
        raise RefusedError(
            f"the loop needs {load:.0%} of a frame period, at most {MAX_LOAD:.0%} may be FIFO",
            "fewer frames a second or a smaller pose.model would grant it",
        )
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as exc:
        limit = min(priority + ROOM, HIGHEST)
        raise RefusedError(exc.strerror or str(exc), _limit_remedy("RTPRIO", str(limit))) from exc
    undo.callback(leave_fifo)
    return "this thread alone, reset on fork"


def take_nice(niceness: int, _undo: ExitStack) -> str:
    """Let this process go before other ordinary ones, for the rest of its life."""
    _require_linux()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except OSError as exc:
        by_hand = str(20 - niceness)  # prlimit counts from 20 down, systemd as everybody else
        raise RefusedError(exc.strerror or str(exc), _limit_remedy("NICE", str(niceness), by_hand)) from exc
    return "before other ordinary processes"


def leave_fifo() -> None:
    """Give the calling thread ordinary scheduling back."""
    ordinary = os.sched_param(0)
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, ordinary)
    except (
        PermissionError
    ):  # without privileges the reset-on-fork flag cannot be taken back, and does no harm
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, ordinary)


def capabilities(status: str) -> frozenset[int]:
    """Return the numbers of the effective capabilities in a /proc/PID/status."""
    mask = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    return frozenset(number for number in range(mask.bit_length()) if mask >> number & 1)


def _limit_remedy(limit: str, value: str, by_hand: str | None = None) -> str:
    given = by_hand or ("unlimited" if value == "infinity" else value)
    return (
        f"Limit{limit}={value} in the unit, or `sudo prlimit --pid $$ --{limit.lower()}={given}` in the shell "
        "that starts lalelu"
    )


def _memory_limit() -> int | None:
    """Return how many bytes may be locked; None = any number."""
    import resource  # not on every platform

    if CAP_IPC_LOCK in capabilities(Path("/proc/self/status").read_text(encoding="utf-8")):
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def _require_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise RefusedError("only Linux has it")


def _libc() -> Any:  # noqa: ANN401 - ctypes gives libraries no type
    _require_linux()
    return ctypes.CDLL(None, use_errno=True)


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())
