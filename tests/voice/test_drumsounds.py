import wave
from pathlib import Path

import numpy as np
import pytest

from lalelu.errors import UsageError
from lalelu.voice.mixer import render
from lalelu.voice.wav import write_wav

RATE = 44_100
DRUMS = (35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 55, 56, 57, 59, 70)


def alone(note: int, velocity: int = 110, at_s: float = 0.1) -> np.ndarray:
    return render([(at_s, note, velocity)], 3.5)


def centroid_hz(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound.sum(axis=1))) ** 2
    return float((power * np.fft.rfftfreq(len(sound), 1 / RATE)).sum() / power.sum())


def energy(sound: np.ndarray) -> float:
    return float((sound.astype(np.float64) ** 2).sum())


@pytest.mark.parametrize("note", DRUMS)
@pytest.mark.parametrize("velocity", [1, 64, 127])
def test_every_drum_begins_within_a_millisecond_of_its_time_and_dies_away(note: int, velocity: int) -> None:
    sound = np.abs(alone(note, velocity, at_s=0.5)).max(axis=1)
    loud = np.nonzero(sound > 0.05 * sound.max())[0]
    assert 0 <= loud[0] / RATE - 0.5 < 0.001
    assert sound[: round(0.5 * RATE)].max() == 0.0
    assert sound[-1] == 0.0


@pytest.mark.parametrize("note", DRUMS)
def test_a_harder_stroke_is_louder_and_never_duller(note: int) -> None:
    soft, hard = alone(note, 40), alone(note, 120)
    assert energy(hard) > 3 * energy(soft)
    assert centroid_hz(hard) > 0.95 * centroid_hz(soft)


def test_the_instruments_lie_where_they_should_in_the_spectrum() -> None:
    kick, low_tom, high_tom, cowbell, snare, ride, closed, crash = (
        centroid_hz(alone(note)) for note in (36, 41, 50, 56, 38, 51, 42, 49)
    )
    assert kick < 150
    assert low_tom < high_tom < 400 < cowbell < snare < ride
    assert min(closed, crash) > 6000


def test_nothing_clicks_where_a_sound_begins_or_ends() -> None:
    for note in (36, 41, 50):  # low drums: a jump would stand out
        steps = np.abs(np.diff(alone(note, 40).sum(axis=1)))
        assert steps.max() < 0.05


def test_many_loud_drums_at_once_stay_within_full_scale() -> None:
    sound = render([(0.1 + 0.001 * i, note, 127) for i, note in enumerate(DRUMS)], 3.0)
    assert 0.7 < np.abs(sound).max() <= 1.0


def test_drums_sit_at_their_places_left_and_right() -> None:
    left, right = np.abs(alone(41)).sum(axis=0)
    assert left > 1.5 * right
    left, right = np.abs(alone(42)).sum(axis=0)
    assert right > 1.5 * left
    kick = alone(36)
    assert np.array_equal(kick[:, 0], kick[:, 1]) or np.allclose(kick[:, 0], kick[:, 1], atol=1e-6)


def test_the_pedal_closes_an_open_hi_hat() -> None:
    ringing = render([(0.1, 46, 110)], 2.0)
    closed = render([(0.1, 46, 110), (0.3, 44, 1)], 2.0)
    late = slice(round(0.35 * RATE), round(0.45 * RATE))
    assert energy(closed[late]) < 0.01 * energy(ringing[late])
    assert np.array_equal(closed[: round(0.3 * RATE)], ringing[: round(0.3 * RATE)])


def test_the_same_notes_in_any_order_give_the_same_samples() -> None:
    notes = [(0.1, 36, 100), (0.5, 38, 80), (0.5, 42, 60)]
    assert np.array_equal(render(notes, 1.0), render(notes[::-1], 1.0))


def test_notes_outside_the_sound_are_left_out_and_the_last_is_cut() -> None:
    sound = render([(-0.5, 36, 100), (0.95, 49, 100), (1.0, 36, 100)], 1.0, rate=48_000)
    assert sound.shape == (48_000, 2)
    assert sound.dtype == np.float32
    assert np.abs(sound[: round(0.95 * 48_000)]).max() == 0.0
    assert np.abs(sound[-100:]).max() > 0.01
    assert not render([], 0.5).any()


def test_a_wav_file_gives_the_samples_back(tmp_path: Path) -> None:
    sound = render([(0.1, 38, 127)], 0.5)
    write_wav(tmp_path / "out.wav", sound, RATE)
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(data / 32767 - sound).max() < 1 / 32767
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


def test_a_wav_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        write_wav(tmp_path / "none" / "out.wav", np.zeros((4, 2), np.float32), RATE)
