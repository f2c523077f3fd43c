"""What each note cost, note by note, as `lalelu latency` defines it. Pure over arrays."""

import numpy as np
from numpy.typing import NDArray


def hit_frames(frames: NDArray[np.void]) -> NDArray[np.void]:
    """Return the rows of frames with hits: no note has another, and they are few."""
    return frames[np.flatnonzero(frames["hits"] > 0)]


def note_durations(hits: NDArray[np.void], notes: NDArray[np.void]) -> dict[str, NDArray[np.float64]]:
    """Return the durations of `notes` (M,) in ms: `note`, `light` and `hit`, each (M,).

    `hits`: what `hit_frames` returns. `note` is NaN where the frame's row is missing.
    """
    found, row = frames_of(hits, notes)
    known, frame = notes[found], hits[row]
    wait_ns = np.maximum(known["due_ns"] - frame["sent_ns"], 0)  # waits on purpose: no share of the machine's
    note = np.full(len(notes), np.nan)
    note[found] = (known["sent_ns"] - frame["arrived_ns"] - wait_ns) * 1e-6
    return {
        "note": note,
        "light": (notes["sent_ns"] - notes["captured_ns"]) * 1e-6,
        "hit": (notes["sent_ns"] - notes["struck_ns"]) * 1e-6,
    }


def frames_of(hits: NDArray[np.void], notes: NDArray[np.void]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which notes have their frame's row (M,), and for each of those its index in `hits` (H,), rows with hits.

    A camera that was opened again counts from its start: the row is looked up by `captured_ns`, which never
    comes twice, and must have the note's `seq`.
    """
    captured = hits["captured_ns"]
    if not len(hits):
        return np.zeros(len(notes), bool), np.empty(0, np.intp)
    order = np.argsort(captured, kind="stable")
    place = np.searchsorted(captured, notes["captured_ns"], sorter=order)
    row = order[np.minimum(place, len(hits) - 1)]
    found = (captured[row] == notes["captured_ns"]) & (hits["seq"][row] == notes["seq"])
    return found, row[found]
