"""What the checks in the guest share: the service, its configuration and processes, and an ear at ALSA's sequencer."""

import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

JOB = Path(__file__).parent
CONFIG = Path("/etc/lalelu/lalelu.yaml")
QUICK = Path("/run/systemd/system/lalelu.service.d/quick.conf")  # until the next boot
PYTHON = "/opt/lalelu/bin/python"
PAGE = "http://127.0.0.1:8765/"
TAKE = Path("/var/lib/bench/rock_60_jitter.take.gz")
PATIENCE_S = 900  # software emulation on a busy host: a start may take minutes
EVENT = struct.Struct("<q24s96s")  # at_ns, kind, text: as lalelu.ledger.schema has it
MODULES = {
    "engine": {b"lalelu.instrument"},
    "voice": {b"lalelu.voice.process"},
    "desk": {b"lalelu.desk.process", b"lalelu.desk.attach"},  # the leader's child, or a unit of its own
    "page": {b"lalelu.page.process"},
}


def sh(*command: str) -> str:
    """Run a command and return what it says."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
    return ran.stdout.strip()


def until(
    what: str, condition: Callable[[], Any], seconds: float = PATIENCE_S, *, every_s: float = 0.5
) -> Any:
    """Return the condition's first true value; AssertionError when there is none in time."""
    stop = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > stop:
            raise AssertionError(f"in {seconds:g} s not: {what}; the service: {service()}")
        time.sleep(every_s)


def service(unit: str = "lalelu.service") -> dict[str, str]:
    """Return what systemd knows of the service."""
    names = "ActiveState,SubState,Result,StatusText,MainPID,NRestarts,UnitFileState"
    names += ",InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic"
    return dict(line.split("=", 1) for line in sh("systemctl", "show", unit, "-p", names).splitlines())


def plays() -> bool:
    """Whether the service is active and says that it plays."""
    now = service()
    return now["ActiveState"] == "active" and now["StatusText"].startswith("playing")


def configure(camera: str, output: str = "virtual:lalelu", *, shipped: bool = False) -> None:
    """Write the service's configuration and start it anew; it need not be ready yet.

    Unless the unit is wanted as it is `shipped`, the check before the start is left out: it takes a minute here.
    """
    CONFIG.write_text(
        f'camera: {{uri: "{camera}", wait: true}}\nmidi: {{outputs: ["{output}"]}}\n'
        'ledger: {dir: "/var/lib/lalelu/ledger"}\n'
    )
    QUICK.parent.mkdir(parents=True, exist_ok=True)
    QUICK.write_text("" if shipped else "[Service]\nExecStartPre=\n")
    sh("systemctl", "daemon-reload")
    sh("systemctl", "stop", "lalelu.service")
    sh("systemctl", "reset-failed", "lalelu.service")
    sh("systemctl", "start", "--no-block", "lalelu.service")


def take() -> str:
    """Return the address of the camera that plays the recorded drummer without end."""
    if not TAKE.exists():
        TAKE.write_bytes((JOB / TAKE.name).read_bytes())
        TAKE.parent.chmod(0o755)
    return f"take:{TAKE}?repeat=true"


def newest_ledger() -> Path:
    """Return the folder of the run that began last."""
    return max(Path("/var/lib/lalelu/ledger").iterdir(), key=lambda path: path.name)


def stopped_ledger() -> Path:
    """Stop the service and return the folder of its run, written to the end."""
    sh("systemctl", "stop", "lalelu.service")
    folder = newest_ledger()
    until("the ledger closed", lambda: json.loads((folder / "header.json").read_text()).get("closed"))
    return folder


def event(kind: str, since_s: float) -> float | None:
    """Return when the newest run first told an event of this kind since then, monotonic seconds."""
    rows = (newest_ledger() / "events").read_bytes()
    for at_ns, name, _text in EVENT.iter_unpack(rows[: len(rows) // EVENT.size * EVENT.size]):
        if name.rstrip(b"\0").decode() == kind and at_ns * 1e-9 >= since_s:
            return at_ns * 1e-9
    return None


def process(role: str) -> int:
    """Return the id of one of the instrument's processes, waiting for it."""
    return until(f"a {role}", lambda: next(iter(processes(role)), 0))


def processes(role: str) -> list[int]:
    """Return the ids of all processes of a role."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if MODULES[role].intersection(words):
                found.append(int(entry.name))
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal."""
    os.kill(pid, number)


def clients() -> dict[str, int]:
    """Return the sequencer's clients by name."""
    text = Path("/proc/asound/seq/clients").read_text()
    return {name: int(number) for number, name in re.findall(r'^Client +(\d+) : "(.*?)"', text, re.MULTILINE)}


class Ear:
    """Another program at the sequencer, aseqdump, subscribed to a client's first port. A context manager."""

    def __init__(self, client: str = "lalelu") -> None:
        self.client = client
        self.lock = threading.Lock()
        self.on: list[tuple[float, int]] = []  # monotonic seconds, note
        self.sounding: dict[int, int] = {}  # note -> how often begun and not ended

    def __enter__(self) -> Self:
        number = until(f"a sequencer client {self.client}", lambda: clients().get(self.client))
        command = ["stdbuf", "-oL", "aseqdump", "-p", f"{number}:0"]
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.program.wait()

    def _listen(self) -> None:
        assert self.program.stdout is not None
        for line in self.program.stdout:
            found = re.search(r"(Note on|Note off) .*note (\d+)(?:, velocity (\d+))?", line)
            if found is None:
                continue
            note = int(found[2])
            with self.lock:
                if found[1] == "Note on" and found[3] != "0":
                    self.on.append((time.monotonic(), note))
                    self.sounding[note] = self.sounding.get(note, 0) + 1
                else:
                    self.sounding.pop(note, None)

    def hears(self, count: int = 4, seconds: float = PATIENCE_S) -> float:
        """Wait for so many further notes; returns when the first of them came."""
        begun = len(self.on)
        until(f"{count} notes at {self.client}", lambda: len(self.on) >= begun + count, seconds, every_s=0.05)
        return self.on[begun][0]

    def silent(self) -> None:
        """Wait until nothing sounds, which no note may refuse for long."""
        until("silence", lambda: not self.sounding, 60, every_s=0.05)
