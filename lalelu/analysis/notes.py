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
    note = np.full(len(notes), np.nan)
    note[found] = frame_to_note_ns(frame, known) * 1e-6
    return {
        "note": note,
        "light": (notes["sent_ns"] - notes["captured_ns"]) * 1e-6,
        "hit": (notes["sent_ns"] - notes["struck_ns"]) * 1e-6,
    }


def frame_to_note_ns(frames: NDArray[np.void], notes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return how long the machine took for each of `notes` (M,), each with its frame's row in `frames` (M,).

    A note that is not due yet waits on purpose: that is no share of the machine's.
    """
    wait_ns = np.maximum(notes["due_ns"] - frames["sent_ns"], 0)
    taken_ns: NDArray[np.int64] = notes["sent_ns"] - frames["arrived_ns"] - wait_ns
    return taken_ns


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
