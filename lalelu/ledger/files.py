"""Make a ledger's directory and its header. Writes files and reads facts about the machine."""

import hashlib
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from lalelu.errors import UsageError
from lalelu.ledger.layout import HEADER, LEDGER_VERSION, ROW_BYTES, VERSION_KEY

_PIECE: Final = 1 << 20  # bytes read at once


def new_header(
    config: Mapping[str, Any],
    *,
    camera: Mapping[str, Any],
    model: str,
    runtime: Mapping[str, Any],
    requests: Sequence[Mapping[str, Any]] = (),
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a header for a run that begins now, with `config` (plain JSON values) as its first epoch.

    `requests` lists what was asked of the machine, e.g. {"name": "fifo", "granted": false, "reason": "..."};
    `packages` names further distributions whose versions matter, such as the runtime's.
    """
    began_ns = time.monotonic_ns()
    return {
        VERSION_KEY: LEDGER_VERSION,
        # one moment on both clocks: the rows' stamps know nothing of days
        "began": {"utc": datetime.now(UTC).isoformat(), "monotonic_ns": began_ns},
        # each holds for frames captured at its `began_ns` or later, and for their notes
        "epochs": [
            {
                "epoch": 0,
                "began_ns": began_ns,
                "config": dict(config),
                "digest": config_digest(config),
            }
        ],
        "versions": _versions(packages),
        "host": host_facts(),
        "requests": [dict(request) for request in requests],
        "camera": dict(camera),
        "model": model,
        "runtime": dict(runtime),
        "first_captured_ns": None,  # the desk fills it in
    }


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a configuration, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def host_facts() -> dict[str, Any]:
    """Return what this machine is: name, CPU model, core count, kernel and its command line."""
    cpuinfo = _first_lines("/proc/cpuinfo")
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "")
    return {
        "name": platform.node(),
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "cores_allowed": sorted(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else None,
        "kernel": platform.release(),
        "kernel_version": platform.version(),
        "kernel_command_line": " ".join(_first_lines("/proc/cmdline")),
    }


def name_at(started: datetime) -> str:
    """Return the name of a ledger in a folder of ledgers: by the local time at which it begins."""
    return f"{started:%Y%m%d-%H%M%S}.ledger"


def claim(folder: Path, started: datetime) -> Path:
    """Make a folder for a ledger in a folder of ledgers and return it: nobody else has it, whatever the clock says.

    Another instance may begin in the same second, and a clock that was set back comes by again. Raises UsageError.
    """
    name = name_at(started)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = folder / (name if number == 1 else f"{Path(name).stem}-{number}.ledger")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
        raise AssertionError("there is always one more number")
    except OSError as exc:
        raise UsageError(
            f"no ledger can begin in {folder} ({exc.strerror}); choose a folder you may write to"
        ) from exc


def create_ledger(directory: Path, header: Mapping[str, Any]) -> None:
    """Make `directory` with its header and empty record files; an earlier ledger in it is replaced.

    Raises UsageError when it cannot be written, or holds something that is not a ledger.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        strangers = sorted(p.name for p in directory.iterdir() if p.name not in {HEADER, *ROW_BYTES})
        if strangers and not (directory / HEADER).exists():
            raise UsageError(
                f"{directory} already holds {strangers[0]!r} and is not a ledger; "
                f"a ledger needs a folder of its own: name a new one"
            )
        for name in ROW_BYTES:
            (directory / name).write_bytes(b"")
        write_header(directory, header)
    except OSError as exc:
        raise UsageError(
            f"the ledger {directory} cannot be written ({exc.strerror}); choose a folder you may write to"
        ) from exc


def write_header(directory: Path, header: Mapping[str, Any]) -> None:
    """Replace the header in one step: a reader sees the old one or the new one. Raises OSError."""
    text = json.dumps(header, indent=2, ensure_ascii=False, default=str)
    unfinished = directory / f".{HEADER}.new"
    unfinished.write_text(text + "\n", encoding="utf-8", errors="replace")
    unfinished.replace(directory / HEADER)


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file's bytes. Raises OSError."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found


def _versions(packages: Sequence[str]) -> dict[str, str]:
    import importlib.metadata  # the desk, which goes on with a ledger, starts sooner without

    versions = {"python": platform.python_version()}
    for package in ("lalelu", "numpy", *packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions


def _first_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()[:64]
    except OSError:
        return []  # a machine without /proc has no such fact to tell
