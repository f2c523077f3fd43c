"""From the true hit to the note that another program received: what was found, and the parts of the time. Pure."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.latency import Distribution, distribution, plain_distribution, plain_number
from lalelu.analysis.scoring import DOUBLE_S, match
from lalelu.config.kit import KitConfig
from lalelu.hits import HitRecord
from lalelu.performance import hit_records_from_notes
from lalelu.skeleton import COCO17
from lalelu.voice.message import is_note_on

WINDOW_MS: Final = 50.0  # a hit further from the stroke is another one
# name -> what it measures; the first one is the sum of the others
DURATIONS: Final[dict[str, str]] = {
    "chain": "true hit → note received",
    "detection": "true hit → struck (as lalelu sees it)",
    "sounding": "struck → sent",
    "arrival": "sent → received",
}
_CHANNEL: Final = 0x0F
_HEARD_NS: Final = round(DOUBLE_S * 1e9)  # a note heard later than that may be the same pad's next one


@dataclass(frozen=True, slots=True)
class Chain:
    """How the chain fared; `durations` are those of found hits whose frame was filmed in time."""

    played: int  # true hits
    found: int  # of these
    extra: int  # hits without a true one
    unheard: int  # notes that were sent and not received
    late_film: int  # found hits that are left out: the simulated camera was late with their frame
    skipped_share: float  # of all frames; NaN without frames
    durations: Mapping[str, Distribution]  # by the names in DURATIONS

    @property
    def missed(self) -> int:
        """True hits that were not found."""
        return self.played - self.found


def note_ons(messages: Iterable[tuple[int, bytes]]) -> list[tuple[int, tuple[int, int, int]]]:
    """Return (time in ns, (channel from 1, note, velocity)) of the messages that begin a note."""
    return [
        (at_ns, ((data[0] & _CHANNEL) + 1, data[1], data[2])) for at_ns, data in messages if is_note_on(data)
    ]


def received_ns(
    notes: NDArray[np.void], heard: Sequence[tuple[int, tuple[int, int, int]]]
) -> NDArray[np.int64]:
    """Return when each of a ledger's notes (M,) was received, -1 where it was not.

    `heard` is that of `note_ons`, by time. A note is the first one of its channel, number and velocity that no other
    note has taken, less than DOUBLE_S away: the listener's clock may be off by a period.
    """
    waiting: dict[tuple[int, int, int], deque[int]] = {}
    for at_ns, key in heard:
        waiting.setdefault(key, deque()).append(at_ns)
    found = np.full(len(notes), -1, np.int64)
    for place in np.argsort(notes["sent_ns"], kind="stable"):
        row = notes[place]
        sent_ns = int(row["sent_ns"])
        queue = waiting.get((int(row["channel"]), int(row["note"]), int(row["velocity"])), deque())
        while queue and queue[0] <= sent_ns - _HEARD_NS:
            queue.popleft()
        if queue and queue[0] < sent_ns + _HEARD_NS:
            found[place] = queue.popleft()
    return found


def measure(
    frames: NDArray[np.void],
    notes: NDArray[np.void],
    heard_ns: NDArray[np.int64],
    truth: Sequence[HitRecord],
    kits: Sequence[KitConfig],
    *,
    origin_ns: int,
    lag_ns: int,
) -> Chain:
    """Match what was received with what was played.

    `frames` and `notes` (M,) are the ledger's, `heard_ns` (M,) is that of `received_ns`, `truth` counts from
    `origin_ns`, the first frame's capture; frames that arrived later than `lag_ns` after their capture, by more than a
    millisecond, were filmed late.
    """
    received = notes[heard_ns >= 0]
    as_heard = received.copy()
    as_heard["sent_ns"] = heard_ns[heard_ns >= 0]
    sent, heard = (
        hit_records_from_notes(rows, kits, skeleton=COCO17, origin_ns=origin_ns)
        for rows in (received, as_heard)
    )
    pairs = match(heard, truth, window_s=WINDOW_MS * 1e-3, by="limb")
    late = frames["captured_ns"][frames["arrived_ns"] - frames["captured_ns"] > lag_ns + 1_000_000]
    late_s = {(int(captured_ns) - origin_ns) * 1e-9 for captured_ns in late}
    moments = np.array(
        [
            (truth[j].time_s, heard[i].time_s, sent[i].note_s, heard[i].note_s)
            for i, j in pairs
            if heard[i].decided_s not in late_s
        ],
        np.float64,
    ).reshape(-1, 4)
    parts_ms = np.diff(moments, axis=1) * 1e3  # detection, sounding, arrival
    values = np.concatenate([parts_ms.sum(axis=1, keepdims=True), parts_ms], axis=1)
    skipped = int(frames["skipped"].sum(dtype=np.int64))
    return Chain(
        played=len(truth),
        found=len(pairs),
        extra=len(heard) - len(pairs),
        unheard=int((heard_ns < 0).sum()),
        late_film=len(pairs) - len(values),
        skipped_share=skipped / (len(frames) + skipped) if len(frames) + skipped else math.nan,
        durations={
            name: distribution(name, label, values[:, column])
            for column, (name, label) in enumerate(DURATIONS.items())
        },
    )


def as_json(chain: Chain) -> dict[str, Any]:
    """Return the chain as plain JSON values: ms, null where nothing was measured."""
    return {
        "hits": {
            "played": chain.played,
            "found": chain.found,
            "missed": chain.missed,
            "extra": chain.extra,
            "late_film": chain.late_film,
        },
        "notes_not_received": chain.unheard,
        "skipped_share": plain_number(chain.skipped_share),
        "durations_ms": {
            name: {
                **plain_distribution(each),
                "histogram": {"edges": each.histogram.edges, "counts": each.histogram.counts},
            }
            for name, each in chain.durations.items()
        },
    }
