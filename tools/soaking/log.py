"""What a chaos run leaves to be counted."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lalelu.camera.simulated.groove import TruthHit
from lalelu.voice.message import is_note_on

GRAPH, SYNTH = "graph", "synth"  # the listeners: one connects itself, to the other lalelu connects
NOWHERE: tuple[str, ...] = ()
GONE = b""  # as a message: the port went, and what sounded there with it


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of fault is judged. Times are s."""

    name: str
    what: str
    within_s: float = 2.0  # of the cause's end all must be well again
    missing_at: tuple[str, ...] = (GRAPH, SYNTH)  # where strokes from its beginning until then may be missing
    condition: str | None = None  # what the leader's board must tell meanwhile
    ends_with: int | None = (
        None  # the status with which the run must end, for the service manager to start it again
    )


@dataclass(frozen=True, slots=True)
class Done:
    """One fault as it was made."""

    kind: Kind
    begin_ns: int
    end_ns: int  # of the cause
    back_ns: int | None = None  # the processes were seen to be well again; None = not within the patience
    settled_ns: int = 0  # all was seen to be well again, if need be after a restart by the run itself
    told: tuple[tuple[int, bool], ...] = ()  # when the condition was raised (True) and cleared, ns
    remark: str = ""  # what went wrong; the run has then started the instrument again


@dataclass(frozen=True, slots=True)
class Use:
    """What one process had at a moment."""

    at_ns: int
    role: str
    pid: int
    own_kib: int  # anonymous resident memory: what it allocated
    rss_kib: int
    pss_kib: int | None  # looked at once a minute
    descriptors: int


@dataclass(frozen=True, slots=True)
class Log:
    """A whole run. Messages are (ns on CLOCK_MONOTONIC, bytes), by time."""

    begin_ns: int
    end_ns: int
    delay_ns: int  # from a stroke to its note
    lag_ns: int  # from a frame's capture to its arrival, where the film is in time
    pads: dict[int, str]  # a note's number -> its pad
    faults: tuple[Done, ...] = ()
    truth: tuple[TruthHit, ...] = ()  # times on CLOCK_MONOTONIC
    heard: dict[str, tuple[tuple[int, bytes], ...]] = field(default_factory=dict)  # by the listener's name
    frames: tuple[NDArray[np.void], ...] = ()  # FRAME_DTYPE, of each ledger
    problems: tuple[str, ...] = ()  # of the ledgers
    uses: tuple[Use, ...] = ()
    ended: tuple[tuple[int, int], ...] = ()  # when the instrument ended by itself, and its status
    period_ns: int = (
        0  # of JACK, which repeats a client's messages one period later where that was not ready in time
    )
    not_done: dict[str, str] = field(default_factory=dict)  # kinds that this machine does not allow, and why


def spoilt(log: Log, how: str) -> Log:
    """Return the log with one thing made wrong, which the counting must find."""
    name, messages = next(iter(log.heard.items()))
    if how == "hang":  # the last note's end is not heard
        last = max(at for at, (_, data) in enumerate(messages) if data and not is_note_on(data))
        return replace(log, heard={**log.heard, name: messages[:last] + messages[last + 1 :]})
    if how == "notes":  # every third message is not heard
        kept = tuple(message for at, message in enumerate(messages) if at % 3)
        return replace(log, heard={**log.heard, name: kept})
    if how == "row":
        first = np.delete(log.frames[0], len(log.frames[0]) // 2)
        return replace(log, frames=(first, *log.frames[1:]))
    share = [(use.at_ns - log.begin_ns) / (log.end_ns - log.begin_ns) for use in log.uses]
    more_kib, more = (4096, 0) if how == "memory" else (0, 30)
    grown = (
        replace(
            use,
            own_kib=use.own_kib + round(more_kib * part),
            descriptors=use.descriptors + round(more * part),
        )
        for use, part in zip(log.uses, share, strict=True)
    )
    return replace(log, uses=tuple(grown))


SPOILT: tuple[str, ...] = ("hang", "notes", "row", "memory", "descriptors")
