"""The stage of a chaos run: a JACK server, two listeners, a disk, and `lalelu run` under a supervisor.

Starts processes, mounts a disk in memory, writes files.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import yaml
from disturb import FILM
from soaking.log import GRAPH, SYNTH, Use

from lalelu.channel import BoardReader, RingReader
from lalelu.clock import now_ns
from lalelu.config.kit import KitConfig
from lalelu.config.loader import kit_file, load_config
from lalelu.errors import LaleluError
from lalelu.ledger.schema import FRAME_DTYPE
from lalelu.session import NET, ROLES, Session
from lalelu.voice.message import is_note_on

PERIOD: Final = 256  # frames of JACK, 5 ms
RATE: Final = 48_000  # of JACK, Hz
DELAY_MS: Final = 60  # more than it takes to be sure of a stroke
NOTE_MS: Final = 400  # longer than from one stroke to the next: a fault meets notes that sound
SLOTS: Final = 32  # frames that the film is ahead
FPS: Final = 100.0
LOOK_S: Final = 0.05
USES: Final = 60  # looks at memory, or more: one at least ...
USE_S: Final = 10.0  # ... so often
SHARE_NS: Final = 60_000_000_000  # between two looks at shared memory, which hold the process up
FRESH_NS: Final = 300_000_000  # a frame's row is not older while it plays
AGAIN_S: Final = 0.2  # the service's RestartSec
PATIENCE_S: Final = 120.0  # with a start and an end
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - its files have our own names
_TAIL: Final = 4096  # bytes of a listener's file, some hundred messages
_LISTENER: Final = Path(__file__).with_name("listener.py")


class Rig:
    """All that runs. `wait` is the only sleep: it looks after everything."""

    def __init__(self, folder: Path, *, seed: int, flow: str, seconds: float) -> None:
        self.folder = folder
        self.seed = seed
        self.faults = folder / "faults"  # of the camera
        self.kit = folder / "kit.yaml"
        self.disk = folder / "disk"
        self.camera = f"sim:?slots={SLOTS}&seed={seed}&fps={FPS:g}&faults={self.faults}"
        self.ledgers: list[Path] = []
        self.ended: list[tuple[int, int]] = []
        self.told: list[tuple[int, str, bool]] = []  # ns, condition, whether it was raised
        self.uses: list[Use] = []
        self.why_no_disk = ""
        self._flow = flow
        self._use_every_ns = round(min(USE_S, seconds / USES) * 1e9)
        self._disk_mb = 64 + round(seconds * 0.03)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "RUNTIME_DIRECTORY"},
            "XDG_RUNTIME_DIR": str(folder),
            "JACK_DEFAULT_SERVER": f"soak-{os.getpid()}",
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._listeners: dict[str, subprocess.Popen[str]] = {}
        self._raised: frozenset[str] = frozenset()
        self._boards: dict[str, BoardReader] = {}
        self._start_at_s: float | None = None
        self._use_ns = self._share_ns = 0
        self._closing = ExitStack()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.disk.mkdir()
            self._mount(opened)
            self.write_kit()
            config = {
                "camera": {"wait": True},
                "kit": self.kit.name,
                "timing": {"delay_ms": DELAY_MS},
                "pose": {"flow": self._flow},
            }
            (self.folder / "lalelu.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
            opened.callback(self._end_all)
            self.start_server()
            self.start()
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.close()

    def _mount(self, opened: ExitStack) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._disk_mb}m", "tmpfs", str(self.disk)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as exc:
            self.why_no_disk = (
                f"no disk of its own can be mounted ({getattr(exc, 'stderr', exc)}); try as root"
            )
            return
        opened.callback(subprocess.run, ["umount", "--lazy", str(self.disk)], check=True)

    def _end_all(self) -> None:
        if self._server is not None:
            # first: killed clients end it by SIGPIPE, and a dead one keeps its place among JACK's eight servers
            self._server.terminate()
            self._server.wait()
        for process in (self.process, *self._listeners.values()):
            if process is not None:
                process.kill()
                process.wait()
        for left in SHARED_MEMORY.glob(f"jack_sem.*_{self.environment['JACK_DEFAULT_SERVER']}_*"):
            left.unlink()  # of killed servers

    # the graph

    def start_server(self) -> None:
        """Start JACK on its dummy device, and both listeners once it answers."""
        name = self.environment["JACK_DEFAULT_SERVER"]
        arguments = ["jackd", "-n", name, "-R", "-P", "85", "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)]
        with (self.folder / "jackd.log").open("ab") as log:
            self._server = subprocess.Popen(arguments, stdout=log, stderr=log)
        for listener in (GRAPH, SYNTH):
            self.plug(listener)

    def kill_server(self) -> None:
        """Kill JACK, and wait until the listeners have noticed."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        for listener in (GRAPH, SYNTH):
            self.unplug(listener)

    def plug(self, listener: str) -> None:
        """Bring a listener's port into being."""
        sources = ["lalelu:out"] if listener == GRAPH else []
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            process = subprocess.Popen(
                [sys.executable, str(_LISTENER), listener, str(self.folder / listener), *sources],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment,
                text=True,
            )
            assert process.stdout is not None
            if process.stdout.readline() == "ready\n":
                self._listeners[listener] = process
                return
            process.communicate()
            self.wait(LOOK_S)
        raise SystemExit(
            f"no JACK server answers; see {self.folder / 'jackd.log'}; install jackd and JACK-Client"
        )

    def unplug(self, listener: str) -> None:
        """Kill a listener; its port goes with it."""
        process = self._listeners.pop(listener)
        process.kill()
        process.communicate()

    def heard(self, listener: str) -> tuple[tuple[int, bytes], ...]:
        """Return what a listener has written down."""
        lines = (self.folder / listener).read_text(encoding="ascii").splitlines()
        return tuple((int(at), bytes.fromhex(text)) for at, text in map(_split, lines))

    def sounded_since(self, at_ns: int) -> bool:
        """Whether both listeners have heard a note since then; looks at their last messages."""
        for listener in (GRAPH, SYNTH):
            with (self.folder / listener).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read().decode("ascii").splitlines()[1:]
            if not any(
                int(at) > at_ns and is_note_on(bytes.fromhex(text)) for at, text in map(_split, lines) if text
            ):
                return False
        return True

    # the instrument

    def write_kit(self, snare: str = "acoustic_snare") -> None:
        """Save the kit, in one step."""
        kit = yaml.safe_load(kit_file("rock", None).read_text(encoding="utf-8")) | {"note_ms": NOTE_MS}
        kit["pads"]["snare"]["note"] = snare
        replace_text(self.kit, yaml.safe_dump(kit))

    @property
    def config(self) -> Path:
        """The instrument's configuration."""
        return self.folder / "lalelu.yaml"

    @property
    def played(self) -> KitConfig:
        """The kit as it is saved."""
        return load_config(self.config).kit

    def command(self, ledger: Path) -> list[str]:
        """Return the command that plays into both ports and a file."""
        outputs = [
            "virtual:lalelu?api=jack",
            f"port:{SYNTH}?api=jack",
            f"file:{self.folder / ledger.name}.mid",
        ]
        words = [word for uri in outputs for word in ("--midi", uri)]
        arguments = ["--config", str(self.config), "--camera", self.camera, "--log", str(ledger)]
        return [sys.executable, "-m", "lalelu", "run", *arguments, *words]

    def begin(self, ledger: Path) -> subprocess.Popen[bytes]:
        """Start one instrument, and write down what it says."""
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(self.command(ledger), stdout=said, stderr=said, env=self.environment)

    def start(self) -> None:
        """Start the instrument, with a new ledger."""
        self.ledgers.append(self.disk / f"ledger-{len(self.ledgers)}")
        self.process = self.begin(self.ledgers[-1])
        self._boards = {}
        self._start_at_s = None

    def stop(self) -> list[str]:
        """End the instrument in order; return what was wrong with that."""
        process = self.process
        assert process is not None
        process.terminate()
        try:
            status = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return [f"lalelu did not end within {PATIENCE_S:.0f} s and was killed"]
        finally:
            self.process = None
        return [f"lalelu ended with status {status}"] if status else []

    def restart(self) -> None:
        """End the instrument somehow, and start another."""
        self.stop()
        self.start()

    @property
    def session(self) -> Session:
        """The running instrument's."""
        assert self.process is not None
        return Session(self.folder / "lalelu" / str(self.process.pid))

    def board(self, name: str) -> dict[str, Any]:
        """Return what a board of the instrument shows; nothing where it is not there."""
        try:
            if name not in self._boards:
                self._boards[name] = BoardReader(self.session / name)
            return self._boards[name].value()
        except LaleluError:
            return {}

    def pid(self, role: str) -> int:
        """Return the process id of `lead`, `net` or one of ROLES. Raises LookupError where there is none."""
        if role == "lead":
            return self.session.leader
        board = self.board(NET) if role == NET else self.board("lead")
        return int(board["pid" if role == NET else role])

    def plays(self) -> bool:
        """Whether the engine makes rows."""
        try:
            rows = RingReader(self.session / "frames").newest(1)
        except LaleluError:
            return False
        return bool(rows) and int(np.frombuffer(rows[0], FRAME_DTYPE)["sent_ns"][0]) > now_ns() - FRESH_NS

    def conditions(self) -> frozenset[str]:
        """Return the names of what the leader says is wrong."""
        told = self.board("lead").get("conditions", {})
        return frozenset(each["name"] if isinstance(each, dict) else each for each in told)

    # time

    def wait(self, seconds: float) -> None:
        """Let time pass, and look after everything meanwhile."""
        until_s = time.monotonic() + seconds
        while True:
            self._look()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, LOOK_S))

    def _look(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is not None:
            if self._start_at_s is None:
                self.ended.append((now_ns(), self.process.returncode))
                self._start_at_s = time.monotonic() + AGAIN_S
            elif time.monotonic() > self._start_at_s:
                self.start()
            return
        self._favour_film()
        at_ns, raised = now_ns(), self.conditions()
        self.told += [(at_ns, name, name in raised) for name in sorted(raised ^ self._raised)]
        self._raised = raised
        if at_ns > self._use_ns:
            shares = at_ns > self._share_ns
            self._use_ns = at_ns + self._use_every_ns
            self._share_ns = at_ns + SHARE_NS if shares else self._share_ns
            self.uses += self._used(at_ns, shares=shares)

    def _used(self, at_ns: int, *, shares: bool) -> Iterable[Use]:
        for role in ("lead", *ROLES, NET, "film"):
            with suppress(LookupError, OSError):
                pid = self.film() if role == "film" else self.pid(role)
                yield use_of(role, pid, at_ns, shares=shares)

    def film(self) -> int:
        """Return the process of the camera's film. Raises LookupError where there is none."""
        engine = self.pid("engine")
        for pid in Path(f"/proc/{engine}/task/{engine}/children").read_text(encoding="ascii").split():
            if FILM in Path("/proc", pid, "cmdline").read_text(encoding="utf-8"):
                return int(pid)
        raise LookupError("the engine films nothing")

    def _favour_film(self) -> None:
        """Let the film come before other ordinary processes, where we may: the drummer is not to stutter."""
        with suppress(LookupError, OSError):
            film = self.film()
            if os.sched_getscheduler(film) == os.SCHED_OTHER:
                os.sched_setscheduler(film, os.SCHED_FIFO, os.sched_param(1))

    def said(self) -> str:
        """Return what the instruments said last."""
        return "\n".join((self.folder / "said").read_text(encoding="utf-8").splitlines()[-5:])

    def keep(self, out: Path) -> None:
        """Copy what was recorded, said and heard into a folder."""
        out.mkdir(parents=True, exist_ok=True)
        for name in ("said", "jackd.log", GRAPH, SYNTH):
            with suppress(FileNotFoundError):
                shutil.copy(self.folder / name, out)
        for ledger in self.ledgers:
            if ledger.is_dir():
                shutil.copytree(ledger, out / ledger.name, dirs_exist_ok=True)


def _split(line: str) -> tuple[str, str]:
    """Return a listener's line as its moment and its message, which may be empty."""
    at, _, text = line.partition(" ")
    return at, text


def replace_text(path: Path, text: str) -> None:
    """Write a file as editors do: a new one, renamed over the old one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def use_of(role: str, pid: int, at_ns: int, *, shares: bool) -> Use:
    """Return what a process has. Raises OSError when it has gone."""
    proc = Path("/proc", str(pid))
    told = dict(line.split(":", 1) for line in (proc / "status").read_text(encoding="utf-8").splitlines())
    kib = {name: int(told[name].split()[0]) for name in ("VmRSS", "RssAnon")}
    share = None
    if shares:
        rollup = (proc / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        share = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return Use(at_ns, role, pid, kib["RssAnon"], kib["VmRSS"], share, len(list((proc / "fd").iterdir())))
