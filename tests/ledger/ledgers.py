"""Ledgers made for tests: some seconds of a run, with notes, one sample and one event."""

from pathlib import Path

import numpy as np

from lalelu.ledger.files import create_ledger
from lalelu.ledger.schema import (
    EVENT_DTYPE,
    FRAME_DTYPE,
    LEDGER_VERSION,
    NOTE_DTYPE,
    SAMPLE_DTYPE,
    STAMPS,
    UNTOLD,
    VERSION_KEY,
)

BEGAN_NS = 5_000_000_000
PERIOD_NS = 10_000_000
MS = 1_000_000


def a_run(
    path: Path,
    *,
    frames: int = 100,
    machine: str = "stage",
    day: str = "2026-11-23",
    frame_ms: float | np.ndarray = 8.0,
) -> Path:
    """A ledger whose frames take `frame_ms` from arrival to row; every tenth has a hit, the last note has no frame."""
    path.mkdir(parents=True)
    header = {
        VERSION_KEY: LEDGER_VERSION,
        "host": {"name": machine},
        "versions": {"lalelu": "0.1.0"},
        "began": {"utc": f"{day}T20:00:00+00:00", "monotonic_ns": BEGAN_NS},
        "counts": {"samples": 1},
        "closed": True,
    }
    create_ledger(path, header)
    rows = np.zeros(frames, FRAME_DTYPE)
    rows["seq"] = np.arange(frames)
    for name in STAMPS:
        rows[name] = BEGAN_NS + PERIOD_NS * np.arange(1, frames + 1)
    for name in STAMPS[2:]:
        rows[name] += np.rint(np.broadcast_to(frame_ms, frames) * MS).astype(np.int64)
    rows["skipped"][-1:] = 2
    rows["hits"][::10] = 1
    rows["queued_ns"] = UNTOLD
    rows["running_ns"] = 7 * MS
    notes = np.zeros(len(rows[::10]) + bool(frames), NOTE_DTYPE)
    for name in ("seq", "captured_ns"):
        notes[name][: len(rows[::10])] = rows[name][::10]
        notes[name][-1:] = -1
    notes["struck_ns"] = notes["captured_ns"] - 20 * MS
    notes["due_ns"] = notes["struck_ns"]
    notes["sent_ns"] = notes["captured_ns"] + 9 * MS
    notes["late"][:1] = 1
    event = np.array([(BEGAN_NS, b"reload", "Pauke für links".encode())], EVENT_DTYPE)
    sample = np.zeros(1, SAMPLE_DTYPE)
    sample["competitor"] = b"browser"
    for name, table in {"frames": rows, "notes": notes, "events": event, "samples": sample}.items():
        (path / name).write_bytes(table.tobytes())
    return path
