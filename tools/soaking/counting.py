"""Count what a chaos run has left: notes, rows, recoveries, memory. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from soaking.log import GONE, Done, Log

from lalelu.analysis.scoring import match
from lalelu.camera.simulated.groove import TruthHit
from lalelu.hits import HitRecord
from lalelu.voice.message import is_note_on

HANGING_NS: Final = 12_000_000_000  # no note is asked to sound for longer than 10 s (note_ms)
WINDOW_S: Final = 0.1  # a note further from its moment is another one; strokes on one pad are 0.25 s apart
STUTTER_NS: Final = 30_000_000  # a film that is later than that has not shown the strokes as they were played
BEFORE_NS: Final = 300_000_000  # strokes so shortly before a fault may have their notes after its beginning
ECHO_NS: Final = 500_000  # an echo's distance is JACK's period, give or take so much
REST_NS: Final = 1_000_000_000  # without a stroke is a rest, and no silence
OWN_MISSES: Final = 1  # of the network, in the strokes that follow a fault
SETTLED_NS: Final = 120_000_000_000  # so long a process may still take more; a fifth of shorter runs
FEWEST: Final = 9  # samples of a process before its growth means something
_ALL_OFF: Final = (120, 123)  # controllers: all sound off, all notes off


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one fault has cost, s after its cause's end."""

    done: Done
    well_s: float | None  # until processes, frames and notes were all right again; None = they were not
    note_s: float | None  # until the first right note
    silence_s: float  # the longest time from a missed stroke to the next one that sounded, or to a rest
    told: bool | None  # whether its condition was raised, and cleared again; None = it has none
    ended_s: float | None  # until the run had ended, where the fault is to end it; None = it did not

    @property
    def recovered(self) -> bool:
        """Whether all was well again in time, by itself."""
        ended = self.done.kind.ends_with is None or self.ended_s is not None
        in_time = self.well_s is not None and self.well_s <= self.done.kind.within_s
        return ended and in_time and not self.done.remark


@dataclass(frozen=True, slots=True)
class Notes:
    """What one listener heard of what was played."""

    expected: int  # strokes outside of all windows
    sounded: int
    missed: int
    excused: int  # strokes within the windows
    unseen: int  # strokes that the film itself showed too late, which are counted nowhere else
    extra: int  # notes without a stroke, outside of all windows
    echoes: int  # notes that JACK itself has repeated, which are counted nowhere else
    blind: int  # notes of the strokes that are unseen, which are counted nowhere else
    hanging: int  # notes that did not end within HANGING_NS
    cut: int  # notes that ended with their port
    longest_s: float  # of all notes that ended
    silence_s: (
        float  # the longest time from a missed stroke to the next one that sounded, outside of all windows
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """What stands in the ledgers of what was filmed."""

    rows: int
    films: int  # how often the camera began anew
    skipped: int  # frames that nobody took, as the rows say
    missing: int  # frames that neither stand there nor are counted as skipped
    doubled: int  # rows that stand there twice, or out of order


@dataclass(frozen=True, slots=True)
class Growth:
    """What one process took more at the end than at the beginning, KiB; the fit's slope times its time."""

    role: str
    pid: int
    minutes: float
    own: float  # of its anonymous memory: the later of the medians of three less the first
    own_fit: float
    rss: float
    rss_fit: float
    pss: float | None
    descriptors: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was counted."""

    notes: dict[str, Notes]
    rows: Rows
    recoveries: tuple[Recovery, ...]
    growths: tuple[Growth, ...]


def films(frames: Iterable[NDArray[np.void]], period_ns: float) -> list[tuple[int, int]]:
    """Return when each film of a simulated camera began (frame 0's capture) and its last row's capture, ns."""
    found = []
    for rows in frames:
        for part in _parts(rows):
            begin_ns = int(part["captured_ns"][0]) - round(int(part["seq"][0]) * period_ns)
            found.append((begin_ns, int(part["captured_ns"][-1])))
    return found


def _parts(rows: NDArray[np.void]) -> list[NDArray[np.void]]:
    """Return the rows of each film: numbers begin anew, while time goes on."""
    anew = (np.diff(rows["seq"]) < 0) & (np.diff(rows["captured_ns"]) > 0)
    return [part for part in np.split(rows, np.flatnonzero(anew) + 1) if len(part)]


def count_rows(frames: Iterable[NDArray[np.void]]) -> Rows:
    """Count the rows: each film's frames must stand there from 0 on, each once, or as skipped."""
    rows = began = skipped = missing = doubled = 0
    for ledger in frames:
        rows += len(ledger)
        for part in _parts(ledger):
            began += 1
            skipped += int(part["skipped"].sum())
            steps = np.diff(part["seq"], prepend=-1) - 1 - part["skipped"]
            missing += int(steps[steps > 0].sum())
            doubled += int((steps < 0).sum())
    return Rows(rows, began, skipped, missing, doubled)


def stutters(frames: Iterable[NDArray[np.void]], lag_ns: int) -> list[tuple[int, int]]:
    """Return the times (ns) in which the simulated camera itself was late, which is not the instrument's fault."""
    found: list[tuple[int, int]] = []
    for rows in frames:
        late = rows["arrived_ns"] - rows["captured_ns"] - lag_ns > STUTTER_NS
        for row in rows[late]:
            begin_ns, end_ns = int(row["captured_ns"]) - BEFORE_NS, int(row["arrived_ns"]) + BEFORE_NS
            if found and begin_ns <= found[-1][1]:
                begin_ns, _ = found.pop()
            found.append((begin_ns, end_ns))
    return found


def sounding(messages: Iterable[tuple[int, bytes]]) -> tuple[list[int], list[int], int]:
    """Return when hanging notes began (ns), how long the others sounded (ns), and how many ended with their port."""
    begun: dict[tuple[int, int], int] = {}
    hanging: list[int] = []
    lengths: list[int] = []
    cut = 0

    def end(keys: Iterable[tuple[int, int]], at_ns: int) -> None:
        for key in [key for key in keys if key in begun]:
            since_ns = begun.pop(key)
            if at_ns - since_ns > HANGING_NS:
                hanging.append(since_ns)
            else:
                lengths.append(at_ns - since_ns)

    for at_ns, data in messages:
        if data == GONE:
            cut += len(begun)
            end(list(begun), at_ns)
        elif data[0] & 0xF0 == 0xB0 and data[1] in _ALL_OFF:
            end([key for key in begun if key[0] == data[0] & 15], at_ns)
        elif data[0] & 0xF0 in (0x80, 0x90):
            key = (data[0] & 15, data[1])
            end([key], at_ns)
            if is_note_on(data):
                begun[key] = at_ns
    return [*hanging, *begun.values()], lengths, cut


def without_echoes(notes: Iterable[tuple[int, bytes]], period_ns: int) -> Iterator[tuple[int, bytes]]:
    """Yield the notes but for those that came just as they are one period of JACK before; `period_ns` 0 = none."""
    before: dict[bytes, int] = {}
    for at_ns, data in notes:
        is_echo = period_ns > 0 and abs(at_ns - before.get(data, 0) - period_ns) < ECHO_NS
        before[data] = at_ns
        if not is_echo:
            yield at_ns, data


class Heard:
    """One listener's notes beside the strokes: `right[i]` says whether stroke i sounded."""

    def __init__(self, log: Log, name: str, unseen: Sequence[tuple[int, int]]) -> None:
        seen = [hit for hit in log.truth if not _within(hit.time_ns, unseen)]
        self.unseen = len(log.truth) - len(seen)
        self.at_ns = [hit.time_ns for hit in seen]
        struck = [(at_ns, data) for at_ns, data in log.heard[name] if data and is_note_on(data)]
        played = list(without_echoes(struck, log.period_ns))
        self.echoes = len(struck) - len(played)
        notes = [
            HitRecord((at_ns - log.delay_ns) * 1e-9, "", log.pads.get(data[1], "another"))
            for at_ns, data in played
        ]
        pairs = match(notes, _records(seen), window_s=WINDOW_S, by="pad")
        matched = {found for found, _ in pairs}
        self.right = [False] * len(seen)
        for _, stroke in pairs:
            self.right[stroke] = True
        others = [note for i, note in enumerate(notes) if i not in matched]
        hidden = _records(hit for hit in log.truth if _within(hit.time_ns, unseen))
        blind = {found for found, _ in match(others, hidden, window_s=WINDOW_S, by="pad")}
        times = [round(note.time_s * 1e9) for note in others]
        blind |= {i for i, at_ns in enumerate(times) if _within(at_ns, unseen)}
        self.blind_ns = [times[i] for i in sorted(blind)]
        self.extra_ns = [at_ns for i, at_ns in enumerate(times) if i not in blind]

    def strokes(self, begin_ns: int, end_ns: int) -> range:
        """Return which strokes lie in a time."""
        return range(bisect_right(self.at_ns, begin_ns), bisect_left(self.at_ns, end_ns))

    def silence_s(self, strokes: Sequence[int]) -> float:
        """Return the longest time from a missed stroke of these to the next one that sounded, or to a rest."""
        longest_ns = 0
        since_ns = last_ns = None  # of the strokes that are missed now, the first and the last one
        for i in strokes:
            at_ns = self.at_ns[i]
            if since_ns is not None and last_ns is not None:
                longest_ns = max(longest_ns, min(at_ns, last_ns + REST_NS) - since_ns)
            if self.right[i]:
                since_ns = last_ns = None
            else:
                since_ns, last_ns = at_ns if since_ns is None else since_ns, at_ns
        return longest_ns * 1e-9


def _records(hits: Iterable[TruthHit]) -> list[HitRecord]:
    return [HitRecord(hit.time_ns * 1e-9, hit.limb, hit.pad) for hit in hits]


def _within(at_ns: int, times: Iterable[tuple[int, int]]) -> bool:
    return any(begin <= at_ns <= end for begin, end in times)


def windows(faults: Iterable[Done], name: str) -> list[tuple[int, int]]:
    """Return the times in which a listener may miss strokes: by the kind of fault, and repairs by the run itself."""
    found = []
    for done in faults:
        if name in done.kind.missing_at:
            found.append((done.begin_ns - BEFORE_NS, done.end_ns + round(done.kind.within_s * 1e9)))
        if done.remark:
            found.append((done.begin_ns - BEFORE_NS, done.settled_ns))
    return found


def count_notes(log: Log, name: str, heard: Heard) -> Notes:
    """Count one listener's notes."""
    excusing = windows(log.faults, name)
    excused = {i for window in excusing for i in heard.strokes(*window)}
    expected = [i for i in range(len(heard.at_ns)) if i not in excused]
    sounded = sum(heard.right[i] for i in expected)
    hanging, lengths, cut = sounding(log.heard[name])
    extra, blind = (
        sum(not _within(at_ns, excusing) for at_ns in times if log.begin_ns <= at_ns <= log.end_ns)
        for times in (heard.extra_ns, heard.blind_ns)
    )
    # a stroke of a window ends a silence; no silence begins there
    runs = [heard.silence_s(run) for run in _runs(expected)]
    return Notes(
        expected=len(expected),
        sounded=sounded,
        missed=len(expected) - sounded,
        excused=len(excused),
        unseen=heard.unseen,
        extra=extra,
        echoes=heard.echoes,
        blind=blind,
        hanging=len(hanging),
        cut=cut,
        longest_s=max(lengths, default=0) * 1e-9,
        silence_s=max(runs, default=0.0),
    )


def _runs(numbers: Sequence[int]) -> list[Sequence[int]]:
    """Return the numbers, by size, in runs without a gap."""
    borders = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(numbers)) if b != a + 1), len(numbers)]
    return [numbers[begin:end] for begin, end in pairwise(borders)]


def recovery(
    done: Done,
    until_ns: int,
    frames_ns: NDArray[np.int64],
    ears: Iterable[Heard],
    ended: Iterable[tuple[int, int]] = (),
) -> Recovery:
    """Return what a fault has cost, from its end until the next one begins at `until_ns`.

    `frames_ns`: when all rows of frames were made, sorted. `ended`: when runs ended by themselves, and how.
    """
    within_ns = round(done.kind.within_s * 1e9)
    # a row that follows the end at once may be the last one before the loss is noticed
    first_row = int(np.searchsorted(frames_ns, max(done.end_ns, done.back_ns or 0)))
    moments = [done.back_ns, int(frames_ns[first_row]) if first_row < len(frames_ns) else None]
    silence_s, note_ns = 0.0, []
    for heard in ears:
        silence_s = max(silence_s, heard.silence_s(heard.strokes(done.begin_ns - BEFORE_NS, until_ns)))
        after = heard.strokes(done.end_ns, until_ns)
        first = next((i for i in after if heard.right[i]), None)
        missed = [heard.at_ns[i] for i in after if first is None or i < first]
        late = [at_ns for at_ns in missed if at_ns > done.end_ns + within_ns]
        if len(late) <= OWN_MISSES:
            missed = missed[: len(missed) - len(late)]
        moments += missed[-1:]
        if first is not None:
            note_ns.append(heard.at_ns[first])
    told = None
    if done.kind.condition is not None:
        raised = [at_ns for at_ns, is_raised in done.told if is_raised]
        cleared = [at_ns for at_ns, is_raised in done.told if not is_raised]
        told = bool(raised) and bool(cleared)
        moments += cleared[-1:]
    ends = [at_ns for at_ns, how in ended if how == done.kind.ends_with and done.begin_ns <= at_ns < until_ns]
    known = [max(at_ns, done.end_ns) for at_ns in moments if at_ns is not None]
    return Recovery(
        done,
        well_s=None if None in moments else (max(known) - done.end_ns) * 1e-9,
        note_s=(max(note_ns) - done.end_ns) * 1e-9 if note_ns else None,
        silence_s=silence_s,
        told=told,
        ended_s=(ends[0] - done.end_ns) * 1e-9 if ends else None,
    )


def growths(log: Log) -> list[Growth]:
    """Return how each process grew, once it had settled; those that lived too shortly are left out."""
    calm_ns = min(SETTLED_NS, (log.end_ns - log.begin_ns) // 5)
    found = []
    for role, pid in dict.fromkeys((use.role, use.pid) for use in log.uses):
        uses = [use for use in log.uses if (use.role, use.pid) == (role, pid)]
        uses = [use for use in uses if use.at_ns >= uses[0].at_ns + calm_ns]
        if len(uses) < FEWEST:
            continue
        time_s = np.array([(use.at_ns - uses[0].at_ns) * 1e-9 for use in uses])
        own, rss, files = (
            np.array([getattr(use, name) for use in uses], float)
            for name in ("own_kib", "rss_kib", "descriptors")
        )
        shares = [use.pss_kib for use in uses if use.pss_kib is not None]
        found.append(
            Growth(
                role,
                pid,
                minutes=float(time_s[-1] / 60),
                own=_rise(own),
                own_fit=float(np.polyfit(time_s, own, 1)[0] * time_s[-1]),
                rss=_rise(rss),
                rss_fit=float(np.polyfit(time_s, rss, 1)[0] * time_s[-1]),
                pss=float(shares[-1] - shares[0]) if len(shares) > 1 else None,
                descriptors=_rise(files),
            )
        )
    return found


def _rise(values: NDArray[np.float64]) -> float:
    """Return the median of the last third less that of the first."""
    third = len(values) // 3
    return float(np.median(values[-third:]) - np.median(values[:third]))


def count(log: Log) -> Figures:
    """Count everything."""
    unseen = stutters(log.frames, log.lag_ns)
    ears = {name: Heard(log, name, unseen) for name in log.heard}
    stamps = [rows["sent_ns"].astype(np.int64) for rows in log.frames]
    frames_ns = np.sort(np.concatenate([np.empty(0, np.int64), *stamps]))
    borders = [*(done.begin_ns for done in log.faults), log.end_ns][1:]
    recoveries = tuple(
        recovery(done, until_ns, frames_ns, ears.values(), log.ended)
        for done, until_ns in zip(log.faults, borders, strict=True)
    )
    notes = {name: count_notes(log, name, heard) for name, heard in ears.items()}
    return Figures(notes, count_rows(log.frames), recoveries, tuple(growths(log)))
