"""Many ledgers at once, without loading them: a line per machine, version and day. Reads files.

Each duration is counted in bins of equal ratio, so that a percentile of any number of rows needs the same small memory
and is exact to half a bin, 0.05 %; count, mean, SD and extremes are exact. Exports are counted by DuckDB, ledgers
themselves by NumPy, a million rows at a time.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.notes import hit_frames, note_durations
from lalelu.errors import UsageError
from lalelu.ledger.parquet import CHUNK_ROWS, SUFFIX, duckdb, is_export, origin_of
from lalelu.ledger.reader import read_ledger
from lalelu.ledger.schema import HEADER

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BIN: Final = 1e-3  # of the natural logarithm of a duration
LEAST_MS: Final = 1e-3  # shorter, and negative, durations are counted as that
MEMORY: Final = "600MB"  # of DuckDB; it takes as much of a disk as it wants
MEASURES: Final = ("frame", "note", "hit")
_TABLES: Final = {"frame": "frames", "note": "notes", "hit": "notes"}

Group: TypeAlias = tuple[str, str, str]  # machine, version, day


@dataclass(slots=True)
class Tally:
    """One duration of one group, counted; ms."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    bins: dict[int, int] = field(default_factory=dict)  # floor(ln(ms) / BIN) -> how many

    def add(self, count: int, total: float, squares: float, low: float, high: float) -> None:
        """Count further rows by their sums."""
        self.count += count
        self.total += total
        self.squares += squares
        self.low, self.high = min(self.low, low), max(self.high, high)

    def add_bins(self, bins: Iterable[tuple[int, int]]) -> None:
        """Count the same rows by their bins."""
        for place, count in bins:
            self.bins[place] = self.bins.get(place, 0) + count

    @property
    def sd(self) -> float:
        """Of the population; NaN without rows."""
        if not self.count:
            return math.nan
        mean = self.total / self.count
        return math.sqrt(max(self.squares / self.count - mean * mean, 0.0))

    def percentile(self, percent: float) -> float:
        """Return the smallest duration that so many percent of the rows do not exceed; NaN without rows."""
        if not self.count:
            return math.nan
        wanted = max(math.ceil(self.count * percent / 100.0), 1)
        for place in sorted(self.bins):
            wanted -= self.bins[place]
            if wanted <= 0:
                return min(max(math.exp((place + 0.5) * BIN), self.low), self.high)
        raise AssertionError("the bins hold every row")


@dataclass(slots=True)
class Line:
    """One machine, one version, one day."""

    ledgers: int = 0
    frames: int = 0
    skipped: int = 0
    late: int = 0  # notes
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in MEASURES})


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all ledgers say together."""

    lines: Mapping[Group, Line]
    problems: Sequence[str]  # what could not be read, one sentence each


def survey(folders: Iterable[Path]) -> Fleet:
    """Count every ledger and every export in `folders`, at any depth; an export stands for its ledger.

    Raises UsageError when there is none, MissingError when exports are there and DuckDB is not.
    """
    exports, ledgers = _find(folders)
    if not exports and not ledgers:
        raise UsageError(
            f"{', '.join(map(str, folders))}: there is no ledger and no export of one; name a folder that "
            "`lalelu run --log` or `lalelu ledger export` has written into"
        )
    lines: dict[Group, Line] = {}
    problems: list[str] = []
    if exports:
        _count_exports(exports, lines)
    for path in ledgers:
        try:
            _count_ledger(path, lines, problems)
        except UsageError as exc:
            problems.append(str(exc))
    return Fleet(dict(sorted(lines.items())), problems)


def _find(folders: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    exports: list[Path] = []
    ledgers: list[Path] = []
    for folder in folders:
        for header in sorted({*folder.rglob(HEADER)}):
            if is_export(header.parent):
                exports.append(header.parent)
            elif (header.parent / "frames").is_file():
                ledgers.append(header.parent)
    exported = {export.name for export in exports}
    return exports, [path for path in ledgers if path.name.removesuffix(".ledger") not in exported]


def _count_exports(exports: Sequence[Path], lines: dict[Group, Line]) -> None:
    database = duckdb()
    database.execute(f"SET memory_limit = '{MEMORY}'")
    files = {name: [str(path / f"{name}-*{SUFFIX}") for path in exports] for name in ("frames", "notes")}
    for *group, ledgers, skipped in _ask(database, "count(DISTINCT ledger), sum(skipped)", files["frames"]):
        line = lines.setdefault(_group(group), Line())
        line.ledgers, line.skipped = line.ledgers + ledgers, line.skipped + int(skipped)
    for *group, late in _ask(database, "sum(late)", files["notes"]):
        lines.setdefault(_group(group), Line()).late += int(late)
    for name in MEASURES:
        source, ms = files[_TABLES[name]], f"{name}_ms"
        told = f"{ms} IS NOT NULL"
        sums = f"count(*), sum({ms}), sum({ms} * {ms}), min({ms}), max({ms})"
        for *group, count, total, squares, low, high in _ask(database, sums, source, told):
            line = lines.setdefault(_group(group), Line())
            line.tallies[name].add(count, total, squares, low, high)
            line.frames += count if name == "frame" else 0
        place = f"CAST(floor(ln(greatest({ms}, {LEAST_MS})) / {BIN}) AS INTEGER) AS place"
        for *group, at, count in _ask(database, f"{place}, count(*)", source, told, ", place"):
            lines[_group(group)].tallies[name].add_bins([(at, count)])


def _ask(
    database: "DuckDBPyConnection", what: str, files: Sequence[str], where: str = "true", also: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Yield a group's three names and `what` of its rows in `files`."""
    query = (
        f"SELECT machine, version, day, {what} FROM read_parquet(?) WHERE {where} "  # noqa: S608 - our own words
        f"GROUP BY machine, version, day{also}"
    )
    answer = database.execute(query, [list(files)])
    while rows := answer.fetchmany(10_000):
        yield from rows


def _group(values: Sequence[Any]) -> Group:
    machine, version, day = values
    return str(machine), str(version), str(day)


def _count_ledger(path: Path, lines: dict[Group, Line], problems: list[str]) -> None:
    ledger = read_ledger(path)
    problems.extend(ledger.problems)
    origin = origin_of(ledger.header)
    line = lines.setdefault((origin.machine, origin.version, origin.day), Line())
    line.ledgers += 1
    line.frames += len(ledger.frames)
    line.late += int((ledger.notes["late"] > 0).sum())
    for begin in range(0, len(ledger.frames), CHUNK_ROWS):
        rows = ledger.frames[begin : begin + CHUNK_ROWS]
        line.skipped += int(rows["skipped"].astype(np.int64).sum())
        _count(line.tallies["frame"], (rows["sent_ns"] - rows["arrived_ns"]) * 1e-6)
    durations = note_durations(hit_frames(ledger.frames), ledger.notes)
    for name in ("note", "hit"):
        values = durations[name]
        _count(line.tallies[name], values[~np.isnan(values)])


def _count(tally: Tally, values: NDArray[np.float64]) -> None:
    if not len(values):
        return
    tally.add(
        len(values),
        float(values.sum()),
        float((values * values).sum()),
        float(values.min()),
        float(values.max()),
    )
    places = np.floor(np.log(np.maximum(values, LEAST_MS)) / BIN).astype(np.int64)
    found, counts = np.unique(places, return_counts=True)
    tally.add_bins(zip(found.tolist(), counts.tolist(), strict=True))
