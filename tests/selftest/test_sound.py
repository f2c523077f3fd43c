"""Where a sound begins in a recording."""

import numpy as np
import pytest

from lalelu.selftest.sound import onset

RATE = 48_000
NOTE = RATE // 10  # a tenth of a second into the recording


def recording(click_at=None, noise=0.0005, level=0.5, seconds=0.5):
    """A quiet room in which a decaying tone begins at `click_at`."""
    samples = np.random.default_rng(3).uniform(-noise, noise, round(seconds * RATE))
    if click_at is not None:
        time_s = np.arange(len(samples) - click_at) / RATE
        samples[click_at:] += level * np.cos(2 * np.pi * 200 * time_s) * np.exp(-time_s / 0.05)
    return samples.astype(np.float32)


@pytest.mark.parametrize("late_ms", [0.0, 1.3, 12.0, 200.0])
def test_the_first_sample_of_a_click_is_found(late_ms):
    click_at = NOTE + round(late_ms * 1e-3 * RATE)
    assert onset(recording(click_at), RATE, NOTE) == click_at


def test_a_room_without_a_sound_has_no_onset():
    assert onset(recording(), RATE, NOTE) is None
    assert onset(recording(noise=0.1), RATE, NOTE) is None


def test_a_sound_that_begins_much_later_is_another_ones():
    assert onset(recording(NOTE + round(0.35 * RATE)), RATE, NOTE) is None


def test_a_quiet_note_under_one_that_rings_on_is_not_claimed():
    samples = recording(NOTE - round(0.01 * RATE), level=0.5)
    samples += recording(NOTE + 100, level=0.1) * (np.arange(len(samples)) >= NOTE)
    assert onset(samples, RATE, NOTE) is None


def test_a_recording_that_begins_with_the_note_or_is_empty_is_taken():
    assert onset(recording(50), RATE, 0) == 50
    assert onset(np.zeros(0, np.float32), RATE, 0) is None
