"""Disturb an instrument that plays here, in a known way, and say when: the proof that the analyser finds the cause.

    tools/disturb.py KIND [--seconds 20] [--for-ms 8] [--every-ms 503] [--leader PID]

Each disturbance is a line of JSON on standard output: its kind, and when it began and ended (ns on CLOCK_MONOTONIC, as
the ledger's stamps). The instrument is the one that `lalelu status` shows; --leader chooses among several.

    hog        a busy SCHED_FIFO thread above the engine's priority, on the engine's core
    stop       the engine is stopped (SIGSTOP) and continued
    camera     the simulated camera's film is stopped: once its ring (sim:?slots=8) is empty, frames are late
    voice      the voice is stopped
    frequency  the engine's core is held at its lowest frequency, where the machine lets us
    gc         a garbage collection in the engine's thread, within a frame's work    } the instrument must have been
    faults     2048 fresh pages touched in the engine's thread, within a frame's work } started as tools/disturbed says

Time that a hypervisor steals cannot be made from inside.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import psutil

from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns, sleep_until
from lalelu.ledger.schema import FRAME_DTYPE
from lalelu.session import Session, sessions

FILM = "lalelu.camera.simulated.process"
STAMPS = "LALELU_DISTURBED"  # the variable that names the file of tools/disturbed
ABOVE = 20  # the hog's priority, above the engine's; the voice's is 5 above it
HIGHEST = 98
INTO_NS = 1_000_000  # from a frame's arrival: well within the network's time
PATIENCE_NS = 1_000_000_000  # for the stamps of a signal that was sent

Burst: TypeAlias = Callable[[int], tuple[int, int]]  # how long, ns -> when it began and ended


@dataclass(frozen=True)
class Kind:
    """How one kind of disturbance is made, and how much of it where nothing is asked."""

    prepare: Callable[["Target"], Iterator[Burst]]  # becomes a context manager
    for_ms: float  # 0 = as long as it takes
    every_ms: float  # no multiple of a frame period, so that it meets every moment of one


class Target:
    """One playing instrument."""

    def __init__(self, session: Session) -> None:
        self.session = session
        lead = BoardReader(session / "lead").value()
        self.pids = {role: int(lead[role]) for role in ("engine", "voice") if role in lead}
        if len(self.pids) < 2:
            raise SystemExit(f"instrument {session.leader} is not playing yet; wait for it")

    @property
    def core(self) -> int:
        """The engine's core."""
        core = self.session.plan.core
        if core is None:
            raise SystemExit("the engine has no core of its own (realtime.core is none); give it one")
        return core

    @property
    def film(self) -> int:
        """The process of the simulated camera's film."""
        for child in psutil.Process(self.pids["engine"]).children():
            if FILM in child.cmdline():
                return child.pid
        raise SystemExit("the engine has no simulated camera; start it with --camera sim:?slots=8")

    @property
    def stamps(self) -> Path:
        """The file in which tools/disturbed leaves its stamps."""
        path = psutil.Process(self.pids["engine"]).environ().get(STAMPS)
        if path is None or not Path(path).exists():
            raise SystemExit(
                f"the engine listens to no disturbance; start lalelu with PYTHONPATH=tools/disturbed {STAMPS}=FILE"
            )
        return Path(path)

    def next_arrival_ns(self) -> int:
        """When the next frame but one comes, as far as one can tell."""
        rows = np.frombuffer(b"".join(RingReader(self.session / "frames").newest(2)), FRAME_DTYPE)
        if len(rows) < 2:
            raise SystemExit("the instrument has played no frames yet; wait for them")
        period_ns = max(int(np.diff(rows["captured_ns"])[0] // max(np.diff(rows["seq"])[0], 1)), 1_000_000)
        arrived_ns = int(rows["arrived_ns"][-1])
        return arrived_ns + (2 + max(now_ns() - arrived_ns, 0) // period_ns) * period_ns


def find(leader: int | None) -> Target:
    """Return the instrument that plays here."""
    living = [s for s in sessions(os.environ) if s.alive() and leader in (None, s.leader)]
    if len(living) != 1:
        there = ", ".join(str(s.leader) for s in living) or "none"
        raise SystemExit(f"one instrument is needed, there is {there}; start it, or choose one by --leader")
    return Target(living[0])


def held(pid: int, for_ns: int) -> tuple[int, int]:
    """Stop a process for a while."""
    begin_ns = now_ns()
    os.kill(pid, signal.SIGSTOP)
    try:
        sleep_until(begin_ns + for_ns)
    finally:
        os.kill(pid, signal.SIGCONT)
    return begin_ns, now_ns()


def busy(for_ns: int) -> tuple[int, int]:
    """Do nothing, as busily as possible."""
    begin_ns = now_ns()
    while now_ns() < begin_ns + for_ns:
        pass
    return begin_ns, now_ns()


def hog(target: Target) -> Iterator[Burst]:
    """Move this process to the engine's core, above the engine."""
    priority = min(os.sched_getparam(target.pids["engine"]).sched_priority + ABOVE, HIGHEST)
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {target.core})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as exc:
        raise SystemExit(
            f"this machine lets us have no SCHED_FIFO {priority}: {exc.strerror}; try as root"
        ) from exc
    try:
        yield busy
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)


def stop(target: Target) -> Iterator[Burst]:
    """Stop the engine."""
    yield lambda for_ns: held(target.pids["engine"], for_ns)


def voice(target: Target) -> Iterator[Burst]:
    """Stop the voice."""
    yield lambda for_ns: held(target.pids["voice"], for_ns)


def camera(target: Target) -> Iterator[Burst]:
    """Stop the film."""
    film = target.film
    yield lambda for_ns: held(film, for_ns)


def frequency(target: Target) -> Iterator[Burst]:
    """Hold the engine's core at its lowest frequency."""
    folder = Path(f"/sys/devices/system/cpu/cpu{target.core}/cpufreq")
    limit = folder / "scaling_max_freq"
    try:
        highest, lowest = limit.read_text(), (folder / "cpuinfo_min_freq").read_text()
        limit.write_text(highest)
    except OSError as exc:
        raise SystemExit(f"the frequency cannot be changed here: {limit}: {exc.strerror}") from exc

    def slow(for_ns: int) -> tuple[int, int]:
        begin_ns = now_ns()
        limit.write_text(lowest)
        try:
            sleep_until(begin_ns + for_ns)
        finally:
            limit.write_text(highest)
        return begin_ns, now_ns()

    yield slow


def inside(number: signal.Signals) -> Callable[[Target], Iterator[Burst]]:
    """Have the engine's own thread do what tools/disturbed does at a signal, in the middle of a frame's work."""

    def prepare(target: Target) -> Iterator[Burst]:
        stamps = target.stamps

        def burst(_for_ns: int) -> tuple[int, int]:
            there = stamps.stat().st_size
            sleep_until(target.next_arrival_ns() + INTO_NS)
            sent_ns = now_ns()
            os.kill(target.pids["engine"], number)
            while stamps.stat().st_size == there:
                if now_ns() > sent_ns + PATIENCE_NS:
                    raise SystemExit("the engine does not answer the signal")
                time.sleep(0.001)
            begin_ns, end_ns = map(int, stamps.read_bytes()[there:].split()[:2])
            return begin_ns, end_ns

        yield burst

    return prepare


KINDS: dict[str, Kind] = {
    "hog": Kind(hog, 8, 503),
    "stop": Kind(stop, 30, 503),
    "camera": Kind(camera, 140, 1000),  # 80 ms of it are in the ring
    "voice": Kind(voice, 40, 120),
    "frequency": Kind(frequency, 2000, 4000),
    "gc": Kind(inside(signal.SIGUSR1), 0, 503),
    "faults": Kind(inside(signal.SIGUSR2), 0, 503),
}


@contextmanager
def punctual(target: Target) -> Iterator[None]:
    """Come before ordinary processes, off the engine's core, where the machine lets us: bursts keep their lengths."""
    cores = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    with suppress(OSError):
        os.sched_setaffinity(0, cores - {target.session.plan.core})
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)


def disturb(
    kind: str, target: Target, seconds: float, *, for_ms: float | None = None, every_ms: float | None = None
) -> Iterator[dict[str, object]]:
    """Disturb for so long; yield what was done, one burst after the other."""
    chosen = KINDS[kind]
    for_ns = round((chosen.for_ms if for_ms is None else for_ms) * 1e6)
    every_ns = round((chosen.every_ms if every_ms is None else every_ms) * 1e6)
    with contextmanager(chosen.prepare)(target) as burst:
        due_ns = now_ns()
        end_ns = due_ns + round(seconds * 1e9)
        while due_ns < end_ns:
            sleep_until(due_ns)
            began_ns, ended_ns = burst(for_ns)
            yield {"kind": kind, "begin_ns": began_ns, "end_ns": ended_ns}
            due_ns = max(due_ns + every_ns, ended_ns)


def main() -> int:
    """Disturb, and say when."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long, all in all (20)")
    parser.add_argument("--for-ms", type=float, help="how long one disturbance lasts")
    parser.add_argument("--every-ms", type=float, help="from one's beginning to the next one's")
    parser.add_argument("--leader", type=int, metavar="PID", help="which instrument")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through `finally`: what is stopped goes on
    with suppress(KeyboardInterrupt, ProcessLookupError):  # the instrument has ended
        target = find(args.leader)
        with punctual(target):
            for line in disturb(args.kind, target, args.seconds, for_ms=args.for_ms, every_ms=args.every_ms):
                print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
