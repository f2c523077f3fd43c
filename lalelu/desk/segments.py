"""A ledger cut into segments, each a whole ledger: their headers, and the removal of the oldest. Writes files."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from lalelu.ledger.files import checksum, write_header
from lalelu.ledger.layout import HEADER, VERSION_KEY, offset_in_frame

SUFFIX: Final = ".ledger"
ABANDONED_S: Final = (
    3600.0  # an open ledger that nobody has written for so long: a desk writes ten times a second
)
WAITING_NS: Final = (
    600_000_000_000  # rows that waited for a disk are no older than that when a segment begins
)
_GOING: Final = ".removed"  # what a removal calls a ledger first, so that a kill leaves no half of one
_CAPTURED_AT: Final = offset_in_frame("captured_ns")
_ENDING: Final = (  # keys that tell how a segment ended
    "closed",
    "counts",
    "crc32",
    "overruns",
    "first_captured_ns",
    "continued",
)


class Header:
    """The running segment's header: what becomes known is put in, and written when it has changed."""

    def __init__(self, directory: Path, written: Mapping[str, Any]) -> None:
        self.known = dict(written)
        self._directory = directory
        self._written = dict(written)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Return the header that is there. Raises OSError, and ValueError for a damaged one."""
        header = json.loads((directory / HEADER).read_bytes())
        if not isinstance(header, dict):
            raise ValueError(f"{directory / HEADER} holds no JSON object")  # noqa: TRY004 - a damaged file
        return cls(directory, header)

    @property
    def changed(self) -> bool:
        """Whether something is known that is not in the file."""
        return self.known != self._written

    def amend(self, **facts: Any) -> None:  # noqa: ANN401 - plain JSON values
        """Take up what has become known."""
        self.known |= facts

    def write(self) -> None:
        """Replace the file. Raises OSError."""
        write_header(self._directory, self.known)
        self._written = dict(self.known)

    def next(self, segment: int, at_ns: int) -> dict[str, Any]:
        """Return the header of the segment that follows at `at_ns`, with the epochs that its rows may be of."""
        facts = {key: value for key, value in self.known.items() if key not in _ENDING}
        epochs = facts.get("epochs", [])
        past = [epoch for epoch in epochs if epoch["began_ns"] <= at_ns - WAITING_NS]
        facts["epochs"] = epochs[max(len(past) - 1, 0) :]
        return {**facts, "first_captured_ns": None, "continues": self._directory.name, "segment": segment}


def ending(directory: Path, counts: Mapping[str, int], overruns: Mapping[str, int]) -> dict[str, Any]:
    """Return what a header says of a segment that is complete. Raises OSError."""
    with (directory / "frames").open("rb") as file:
        first = file.read(_CAPTURED_AT + 8)[_CAPTURED_AT:]
    return {
        "closed": True,
        "counts": dict(counts),
        "crc32": {name: checksum(directory / name) for name in counts},
        "overruns": dict(overruns),
        "first_captured_ns": int.from_bytes(first, "little", signed=True) if first else None,
    }


def remove_oldest(folder: Path, keep_bytes: int, running: Path) -> list[Path]:
    """Remove the ledgers of `folder` that were closed first until all take `keep_bytes`; return those.

    Only what has our header is ever removed, closed or left alone for ABANDONED_S (by a power cut), and never
    `running`. Of what is older than that, empty folders go, too. Raises OSError.
    """
    for left in folder.glob(f".*{SUFFIX}{_GOING}"):
        shutil.rmtree(left)
    for claimed in folder.glob(f"*{SUFFIX}"):  # by a desk that was killed before it could begin it
        with suppress(OSError):  # it is not empty
            if time.time() - claimed.stat().st_mtime > ABANDONED_S:
                claimed.rmdir()
    closed = sorted(_over(folder, running))
    total = sum(_size(entry) for entry in folder.glob(f"*{SUFFIX}") if entry.is_dir())
    removed = []
    for _, ledger in closed:
        if total <= keep_bytes:
            break
        total -= _size(ledger)
        going = ledger.with_name(f".{ledger.name}{_GOING}")
        ledger.rename(going)
        shutil.rmtree(going)
        removed.append(ledger)
    return removed


def _over(folder: Path, running: Path) -> Iterator[tuple[int, Path]]:
    for entry in folder.glob(f"*{SUFFIX}"):
        if entry.is_symlink() or entry.resolve() == running.resolve():
            continue
        try:
            header = json.loads((entry / HEADER).read_bytes())
            when = max(path.stat().st_mtime_ns for path in entry.iterdir())
        except (OSError, ValueError):  # not ours to judge
            continue
        if not isinstance(header, dict) or VERSION_KEY not in header:
            continue
        if header.get("closed") is True or time.time_ns() - when > ABANDONED_S * 1e9:
            yield when, entry


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
