"""A ledger's frames as columns of the smallest integers that hold them, gathered piece by piece. Pure over arrays.

A day at 100 frames a second is 8.64 million rows of 112 bytes: the rows pass by once, the columns stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.ledger.schema import FRAME_DTYPE, STAMPS, UNTOLD

PIECE: Final = 1 << 15  # rows: 3.7 MB, which a processor's cache holds while their columns are taken
SECOND_NS: Final = 1_000_000_000
SD_OF_MAD: Final = 1.4826  # of a normal distribution
# what the thread told of each row, from `woken_late_ns` on
USAGE: Final = tuple((FRAME_DTYPE.names or ())[(FRAME_DTYPE.names or ()).index("woken_late_ns") :])
STAGE_STAMPS: Final = dict(
    zip(("camera", "decode", "prepare", "inference", "pose", "detect", "send"), pairwise(STAMPS), strict=True)
)
_INT32: Final = np.iinfo(np.int32)

Nanoseconds = NDArray[np.int32] | NDArray[np.int64]


class Rows(Protocol):
    """Frames that are looked at in order, piece by piece, as often as wanted."""

    def __len__(self) -> int:
        """Return how many there are."""

    def pieces(self) -> Iterator[NDArray[np.void]]:
        """Yield them all in order, FRAME_DTYPE; a piece need not outlive the next."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Frames that are in memory."""

    array: NDArray[np.void]  # (N,), FRAME_DTYPE

    def __len__(self) -> int:
        return len(self.array)

    def pieces(self) -> Iterator[NDArray[np.void]]:
        """Yield them all in order."""
        for first in range(0, len(self.array), PIECE):
            yield self.array[first : first + PIECE]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the analysis needs of every frame, and the sums of each second."""

    seq: NDArray[np.int64]  # (N,)
    captured_ns: NDArray[np.int64]  # (N,)
    stage_ns: dict[str, Nanoseconds]  # (N,) each, by the names in STAGE_STAMPS
    frame_ns: Nanoseconds  # (N,), arrived → handed over
    skipped: int
    hit_rows: NDArray[np.int64]  # (H,), indices of the frames with hits
    hits: NDArray[np.void]  # (H,), their seq, captured_ns, arrived_ns, sent_ns
    second: NDArray[np.int64]  # (S,), from the first capture; a new one wherever it changes from row to row
    first_row: NDArray[np.int64]  # (S,), at which it begins
    sums: dict[str, NDArray[np.float64]]  # (S,) each, of USAGE and "players"; NaN where no row tells it
    told: dict[str, int]  # rows that tell it, by the names in USAGE

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def outside_ns(self) -> Nanoseconds:
        """(N,), `frame_ns` without the network."""
        return np.subtract(self.frame_ns, self.stage_ns["inference"], dtype=self.frame_ns.dtype)


_HIT_DTYPE: Final = np.dtype([(name, "<i8") for name in ("seq", "captured_ns", "arrived_ns", "sent_ns")])


def columns_of(rows: Rows) -> Columns:
    """Return the columns of all frames; one pass."""
    count = len(rows)
    seq, captured = np.empty(count, np.int64), np.empty(count, np.int64)
    stages: dict[str, Nanoseconds] = {name: np.empty(count, np.int32) for name in STAGE_STAMPS}
    frame: Nanoseconds = np.empty(count, np.int32)
    sums = _SecondSums()
    hit_rows, hits = [np.empty(0, np.int64)], [np.empty(0, _HIT_DTYPE)]
    skipped = at = 0
    for piece in rows.pieces():
        here = slice(at, at + len(piece))
        stamps = {name: np.ascontiguousarray(piece[name]) for name in STAMPS}
        seq[here], captured[here] = piece["seq"], stamps["captured_ns"]
        for name, (earlier, later) in STAGE_STAMPS.items():
            stages[name] = _put(stages[name], here, stamps[later] - stamps[earlier])
        frame = _put(frame, here, stamps["sent_ns"] - stamps["arrived_ns"])
        skipped += int(piece["skipped"].sum(dtype=np.int64))
        hit = np.flatnonzero(piece["hits"] > 0)
        if len(hit):
            told = np.empty(len(hit), _HIT_DTYPE)
            for name in _HIT_DTYPE.names or ():
                told[name] = piece[name][hit]
            hit_rows.append(hit + at)
            hits.append(told)
        sums.add(piece, captured[here] - captured[0], at)
        at += len(piece)
    second, first_row, of_seconds = sums.all()
    return Columns(
        seq, captured, stages, frame, skipped, np.concatenate(hit_rows), np.concatenate(hits),
        second, first_row, of_seconds, sums.told,
    )  # fmt: skip


def gather(rows: Rows, index: NDArray[np.intp]) -> NDArray[np.void]:
    """Return the rows at `index` (ascending); one pass."""
    taken = [np.empty(0, FRAME_DTYPE)]
    at = 0
    for piece in rows.pieces():
        low, high = np.searchsorted(index, (at, at + len(piece)))
        if high > low:
            taken.append(piece[index[low:high] - at])
        at += len(piece)
    return np.concatenate(taken)


def in_groups(
    values: Nanoseconds, first: NDArray[np.int64], shares: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the quantiles `shares` (Q,) and the largest of each group of neighbours, (Q + 1, S).

    Group i runs from first[i] to first[i + 1]. A quantile is the nearest value: ceil(share * count).
    """
    counts = np.diff(np.append(first, len(values)))
    result = np.empty((len(shares) + 1, len(first)))
    at = 0
    while at < len(first):
        # as many groups at once as a cache holds, one at least
        end = max(int(np.searchsorted(first, first[at] + PIECE)), at + 1)
        n = counts[at:end]
        block = values[first[at] : first[at] + int(n.sum())]
        least = block.min()
        if int(block.max()) - int(least) < 1 << 32:  # both in one number, sorted together
            key = (np.repeat(np.arange(len(n)), n) << 32) + (block.astype(np.int64) - least)
            key.sort()
            ordered = (key & 0xFFFFFFFF) + least
        else:
            ordered = block[np.lexsort((block, np.repeat(np.arange(len(n)), n)))]
        begins = first[at:end] - first[at]
        for row, share in enumerate((*shares, 1.0)):
            result[row, at:end] = ordered[begins + np.maximum(np.ceil(share * n).astype(np.int64), 1) - 1]
        at = end
    return result


def _put(column: Nanoseconds, here: slice, values: NDArray[np.int64]) -> Nanoseconds:
    """Write values into a column; return it, or a wider one if they do not fit."""
    if column.dtype == np.int32 and (values.min() < _INT32.min or values.max() > _INT32.max):
        column = column.astype(np.int64)
    column[here] = values
    return column


class _SecondSums:
    """Adds up USAGE and players over rows of the same second."""

    def __init__(self) -> None:
        self.told = dict.fromkeys(USAGE, 0)
        self._seconds = [np.empty(0, np.int64)]
        self._first = [np.empty(0, np.int64)]
        self._sums: dict[str, list[NDArray[np.float64]]] = {
            name: [np.empty(0)] for name in (*USAGE, "players")
        }

    def add(self, piece: NDArray[np.void], since_ns: NDArray[np.int64], at: int) -> None:
        second = since_ns // SECOND_NS
        starts = np.append(0, np.flatnonzero(second[1:] != second[:-1]) + 1)
        self._seconds.append(second[starts])
        self._first.append(starts + at)
        for name in USAGE:
            values = np.ascontiguousarray(piece[name])
            told = values != UNTOLD
            number = int(np.count_nonzero(told))
            self.told[name] += number
            if number < len(values):
                values = np.where(told, values, 0)
            total = np.add.reduceat(values, starts, dtype=np.float64)
            if number < len(values):
                total[np.add.reduceat(told, starts, dtype=np.int64) == 0] = np.nan
            self._sums[name].append(total)
        self._sums["players"].append(np.add.reduceat(piece["players"], starts, dtype=np.float64))

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, NDArray[np.float64]]]:
        second, first = np.concatenate(self._seconds), np.concatenate(self._first)
        # a second that two pieces share
        starts = np.flatnonzero(np.append(True, second[1:] != second[:-1])) if len(second) else second
        sums = {
            name: np.add.reduceat(np.concatenate(parts), starts) if len(starts) else np.empty(0)
            for name, parts in self._sums.items()
        }
        return second[starts], first[starts], sums
