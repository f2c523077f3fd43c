"""Bring what the rings hold to disk, each record once, whenever the desk is killed. Writes files.

One scheme serves every file. A batch is *planned* first: the state file, replaced in one step, says how far the file
is now (`done`) and how far it will be with the batch (`planned`): its size, and for each ring the next record and the
records lost. Then the batch is written at the end of `done`. Whoever goes on after a kill looks at the file's size:

- killed before the plan was kept: the state is the old one and the file has no more than it says;
- killed after it, the batch not there or not whole: the file is shorter than `planned`, is cut to `done`, and the
  records are read from their rings again;
- killed after the batch, whole: the file has its planned size, and `planned` counts.

A disk that takes no more ends the same way: the file is cut to `done`, and the records stay in their rings.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from lalelu.channel import RingReader
from lalelu.errors import UsageError

BATCH_ROWS: Final = 2000  # of one ring at a time: twenty seconds of play, some 160 kB
OWN_ROWS: Final = 3000  # of the desk's own making that wait for a disk: samples of five minutes
RETRY_NS: Final = 1_000_000_000  # between two attempts at a file that could not be written
_TAIL: Final = 65_536  # bytes that hold at least one whole line of a take


class Progress(NamedTuple):
    """How far a file is."""

    size: int = 0  # bytes
    cursors: Mapping[str, int] = {}  # the next record, by ring
    lost: Mapping[str, int] = {}  # records that were overwritten before they were read, by ring


class Source(Protocol):
    """What goes into one file."""

    def read(self, done: Progress) -> tuple[bytes, Progress]:
        """Return what comes after `done`, and how far the file is with it."""

    def wrote(self) -> None:
        """Take note that what was read last is in the file."""


class Rows:
    """Rows of a ledger as they come from their rings, and those of the desk's own making (`own`).

    `stamped`: they are sorted by the int64 at their beginning.
    """

    def __init__(self, rings: Mapping[str, RingReader], *, stamped: bool = False) -> None:
        self.own: deque[bytes] = deque(maxlen=OWN_ROWS)
        self._rings = rings
        self._stamped = stamped
        self._taken = 0

    def read(self, done: Progress) -> tuple[bytes, Progress]:
        """Return the next rows of every ring, and the desk's own."""
        rows = list(self.own)
        self._taken = len(rows)
        cursors, lost = dict(done.cursors), dict(done.lost)
        for name, ring in self._rings.items():
            batch = ring.read(cursors.get(name, 0), BATCH_ROWS)
            rows += batch.records
            cursors[name] = batch.next
            lost[name] = lost.get(name, 0) + batch.lost
        if self._stamped:
            rows.sort(key=lambda row: int.from_bytes(row[:8], "little", signed=True))
        data = b"".join(rows)
        return data, Progress(done.size + len(data), cursors, lost)

    def wrote(self) -> None:
        """Forget the desk's own rows that are in the file."""
        for _ in range(self._taken):
            self.own.popleft()
        self._taken = 0


class Sink:
    """One file, and how far it is. `record_bytes` is 0 for lines of text."""

    def __init__(self, path: Path, source: Source, record_bytes: int) -> None:
        self.path = path
        self.done = self.planned = Progress()
        self.retry_ns = 0  # no attempt before that
        self._source = source
        self._record_bytes = record_bytes
        self._data = b""
        self._file = -1

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return self.done.size // self._record_bytes if self._record_bytes else 0

    @property
    def settled(self) -> bool:
        """Whether the file is open and ends at `done`."""
        return self._file >= 0

    def settle(self) -> int:
        """Open the file and give it a known end; return how many written bytes have gone. Raises OSError."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(file).st_size
            if size >= self.planned.size:
                self.done = self.planned
            gone = max(self.done.size - size, 0)
            if gone:  # somebody cut the file, or a disk came back without its last writes
                self.done = self._shortened(file, size)
            os.ftruncate(file, self.done.size)
        except OSError:
            os.close(file)
            raise
        self.planned = self.done
        self._file = file
        return gone

    def plan(self) -> bool:
        """Read the next batch; whether anything has changed."""
        self._data, self.planned = self._source.read(self.done)
        return self.planned != self.done

    def write(self) -> None:
        """Append the planned batch, all or nothing. Raises OSError; the file must be settled again then."""
        rest, at = memoryview(self._data), self.done.size
        try:
            while rest:
                count = os.pwrite(self._file, rest, at)
                rest, at = rest[count:], at + count
        except OSError:
            with suppress(OSError):  # then it is cut when it is settled
                os.ftruncate(self._file, self.done.size)
            self.close()
            raise
        self.done = self.planned
        self._source.wrote()

    def move(self, path: Path) -> None:
        """Go on in another file, empty so far."""
        self.close()
        self.path = path
        self.done = self.planned = Progress(0, self.done.cursors)

    def close(self) -> None:
        """Let go of the file; `settle` opens it again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _shortened(self, file: int, size: int) -> Progress:
        if self._record_bytes:
            whole = size // self._record_bytes
            lost = dict(self.done.lost)
            lost["disk"] = lost.get("disk", 0) + self.rows - whole
            return Progress(whole * self._record_bytes, self.done.cursors, lost)
        start = max(size - _TAIL, 0)
        end = start + os.pread(file, size - start, start).rfind(b"\n") + 1
        return Progress(end, self.done.cursors, self.done.lost)


class Drain:
    """All files of one recording. `say` gets one line for people whenever writing fails, or works again.

    Raises UsageError where a state file is damaged.
    """

    def __init__(self, state: Path, say: Callable[[str], None]) -> None:
        self.sinks: dict[str, Sink] = {}
        self.facts: dict[str, Any] = {}  # kept together with how far the files are
        self._state = state
        self._say = say
        self._kept: dict[str, Any] = {}
        self._failed: dict[str, int] = {}  # since when
        self.problem: str | None = None  # why some file cannot be written
        if state.exists():  # a desk before this one has left it
            try:
                kept = json.loads(state.read_bytes())
                self.facts, self._kept = kept["facts"], kept["sinks"]
            except (OSError, ValueError, LookupError, TypeError, RecursionError) as exc:
                raise UsageError(
                    f"{state}, which says how far the files are, cannot be read ({exc}); start lalelu again"
                ) from exc

    def add(self, name: str, sink: Sink) -> None:
        """Take up a file, as far as a desk before this one has brought it."""
        if name in self._kept:
            done, planned = self._kept[name]
            sink.done, sink.planned = Progress(*done), Progress(*planned)
        self.sinks[name] = sink

    @property
    def failing(self) -> bool:
        """Whether some file could not be written at the last attempt."""
        return bool(self._failed)

    def lost(self) -> dict[str, int]:
        """Return the rows lost, by ring."""
        lost: dict[str, int] = {}
        for sink in self.sinks.values():
            for ring, count in sink.done.lost.items():
                lost[ring] = lost.get(ring, 0) + count
        return lost

    def step(self, at_ns: int) -> int:
        """Write what has come since; return how many records were passed on. Raises OSError without a state file."""
        planned = [name for name, sink in self.sinks.items() if self._ready(name, at_ns) and sink.plan()]
        if not planned:
            return 0
        self.keep()
        passed = 0
        for name in planned:
            sink = self.sinks[name]
            before = sum(sink.done.cursors.values())
            lost = sum(sink.done.lost.values())
            try:
                sink.write()
            except OSError as exc:
                self._fail(name, exc, at_ns)
                continue
            self._work(name, at_ns)
            passed += sum(sink.done.cursors.values()) - before
            if sum(sink.done.lost.values()) > lost:
                self._say(
                    f"{sum(sink.done.lost.values()) - lost} rows of {name} were lost: not written in time"
                )
        return passed

    def keep(self) -> None:
        """Replace the state file. Raises OSError."""
        if (
            not self._state.parent.exists()
        ):  # the leader has died, and the next one has cleared its session away:
            return  # nobody will go on after us
        sinks = self._kept | {name: (sink.done, sink.planned) for name, sink in self.sinks.items()}
        unfinished = self._state.with_name(f".{self._state.name}.new")
        unfinished.write_text(json.dumps({"facts": self.facts, "sinks": sinks}), encoding="utf-8")
        unfinished.replace(self._state)

    def close(self) -> None:
        """Let go of the files."""
        for sink in self.sinks.values():
            sink.close()

    def _ready(self, name: str, at_ns: int) -> bool:
        sink = self.sinks[name]
        if sink.settled:
            return True
        if at_ns < sink.retry_ns:
            return False
        try:
            gone = sink.settle()
        except OSError as exc:
            self._fail(name, exc, at_ns)
            return False
        if gone:
            self._say(f"{sink.path}: {gone} bytes that were written before have gone")
        return True

    def _fail(self, name: str, exc: OSError, at_ns: int) -> None:
        sink = self.sinks[name]
        sink.retry_ns = at_ns + RETRY_NS
        if not self._failed:  # one disk, one sentence
            self.problem = (
                f"{sink.path} cannot be written ({exc.strerror}); its rows wait in memory for five minutes, then the "
                "oldest are lost: make room, or bring the disk back"
            )
            self._say(self.problem)
        self._failed.setdefault(name, at_ns)

    def _work(self, name: str, at_ns: int) -> None:
        since_ns = self._failed.pop(name, None)
        if since_ns is not None and not self._failed:
            self.problem = None
            lost = sum(self.lost().values())
            self._say(f"written again after {(at_ns - since_ns) * 1e-9:.1f} s; {lost or 'no'} rows were lost")
