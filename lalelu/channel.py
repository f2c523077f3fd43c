"""Talk between processes through mapped files: rings with one writer, and boards that show the newest value.

Maps files. A ring's writer never waits and never looks at its readers: it overwrites the oldest record, and a
reader that was too slow learns how many it has lost. Any process may die at any point: what is in the file stays
readable, and a new writer goes on where the dead one stopped.

A slot is `n + 1 | record | n + 1 and checksum`, for record number n. The writer fills it from left to right and then
moves the head; the reader reads from right to left (Lamport, Concurrent Reading and Writing, 1977), so that numbers
that agree mean a whole record. The checksum says the same on processors that reorder stores.
"""

import json
import mmap
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any, Final, NamedTuple

from lalelu.errors import MissingError, UsageError

_MAGIC: Final = b"lalelu-1"
_HEADER: Final = struct.Struct("<8sII")  # magic, record bytes, slots
_HEAD_AT: Final = 64  # the head has a cache line of its own
_SLOTS_AT: Final = 128
_NUMBER_BYTES: Final = 8
_MASK: Final = 0xFFFF_FFFF
_TRIES: Final = 100  # looks at a slot whose numbers disagree; a store becomes visible within a microsecond

_BOARD_SLOTS: Final = 4
_BOARD_BYTES: Final = 65_536  # of one value as JSON


class Batch(NamedTuple):
    """What a reader got: whole records, oldest first."""

    records: list[bytes]
    next: int  # the number to go on with
    lost: int  # records that were overwritten before they were read


def create_ring(path: Path, record_bytes: int, slots: int) -> None:
    """Make a ring's file, all of its memory taken. Raises MissingError where there is no room for it."""
    size = _SLOTS_AT + slots * _slot_bytes(record_bytes)
    try:
        with path.open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
            file.write(_HEADER.pack(_MAGIC, record_bytes, slots))
    except OSError as exc:
        raise MissingError(
            f"the channel {path} of {size / 1e6:.1f} MB cannot be made ({exc.strerror}); make room in memory, or "
            "set XDG_RUNTIME_DIR to another folder"
        ) from exc


class _Mapped:
    """A ring's file, mapped."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        try:
            with path.open("r+b" if writes else "rb") as file:
                size = os.fstat(file.fileno()).st_size
                touched = getattr(mmap, "MAP_POPULATE", 0) if writes else 0
                access = mmap.PROT_READ | (mmap.PROT_WRITE if writes else 0)
                self._map = mmap.mmap(file.fileno(), size, flags=mmap.MAP_SHARED | touched, prot=access)
            magic, self.record_bytes, self.slots = _HEADER.unpack_from(self._map)
            whole = size == _SLOTS_AT + self.slots * _slot_bytes(self.record_bytes)
        except (OSError, ValueError, struct.error) as exc:
            raise UsageError(f"the channel {path} cannot be mapped ({exc}); start lalelu again") from exc
        if magic != _MAGIC or not whole:
            raise UsageError(f"{path} is no channel of this lalelu; remove it and start lalelu again")
        self._step = _slot_bytes(self.record_bytes)
        # A view stores a number by one instruction. struct.pack_into zeroes its bytes first: a writer that is killed
        # right then would leave a head of 0.
        self._numbers = memoryview(self._map).cast("Q")

    @property
    def head(self) -> int:
        """How many records were ever written."""
        return self._numbers[_HEAD_AT // _NUMBER_BYTES]


class RingWriter(_Mapped):
    """The one writer of a ring; the file's pages are touched before the first record."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, writes=True)
        self._count = self.head

    def write(self, record: bytes | bytearray) -> None:
        """Append one record of `record_bytes`; never waits. Raises ValueError for another size."""
        if len(record) != self.record_bytes:
            raise ValueError(f"a record has {self.record_bytes} bytes, not {len(record)}")
        count = self._count
        at = _SLOTS_AT + count % self.slots * self._step
        number = count + 1
        end = at + _NUMBER_BYTES + self.record_bytes
        self._numbers[at // _NUMBER_BYTES] = number
        self._map[at + _NUMBER_BYTES : end] = record
        self._numbers[end // _NUMBER_BYTES] = (number & _MASK) << 32 | zlib.crc32(record)
        self._count = number
        self._numbers[_HEAD_AT // _NUMBER_BYTES] = number


class RingReader(_Mapped):
    """A reader of a ring; there may be several, and the writer knows of none."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, writes=False)

    def read(self, start: int, most: int = 1 << 62) -> Batch:
        """Return up to `most` records from number `start` on; those that are gone are counted as lost."""
        head = self.head
        first = min(max(start, head - self.slots + 1, 0), head)
        end = min(head, first + most)
        records = []
        for number in range(first, end):
            record = self._take(number)
            if record is not None:
                records.append(record)
        return Batch(records, max(end, start), max(end - start, 0) - len(records))

    def newest(self, count: int) -> list[bytes]:
        """Return the last `count` records, oldest first; fewer where there are fewer."""
        return self.read(max(self.head - count, 0)).records

    def _take(self, number: int) -> bytes | None:
        """Return record `number`, or None when it has been overwritten."""
        at = _SLOTS_AT + number % self.slots * self._step
        end = at + _NUMBER_BYTES + self.record_bytes
        for _ in range(_TRIES):
            after = self._numbers[end // _NUMBER_BYTES]
            record = self._map[at + _NUMBER_BYTES : end]
            before = self._numbers[at // _NUMBER_BYTES]
            if before != number + 1:
                if before > number + 1:
                    return None
            elif after == (before & _MASK) << 32 | zlib.crc32(record):
                return record
        return None


class BoardWriter:
    """Shows one value, JSON, latest wins; for what changes now and then, not once a frame."""

    def __init__(self, path: Path) -> None:
        self._ring = RingWriter(path)

    def show(self, value: dict[str, Any]) -> None:
        """Show `value` instead of the one before. Raises ValueError when it is too long as JSON."""
        data = json.dumps(value, separators=(",", ":"), default=str).encode()
        if len(data) > _BOARD_BYTES:
            raise ValueError(f"a board shows up to {_BOARD_BYTES} bytes, not {len(data)}")
        self._ring.write(data.ljust(_BOARD_BYTES))


class BoardReader:
    """Reads what a board shows."""

    def __init__(self, path: Path) -> None:
        self._ring = RingReader(path)
        self._seen = 0
        self._value: dict[str, Any] = {}

    @property
    def changes(self) -> int:
        """How often a value was shown."""
        return self._ring.head

    def value(self) -> dict[str, Any]:
        """Return the newest value; empty before the first one."""
        while self._seen != (changes := self._ring.head):
            records = self._ring.newest(1)
            if records:
                self._value, self._seen = json.loads(records[0]), changes
            else:  # the writer was faster than we
                time.sleep(0)
        return self._value


def create_board(path: Path) -> None:
    """Make a board's file. Raises MissingError where there is no room for it."""
    create_ring(path, _BOARD_BYTES, _BOARD_SLOTS)


def _slot_bytes(record_bytes: int) -> int:
    if record_bytes % _NUMBER_BYTES:
        raise ValueError(f"records have a multiple of 8 bytes, not {record_bytes}")
    return record_bytes + 2 * _NUMBER_BYTES
