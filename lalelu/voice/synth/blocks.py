"""Put messages into the blocks of samples that a sound card asks for, each as long after it was sent. Pure."""

import math
from collections import deque
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lalelu.voice.synth.underruns import Underruns

# For one to two of these the farthest that the card has asked ahead is kept: it may ask for several blocks at once, and
# then for none (miniaudio's null device every 10 ms); and its clock drifts, and it may stop for a moment.
_WINDOW_NS: Final = 50_000_000


class Voices(Protocol):
    """What makes sound of MIDI messages. `warm` may be called on another thread, the rest is the card's."""

    def warm(self, message: bytes) -> None:
        """Make ready what a message needs."""

    def message(self, message: bytes) -> None:
        """Obey a message with the next sample."""

    def mix(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (frames, 2)."""


class Blocks:
    """The samples of `voices`, `rate` a second, times `gain`. One thread may `add` while another fills.

    A message is heard as long after it was sent as what the card holds takes, and not with the next block, which would
    be up to a block sooner, by chance.
    """

    def __init__(self, voices: Voices, rate: int, gain: float) -> None:
        self._voices = voices
        self._rate = rate
        self._gain = np.float32(gain)
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._origin_ns: int | None = None
        self._filled = 0  # samples
        # The most samples in this window, and in the one before, that the card had asked for beyond those of the time
        # passed; below 0 once it has been late, or its clock is slower.
        self._ahead = self._ahead_before = -math.inf
        self._window_ns = 0
        self.underruns = Underruns()

    @property
    def held_ms(self) -> float:
        """From a message to the moment when its first sample is due at the card's output, as long as it is new."""
        return 1000 * max(self._ahead, self._ahead_before) / self._rate

    @property
    def idle(self) -> bool:
        """Whether every message has been obeyed."""
        return not self._waiting

    def add(self, message: bytes, at_ns: int) -> None:
        """Have a message obeyed that was sent at `at_ns`."""
        self._voices.warm(message)
        self._waiting.append((at_ns, message))

    def fill(self, frames: int, at_ns: int) -> NDArray[np.float32]:
        """Return the next samples (frames, 2), within -1..1, for which the card asks at `at_ns`."""
        if self._origin_ns is None:
            self._origin_ns = self._window_ns = at_ns
        asked = self._filled + frames - self._samples(at_ns)
        self._measure(asked, at_ns)
        self.underruns.see(1000 * asked / self._rate, at_ns)
        ahead = max(self._ahead, self._ahead_before)
        parts, done = [], 0
        while self._waiting:
            sent_ns, message = self._waiting[0]
            place = round(self._samples(sent_ns) + ahead) - self._filled
            if place >= frames:
                break
            if place > done:
                parts.append(self._voices.mix(place - done))
                done = place
            self._waiting.popleft()
            self._voices.message(message)
        parts.append(self._voices.mix(frames - done))
        self._filled += frames
        samples: NDArray[np.float32] = np.concatenate(parts) * self._gain
        return samples.clip(-1.0, 1.0)

    def _samples(self, at_ns: int) -> float:
        assert self._origin_ns is not None
        return (at_ns - self._origin_ns) * self._rate * 1e-9

    def _measure(self, ahead: float, at_ns: int) -> None:
        if at_ns >= self._window_ns + _WINDOW_NS:
            self._window_ns = at_ns
            self._ahead_before, self._ahead = self._ahead, ahead
        else:
            self._ahead = max(self._ahead, ahead)
