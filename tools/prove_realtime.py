"""Measure the running instrument from outside: what it promises on stage, each beside a bare sleeper on its core.

    tools/prove_realtime.py graph [--seconds 60]     notes through a JACK graph, as an independent client hears them
    tools/prove_realtime.py silence                  what sounds on when processes are stopped and killed: nothing
    tools/prove_realtime.py endure [--seconds 600]   frames skipped, latencies, memory
    tools/prove_realtime.py desk [--seconds 60]      the engine's rows with, without and with a dying desk
    tools/prove_realtime.py flow [--seconds 30]      frames and notes with optical flow and without, in turns

Needs jackd (a server of its own is started, on its dummy device) and the Python package JACK-Client for the first
two. The camera is the simulated drummer, all else is real.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import psutil
import yaml

from lalelu.analysis.latency import summarize, table
from lalelu.channel import BoardReader, RingReader
from lalelu.config.loader import kit_file
from lalelu.doctor import probe
from lalelu.ledger.reader import read_ledger
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE
from lalelu.realtime import choose_core
from lalelu.session import Session, sessions

SERVER = f"prove-{os.getpid()}"
PERIOD = 64  # frames of JACK, 1.3 ms
DELAY_MS = 60  # more than it takes to be sure of a stroke
ABOVE = 90  # the sleeper's priority, above the engine's and the voice's
ENVIRONMENT = {**os.environ, "JACK_DEFAULT_SERVER": SERVER}


class Run:
    """One `lalelu run` as a process of its own, and what is known of it from outside."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        note_ms: int = 80,
        delay_ms: float = DELAY_MS,
        environment: Mapping[str, str] = MappingProxyType({}),
        pose: Mapping[str, object] | None = None,
        camera: str = "sim:",
        core: int | None = None,  # all of it there, but for the film
    ) -> None:
        kit = yaml.safe_load(kit_file("rock", None).read_text(encoding="utf-8")) | {"note_ms": note_ms}
        (folder / "kit.yaml").write_text(yaml.safe_dump(kit), encoding="utf-8")
        config = {"kit": "kit.yaml", "timing": {"delay_ms": delay_ms}, "pose": dict(pose or {})}
        (folder / "lalelu.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "lalelu", "run", "--config", str(folder / "lalelu.yaml")]
        if core is not None:
            command[:0] = ["taskset", "-c", str(core)]
        self.process = subprocess.Popen(
            [*command, "--camera", camera, *arguments],
            env={**ENVIRONMENT, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.session = wait_for("the session", self._find)
        lead = BoardReader(self.session / "lead")
        wait_for("the playing", lambda: lead.value().get("state") == "playing", 120)
        self.pids = {
            role: int(lead.value()[role]) for role in ("engine", "voice", "desk") if role in lead.value()
        }

    def _find(self) -> Session | None:
        return next((s for s in sessions(os.environ) if s.leader == self.process.pid), None)

    def rows(self, name: str, dtype: np.dtype[np.void], count: int) -> np.ndarray[Any, Any]:
        """Return the newest rows of a ring, as the ledger would hold them."""
        return np.frombuffer(b"".join(RingReader(self.session / name).newest(count)), dtype)

    def end(self) -> str:
        """End it in order and return what it said."""
        self.process.terminate()
        return self.process.communicate(timeout=60)[1]


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 30.0) -> Any:  # noqa: ANN401
    """Return what `condition` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.01)
    return value


@contextmanager
def graph() -> Iterator[None]:
    """Run a JACK server of our own on its dummy device."""
    arguments = ["jackd", "-n", SERVER, "-R", "-P", "85", "-d", "dummy", "-r", "48000", "-p", str(PERIOD)]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def witness() -> Iterator[dict[str, Any]]:
    """Run the independent listener; what it heard is in the dictionary afterwards."""
    listener = subprocess.Popen(
        [sys.executable, "-m", "lalelu.selftest.jack_witness", "lalelu:out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    heard: dict[str, Any] = {}
    try:
        yield heard
    finally:
        heard |= json.loads(listener.communicate()[0] or "{}")


@contextmanager
def sleeper() -> Iterator[dict[str, Any]]:
    """Run the bare absolute-clock sleeper, a camera's period, on the engine's core; its figures come afterwards."""
    process = probe.start(
        probe.Probe(choose_core("auto"), period_ms=10.0, priority=ABOVE, until_stdin_closes=True)
    )
    found: dict[str, Any] = {}
    try:
        yield found
    finally:
        found["sleep"] = probe.finish(process)


def notes_on(heard: Mapping[str, Any]) -> list[tuple[int, bytes]]:
    """Return (time in ns, message) of the note-ons that the witness heard."""
    messages = [(at, bytes.fromhex(text)) for at, text, _ in heard["messages"]]
    return [(at, m) for at, m in messages if m[0] & 0xF0 == 0x90 and m[2]]


def spread(name: str, values_ms: np.ndarray[Any, Any]) -> str:
    """Return one line about a quantity."""
    p50, p99, p999 = np.percentile(values_ms, (50, 99, 99.9))
    return (
        f"{name:<34} p50 {p50:8.3f}  p99 {p99:8.3f}  p99.9 {p999:8.3f}  max {values_ms.max():8.3f}  "
        f"SD {values_ms.std():6.3f} ms  ({len(values_ms)})"
    )


def tell_sleeper(found: Mapping[str, Any]) -> None:
    """Print how the bare sleeper fared meanwhile."""
    sleep = found["sleep"]
    late = sleep.lateness
    print(
        f"{'sleeper, late (' + sleep.scheduling + ')':<34} p50 {late.p50_ms:8.3f}  p99 {late.p99_ms:8.3f}  "
        f"p99.9 {late.p999_ms:8.3f}  max {late.max_ms:8.3f}  SD {late.sd_ms:6.3f} ms  ({late.wakings}); "
        f"gaps > 10 ms: {late.gaps}"
    )


def prove_graph(seconds: float) -> None:
    """Compare what an independent JACK client hears with the voice's rows."""
    with tempfile.TemporaryDirectory() as name, graph(), witness() as heard:
        folder = Path(name)
        with sleeper() as found:
            run = Run(folder, "--midi", "virtual:lalelu?api=jack", "--log", str(folder / "ledger"))
            time.sleep(seconds)
            said = run.end()
        ledger = read_ledger(folder / "ledger")
    print("".join(f"  {line}\n" for line in said.splitlines()))
    rows = ledger.notes
    arrived = notes_on(heard)
    sent = [(int(r["channel"]), int(r["note"]), int(r["velocity"])) for r in rows]
    received = [((m[0] & 15) + 1, m[1], m[2]) for _, m in arrived]
    print(
        f"notes sent by the voice: {len(sent)}; heard by the witness: {len(received)}; "
        f"{'the same, in the same order' if sent == received else 'THEY DIFFER'}; late: {int(rows['late'].sum())}; "
        f"JACK's period {heard['period_ms']:.2f} ms (alone an SD of {heard['period_ms'] / 12**0.5:.2f} ms), "
        f"overruns: {heard['xruns']}"
    )
    on_time = rows["late"] == 0
    print(spread("hit → note sent", (rows["sent_ns"] - rows["struck_ns"])[on_time] * 1e-6))
    print(spread("due → sent", (rows["sent_ns"] - rows["due_ns"])[on_time] * 1e-6))
    if sent == received:
        heard_ns = np.array([at for at, _ in arrived])
        print(spread("hit → note heard", (heard_ns - rows["struck_ns"])[on_time] * 1e-6))
        print(spread("sent → heard", (heard_ns - rows["sent_ns"]) * 1e-6))
    tell_sleeper(found)


def prove_silence() -> None:
    """Stop and kill processes while notes sound that would last for ten seconds."""
    for what, number in (
        ("run", "SIGTERM"),
        ("engine", "SIGKILL"),
        ("engine", "SIGSTOP"),
        ("voice", "SIGKILL"),
    ):
        with tempfile.TemporaryDirectory() as name, graph(), witness() as heard:
            run = Run(Path(name), "--midi", "virtual:lalelu?api=jack", note_ms=10_000, delay_ms=0)
            began = RingReader(run.session / "notes")
            wait_for("the notes", lambda: began.head >= 6)  # noqa: B023 - called in this turn
            at_ns = time.monotonic_ns()
            os.kill(run.process.pid if what == "run" else run.pids[what], signal.Signals[number])
            time.sleep(3)
            played = began.head
            if number == "SIGSTOP":
                os.kill(run.pids["engine"], signal.SIGCONT)
            time.sleep(3)
            goes_on = run.process.poll() is None and began.head > played
            said = run.end().splitlines()
        sounding = set()  # of the notes that were begun before the signal
        silent_ns = at_ns
        for when, text, _ in heard["messages"]:
            message = bytes.fromhex(text)
            key = bytes((message[0] & 0x0F, message[1]))
            if message[0] & 0xF0 != 0x90 or not message[2]:
                silent_ns = max(silent_ns, when) if key in sounding else silent_ns
                sounding.discard(key)
            elif when <= at_ns:
                sounding.add(key)
        print(
            f"{number} to the {what}: {played} notes were begun; silence after {(silent_ns - at_ns) / 1e6:.1f} ms, "
            f"left sounding: {len(sounding)}; {'played on afterwards' if goes_on else 'ended'}"
        )
        print("".join(f"    {line}\n" for line in said[-2:]), end="")


def prove_endurance(seconds: float) -> None:
    """Play for long and tell what was skipped, how late it was and what it took of memory."""
    memory: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sleeper() as found:
            run = Run(folder, "--midi", f"file:{folder / 'out.mid'}", "--log", str(folder / "ledger"))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(min(10.0, seconds / 20))
                for role, pid in {**run.pids, "lead": run.process.pid}.items():
                    memory.setdefault(role, []).append(psutil.Process(pid).memory_info().rss / 1e6)
            run.end()
        ledger = read_ledger(folder / "ledger")
    print(table(summarize(ledger.frames, ledger.notes)))
    tell_sleeper(found)
    print(f"rows lost: {ledger.header.get('overruns')}; problems: {ledger.problems or 'none'}")
    for role, values in memory.items():
        early = values[len(values) // 10]
        print(
            f"memory of {role:<8} {early:7.1f} MB early, {values[-1]:7.1f} MB at the end ({values[-1] - early:+.1f})"
        )


def prove_desk(seconds: float) -> None:
    """Compare the engine's rows with a desk, another desk, none, and one that is killed every ten seconds."""
    for kind in ("desk", "none", "killed", "desk", "killed", "none"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            log = () if kind == "none" else ("--log", str(folder / "ledger"))
            with sleeper() as found:
                run = Run(folder, "--midi", f"file:{folder / 'out.mid'}", *log)
                lead = BoardReader(run.session / "lead")
                kills = 0
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    time.sleep(min(10.0, seconds))
                    if kind == "killed":
                        os.kill(int(lead.value()["desk"]), signal.SIGKILL)
                        kills += 1
                frames = run.rows("frames", FRAME_DTYPE, round(100 * seconds))
                notes = run.rows("notes", NOTE_DTYPE, 10_000)
                run.end()
            lost = "" if kind == "none" else f", rows on disk {len(read_ledger(folder / 'ledger').frames)}"
        row_ms = (frames["sent_ns"] - frames["arrived_ns"]) * 1e-6
        outside_ms = row_ms - (frames["inferred_ns"] - frames["prepared_ns"]) * 1e-6
        print(
            f"\n{kind}: skipped {int(frames['skipped'].sum())}, notes {len(notes)}, desk killed {kills} times{lost}"
        )
        print(spread("frame → row", row_ms))
        print(spread("outside inference", outside_ms))
        tell_sleeper(found)


def prove_flow(seconds: float) -> None:
    """Compare Thunder with flow, its network on the engine's core and on another, with Lightning on every frame."""
    core = choose_core("auto")
    others = sorted(os.sched_getaffinity(0) - {core})
    if core is None or not others:
        raise SystemExit("flow needs two cores: one for the film, one for the instrument")
    camera = f"sim:?core={others[0]}"
    carried = {"model": "thunder", "flow": "carried"}
    runs: dict[str, tuple[Mapping[str, object], int | None]] = {
        "Thunder carried, network on another core": (carried, None),
        "Thunder carried, all on one core": (carried, core),
        "Thunder interleaved, all on one core": (
            {"model": "thunder", "flow": "interleaved", "every": 2},
            core,
        ),
        "Lightning without flow, all on one core": ({"model": "lightning"}, core),
    }
    for what, (pose, on) in list(runs.items()) * 2:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with sleeper() as found:
                arguments = "--midi", f"file:{folder / 'out.mid'}"
                run = Run(folder, *arguments, delay_ms=0, pose=pose, camera=camera, core=on)
                time.sleep(seconds)
                frames = run.rows("frames", FRAME_DTYPE, round(100 * seconds))
                notes = run.rows("notes", NOTE_DTYPE, 10_000)
                run.end()
        period_ms = 10.0  # the simulated camera's
        camera_ms = (frames["arrived_ns"] - frames["captured_ns"]) * 1e-6
        row_ms = (frames["sent_ns"] - frames["arrived_ns"]) * 1e-6
        skipped = int(frames["skipped"].sum())
        of_these = notes[np.isin(notes["seq"], frames["seq"])]
        note = summarize(frames, of_these).durations["note"]
        print(
            f"\n{what}: {(row_ms < period_ms).sum() / (len(frames) + skipped):.2%} of {len(frames) + skipped} frames "
            f"in time, {skipped} skipped"
        )
        print(spread("camera, late", camera_ms - camera_ms.min()))
        print(spread("frame → row", row_ms))
        print(f"{'frame → note':<34} p50 {note.p50:8.3f}  p99 {note.p99:8.3f} ms  ({note.count})")
        tell_sleeper(found)


def main() -> int:
    """Run one proof."""
    proofs: dict[str, tuple[Callable[[float], None] | None, float]] = {
        "graph": (prove_graph, 60.0),
        "silence": (None, 0.0),
        "endure": (prove_endurance, 600.0),
        "desk": (prove_desk, 60.0),
        "flow": (prove_flow, 30.0),
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("proof", choices=proofs)
    parser.add_argument("--seconds", type=float)
    args = parser.parse_args()
    prove, seconds = proofs[args.proof]
    (partial(prove, args.seconds or seconds) if prove else prove_silence)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
