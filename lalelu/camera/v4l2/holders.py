"""Who has a device open, for the sentence that it is in use. Reads /proc, asks the time."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lalelu.clock import now_ns

AGAIN_NS: Final = 5_000_000_000  # between two looks: all processes are gone through, by the thread that plays
_ENGINE = (
    "lalelu.instrument"  # an engine's command line goes on with its session's folder, named after its leader
)


def holder_of(path: str, proc: Path = Path("/proc")) -> str:
    """Return who else has opened the file at `path`, as far as one may look."""
    return next(_holders(Path(path).resolve(), proc), "another program")


class Holder:
    """Who else has opened the file at `path`, looked for again after AGAIN_NS at the earliest."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._name = ""
        self._looked_ns: int | None = None

    def name(self) -> str:
        """Return who it is, or was when it was looked for last."""
        at_ns = now_ns()
        if self._looked_ns is None or at_ns - self._looked_ns >= AGAIN_NS:
            self._looked_ns, self._name = at_ns, holder_of(self._path)
        return self._name


def _holders(path: Path, proc: Path) -> Iterator[str]:
    for process in proc.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(descriptor.readlink() == path for descriptor in (process / "fd").iterdir()):
                yield _name(process)
        except OSError:  # another user's, or it has just ended
            continue


def _name(process: Path) -> str:
    words = (process / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    if _ENGINE in words[:-1]:
        return f"the lalelu that process {Path(words[words.index(_ENGINE) + 1]).name} leads"
    return f"{Path(words[0]).name or 'a program'} (process {process.name})"
