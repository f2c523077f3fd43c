"""A run in memory, whose every millisecond is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lalelu.analysis.columns import Whole
from lalelu.ledger.reader import LedgerEvent
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE, SAMPLE_DTYPE

MS = 1_000_000
START = 3 * 10**15  # 35 days of uptime in ns: nothing may be lost in a float
PERIOD = 10 * MS


@dataclass
class Recorded:
    """What `diagnose` looks at."""

    frames: np.ndarray
    notes: np.ndarray = field(default_factory=lambda: np.zeros(0, NOTE_DTYPE))
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0, SAMPLE_DTYPE))
    header: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[LedgerEvent, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def pieces(self) -> Iterator[np.ndarray]:
        return Whole(self.frames).pieces()


def steady(count: int, seed: int = 1) -> np.ndarray:
    """Frames of 100 a second: 8 ms in the camera, 0.1 ms to wake, 5 ms of work with 0.05 ms of noise."""
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    rows["captured_ns"] = START + np.arange(count) * PERIOD
    work = 5 * MS + (np.random.default_rng(seed).normal(0, 0.05, count) * MS).astype(np.int64)
    return timed_rows(rows, arrived=8 * MS, wait=MS // 10, running=work)


def timed_rows(rows: np.ndarray, *, arrived, wait, running, queued=0, off=0) -> np.ndarray:
    """Set the stamps of `rows` by how long each piece takes, ns."""
    rows["arrived_ns"] = rows["captured_ns"] + arrived
    rows["decoded_ns"] = rows["arrived_ns"] + wait
    work = np.asarray(running) + queued + off
    rows["prepared_ns"] = rows["decoded_ns"] + MS // 5
    rows["inferred_ns"] = rows["decoded_ns"] + np.asarray(work * 0.9).astype(np.int64)
    rows["sent_ns"] = rows["decoded_ns"] + work
    rows["posed_ns"] = rows["detected_ns"] = rows["sent_ns"] - 1000
    rows["running_ns"], rows["queued_ns"] = running, queued
    rows["players"] = 1
    return rows


def longer(rows: np.ndarray, at, piece: str, ms: float) -> None:
    """Make one piece of the rows `at` longer: "arrived", "wait" or "work"; all later stamps move."""
    names = ["arrived_ns", "decoded_ns", "prepared_ns", "inferred_ns", "posed_ns", "detected_ns", "sent_ns"]
    for name in names[{"arrived": 0, "wait": 1, "work": 3}[piece] :]:
        rows[name][at] += round(ms * MS)


def looks(seconds: float, **values: object) -> np.ndarray:
    """Ten samples a second; what is not named in `values` is not told."""
    at = np.arange(-5, round(seconds * 10) + 6)
    rows = np.zeros(len(at), SAMPLE_DTYPE)
    for name in rows.dtype.names:
        if name not in ("at_ns", "competitor"):
            rows[name] = -1
    rows["at_ns"] = START + at * 100 * MS
    rows["stolen_ms"], rows["interrupts"], rows["softirqs"] = 100, 1000 + at * 25, 1000 + at * 10
    for name, value in values.items():
        rows[name] = value(at / 10) if callable(value) else value
    return rows


def played(frames: np.ndarray, due_ms=-20.0, woken_ms=0.1, sent_ms=0.3) -> np.ndarray:
    """One note for each of `frames` (which get a hit), all counted from when its hits were handed over."""
    frames["hits"] = 1
    rows = np.zeros(len(frames), NOTE_DTYPE)
    rows["seq"], rows["captured_ns"] = frames["seq"], frames["captured_ns"]
    for name, ms in (("struck", -25.0), ("due", due_ms), ("woken", woken_ms), ("sent", sent_ms)):
        rows[f"{name}_ns"] = frames["sent_ns"] + np.round(np.array(ms) * MS).astype(np.int64)
    return rows
