"""Boot the image in qemu by software emulation, hand it a job and read what its agent reports. Starts a process."""

import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image import Image

GUEST = Path(__file__).parent / "guest"
# la57 breaks the start of this kernel under emulation; mitigations cost much and protect nothing here
COMMON = (
    "root=/dev/vda rw console=ttyS0 quiet mitigations=off panic=10 systemd.mask=e2scrub_reap.service "
    "systemd.mask=apt-daily.timer systemd.mask=apt-daily-upgrade.timer"
)


@dataclass(frozen=True)
class Kind:
    """One way of emulating."""

    name: str
    arguments: tuple[str, ...]
    kernel: str  # added to the command line


# The last of three cores is isolated; as fast as the host emulates, and its clock is the host's.
PARALLEL = Kind(
    "three cores",
    ("-accel", "tcg,thread=multi", "-smp", "3"),
    "isolcpus=managed_irq,domain,2 irqaffinity=0-1",
)
# One core; one virtual nanosecond an instruction, and idle time passes at once: nothing outside makes a frame late.
VIRTUAL = Kind(
    "virtual time",
    ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1", "-rtc", "clock=vm"),
    "",
)


def job(folder: Path, checks: Sequence[str], files: Sequence[Path], *, limit_s: int) -> Path:
    """Write the second disk: the agent, its checks, and the files that they need."""
    path = folder / "job.tar"
    order = folder / "job.json"
    order.write_text(json.dumps({"checks": list(checks), "limit_s": limit_s}))
    with tarfile.open(path, "w") as tar:
        for file in (order, *sorted(GUEST.glob("*.py")), *files):
            tar.add(file, file.name)
    return path


def run(image: Image, disk: Path, folder: Path, kind: Kind, *, limit_s: float) -> Iterator[dict[str, Any]]:
    """Boot and yield what the agent reports, until it has ended. SystemExit where the guest says nothing more.

    root's shell is at the socket `console` in the folder.
    """
    report, console = folder / "report.jsonl", folder / "console.log"
    report.write_text("")
    socket = f"socket,id=console,path=console,server=on,wait=off,logfile={console.name}"
    command = [
        *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max,la57=off", "-m", "3072", *kind.arguments),
        *("-display", "none", "-nodefaults", "-chardev", socket, "-serial", "chardev:console"),
        *("-drive", f"file={image.disk},if=virtio,format=raw,snapshot=on"),
        *("-drive", f"file={disk},if=virtio,format=raw,readonly=on"),
        *("-device", "virtio-serial", "-chardev", f"file,id=report,path={report.name}"),
        *("-device", "virtserialport,chardev=report,name=report"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", f"{COMMON} {kind.kernel}"),
    ]
    stop = time.monotonic() + limit_s
    with (folder / "qemu.log").open("w") as log:
        qemu = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            with report.open() as lines:
                line = ""
                while True:
                    line += lines.readline()  # a long one comes in pieces
                    if line.endswith("\n"):
                        told, line = json.loads(line), ""
                        yield told
                        if "end" in told:
                            return
                    elif qemu.poll() is not None:
                        sys.exit(f"qemu ended by itself with {qemu.returncode}; see {log.name} and {console}")
                    elif time.monotonic() > stop:
                        sys.exit(f"the guest did not end in {limit_s:.0f} s; see {console}")
                    else:
                        time.sleep(0.2)
        finally:
            qemu.kill()
            qemu.wait()
