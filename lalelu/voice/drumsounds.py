"""A small synthesised drum set, and a plucked string: notes become sound. Pure.

The drums are those of the General MIDI percussion map.

Struck skins are decaying sines that fall in pitch, metal is a stack of unharmonic square waves (as in
analogue drum machines), wires and hands are filtered noise. The numbers were set by eye on spectrograms:
pitches, decays and spectra as of common acoustic kits.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Wave: TypeAlias = NDArray[np.float64]  # (N,), one channel

HEADROOM: Final = 0.9  # peak of the loudest note, before it is placed left or right
LAYERS: Final = 8  # how hard a drum was hit: harder is louder and brighter
_ATTACK_S: Final = 0.0004  # a ramp against clicks, short enough to keep the onset's place
_FADE_S: Final = 0.01  # at the end of a sound
# Frequencies (Hz) of the six oscillators of a well-known analogue machine's cymbals.
_METAL_HZ: Final = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
HATS: Final = frozenset({42, 44, 46})
OPEN_HAT: Final = 46
_STRING: Final = (
    (1, 1.0, 0.5),
    (2, 0.45, 0.3),
    (3, 0.25, 0.2),
    (4, 0.12, 0.12),
)  # harmonic, share, decay in s


def drums() -> tuple[int, ...]:
    """Return the notes that have a sound of their own."""
    return tuple(_SOUNDS)


@lru_cache(maxsize=256)
def drum(note: int, layer: int, rate: int) -> NDArray[np.float32]:
    """Return one note at full loudness (N, 2); layer 0..LAYERS - 1 is how hard it was hit: harder is brighter."""
    make, gain, pan = _SOUNDS.get(note, (_cowbell, 0.7, 0.3))
    hardness = layer / (LAYERS - 1)
    mono = make(note, hardness, rate)
    # softer strokes lose treble
    mono = _band(mono, rate, high=3000 + 15_000 * hardness)
    attack, fade = max(2, round(_ATTACK_S * rate)), round(_FADE_S * rate)
    mono[:attack] *= np.linspace(0, 1, attack)
    mono[-fade:] *= np.linspace(1, 0, fade)
    return _placed(mono, gain, pan)


@lru_cache(maxsize=128)
def string(note: int, rate: int) -> NDArray[np.float32]:
    """Return a plucked string at the note's pitch (equal temperament, A4 = note 69 = 440 Hz), as `drum` does."""
    t = _time(2.5, rate)
    hz = 440 * 2 ** ((note - 69) / 12)
    sounding = [(k, share, decay) for k, share, decay in _STRING if k * hz < rate / 2]
    waves = [share * np.sin(2 * np.pi * k * hz * t) * np.exp(-t / decay) for k, share, decay in sounding]
    mono: Wave = np.sum(waves, axis=0)
    fade = round(_FADE_S * rate)
    mono[-fade:] *= np.linspace(1, 0, fade)
    return _placed(mono, 0.4, 0.0)


def _placed(mono: Wave, gain: float, pan: float) -> NDArray[np.float32]:
    mono *= HEADROOM * gain / np.max(np.abs(mono))
    angle = (pan + 1) * np.pi / 4  # constant power
    return np.stack([mono * np.cos(angle), mono * np.sin(angle)], axis=1).astype(np.float32)


def _time(seconds: float, rate: int) -> Wave:
    return np.arange(round(seconds * rate)) / rate


def _noise(t: Wave, seed: int) -> Wave:
    noise: Wave = np.random.default_rng(seed).standard_normal(len(t))
    return noise


def _band(wave: Wave, rate: int, low: float = 0.0, high: float = 1e9) -> Wave:
    """Keep low..high Hz, 12 dB an octave; padded, so that the end does not wrap to the start."""
    size = 2 * len(wave)
    hz = np.fft.rfftfreq(size, 1 / rate)
    shape = 1 / (1 + (hz / high) ** 4) ** 0.5
    if low > 0:
        shape *= (hz / low) ** 2 / (1 + (hz / low) ** 4) ** 0.5
    return np.fft.irfft(np.fft.rfft(wave, size) * shape, size)[: len(wave)]


def _falling_sine(t: Wave, end_hz: float, start_hz: float, fall_s: float) -> Wave:
    """Return a sine whose pitch falls from `start_hz` to `end_hz` with time constant `fall_s`."""
    phase = end_hz * t + (start_hz - end_hz) * fall_s * (1 - np.exp(-t / fall_s))
    wave: Wave = np.sin(2 * np.pi * phase + 0.5)  # not from 0, so that the skin answers at once
    return wave


def _kick(note: int, hardness: float, rate: int) -> Wave:
    t = _time(0.45, rate)
    skin = _falling_sine(t, 47 if note == 35 else 52, 190, 0.022) * np.exp(-t / 0.11)
    beater = _band(_noise(t, note), rate, 900, 5000) * np.exp(-t / 0.004)
    return skin + (0.06 + 0.12 * hardness) * beater


def _snare(note: int, hardness: float, rate: int) -> Wave:
    t = _time(0.35, rate)
    pitch = 185 if note == 38 else 230
    skin = _falling_sine(t, pitch, 1.7 * pitch, 0.012) * np.exp(-t / 0.055)
    ring = np.sin(2 * np.pi * 1.79 * pitch * t) * np.exp(-t / 0.04)
    wires = _band(_noise(t, note), rate, 1500, 9000) * np.exp(-t / (0.06 + 0.03 * hardness))
    return 0.8 * skin + 0.3 * ring + (0.3 + 0.3 * hardness) * wires


def _side_stick(note: int, hardness: float, rate: int) -> Wave:
    t = _time(0.12, rate)
    wood = np.sin(2 * np.pi * 1720 * t + 0.5) + 0.7 * np.sin(2 * np.pi * 820 * t + 0.5)
    click = _band(_noise(t, note), rate, 2000, 8000) * np.exp(-t / 0.002)
    return wood * np.exp(-t / 0.014) + (0.3 + 0.4 * hardness) * click


def _clap(note: int, hardness: float, rate: int) -> Wave:
    t = _time(0.3, rate)
    hands = _band(_noise(t, note), rate, 700, 3500)
    # several hands, 9 ms apart, then the room
    swell = sum(
        (np.exp(-np.maximum(t - at, 0) / 0.005) * (t >= at) for at in (0.0, 0.009, 0.018)), np.zeros(1)
    )
    return hands * (swell + (0.5 + 0.3 * hardness) * (t >= 0.027) * np.exp(-np.maximum(t - 0.027, 0) / 0.06))


def _tom(note: int, hardness: float, rate: int) -> Wave:
    pitch = _TOM_HZ[note]
    t = _time(0.7, rate)
    decay = 0.16 * (110 / pitch) ** 0.4
    skin = _falling_sine(t, pitch, 1.6 * pitch, 0.025) * np.exp(-t / decay)
    ring = 0.3 * np.sin(2 * np.pi * 1.59 * pitch * t) * np.exp(-t / (0.5 * decay))
    stick = _band(_noise(t, note), rate, 1200, 6000) * np.exp(-t / 0.005)
    wave: Wave = skin + ring + (0.05 + 0.1 * hardness) * stick
    return wave


def _metal(t: Wave, scale: float) -> Wave:
    tones = [np.sign(np.sin(2 * np.pi * scale * hz * t + 0.5)) for hz in _METAL_HZ]
    wave: Wave = np.sum(tones, axis=0) / len(tones)
    return wave


def _hi_hat(note: int, hardness: float, rate: int) -> Wave:
    decay = {42: 0.035, 44: 0.025, OPEN_HAT: 0.28}[note]
    t = _time(6 * decay, rate)
    metal = _metal(t, 2.1) + 0.6 * _noise(t, 42)
    return _band(metal, rate, 6500) * np.exp(-t / decay) * (1 + (0.5 + hardness) * np.exp(-t / 0.004))


def _crash(note: int, hardness: float, rate: int) -> Wave:
    scale, decay = {49: (1.35, 0.75), 57: (1.2, 0.85), 52: (1.05, 0.6), 55: (1.7, 0.35)}[note]
    t = _time(3.2 * decay, rate)
    low = _band(_metal(t, scale) + 0.9 * _noise(t, note), rate, 900, 5000) * np.exp(-t / (0.4 * decay))
    high = _band(_metal(t, 1.9 * scale) + 1.1 * _noise(t, note + 100), rate, 4500) * np.exp(-t / decay)
    strike = 1 + (0.4 + 0.6 * hardness) * np.exp(-t / 0.015)
    wave: Wave = ((0.5 + 0.3 * hardness) * low + high) * strike
    return wave


def _ride(note: int, hardness: float, rate: int) -> Wave:
    bell = note == 53
    t = _time(1.6, rate)
    ping_hz = (780, 1240, 2110) if bell else (2450, 3630, 5210)
    ping = np.sum([np.sin(2 * np.pi * hz * t + 0.5) for hz in ping_hz], axis=0) * np.exp(-t / 0.25)
    wash = _band(_metal(t, 1.6) + 0.7 * _noise(t, note), rate, 5000) * np.exp(-t / 0.5)
    wave: Wave = (0.6 if bell else 0.25) * ping + (0.25 + 0.2 * hardness) * wash
    return wave


def _cowbell(note: int, hardness: float, rate: int) -> Wave:
    """Make the cowbell, which stands for every note without a sound of its own, at its own pitch."""
    scale = 2 ** ((note - 56) / 24)
    t = _time(0.35, rate)
    tones = np.sign(np.sin(2 * np.pi * 540 * scale * t + 0.5)) + np.sign(
        np.sin(2 * np.pi * 800 * scale * t + 0.5)
    )
    envelope = 0.6 * np.exp(-t / 0.012) + 0.4 * np.exp(-t / 0.07)
    return _band(tones, rate, 500 * scale, (2500 + 1500 * hardness) * scale) * envelope


_TOM_HZ: Final = {41: 78.0, 43: 92.0, 45: 110.0, 47: 131.0, 48: 156.0, 50: 185.0}

# note: how it is made, loudness 0..1, place from -1 (left) to 1 (right) as the audience sees it
_SOUNDS: Final[dict[int, tuple[Callable[[int, float, int], Wave], float, float]]] = {
    35: (_kick, 1.0, 0.0),
    36: (_kick, 1.0, 0.0),
    37: (_side_stick, 0.6, 0.1),
    38: (_snare, 0.85, 0.1),
    39: (_clap, 0.75, -0.1),
    40: (_snare, 0.85, 0.1),
    41: (_tom, 0.85, -0.6),
    42: (_hi_hat, 0.4, 0.45),
    43: (_tom, 0.85, -0.5),
    44: (_hi_hat, 0.3, 0.45),
    45: (_tom, 0.85, -0.3),
    46: (_hi_hat, 0.45, 0.45),
    47: (_tom, 0.85, -0.1),
    48: (_tom, 0.8, 0.1),
    49: (_crash, 0.6, 0.55),
    50: (_tom, 0.8, 0.3),
    51: (_ride, 0.5, -0.6),
    52: (_crash, 0.6, -0.45),
    53: (_ride, 0.5, -0.6),
    55: (_crash, 0.5, 0.3),
    56: (_cowbell, 0.6, 0.3),
    57: (_crash, 0.6, -0.5),
    59: (_ride, 0.5, -0.7),
}
