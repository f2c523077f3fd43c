"""Write a ledger's rows as Parquet, for DuckDB, Polars or pandas, and for many machines at once. Writes files.

A ledger becomes a folder: its header, and `frames-000.parquet`, ... (a million rows each), `notes-...`, `events-...`,
`samples-...`. Beside the fields of the schema every row has `machine`, `version`, `day` and `ledger`, the moment on the
calendar (`utc`), and the durations that people ask for (`*_ms`, as `lalelu latency` defines them; NULL where a note's
frame is missing). What a machine did not tell is -1.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.notes import hit_frames, note_durations
from lalelu.errors import MissingError, UsageError
from lalelu.ledger.reader import Ledger
from lalelu.ledger.schema import HEADER, RECORDS, UNTOLD

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK_ROWS: Final = 1_000_000  # of 112 bytes: what is in memory at a time
SUFFIX: Final = ".parquet"
_AT: Final = {"frames": "captured_ns", "notes": "sent_ns", "events": "at_ns", "samples": "at_ns"}
_UNKNOWN: Final = "unknown"

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when a ledger was recorded, as its header says."""

    machine: str
    version: str
    began: datetime | None  # None: the header tells no time of day
    began_ns: int  # the same moment on the rows' clock

    @property
    def day(self) -> str:
        """The day of its beginning, UTC, as 2026-11-23."""
        return f"{self.began:%Y-%m-%d}" if self.began is not None else _UNKNOWN


def origin_of(header: Mapping[str, Any]) -> Origin:
    """Return a ledger's origin; what a damaged or old header does not tell is `unknown`."""
    host, versions, began = (header.get(key) for key in ("host", "versions", "began"))
    machine = host.get("name") if isinstance(host, dict) else None
    version = versions.get("lalelu") if isinstance(versions, dict) else None
    moment, at_ns = None, 0
    if isinstance(began, dict):
        try:
            moment = datetime.fromisoformat(str(began.get("utc"))).astimezone(UTC)
            at_ns = int(began["monotonic_ns"])
        except (KeyError, ValueError, TypeError, OverflowError):
            moment = None
    return Origin(str(machine or _UNKNOWN), str(version or _UNKNOWN), moment, at_ns)


def duckdb() -> "DuckDBPyConnection":
    """Return a database in memory. Raises MissingError without the extra."""
    try:
        from duckdb import connect
    except ImportError as exc:
        raise MissingError("Parquet needs DuckDB; `pip install 'lalelu[parquet]'` brings it") from exc
    return connect()


def export(ledger: Ledger, folder: Path) -> Path:
    """Write a ledger into a folder of its name in `folder` and return that; an earlier export of it is replaced.

    The folder appears whole or not at all. Raises MissingError without DuckDB, UsageError when it cannot be written or
    its place is taken by something else.
    """
    database = duckdb()
    path = folder / ledger.path.resolve().name.removesuffix(".ledger")
    if path.exists() and not is_export(path):
        raise UsageError(f"{path} is there and is no export of a ledger; name another folder with --to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=folder))
        try:
            unfinished.chmod(0o755)
            for name in RECORDS:
                for number, columns in enumerate(_chunks(ledger, name)):
                    _write(database, columns, unfinished / f"{name}-{number:03}{SUFFIX}")
            shutil.copyfile(ledger.path / HEADER, unfinished / HEADER)
            if path.exists():
                shutil.rmtree(path)
            unfinished.rename(path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as exc:
        raise UsageError(
            f"{path} cannot be written ({exc.strerror}); choose a folder you may write to"
        ) from exc
    return path


def is_export(path: Path) -> bool:
    """Whether a folder holds an exported ledger."""
    return (path / HEADER).is_file() and any(path.glob(f"frames-*{SUFFIX}"))


def _write(database: "DuckDBPyConnection", columns: Columns, path: Path) -> None:
    database.register("chunk", columns)
    quoted = str(path).replace("'", "''")
    database.execute(f"COPY (SELECT * FROM chunk) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608 - our own path, quoted
    database.unregister("chunk")


def _chunks(ledger: Ledger, name: str) -> Iterator[Columns]:
    """Yield the columns of one kind of rows, CHUNK_ROWS at a time; one empty chunk where there are none."""
    rows = _events(ledger) if name == "events" else getattr(ledger, name)
    origin = origin_of(ledger.header)
    hits = hit_frames(ledger.frames) if name == "notes" else None
    for begin in range(0, max(len(rows), 1), CHUNK_ROWS):
        chunk = rows[begin : begin + CHUNK_ROWS]
        columns = _fields(chunk)
        if name == "frames":
            columns |= _frame_durations(chunk)
        if hits is not None:
            columns |= {f"{key}_ms": values for key, values in note_durations(hits, chunk).items()}
        yield columns | _origin(origin, ledger.path.name, chunk[_AT[name]])


def _fields(rows: NDArray[np.void]) -> Columns:
    columns: Columns = {}
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        if values.dtype.kind == "S":
            values = np.array([text.decode("utf-8", "replace") for text in values.tolist()], object)
        elif values.dtype == np.uint32:
            values = np.where(values == UNTOLD, -1, values.astype(np.int64))
        columns[name] = values
    return columns


def _frame_durations(rows: NDArray[np.void]) -> Columns:
    parts = {"frame_ms": ("arrived_ns", "sent_ns"), "inference_ms": ("prepared_ns", "inferred_ns")}
    return {name: (rows[later] - rows[earlier]) * 1e-6 for name, (earlier, later) in parts.items()}


def _origin(origin: Origin, ledger: str, at_ns: NDArray[np.int64]) -> Columns:
    count = len(at_ns)
    said = {"machine": origin.machine, "version": origin.version, "day": origin.day, "ledger": ledger}
    columns: Columns = {key: np.full(count, value, object) for key, value in said.items()}
    if origin.began is not None:
        began = np.datetime64(origin.began.replace(tzinfo=None), "ns")
        columns["utc"] = began + (at_ns - origin.began_ns).astype("timedelta64[ns]")
    return columns


def _events(ledger: Ledger) -> NDArray[np.void]:
    rows = np.zeros(len(ledger.events), RECORDS["events"])
    for row, event in zip(rows, ledger.events, strict=True):
        row["at_ns"], row["kind"], row["text"] = event.at_ns, event.kind.encode(), event.text.encode()
    return rows
