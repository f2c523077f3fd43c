from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.voice.message import TICKS_PER_BEAT
from lalelu.voice.tempo import Tempo

MS = 1_000_000
START = 10**15


class Played:
    """A tempo whose clock is always listened to; times in ms."""

    def __init__(self) -> None:
        self.tempo = Tempo()
        self.ticks: list[int] = []

    def taps(self, *at_ms: int, known_ms: int = 0) -> "Played":
        """Tap, each tap being known `known_ms` later."""
        for tap_ms in at_ms:
            self.listen(tap_ms + known_ms)
            self.tempo.tap(START + tap_ms * MS, START + (tap_ms + known_ms) * MS)
        return self

    def listen(self, until_ms: int) -> list[int]:
        """Return the times (ns from the start) of all ticks until then."""
        while (at_ns := self.tempo.next_ns) is not None and at_ns < START + until_ms * MS:
            assert self.tempo.tick(at_ns)
            self.ticks.append(at_ns - START)
        return self.ticks

    def bpm(self, at_ms: int) -> float | None:
        return self.tempo.bpm(START + at_ms * MS)


def test_one_tap_is_no_tempo() -> None:
    played = Played().taps(0)
    assert (played.tempo.next_ns, played.bpm(9000)) == (None, None)
    assert played.tempo.tick(START + 10**12) is False


def test_two_taps_half_a_second_apart_are_120_beats_a_minute_and_24_ticks_each() -> None:
    played = Played().taps(0, 500)
    assert played.bpm(2500) is None  # another tap may come
    assert played.bpm(2501) == 120.0
    ticks = played.listen(2500)
    assert len(ticks) == 4 * TICKS_PER_BEAT
    assert ticks[::TICKS_PER_BEAT] == [500 * MS, 1000 * MS, 1500 * MS, 2000 * MS]
    gaps = {after - before for before, after in pairwise(ticks)}
    assert max(gaps) - min(gaps) <= 1


def test_a_clock_keeps_its_beat_for_hours_without_drift() -> None:
    played = Played().taps(0, 333)
    ticks = played.listen(7_200_000)
    assert {tick - 333 * MS * beat for beat, tick in enumerate(ticks[::TICKS_PER_BEAT], 1)} == {0}


def test_the_median_of_the_last_four_gaps_counts() -> None:
    assert Played().taps(0, 500, 1000, 1900, 2400).bpm(9000) == 120.0  # one tap went wrong
    assert Played().taps(0, 500, 1000, 1500, 2000, 2600, 3200, 3800, 4400).bpm(9000) == 100.0


@pytest.mark.parametrize("gap_ms", [-100, 0, 199, 2001])
def test_a_tap_too_near_or_too_far_begins_a_new_count_and_the_clock_goes_on(gap_ms: int) -> None:
    played = Played().taps(0, 500, 1000)
    played.taps(1000 + gap_ms)
    assert played.bpm(9000) == 120.0
    ticks = played.listen(6000)
    assert ticks[::TICKS_PER_BEAT] == [beat * 500 * MS for beat in range(1, 12)]
    played.taps(6000, 6250)
    assert played.bpm(9000) == 240.0


@pytest.mark.parametrize("gap_ms", [200, 2000])
def test_the_slowest_and_the_fastest_beat_are_taken(gap_ms: int) -> None:
    assert Played().taps(0, gap_ms).bpm(9000) == 60_000 / gap_ms


def test_a_tempo_that_is_known_late_begins_the_clock_on_its_next_beat() -> None:
    played = Played().taps(0, 480, known_ms=45)
    assert played.listen(1000)[:2] == [960 * MS, 980 * MS]  # on the beat: whoever follows counts from there


def test_a_beat_that_is_still_to_come_begins_the_clock() -> None:
    tempo = Tempo()
    tempo.tap(START + 60 * MS, START)  # what is tapped now is heard 60 ms later
    tempo.tap(START + 560 * MS, START + 500 * MS)
    assert tempo.next_ns == START + 560 * MS


@pytest.mark.parametrize("shift_ms", [-240, -100, -7, 7, 100, 240])
def test_taps_off_the_beat_lead_the_clock_there_without_burst_or_gap(shift_ms: int) -> None:
    played = Played().taps(0, 500, 1000)
    at_ms = 9000 + shift_ms
    played.taps(at_ms, at_ms + 500)  # the first begins a new count
    ticks = played.listen(at_ms + 6000)
    beat_ns = 500 * MS
    after = [tick for tick in ticks[::TICKS_PER_BEAT] if tick > (at_ms + 1700) * MS]
    assert len(after) > 5
    assert {(tick - at_ms * MS) % beat_ns for tick in after} == {0}
    gaps = [later - sooner for sooner, later in pairwise(ticks)]
    assert min(gaps) >= beat_ns // TICKS_PER_BEAT // 2 - 1
    assert max(gaps) <= 3 * beat_ns // TICKS_PER_BEAT // 2 + 1


def test_a_clock_that_was_held_up_goes_on_without_a_burst_and_finds_the_beat_again() -> None:
    played = Played().taps(0, 480)
    played.listen(1000)
    late_ns = START + 1313 * MS
    assert played.tempo.tick(late_ns)
    assert played.tempo.tick(late_ns) is False
    assert played.tempo.next_ns == late_ns + 20 * MS
    played.ticks.append(late_ns - START)
    ticks = played.listen(4000)
    assert {tick % (480 * MS) for tick in ticks[::TICKS_PER_BEAT] if tick > 2400 * MS} == {0}
    assert min(later - sooner for sooner, later in pairwise(ticks)) >= 10 * MS


@given(
    st.lists(st.integers(-500, 3000), min_size=1, max_size=40),
    st.lists(st.integers(0, 300), min_size=1, max_size=40),
)
def test_whatever_is_tapped_the_next_tick_is_later_and_no_burst_comes(
    gaps_ms: list[int], waits_ms: list[int]
) -> None:
    tempo, at_ns, sent = Tempo(), START, []
    for number, gap_ms in enumerate(gaps_ms):
        at_ns += gap_ms * MS
        now_ns = max(at_ns + waits_ms[number % len(waits_ms)] * MS, sent[-1] if sent else 0)
        tempo.tap(at_ns, now_ns)
        for _ in range(60):
            due_ns = tempo.next_ns
            if due_ns is None or due_ns > now_ns + 400 * MS:
                break
            sent.append(max(due_ns, now_ns))
            assert tempo.tick(sent[-1])
    assert all(after >= before for before, after in pairwise(sent))
    tempo.tap(at_ns + 5000 * MS, at_ns + 5000 * MS)
    if tempo.beat_ns is not None:
        assert 200 * MS <= tempo.beat_ns <= 2000 * MS
