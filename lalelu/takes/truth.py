"""Edit a take's true hits: add, move, delete, snap to the stroke. Pure functions, and one file. Writes files."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lalelu.errors import UsageError
from lalelu.gesture.verdict import Verdict
from lalelu.hits import MOST_BYTES, HitRecord, read_hits, write_hits
from lalelu.regular import read_regular
from lalelu.replacement import not_written, replacing

SNAP_S: Final = (
    0.06  # a mark farther from a stroke's end means another movement; the quickest hand plays 10 Hz
)
SAME_S: Final = 1e-5  # a mark is found again by its time; files keep microseconds
MOST_UNDO: Final = 100

Truth = tuple[HitRecord, ...]


def from_hits(hits: Iterable[HitRecord]) -> Truth:
    """Return what was detected as the truth to begin with: without the machine's own times and notes."""
    return _sorted(
        HitRecord(round(hit.time_s, 6), hit.limb, hit.pad, hit.player, hit.velocity) for hit in hits
    )


def add(truth: Truth, hit: HitRecord) -> Truth:
    """Return the truth with one more hit. Raises UsageError where that limb has one at that time."""
    if any(_same(each, hit) for each in truth):
        raise UsageError(f"{hit.limb} has a true hit at {hit.time_s:.3f} s already")
    return _sorted((*truth, replace(hit, time_s=round(hit.time_s, 6))))


def delete(truth: Truth, hit: HitRecord) -> Truth:
    """Return the truth without a hit. Raises UsageError where it is not there."""
    place = _place(truth, hit)
    return truth[:place] + truth[place + 1 :]


def move(truth: Truth, hit: HitRecord, time_s: float) -> Truth:
    """Return the truth with a hit at another time. Raises UsageError where it is not there."""
    place = _place(truth, hit)
    return add(truth[:place] + truth[place + 1 :], replace(truth[place], time_s=time_s))


def snapped(time_s: float, limb: str, player: int, strokes: Sequence[HitRecord]) -> float:
    """Return the end of that limb's stroke that is nearest, `time_s` itself where none is within SNAP_S."""
    ends = [stroke.time_s for stroke in strokes if (stroke.limb, stroke.player) == (limb, player)]
    nearest = min(ends, key=lambda end_s: abs(end_s - time_s), default=time_s)
    return nearest if abs(nearest - time_s) <= SNAP_S else time_s


def strokes_of(verdicts: Iterable[Verdict], origin_ns: int) -> list[HitRecord]:
    """Return where every downward movement ended, those that did not sound among them."""
    return [
        HitRecord((each.lowest_ns - origin_ns) * 1e-9, each.limb, each.pad, each.player) for each in verdicts
    ]


class TruthFile:
    """The truth of one take, edited in steps that can be undone while this object lives and nobody else edits it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before: list[Truth | None] = []
        self._left: bytes | None = None  # what the file held after the last step

    @property
    def undoable(self) -> int:
        """How many steps can be undone."""
        return len(self._before)

    def read(self) -> Truth | None:
        """Return the true hits by time; None where there is no truth. Raises UsageError for a damaged file."""
        return read_hits(self.path) if self.path.exists() else None

    def write(self, truth: Truth) -> None:
        """Replace the file in one step. Raises UsageError."""
        before = self.read()
        if self._bytes() != self._left:  # the steps led to another file
            self._before.clear()
        self._put(truth)
        self._before = [*self._before, before][-MOST_UNDO:]

    def undo(self) -> None:
        """Take back the last step; the first one may have made the file. Raises UsageError."""
        if self._before and self._bytes() != self._left:
            self._before.clear()
            raise UsageError(
                f"{self.path.name} was changed elsewhere since; there is nothing left to undo: load the take again"
            )
        if not self._before:
            raise UsageError("there is nothing to undo")
        self._put(self._before[-1])
        self._before.pop()

    def _put(self, truth: Truth | None) -> None:
        left = None
        if truth is None:
            try:
                self.path.unlink(missing_ok=True)
            except OSError as exc:
                raise not_written(self.path, exc) from exc
        else:
            with replacing(self.path, not_written) as unfinished:
                write_hits(unfinished, truth)
                left = unfinished.read_bytes()
        self._left = left

    def _bytes(self) -> bytes | None:
        try:
            return read_regular(self.path, MOST_BYTES)
        except OSError:
            return None


def _sorted(hits: Iterable[HitRecord]) -> Truth:
    return tuple(sorted(hits, key=lambda hit: (hit.time_s, hit.player, hit.limb)))


def _same(one: HitRecord, other: HitRecord) -> bool:
    return (one.limb, one.player) == (other.limb, other.player) and abs(one.time_s - other.time_s) < SAME_S


def _place(truth: Truth, hit: HitRecord) -> int:
    for place, each in enumerate(truth):
        if _same(each, hit):
            return place
    raise UsageError(
        f"{hit.limb} has no true hit at {hit.time_s:.3f} s any more; the truth was changed elsewhere: load it again"
    )
