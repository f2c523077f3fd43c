"""How much too late a note was, and what of that is the frame's, the detector's, the voice's. Pure over arrays.

Where most notes wait for their time (a delay is set), a note is late by what it was sent after it was due. Where none
waits, it is late by its frame → note beyond the usual one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.columns import SD_OF_MAD
from lalelu.analysis.excess import PLACE, above, median

_LEAST_NS: Final = 1_000_000.0  # the voice itself calls a note late from here on (NOTE_DTYPE.late)
_SPREADS: Final = 6.0  # ... or beyond so many SDs of its kind


@dataclass(frozen=True, slots=True)
class Lateness:
    """What is known of every note that has its frame, (M,) each."""

    late_ns: NDArray[np.float64]
    excess_ns: NDArray[np.float64]  # over the usual one of its kind
    threshold_ns: NDArray[np.float64]  # an excess above this is an outlier
    waits: NDArray[np.bool_]  # handed over before it was due
    planned: bool  # most of them wait
    overrun_ns: NDArray[np.float64]  # handed over so long after it was due; 0 where it waits
    wake_ns: NDArray[np.float64]  # the voice's waking, over its usual one
    port_ns: NDArray[np.float64]  # the port's taking, over its usual one


def lateness_of(hits: NDArray[np.void], notes: NDArray[np.void]) -> Lateness:
    """Return how late `notes` (M,) were; `hits` (M,) are their frames' entries of Columns.hits."""
    handed, due, sent = hits["sent_ns"], notes["due_ns"], notes["sent_ns"]
    waits = due > handed
    planned = bool(np.count_nonzero(waits) > len(notes) / 2)
    by_plan = waits | planned
    late = np.where(by_plan, sent - due, sent - hits["arrived_ns"]).astype(np.float64)
    usual, threshold = np.zeros(len(notes)), np.full(len(notes), _LEAST_NS)
    for kind in (by_plan, ~by_plan):
        # what waited tells what is usual for those that should have waited
        tells = kind & waits if planned else kind
        if tells.any():
            usual[kind] = median(late[tells])
            spread = SD_OF_MAD * median(np.abs(late[tells] - usual[kind][0]))
            threshold[kind] = max(_LEAST_NS, _SPREADS * spread)
    woken = notes["woken_ns"] != 0
    wake = np.where(woken, notes["woken_ns"] - np.maximum(due, handed), 0).astype(np.float64)
    port = np.where(woken, sent - notes["woken_ns"], 0).astype(np.float64)
    wake_usual, port_usual = np.zeros(len(notes)), np.zeros(len(notes))
    for kind in (waits, ~waits):
        if (kind & woken).any():
            wake_usual[kind], port_usual[kind] = median(wake[kind & woken]), median(port[kind & woken])
    overrun = np.where(waits, 0, handed - due).astype(np.float64)
    return Lateness(
        late, late - usual, threshold, waits, planned, overrun, above(wake, wake_usual), above(port, port_usual)
    )  # fmt: skip


def split_notes(
    lateness: Lateness, chosen: NDArray[np.intp], of_frames: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each cause adds to each of the `chosen` notes, ns, (K, len(CAUSES)).

    `of_frames` (K, len(CAUSES)): what it added to the notes' frames.
    """
    parts = np.array(of_frames)
    if not lateness.planned:
        parts[:, PLACE["camera"]] = 0.0  # frame → note begins when the picture has arrived
    parts[lateness.waits[chosen]] = 0.0  # the frame was in time
    total = parts.sum(axis=1)
    if lateness.planned:
        # a frame is to blame for no more than the overrun; the rest of it was known too late by the stroke itself
        overrun = lateness.overrun_ns[chosen]
        blamed = np.minimum(total, overrun)
        parts *= (blamed / np.where(total > 0, total, 1.0))[:, None]
        parts[:, PLACE["decided_late"]] += overrun - blamed
    parts[:, PLACE["voice"]] += lateness.wake_ns[chosen]
    parts[:, PLACE["port"]] += lateness.port_ns[chosen]
    return parts
