"""`make test-system`: lalelu's package in a real Debian, in an emulator. Builds, boots, checks, prints a transcript.

python tests/system/bench/run.py PACKAGE.deb [--only CHECK]... [--kind parallel|virtual]

root's shell in a machine that runs: socat -,raw,echo=0 unix:dist/system-bench/parallel/console
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import film
import image
import machine

PROJECT = Path(__file__).resolve().parents[3]
TAKE = PROJECT / "tests/golden/rock_60_jitter.take.gz"
FILM = "film.yuyv"
OUT = PROJECT / "dist/system-bench"
CHECK_S = 1800  # for one check, of the guest's clock
RUN_S = 5400  # for all of one machine's, on a slow host

# What each machine does, in order. `reboot` starts the guest anew, with what it has on its disk.
PLANS = {
    "parallel": (
        machine.PARALLEL,
        """installed waits_at_boot plays_take real_time killed_voice killed_desk page killed_engine killed_leader
        watchdog capture refuses dropped_frames reboot plays_after_boot ledger usb_midi""",
    ),
    "virtual": (machine.VIRTUAL, "plays_take reboot plays_after_boot ledger camera_lost film sim_slowed"),
}


class Transcript:
    """What was checked: printed as it comes, and kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failed: list[str] = []
        self.begun_s = time.monotonic()
        path.write_text("")

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        with self.path.open("a") as file:
            file.write(line + "\n")

    def take(self, told: dict[str, object]) -> None:
        """Tell what a machine reported."""
        at = f"{time.monotonic() - self.begun_s:6.0f} s"
        if "check" in told:
            self.say(
                f"{at}  {'PASS' if told['ok'] else 'FAIL'}  {told['check']:<22} {told['seconds']:>6} s  {told['said']}"
            )
            if not told["ok"]:
                self.failed.append(str(told["check"]))
                self.say("\n".join(f"            | {line}" for line in str(told["log"]).splitlines()))
        elif "rebooting" in told:
            self.say(f"{at}  ....  reboot")


def main() -> int:
    """Build, boot and check; 1 when a check failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, help="lalelu's Debian package, as make deb leaves it in dist/")
    parser.add_argument("--kind", choices=PLANS, help="only this machine")
    parser.add_argument("--only", metavar="CHECK", action="append", help="these checks instead of all")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # qemu is ended, too
    for folder in PLANS:
        (OUT / folder).mkdir(parents=True, exist_ok=True)
    transcript = Transcript(OUT / (asked.kind or "") / "transcript.txt")
    system = image.build(asked.package)
    transcript.say(
        f"{asked.package.name} in {system.disk.parent.name}, built in {time.monotonic() - transcript.begun_s:.0f} s"
    )
    for name in [asked.kind] if asked.kind else PLANS:
        kind, checks = PLANS[name]
        plan = asked.only or checks.split()
        transcript.say(f"-- {kind.name}: {' '.join(kind.arguments)} {kind.kernel}")
        folder = OUT / name
        with tempfile.TemporaryDirectory(dir=OUT) as scratch:
            files = [TAKE]
            if "film" in plan:
                files.append(Path(scratch) / FILM)
                film.film(files[-1])
            disk = machine.job(Path(scratch), plan, files, limit_s=CHECK_S)
            for told in machine.run(system, disk, folder, kind, limit_s=RUN_S):
                transcript.take(told)
    total = time.monotonic() - transcript.begun_s
    transcript.say(f"{len(transcript.failed)} failed {transcript.failed or ''} in {total / 60:.1f} min")
    return 1 if transcript.failed else 0


if __name__ == "__main__":
    sys.exit(main())
