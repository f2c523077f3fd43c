"""What a chaos run must keep, and which of it a run has broken. Pure."""

from collections.abc import Iterator
from typing import Final

from soaking.counting import Figures, Growth, Notes, Recovery
from soaking.log import Log

PERCENT: Final = (
    5.0  # of strokes may be missed, and of notes extra, outside of all windows: the network's own
)
GROWTH_KIB: Final = 1024
# For each of the rig's two ports that may be lost: the socket of the process that plays to it from then on, and what
# libjack opens in every client for that process's two new ones. The next loss of the port brings no more.
DESCRIPTORS: Final = {"voice": 6}


def broken(log: Log, figures: Figures) -> list[str]:
    """Return a sentence for each thing that must not be."""
    found = [sentence for name, notes in figures.notes.items() for sentence in _of_notes(name, notes)]
    rows = figures.rows
    if rows.missing or rows.doubled:
        found.append(f"frames: {rows.missing} rows are missing, {rows.doubled} doubled; none may be")
    found += log.problems
    found += _of_ends(log)
    for each in figures.recoveries:
        found += _of_recovery(each, (each.done.begin_ns - log.begin_ns) * 1e-9)
    return [*found, *(sentence for growth in figures.growths for sentence in _of_growth(growth))]


def _of_notes(name: str, notes: Notes) -> Iterator[str]:
    if notes.hanging:
        yield f"{name}: {notes.hanging} notes hang; none may"
    if not notes.expected:
        yield f"{name}: no stroke was expected to sound; play for longer"
    for what, number in (("missed", notes.missed), ("extra", notes.extra)):
        if number > PERCENT / 100 * notes.expected:
            yield f"{name}: {number} {what} for {notes.expected} strokes; at most {PERCENT:g} % may be"


def _of_ends(log: Log) -> Iterator[str]:
    for at_ns, status in log.ended:
        told = (done for done in log.faults if done.begin_ns <= at_ns <= done.settled_ns)
        if not any(done.kind.ends_with == status or done.remark for done in told):
            yield f"lalelu ended by itself at {(at_ns - log.begin_ns) * 1e-9:.0f} s, with status {status}"


def _of_recovery(each: Recovery, at_s: float) -> Iterator[str]:
    kind = each.done.kind
    if kind.ends_with is not None and each.ended_s is None:
        yield f"{kind.name} at {at_s:.0f} s: lalelu did not end with status {kind.ends_with}, as it must"
    elif not each.recovered:
        after = "never" if each.well_s is None else f"after {each.well_s:.2f} s"
        why = each.done.remark or f"well again {after}; within {kind.within_s:g} s it must be"
        yield f"{kind.name} at {at_s:.0f} s: {why}"
    if each.told is False:
        yield f"{kind.name} at {at_s:.0f} s: the condition {kind.condition} was not told, or not taken back"


def _of_growth(growth: Growth) -> Iterator[str]:
    more = max(growth.own, growth.own_fit)
    if more > GROWTH_KIB:
        yield (
            f"{growth.role} {growth.pid}: {more / 1024:.1f} MB more of its own in {growth.minutes:.0f} min; at "
            f"most {GROWTH_KIB / 1024:g} MB may be"
        )
    most = DESCRIPTORS.get(growth.role, 0)
    if growth.descriptors > most:
        yield f"{growth.role} {growth.pid}: {growth.descriptors:g} file descriptors more; at most {most} may be"
