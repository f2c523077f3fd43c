"""Mix the built-in drums: what is struck begins at once, a block of samples at a time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.voice.drumsounds import HATS, LAYERS, OPEN_HAT, drum, drums, string
from lalelu.voice.message import CONTROL, DRUM_CHANNEL, NOTE_OFF, NOTE_ON

MAX_SOUNDS: Final = 64  # at once; the oldest makes room. 64 take 0.1 ms a block
_KNEE: Final = 0.7  # where the soft limiter begins to bend
_CHOKE_S: Final = 0.02  # an open hi-hat being closed
_DAMP_S: Final = 0.06  # a string that is let go
_ALL_SOUND_OFF, _ALL_NOTES_OFF = 120, 123
_FIRST_LAYER: Final = 5  # prepared before the others: an ordinary stroke's


@dataclass(slots=True)
class _Sounding:
    key: tuple[int, int]  # channel and note
    sound: NDArray[np.float32]  # (N, 2)
    gain: np.float32
    at: int = 0  # the next sample
    fades: bool = False


class Mixer:
    """The built-in voices: drums on channel 10, plucked strings on the others. `rate` in Hz.

    Not for two threads at once, but for `warm`. A note's sound is made when it is struck first, which takes up to
    40 ms, unless `warm` or `prepare` has made it.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._sounding: list[_Sounding] = []

    def warm(self, message: bytes) -> None:
        """Make the sound that a message begins; on any thread."""
        if message[0] & 0xF0 == NOTE_ON and message[2] > 0:
            self._sound_of(message[1], message[2], (message[0] & 0x0F) + 1)

    def message(self, message: bytes) -> None:
        """Obey a MIDI message from the next sample on; those that mean nothing to a drum are left out."""
        kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        if kind == NOTE_ON and message[2] > 0:
            self.strike(message[1], message[2], channel)
        elif kind in (NOTE_ON, NOTE_OFF):
            self._let_go((channel, message[1]))
        elif kind == CONTROL and message[1] == _ALL_SOUND_OFF:
            self._sounding = [each for each in self._sounding if each.key[0] != channel]
        elif kind == CONTROL and message[1] == _ALL_NOTES_OFF:
            for key in {each.key for each in self._sounding if each.key[0] == channel}:
                self._let_go(key)

    def strike(self, note: int, velocity: int, channel: int = DRUM_CHANNEL) -> None:
        """Begin a note (0..127) at velocity 1..127 with the next sample."""
        key = channel, note
        self._let_go(key)
        if channel == DRUM_CHANNEL and note in HATS:
            self._fade((channel, OPEN_HAT), _CHOKE_S)
        sound = self._sound_of(note, velocity, channel)
        self._sounding = self._sounding[1 - MAX_SOUNDS :]
        self._sounding.append(_Sounding(key, sound, np.float32((velocity / 127) ** 1.5)))

    def mix(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (frames, 2), within -1..1."""
        block = np.zeros((frames, 2), np.float32)
        for each in self._sounding:
            part = each.sound[each.at : each.at + frames]
            block[: len(part)] += part * each.gain
            each.at += frames
        self._sounding = [each for each in self._sounding if each.at < len(each.sound)]
        return _limited(block)

    def _sound_of(self, note: int, velocity: int, channel: int) -> NDArray[np.float32]:
        if channel != DRUM_CHANNEL:
            return string(note, self._rate)
        return drum(note, min(LAYERS - 1, velocity // 16), self._rate)

    def _let_go(self, key: tuple[int, int]) -> None:
        if key[0] != DRUM_CHANNEL:  # a drum that is struck rings on
            self._fade(key, _DAMP_S)

    def _fade(self, key: tuple[int, int], seconds: float) -> None:
        """End a note's sounds within `seconds`."""
        frames = round(seconds * self._rate)
        for each in self._sounding:
            if each.key == key and not each.fades and each.at + frames < len(each.sound):
                each.sound = each.sound[: each.at + frames].copy()
                each.sound[each.at :] *= np.linspace(1, 0, frames, dtype=np.float32)[:, np.newaxis]
                each.fades = True


def prepare(rate: int) -> None:
    """Make every drum's sounds, in some seconds of one core."""
    for layer in sorted(range(LAYERS), key=lambda layer: abs(layer - _FIRST_LAYER)):
        for note in drums():
            drum(note, layer, rate)


def render(
    notes: Sequence[tuple[float, int, int]], seconds: float, rate: int = 44_100
) -> NDArray[np.float32]:
    """Return stereo sound (N, 2) within -1..1, N = seconds * rate, of a performance on the drums.

    `notes` are (time in s, note 0..127, velocity 1..127) in any order; each begins at the sample nearest to
    its time, and one that begins outside 0..seconds is left out. The same notes give the same samples.
    """
    length = round(seconds * rate)
    starts = sorted((round(time_s * rate), note, velocity) for time_s, note, velocity in notes)
    mixer, blocks, at = Mixer(rate), [], 0
    for start, note, velocity in starts:
        if not 0 <= start < length or velocity <= 0:
            continue
        blocks.append(mixer.mix(start - at))
        mixer.strike(note, velocity)
        at = start
    blocks.append(mixer.mix(length - at))
    return np.concatenate(blocks)


def _limited(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend what exceeds the knee towards 1, and leave the rest as it is."""
    size = np.abs(block)
    loud = size > _KNEE
    if loud.any():
        room = 1 - _KNEE
        block[loud] = np.sign(block[loud]) * (_KNEE + room * np.tanh((size[loud] - _KNEE) / room))
    return block
