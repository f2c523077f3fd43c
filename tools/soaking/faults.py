"""The faults of a chaos run, one function each. Kills and stops processes, fills a disk, writes files.

A function gets the rig and how long (s) the cause is to last, and returns when it has ended, with a check: whether
what it touched is well again. Meanwhile it passes time by `rig.wait` alone.
A new fault is a function with a row in FAULTS.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import psutil
from soaking.log import NOWHERE, SYNTH, Kind
from soaking.rig import FPS, SLOTS, Rig, replace_text

from lalelu.channel import RingReader
from lalelu.session import NET

Check: TypeAlias = Callable[[], bool]
HOG_MS, HOG_EVERY_MS = 30, 211  # no multiple of a frame's period
HOG_PATIENCE_S: Final = 10.0  # what is more than this the scheduler owes
MOST_BYTES: Final = 2 << 30  # of the memory hog
_EAT: Final = "import sys, time; held = b'x' * int(sys.argv[1]); time.sleep(3600)"
_DISTURB: Final = Path(__file__).parents[1] / "disturb.py"


class UnavailableError(Exception):
    """Such a fault cannot be made on this machine."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of FAULTS."""

    kind: Kind
    make: Callable[[Rig, float], Check]  # returns when the cause has ended
    seconds: tuple[float, float]  # how long the cause lasts
    flow: str | None = None  # only with this pose.flow


def well(rig: Rig) -> bool:
    """Whether the instrument plays."""
    states = [shown(rig, role) for role in ("engine", "voice")]
    return states == ["playing", "ready"] and rig.plays()


def shown(rig: Rig, role: str) -> str | None:
    """Return the state that a process shows; None where its board still is a dead one's."""
    board = rig.board(role)
    with suppress(LookupError):
        return board.get("state") if board.get("pid") == rig.pid(role) else None
    return None


def killed(role: str) -> Callable[[Rig, float], Check]:
    """Kill a process; another one must take its place."""

    def make(rig: Rig, _seconds: float) -> Check:
        pid = rig.pid(role)
        os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            with suppress(LookupError):
                return rig.pid(role) != pid and shown(rig, role) not in (None, "starting")
            return False

        return again

    return make


def stopped(role: str) -> Callable[[Rig, float], Check]:
    """Stop a process for a while."""

    def make(rig: Rig, seconds: float) -> Check:
        with stopping(rig.pid(role)):
            rig.wait(seconds)
        return lambda: True

    return make


@contextmanager
def stopping(pid: int) -> Iterator[None]:
    """Keep a process stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def film_killed(rig: Rig, _seconds: float) -> Check:
    """Kill the camera's process; the camera must be opened again."""
    film = rig.film()
    os.kill(film, signal.SIGKILL)

    def again() -> bool:
        with suppress(LookupError, OSError):
            return rig.film() != film
        return False

    return again


def camera(word: str, ahead_s: float = 0.0) -> Callable[[Rig, float], Check]:
    """Have the simulated camera lack something; pictures show it `ahead_s` later."""

    def make(rig: Rig, seconds: float) -> Check:
        replace_text(rig.faults, word)
        try:
            rig.wait(seconds)
        finally:
            replace_text(rig.faults, "none")
        rig.wait(ahead_s)
        return lambda: True

    return make


def synth_unplugged(rig: Rig, seconds: float) -> Check:
    """Take away the port that lalelu has connected itself to."""
    rig.unplug(SYNTH)
    rig.wait(seconds)
    rig.plug(SYNTH)
    return lambda: True


def server_killed(rig: Rig, seconds: float) -> Check:
    """Kill the JACK server, and start it again."""
    rig.kill_server()
    rig.wait(seconds)
    rig.start_server()
    return lambda: True


def disk_full(rig: Rig, seconds: float) -> Check:
    """Fill the ledger's disk, and make room again."""
    if rig.why_no_disk:
        raise UnavailableError(rig.why_no_disk)
    filler = rig.disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        rig.wait(seconds)
    finally:
        filler.unlink()
    return lambda: not rig.board("desk").get("failing")


def kit_broken(rig: Rig, seconds: float) -> Check:
    """Save a kit that is none, and the good one again."""
    good = rig.kit.read_text(encoding="utf-8")
    replace_text(rig.kit, "name: [rock\n")
    try:
        rig.wait(seconds)
    finally:
        replace_text(rig.kit, good)
    return lambda: True


def kit_changed(rig: Rig, _seconds: float) -> Check:
    """Save another snare; the engine must play it."""
    epoch = int(rig.board("engine").get("epoch", 0))
    is_acoustic = rig.played.pads["snare"].notes[0] == min(SNARES)
    rig.write_kit("electric_snare" if is_acoustic else "acoustic_snare")
    return lambda: int(rig.board("engine").get("epoch", 0)) > epoch


SNARES: Final = (38, 40)  # General MIDI's acoustic and electric snare


def hangup(rig: Rig, _seconds: float) -> Check:
    """Ask for the configuration to be read again; the same process must have done so."""
    leader, count = rig.pid("lead"), int(rig.board("lead").get("reload", 0))
    os.kill(leader, signal.SIGHUP)
    return lambda: rig.pid("lead") == leader and int(rig.board("lead").get("reload", 0)) > count


def second_instance(rig: Rig, seconds: float) -> Check:
    """Start the same instrument a second time, and end it."""
    leader = rig.pid("lead")
    second = rig.begin(rig.folder / f"second-{RingReader(rig.session / 'frames').head}")
    try:
        rig.wait(seconds)
        second.terminate()
        rig.wait(0.5)
        with suppress(subprocess.TimeoutExpired):
            second.wait(10)
    finally:
        second.kill()
        second.wait()
    return lambda: rig.pid("lead") == leader


def processor_hog(rig: Rig, seconds: float) -> Check:
    """Take the engine's core from above, in bursts."""
    command = [sys.executable, str(_DISTURB), "hog", "--leader", str(rig.pid("lead"))]
    command += ["--seconds", str(seconds), "--for-ms", str(HOG_MS), "--every-ms", str(HOG_EVERY_MS)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=rig.environment
    ) as hog:
        until = time.monotonic() + seconds + HOG_PATIENCE_S
        while hog.poll() is None:
            rig.wait(0.05)
            if time.monotonic() > until:
                hog.kill()
                raise UnavailableError(
                    f"{seconds:.1f} s of bursts have not ended after {HOG_PATIENCE_S:g} s more"
                )
        if hog.returncode:
            assert hog.stderr is not None
            raise UnavailableError(hog.stderr.read().strip())
    return lambda: True


def memory_hog(rig: Rig, seconds: float) -> Check:
    """Take a quarter of the free memory."""
    size = min(MOST_BYTES, psutil.virtual_memory().available // 4)
    with subprocess.Popen([sys.executable, "-c", _EAT, str(size)]) as hog:
        try:
            rig.wait(seconds)
        finally:
            hog.kill()
    return lambda: True


AHEAD_S: Final = SLOTS / FPS

FAULTS: Final[tuple[Fault, ...]] = (
    Fault(Kind("desk killed", "SIGKILL", missing_at=NOWHERE, condition="desk"), killed("desk"), (0, 0)),
    Fault(Kind("desk stopped", "SIGSTOP, SIGCONT", missing_at=NOWHERE), stopped("desk"), (2, 6)),
    Fault(Kind("voice killed", "SIGKILL", condition="voice"), killed("voice"), (0, 0)),
    Fault(Kind("voice stopped", "SIGSTOP, SIGCONT"), stopped("voice"), (0.1, 1.5)),
    Fault(Kind("leader stopped", "SIGSTOP, SIGCONT", missing_at=NOWHERE), stopped("lead"), (1, 4)),
    Fault(Kind("engine stopped", "SIGSTOP, SIGCONT"), stopped("engine"), (0.5, 0.5)),
    # the run ends, the service manager starts it again, and the network must be compiled
    Fault(Kind("engine killed", "SIGKILL", within_s=10.0, ends_with=1), killed("engine"), (0, 0)),
    Fault(Kind("net killed", "SIGKILL", condition="net"), killed(NET), (0, 0), flow="carried"),
    Fault(Kind("net stopped", "SIGSTOP, SIGCONT"), stopped(NET), (0.5, 3), flow="carried"),
    Fault(Kind("film killed", "the camera's process dies"), film_killed, (0, 0)),
    Fault(Kind("unplugged", "the camera is gone", condition="camera"), camera("unplugged"), (1, 4)),
    Fault(Kind("frozen", "the same picture", condition="frozen"), camera("frozen", AHEAD_S), (2, 4)),
    Fault(Kind("black", "lens covered, light off", condition="dark"), camera("black", AHEAD_S), (2, 4)),
    Fault(Kind("slow", "half the frames are dropped"), camera("slow"), (4, 6)),
    Fault(Kind("away", "no player in view", condition="player"), camera("away", AHEAD_S), (8, 12)),
    Fault(
        Kind("synth unplugged", "a port: target goes and comes back", missing_at=(SYNTH,), condition="midi"),
        synth_unplugged,
        (1, 4),
    ),
    Fault(Kind("JACK killed", "and started again", condition="midi"), server_killed, (1, 3)),
    Fault(Kind("disk full", "and room again", missing_at=NOWHERE, condition="disk"), disk_full, (3, 8)),
    Fault(Kind("kit broken", "and put right", missing_at=NOWHERE, condition="config"), kit_broken, (1, 4)),
    Fault(Kind("kit changed", "another snare is saved", missing_at=NOWHERE), kit_changed, (0, 0)),
    Fault(Kind("hangup", "SIGHUP to the leader", missing_at=NOWHERE), hangup, (0, 0)),
    Fault(Kind("second instance", "started and ended"), second_instance, (2, 5)),
    Fault(Kind("processor hog", "30 ms bursts above the engine"), processor_hog, (1, 3)),
    Fault(Kind("memory hog", "up to 2 GiB", missing_at=NOWHERE), memory_hog, (1, 4)),
)


def in_turn(random: Random, faults: list[Fault]) -> Iterator[Fault]:
    """Yield faults for ever: all in random order, then all in another."""
    while True:
        yield from random.sample(faults, len(faults))
