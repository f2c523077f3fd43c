"""The built-in voices, block by block."""

import numpy as np
import pytest

from lalelu.voice.message import all_notes_off, control, note_off, note_on
from lalelu.voice.mixer import MAX_SOUNDS, Mixer, render

RATE = 48_000


def peak(mixer: Mixer, seconds: float) -> float:
    return float(np.abs(mixer.mix(round(seconds * RATE))).max())


def test_blocks_of_any_size_are_the_same_sound():
    def played(sizes):
        mixer = Mixer(RATE)
        for note in (36, 46, 51):
            mixer.message(note_on(10, note, 100))
        return np.concatenate([mixer.mix(size) for size in sizes])

    assert np.array_equal(played([4096]), played([64] * 64))


def test_a_drum_rings_on_after_its_note_and_a_string_is_damped():
    for channel, note, rings in ((10, 49, True), (1, 60, False)):
        mixer = Mixer(RATE)
        mixer.message(note_on(channel, note, 120))
        assert peak(mixer, 0.1) > 0.1
        mixer.message(note_off(channel, note))
        mixer.mix(round(0.1 * RATE))
        assert (peak(mixer, 0.1) > 0.01) == rings


def test_all_sound_off_is_silence_and_all_notes_off_lets_the_strings_go():
    mixer = Mixer(RATE)
    for channel in (1, 10):
        mixer.message(note_on(channel, 49, 120))
    mixer.message(all_notes_off(1))
    mixer.message(all_notes_off(10))
    assert peak(mixer, 0.2) > 0.1
    mixer.message(control(10, 120, 0))
    assert peak(mixer, 0.2) == 0.0


def test_a_string_has_its_notes_pitch():
    mixer = Mixer(RATE)
    mixer.message(note_on(1, 69, 100))
    spectrum = np.abs(np.fft.rfft(mixer.mix(RATE)[:, 0]))
    assert spectrum.argmax() == pytest.approx(440, abs=1)


def test_more_strokes_than_there_is_room_for_end_the_oldest_and_stay_within_full_scale():
    mixer = Mixer(RATE)
    for _ in range(3 * MAX_SOUNDS):
        mixer.message(note_on(10, 49, 127))
        assert peak(mixer, 0.001) <= 1.0
    assert len(mixer._sounding) == MAX_SOUNDS


def test_the_same_performance_is_the_same_sound_and_begins_at_its_samples():
    notes = [(0.5, 38, 100), (0.25, 36, 90), (0.5, 46, 80), (0.7, 42, 80), (9.0, 38, 1)]
    sound = render(notes, 2.0, RATE)
    assert sound.shape == (2 * RATE, 2)
    assert np.array_equal(sound, render(notes[::-1], 2.0, RATE))
    assert np.flatnonzero(np.abs(sound).max(axis=1) > 0.01)[0] == pytest.approx(0.25 * RATE, abs=50)
