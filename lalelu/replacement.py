"""Files that take the place of others whole, or not at all, whatever ends the program meanwhile. Writes files."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lalelu.errors import UsageError


@contextmanager
def replacing(path: Path, refused: Callable[[Path, OSError], UsageError] | None = None) -> Iterator[Path]:
    """Give a temporary name beside `path`; what is written there takes its place at once, or not at all.

    A file that is there already keeps its rights and its owner. Raises what `refused` makes of a folder or file that
    cannot be written; without it, OSError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as exc:
        if refused is None:
            raise
        raise refused(path.parent, exc) from exc
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        # mkstemp's files are for their owner only; a service may run as another user
        if path.exists():
            there = path.stat()
            if (there.st_uid, there.st_gid) != (os.geteuid(), temporary.stat().st_gid):
                os.chown(temporary, there.st_uid, there.st_gid)
            temporary.chmod(stat.S_IMODE(there.st_mode))
        else:
            temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as exc:
        if refused is None:
            raise
        raise refused(path, exc) from exc
    finally:
        temporary.unlink(missing_ok=True)


def not_written(path: Path, exc: OSError) -> UsageError:
    """Return the error of a player's own file or folder that cannot be written."""
    return UsageError(f"{path} cannot be written ({exc.strerror}); check its permissions")
