"""Where moments and beats lie in a MIDI file."""

import pytest

from lalelu.voice.tempomap import BEAT_US, TICKS_PER_BEAT, TempoMap

S = 1_000_000_000


def time_s(tempi: TempoMap, tick: int) -> float:
    """When a reader of the file's tempi puts a tick."""
    tempo = [tempo for tempo in tempi.tempi if tempo.tick <= tick][-1]
    return (tempo.at_us + (tick - tempo.tick) * tempo.beat_us / TICKS_PER_BEAT) * 1e-6


def beats_from(start_s: float, gap_s: float, count: int) -> list[int]:
    return [round((start_s + i * gap_s) * S) for i in range(count)]


def test_without_beats_it_is_120_a_minute_from_the_origin():
    tempi = TempoMap(5 * S)
    assert [tempo.beat_us for tempo in tempi.tempi] == [BEAT_US]
    assert tempi.tick(6 * S) == 2 * TICKS_PER_BEAT
    assert tempi.tick(4 * S) == 0


def test_every_tempo_begins_on_a_beat_and_a_pause_is_whole_beats():
    beats = beats_from(3.1, 0.6, 20) + beats_from(15.0, 0.5, 10) + beats_from(27.3, 0.4, 8)
    tempi = TempoMap(0, beats)
    in_beats = [tempi.tick(at_ns) / TICKS_PER_BEAT for at_ns in beats]
    assert in_beats == pytest.approx([round(beat) for beat in in_beats], abs=0.002)
    assert [tempo.beat_us for tempo in tempi.tempi[1:3]] == [600_000, 500_000]
    assert tempi.tempi[-1].beat_us == pytest.approx(400_000, abs=1)
    assert all(300_000 < tempo.beat_us < 700_000 for tempo in tempi.tempi)
    for i in range(400):
        assert time_s(tempi, tempi.tick(i * S // 10)) == pytest.approx(i / 10, abs=1e-4)


@pytest.mark.parametrize(
    "beats",
    [
        [S],
        [S, S, S + 1],  # no beats, whatever sent them
        beats_from(-3.0, 0.5, 5),  # before the file's beginning
        beats_from(0.0, 0.5, 5),
        beats_from(10_000.0, 40.0, 3),
    ],
)
def test_odd_beats_make_a_tempo_that_a_file_can_say_and_keep_the_time(beats):
    tempi = TempoMap(0, beats)
    assert all(0 < tempo.beat_us < 1 << 24 for tempo in tempi.tempi)
    assert time_s(tempi, tempi.tick(7 * S)) == pytest.approx(7.0, abs=1e-4)
