"""Run the job's checks in the guest, one after the other, over reboots. Root's; reports lines of JSON to the host."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bench_camera
import bench_midi
import bench_service

JOB = Path(__file__).parent
DONE = Path("/var/lib/bench/done")  # the checks that have run, one a line: a reboot goes on behind them
REPORT = Path("/dev/virtio-ports/report")
CHECKS = {
    name: check
    for module in (bench_service, bench_midi, bench_camera)
    for name, check in vars(module).items()
}
REBOOT = "reboot"


def tell(**fields: object) -> None:
    """Send one line to the host."""
    with REPORT.open("wb", buffering=0) as port:
        port.write(json.dumps(fields).encode() + b"\n")


def run(name: str, limit_s: int) -> None:
    """Run one check; what it returns is what it shows."""
    tell(begun=name)
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(limit_s)
    try:
        said, ok, log = CHECKS[name](), True, ""
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it is told, and the next check runs
        said, ok = f"{type(exc).__name__}: {exc}".partition("\n")[0], False
        log = traceback.format_exc() + _journal()
    signal.alarm(0)
    tell(check=name, ok=ok, seconds=round(time.monotonic() - began, 1), said=said or "", log=log)


def _too_late(*_: object) -> None:
    raise TimeoutError("the check took longer than it may")


def _journal() -> str:
    command = ["journalctl", "-b", "-u", "lalelu*", "-n", "60", "-o", "short-monotonic", "--no-pager"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> int:
    """Run what is left of the job."""
    while not REPORT.exists():
        time.sleep(0.1)
    job = json.loads((JOB / "job.json").read_text())
    DONE.parent.mkdir(parents=True, exist_ok=True)
    done = DONE.read_text().split() if DONE.exists() else []
    for place, name in enumerate(job["checks"]):
        if place < len(done):
            continue
        with DONE.open("a") as file:
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        if name == REBOOT:
            tell(rebooting=True)
            subprocess.run(["systemctl", "reboot"], check=True)
            return 0
        run(name, job["limit_s"])
    tell(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
