"""Measure how late this machine wakes a thread: a bare sleeper on absolute times, in a process of its own.

`python -m lalelu.doctor.probe JSON` (the fields of Probe) prints one JSON object (the fields of Lateness and
how it ran) and ends after `seconds`, or, with `until_stdin_closes`, when its input does. A benchmark so runs it
beside an instrument: `start` before, `finish` after.
"""

import json
import select
import subprocess
import sys
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from lalelu.clock import now_ns, sleep_until
from lalelu.config.schema import RealtimeSection
from lalelu.errors import LostError
from lalelu.realtime import Grant, RealTime

WARM_UP: Final = 20  # wakings before the request for real time, so that all code and memory has been touched
TICK_MS: Final = 10  # unit of /proc/stat: USER_HZ is 100 on every Linux that Python runs on


@dataclass(frozen=True, slots=True)
class Probe:
    """What is asked of the sleeper."""

    core: int | None  # None: wherever the kernel puts it
    seconds: float = 10.0
    period_ms: float = 1.0
    priority: int = 70  # SCHED_FIFO where it is granted; 0 = ordinary scheduling
    lock_memory: bool = True
    cpu_latency: bool = True
    until_stdin_closes: bool = False  # instead of `seconds`


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the wakings were, ms."""

    wakings: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    mean_ms: float
    sd_ms: float
    over_1_ms: int  # wakings more than 1 ms late
    gaps: int  # wakings more than 10 ms late: a whole frame at 100 fps

    @classmethod
    def of(cls, late_ns: Sequence[int]) -> Self:
        """Summarize delays in ns; there must be one."""
        ms = np.asarray(late_ns, np.float64) * 1e-6
        p50, p99, p999 = np.percentile(ms, (50, 99, 99.9)).tolist()
        return cls(
            wakings=len(ms),
            p50_ms=p50,
            p99_ms=p99,
            p999_ms=p999,
            max_ms=float(ms.max()),
            mean_ms=float(ms.mean()),
            sd_ms=float(ms.std()),
            over_1_ms=int((ms > 1.0).sum()),
            gaps=int((ms > 10.0).sum()),
        )


@dataclass(frozen=True, slots=True)
class Sleep:
    """What a sleeper has to say."""

    core: int | None
    period_ms: float
    scheduling: str  # "SCHED_FIFO 70" or "SCHED_OTHER"
    lateness: Lateness
    stolen_ms: float | None  # what a hypervisor took of the core meanwhile; None where unknown
    grants: tuple[Grant, ...]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what the process prints."""
        told: dict[str, Any] = json.loads(text)
        grants = tuple(Grant(**grant) for grant in told.pop("grants"))
        return cls(lateness=Lateness(**told.pop("lateness")), grants=grants, **told)


def start(probe: Probe) -> subprocess.Popen[str]:
    """Start the sleeper's process."""
    command = [sys.executable, "-m", "lalelu.doctor.probe", json.dumps(asdict(probe))]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> Sleep:
    """Close the sleeper's input, wait for its end and return what it found. Raises LostError when it died."""
    try:
        told, said = process.communicate()
    finally:  # Ctrl-C ends it, too
        process.kill()
        process.wait()
    if process.returncode != 0:
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        raise LostError(f"the probe ended with status {process.returncode}: {last[0]}; start it again")
    return Sleep.from_json(told)


def sleep(probe: Probe) -> Sleep:
    """Sleep as asked, in the calling thread, which is given back its scheduling afterwards."""
    asked = RealtimeSection(
        priority=probe.priority, lock_memory=probe.lock_memory, cpu_latency=probe.cpu_latency
    )
    real_time = RealTime(asked, probe.core)
    period_ns = round(probe.period_ms * 1e6)
    _wakings(period_ns, now_ns() + WARM_UP * period_ns, until_stdin_closes=False)
    grants = tuple(real_time.enter(load=0.0))
    try:
        stolen_before_ms = _stolen_ms(probe.core)
        end_ns = now_ns() + round(probe.seconds * 1e9)
        late_ns = _wakings(period_ns, end_ns, until_stdin_closes=probe.until_stdin_closes)
        stolen_ms = _stolen_ms(probe.core)
    finally:
        real_time.end()
    is_fifo = any(grant.granted and grant.request.startswith("SCHED_FIFO") for grant in grants)
    return Sleep(
        core=probe.core,
        period_ms=probe.period_ms,
        scheduling=f"SCHED_FIFO {probe.priority}" if is_fifo else "SCHED_OTHER",
        lateness=Lateness.of(late_ns),
        stolen_ms=None
        if stolen_ms is None or stolen_before_ms is None
        else float(stolen_ms - stolen_before_ms),
        grants=grants,
    )


def _wakings(period_ns: int, end_ns: int, *, until_stdin_closes: bool) -> Sequence[int]:
    """Return how late each waking was (ns). Times that were slept through are left out, the grid stays."""
    late_ns = array("q")
    due_ns = now_ns()
    while True:
        due_ns += period_ns
        if due_ns < now_ns():
            due_ns += (now_ns() - due_ns) // period_ns * period_ns + period_ns
        sleep_until(due_ns)
        woken_ns = now_ns()
        late_ns.append(woken_ns - due_ns)
        if until_stdin_closes:
            if select.select([sys.stdin], [], [], 0)[0]:
                return late_ns
        elif woken_ns >= end_ns:
            return late_ns


def _stolen_ms(core: int | None) -> int | None:
    try:
        lines = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    name = "cpu" if core is None else f"cpu{core}"
    fields = next((line.split() for line in lines if line.split()[:1] == [name]), [])
    return int(fields[8]) * TICK_MS if len(fields) > 8 else None


if __name__ == "__main__":
    print(json.dumps(asdict(sleep(Probe(**json.loads(sys.argv[1]))))))
