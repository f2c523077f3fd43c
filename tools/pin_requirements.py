"""Write requirements/service.txt and build.txt: the releases that a service installs, with their wheels' SHA-256.

`python tools/pin_requirements.py` asks pip (23.2 or later) which releases pyproject.toml's ranges give today on this
Python, and then, for each Python and machine below, which wheel each of them has. Uses the network; nothing is
installed. To keep what is pinned and only add hashes: `--keep`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("osc",)  # what a service can use beyond the plain dependencies
PYTHONS = ("3.11", "3.12")  # those for which all of the releases have wheels
MACHINES = ("x86_64", "aarch64")
# a wheel made for an older C library runs on a newer one; the newest is Debian 12's
PLATFORMS = (
    "manylinux1",
    "manylinux2010",
    "manylinux2014",
    *(f"manylinux_2_{minor}" for minor in range(5, 37)),
)
LAST_PINNED = re.compile(r"^([A-Za-z0-9._-]+==[^ ]+)", re.MULTILINE)

Report = list[dict[str, Any]]


def main() -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="keep the pinned releases")
    keep = parser.parse_args().keep
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = about["project"]
    wanted = [*project["dependencies"], *(d for e in EXTRAS for d in project["optional-dependencies"][e])]
    write("service.txt", "What lalelu needs as a service", wanted, keep=keep)
    write("build.txt", "What makes lalelu's own wheel", about["build-system"]["requires"], keep=keep)
    return 0


def write(name: str, what: str, wanted: Sequence[str], *, keep: bool) -> None:
    """Pin `wanted`, and what that needs in turn, in requirements/`name`."""
    path = ROOT / "requirements" / name
    if keep:
        pinned = LAST_PINNED.findall(path.read_text(encoding="utf-8"))
    else:
        pinned = [f"{package}=={version}" for package, version, _ in releases(report(wanted))]
    hashes: dict[str, set[str]] = defaultdict(set)
    for python in PYTHONS:
        for machine in MACHINES:
            for package, version, digest in releases(report(pinned, *target(python, machine))):
                hashes[f"{package.lower().replace('_', '-')}=={version}"].add(digest)
    lines = [
        f"# {what}: releases and their wheels, for Linux on {', '.join(MACHINES)} with Python {', '.join(PYTHONS)}.",
        "# Written by tools/pin_requirements.py; used with `pip install --require-hashes`.",
    ]
    lines += [" \\\n    --hash=sha256:".join([pin, *sorted(hashes[pin])]) for pin in sorted(hashes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stderr.write(f"{path}: {len(hashes)} releases, {sum(map(len, hashes.values()))} wheels\n")


def target(python: str, machine: str) -> list[str]:
    """Return pip's options for another Python on another machine."""
    platforms = [option for name in PLATFORMS for option in ("--platform", f"{name}_{machine}")]
    return [
        "--no-deps",
        "--target",
        "unused",
        "--implementation",
        "cp",
        "--python-version",
        python,
        *platforms,
    ]


def report(wanted: Iterable[str], *options: str) -> Report:
    """Return what pip would install, from the default index alone."""
    environment = {key: value for key, value in os.environ.items() if key not in _LOCAL}
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--report", "-", *options, *wanted]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PIP_CONFIG_FILE": os.devnull},
    )
    if done.returncode:
        sys.exit(f"pip found no wheel for each of them:\n{done.stderr}")
    found: Report = json.loads(done.stdout)["install"]
    return found


def releases(found: Report) -> list[tuple[str, str, str]]:
    """Return name, version and SHA-256 of each."""
    return [
        (
            each["metadata"]["name"],
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in found
    ]


# packages that lie on this machine alone, and its caps on releases
_LOCAL = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONSTRAINT")

if __name__ == "__main__":
    sys.exit(main())
