"""Lay a performance on the beats of a MIDI file, so that its grid is the one that was played to. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

TICKS_PER_BEAT: Final = 5000  # at 120 beats a minute 0.1 ms a tick
BEAT_US: Final = 500_000  # a beat where none was tapped: 120 beats a minute
_AT_ONCE_US: Final = 1000  # a beat that is nearer to the file's beginning is its beginning
_LEAST_US: Final = (
    100_000  # 300 beats a minute, the fastest that can be tapped, led to a tap at twice its pace
)
_PAUSE_US: Final = 2_000_000  # 30 beats a minute, the slowest that can be tapped
_CHANGE: Final = (
    0.02  # a beat that differs by more from the one before is another tempo; sending varies by a millisecond
)


class Tempo(NamedTuple):
    """A tempo and where it begins."""

    tick: int
    at_us: float  # the file's time
    beat_us: int


class TempoMap:
    """Where moments lie in a file whose time 0 is `origin_ns`; `beats` are those that were heard, in order.

    The first beat lies a whole number of beats from the file's beginning, and so does every other from it.
    """

    def __init__(self, origin_ns: int, beats: Sequence[int] = ()) -> None:
        self._origin_ns = origin_ns
        heard_us: list[float] = []
        for beat_ns in beats:
            at_us = (beat_ns - origin_ns) / 1000
            if at_us >= (heard_us[-1] + _LEAST_US if heard_us else 0):
                heard_us.append(at_us)
        self.tempi: list[Tempo] = []
        for start_us, beat_us in _runs(heard_us):
            self._add(start_us, beat_us)
        if not self.tempi:
            self.tempi.append(Tempo(0, 0.0, BEAT_US))
        self._starts = [tempo.at_us for tempo in self.tempi]

    def tick(self, at_ns: int) -> int:
        """Return the tick nearest to a moment; 0 for those before the file's beginning."""
        at_us = (at_ns - self._origin_ns) / 1000
        tempo = self.tempi[max(0, bisect_right(self._starts, at_us) - 1)]
        return max(0, tempo.tick + round((at_us - tempo.at_us) * TICKS_PER_BEAT / tempo.beat_us))

    def _add(self, start_us: float, beat_us: float) -> None:
        """Begin another tempo at a beat, whole beats after the one before."""
        if beat_us > _PAUSE_US:  # nobody beats so slowly: the clock stood still
            beat_us /= max(1, round(beat_us / (self.tempi[-1].beat_us if self.tempi else BEAT_US)))
        if not self.tempi and start_us > _AT_ONCE_US:
            if start_us < 0.5 * beat_us:  # a beat so short would be no tempo: the next one is on the grid
                start_us += beat_us
            self.tempi.append(Tempo(0, 0.0, round(start_us / max(1, round(start_us / beat_us)))))
        if not self.tempi:
            self.tempi.append(Tempo(0, 0.0, round(beat_us)))
            return
        last = self.tempi[-1]
        count = max(1, round((start_us - last.at_us) / last.beat_us))
        # the file's own time, in which a beat has whole microseconds
        at_us = last.at_us + count * last.beat_us
        self.tempi.append(Tempo(last.tick + count * TICKS_PER_BEAT, at_us, round(beat_us)))


def beginning(first_ns: int, beats: Sequence[int]) -> int:
    """Return where a file begins whose first message is at `first_ns`: on the beat before it that was heard.

    Where the clock began later, or had stood still, whole beats before its next one; without one at the message.
    """
    place = bisect_right(beats, first_ns)
    if place and first_ns - beats[place - 1] <= _PAUSE_US * 1000:
        return beats[place - 1]
    if place == len(beats):
        return first_ns
    beat_ns = (
        min(beats[place + 1] - beats[place], _PAUSE_US * 1000) if place + 1 < len(beats) else BEAT_US * 1000
    )
    return beats[place] - -(-(beats[place] - first_ns) // beat_ns) * beat_ns


def _runs(beats: Sequence[float]) -> list[tuple[float, float]]:
    """Return the start and the beat, both in us, of each run of beats that are equally far apart."""
    runs: list[tuple[float, float]] = []
    first = 0
    for i in range(1, len(beats)):
        last = i + 1 == len(beats)
        if last or not _like(beats[i + 1] - beats[i], beats[i] - beats[i - 1]):
            runs.append((beats[first], (beats[i] - beats[first]) / (i - first)))
            first = i
    return runs


def _like(gap: float, other: float) -> bool:
    return abs(gap - other) <= _CHANGE * other
