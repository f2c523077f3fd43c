"""Where model files are kept, and how they come to lie there whole. Reads and writes files."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lalelu.errors import UsageError
from lalelu.regular import read_regular
from lalelu.replacement import replacing

MOST_BYTES: Final = 1 << 30  # 1 GiB: the largest pose networks have 300 MB


def cache_dir() -> Path:
    """Return the folder of fetched and made files; it may not be there yet.

    $LALELU_CACHE, else $CACHE_DIRECTORY (systemd), else $XDG_CACHE_HOME/lalelu, else ~/.cache/lalelu. Raises
    UsageError where another user may change it: the files in it are loaded, and their checksums lie beside them.
    """
    place = _cache_dir()
    try:
        facts = place.stat()
    except OSError:  # not there, which whoever writes to it will tell
        return place
    is_others = os.geteuid() != 0 and facts.st_uid not in (0, os.geteuid())
    if is_others or facts.st_mode & stat.S_IWOTH:
        why = "is another user's" if is_others else "may be written by everybody (chmod o-w takes that away)"
        raise UsageError(f"the model cache {place} {why}; set LALELU_CACHE to a folder of yours")
    return place


def _cache_dir() -> Path:
    if own := os.environ.get("LALELU_CACHE"):
        return Path(own)
    if systemd := os.environ.get("CACHE_DIRECTORY"):
        return Path(systemd.partition(":")[0])  # a unit with several names them all
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "lalelu"
    return Path.home() / ".cache" / "lalelu"


def digest(path: Path) -> str | None:
    """Return a file's SHA-256 in hex, None when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UsageError(
            f"{path} cannot be read ({exc.strerror}); set its rights, or set LALELU_CACHE to another folder"
        ) from exc


def not_writable(path: Path, exc: OSError) -> UsageError:
    """Return the error of a folder or file that cannot be written."""
    return UsageError(
        f"the model cache {path} cannot be written ({exc.strerror or exc}); make room or set its rights, "
        "or set LALELU_CACHE to a folder of yours"
    )


def out_not_writable(path: Path, exc: OSError) -> UsageError:
    """Return the error of a file that the user named and that cannot be written."""
    return UsageError(f"{path} cannot be written ({exc.strerror}); give another --out")


def own_bytes(path: Path, option: str = "") -> bytes:
    """Return the bytes of the user's own model, which `option` names.

    Raises UsageError where it cannot be read, or is larger than any pose network.
    """
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as exc:
        raise no_model(f"{option} {path}".strip(), exc.strerror) from exc


def no_model(name: str, reason: str | None) -> UsageError:
    """Return the error of a file that is no ONNX model."""
    return UsageError(
        f"{name} cannot be read as an ONNX model ({reason}); give another file, or export it again"
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that the user named, whole or not at all. Raises UsageError where it cannot be written."""
    with replacing(path, out_not_writable) as temporary:
        temporary.write_bytes(data)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the cache's lock `name`: a second process that wants the same waits, then finds it done."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f".{name}.lock").open("a")
    except OSError as exc:
        raise not_writable(folder, exc) from exc
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, or with the process
        yield
