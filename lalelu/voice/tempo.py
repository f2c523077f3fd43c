"""From taps to a beat, and from the beat to the ticks of MIDI's clock. Pure: times come in the arguments."""

from collections import deque
from statistics import median
from typing import Final

from lalelu.voice.message import TICKS_PER_BEAT

LEAST_GAP_NS: Final = (
    200_000_000  # 300 beats a minute: one hand plays 5 to 7 strokes a second at most (Fujii 2009)
)
MOST_GAP_NS: Final = 2_000_000_000  # 30 beats a minute: a longer gap is a pause, not a beat
GAPS: Final = 4  # of a count-in of a bar; their median is not moved by one tap that went wrong


class Tempo:
    """A beat that is tapped, and a clock that keeps it.

    The beat is known from the second tap on; a tap that is too near or too far from the one before begins a new
    count, and the clock keeps its beat until that is known. The clock's every 24th tick is a beat. It is led to the
    taps over the next one or two beats, its ticks a little nearer or farther apart: never is one left out or sent
    in a burst, because whoever follows counts them.
    """

    def __init__(self) -> None:
        self.beat_ns: int | None = None  # None until it is known
        self._tapped_ns: int | None = None
        self._gaps: deque[int] = deque(maxlen=GAPS)
        self._tick = 0  # the number of the next one; numbers divisible by 24 are beats
        # Ticks are evenly spaced from one point, (number, time), to the other, from which on they keep the beat.
        self._from = (0, 0)
        self._to = (0, 0)

    @property
    def next_ns(self) -> int | None:
        """When the next tick falls due; None until the beat is known."""
        return None if self.beat_ns is None else self._time_of(self._tick, self.beat_ns)

    def bpm(self, now_ns: int) -> float | None:
        """Return the tempo, beats a minute; None until it is known, and while another tap may change it."""
        if self.beat_ns is None or self._tapped_ns is None or now_ns <= self._tapped_ns + MOST_GAP_NS:
            return None
        return 60e9 / self.beat_ns

    def tap(self, at_ns: int, now_ns: int) -> None:
        """Take in a tap, the beat that it asks for being at `at_ns`."""
        gap_ns = None if self._tapped_ns is None else at_ns - self._tapped_ns
        self._tapped_ns = at_ns
        if gap_ns is None or not LEAST_GAP_NS <= gap_ns <= MOST_GAP_NS:
            self._gaps.clear()
            return
        self._gaps.append(gap_ns)
        running = self.next_ns
        self.beat_ns = round(median(self._gaps))
        if running is None:
            self._begin(at_ns, now_ns, self.beat_ns)
        else:
            self._steer(max(running, now_ns), at_ns, self.beat_ns)

    def tick(self, now_ns: int) -> bool:
        """Whether a tick has fallen due; it counts as sent."""
        due_ns = self.next_ns
        if due_ns is None or due_ns > now_ns or self.beat_ns is None:
            return False
        self._tick += 1
        if self._time_of(self._tick, self.beat_ns) <= now_ns:  # this one was late by more than its distance
            self._steer(now_ns + self.beat_ns // TICKS_PER_BEAT, self._to[1], self.beat_ns)
        return True

    def _time_of(self, tick: int, beat_ns: int) -> int:
        (from_tick, from_ns), (to_tick, to_ns) = self._from, self._to
        if tick < to_tick:
            return from_ns + (to_ns - from_ns) * (tick - from_tick) // (to_tick - from_tick)
        return to_ns + (tick - to_tick) * beat_ns // TICKS_PER_BEAT

    def _begin(self, beat_at_ns: int, now_ns: int, beat_ns: int) -> None:
        """Let the beat at `beat_at_ns` be tick 0, and begin with the next beat: whoever follows counts from there."""
        self._from = self._to = (0, beat_at_ns)
        passed_ns = max(now_ns - beat_at_ns, 0)
        self._tick = -(-passed_ns // beat_ns) * TICKS_PER_BEAT

    def _steer(self, next_ns: int, beat_at_ns: int, beat_ns: int) -> None:
        """Send the next tick at `next_ns`, and be on the beats of which `beat_at_ns` is one in one or two beats.

        The beat nearest to where the clock would be anyway is taken: its ticks' distance changes by half at most.
        """
        beats = -(-self._tick // TICKS_PER_BEAT) + 1
        target = beats * TICKS_PER_BEAT
        straight_ns = next_ns + (target - self._tick) * beat_ns // TICKS_PER_BEAT
        nearest = round((straight_ns - beat_at_ns) / beat_ns)
        self._from = (self._tick, next_ns)
        self._to = (target, beat_at_ns + nearest * beat_ns)
