"""Read a ledger back, whole or damaged: what is there is returned, what is wrong is said. Reads files."""

import itertools
import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.ledger.files import checksum
from lalelu.ledger.schema import HEADER, LEDGER_VERSION, RECORDS, STAMPS, VERSION_KEY

_RULE = (
    f"a ledger is a directory with {HEADER} and the files {', '.join(RECORDS)}, as `lalelu run --log` makes"
)

_MAPPED: Final = 64 << 20  # bytes: a longer file of rows is mapped, not read
_PIECE: Final = 1 << 15  # rows: 3.7 MB of frames


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """Something that happened beside the frames: a reload, a loss, a recovery."""

    at_ns: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """One run's rows."""

    path: Path
    header: dict[str, Any]  # empty when it could not be read
    frames: NDArray[np.void]  # (N,), FRAME_DTYPE
    notes: NDArray[np.void]  # (M,), NOTE_DTYPE
    samples: NDArray[np.void]  # (S,), SAMPLE_DTYPE; none in a ledger from before there were samples
    events: tuple[LedgerEvent, ...]
    problems: tuple[str, ...]  # what was damaged or missing, one sentence each

    def __len__(self) -> int:
        return len(self.frames)

    def pieces(self) -> Iterator[NDArray[np.void]]:
        """Yield all frames in order, some at a time; memory for what has passed by is given back."""
        return _pieces(self.frames)


def read_ledger(path: Path) -> Ledger:
    """Return the ledger in the directory `path`; truncated or missing files are told in `problems`.

    Raises UsageError when `path` is no ledger, holds nothing readable, or has another version's layout.
    """
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise UsageError(f"{path} {what}; {_RULE}")
    problems: list[str] = []
    header = _read_header(path / HEADER, problems)
    version = header.get(VERSION_KEY, LEDGER_VERSION)
    if version != LEDGER_VERSION:
        raise UsageError(
            f"{path / HEADER}: {VERSION_KEY} is {version!r}; this lalelu reads version {LEDGER_VERSION}: "
            f"read it with the lalelu that wrote it"
        )
    counts = header.get("counts")
    counted = isinstance(counts, dict) and "samples" in counts
    rows = {
        name: np.empty(0, dtype)
        if name == "samples" and not counted and not (path / name).exists()
        else _read_records(path / name, dtype, problems)
        for name, dtype in RECORDS.items()
    }
    if VERSION_KEY not in header and not any(len(array) for array in rows.values()):
        raise UsageError(f"{path} holds nothing that can be read as a ledger ({problems[0]}); {_RULE}")
    if header and header.get("closed") is not True:
        problems.append(f"{path / HEADER}: the recording was not closed; its last rows may be missing")
    problems += _changed(path, header.get("crc32"))
    problems += _lost(path, header.get("overruns"))
    backwards = _backwards(rows["frames"])
    if backwards:
        problems.append(f"{path / 'frames'}: {backwards} rows have stamps that run backwards")
    events = tuple(
        LedgerEvent(int(at_ns), kind.decode("ascii", "replace"), text.decode("utf-8", "replace"))
        for at_ns, kind, text in rows["events"].tolist()
    )
    return Ledger(
        path, header, rows["frames"], rows["notes"], rows["samples"], events, problems=tuple(problems)
    )


def _read_header(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        header = json.loads(path.read_bytes())
    except OSError as exc:
        problems.append(f"{path} cannot be read ({exc.strerror}); read without it")
    except (ValueError, RecursionError) as exc:  # RecursionError: thousands of nested brackets
        problems.append(f"{path} is not JSON ({str(exc)[:80]}); read without it")
    else:
        if isinstance(header, dict):
            if VERSION_KEY not in header:
                problems.append(f"{path} has no {VERSION_KEY}; read as version {LEDGER_VERSION}")
            return header
        problems.append(f"{path} holds no JSON object; read without it")
    return {}


def _read_records(path: Path, dtype: np.dtype[np.void], problems: list[str]) -> NDArray[np.void]:
    data: bytes | mmap.mmap
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            data = file.read() if size < _MAPPED else mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except OSError as exc:
        problems.append(f"{path} cannot be read ({exc.strerror}); taken as empty")
        return np.empty(0, dtype)
    whole, rest = divmod(len(data), dtype.itemsize)
    if rest:
        problems.append(
            f"{path} ends inside a record ({rest} of {dtype.itemsize} bytes); that last one is left out"
        )
    return np.frombuffer(data, dtype, count=whole)


def _changed(path: Path, written: object) -> list[str]:
    """Say which files are not as they were when the recording was closed."""
    found = []
    for name, crc in written.items() if isinstance(written, dict) else ():
        try:
            is_same = name not in RECORDS or checksum(path / name) == crc
        except OSError:  # told already
            continue
        if not is_same:
            found.append(
                f"{path / name} has changed since it was closed (its CRC-32 is another); do not trust it"
            )
    return found


def _lost(path: Path, overruns: object) -> list[str]:
    """Say which rows were overwritten in memory before the disk took them; one number in older headers."""
    lost = overruns if isinstance(overruns, dict) else {"the recording": overruns}
    return [
        f"{path / HEADER}: {count} rows of {name} were lost before they reached the disk"
        for name, count in lost.items()
        if isinstance(count, int) and count > 0
    ]


def _pieces(rows: NDArray[np.void]) -> Iterator[NDArray[np.void]]:
    file: object = getattr(rows.base, "obj", None)  # of the view of a file that is mapped
    for first in range(0, len(rows), _PIECE):
        yield rows[first : first + _PIECE]
        if isinstance(file, mmap.mmap):
            file.madvise(mmap.MADV_DONTNEED)  # else a day's file would count as memory in use


def _backwards(frames: NDArray[np.void]) -> int:
    """Count rows whose stamps are not in the order in which they are made."""
    count = 0
    for piece in _pieces(frames):
        stamps = [np.ascontiguousarray(piece[name]) for name in STAMPS]
        wrong = np.zeros(len(piece), bool)
        for earlier, later in itertools.pairwise(stamps):
            wrong |= later < earlier
        count += int(np.count_nonzero(wrong))
    return count
