"""FluidSynth's voices, from a SoundFont. Loads a library and a file."""

from pathlib import Path
from typing import Final

import fluidsynth
import numpy as np
from numpy.typing import NDArray

from lalelu.errors import UsageError
from lalelu.voice.message import BEND, CENTRE, CONTROL, DRUM_CHANNEL, NOTE_OFF, NOTE_ON

# Where distributions and players put SoundFonts; default-GM goes before others.
FOLDERS: Final = (
    "~/.local/share/soundfonts",
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
)
GAIN: Final = 1.2  # of FluidSynth, at which a drum set is as loud as the built-in one
_DRUM_BANK: Final = 128  # where SoundFonts keep them
_PROGRAM: Final = 0xC0
_FULL_SCALE: Final = 32768.0  # of 16 bit


def find_soundfont() -> Path | None:
    """Return a SoundFont of the usual folders, or None."""
    for folder in FOLDERS:
        files = [path for path in Path(folder).expanduser().glob("*.sf[23]") if path.is_file()]
        if files:
            return min(files, key=lambda path: (path.stem != "default-GM", path)).resolve()
    return None


class FluidVoices:
    """What FluidSynth makes of MIDI messages, `rate` samples a second; a note begins within 64 samples.

    Raises UsageError where the SoundFont cannot be loaded.
    """

    def __init__(self, soundfont: Path, rate: int) -> None:
        self._synth = fluidsynth.Synth(
            gain=GAIN, samplerate=float(rate), channels=16, **{"synth.chorus.active": 0}
        )
        # 1: every channel plays the first instrument, or drums
        number = self._synth.sfload(str(soundfont), 1) if soundfont.is_file() else -1
        if number < 0:
            self._synth.delete()
            raise UsageError(
                f"soundfont is {soundfont}, which FluidSynth cannot load; name a file .sf2 or .sf3"
            )
        self._synth.program_select(DRUM_CHANNEL - 1, number, _DRUM_BANK, 0)

    def warm(self, message: bytes) -> None:
        """Do nothing: a SoundFont's sounds are there."""

    def message(self, message: bytes) -> None:
        """Obey a MIDI message; those that are no channel messages are left out."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == NOTE_ON and message[2] > 0:
            self._synth.noteon(channel, message[1], message[2])
        elif kind in (NOTE_ON, NOTE_OFF):
            self._synth.noteoff(channel, message[1])
        elif kind == CONTROL:
            self._synth.cc(channel, message[1], message[2])
        elif kind == BEND:
            self._synth.pitch_bend(channel, (message[2] << 7 | message[1]) - CENTRE)
        elif kind == _PROGRAM:
            self._synth.program_change(channel, message[1])

    def mix(self, frames: int) -> NDArray[np.float32]:
        """Return the next samples (frames, 2), within -1..1."""
        samples = np.asarray(self._synth.get_samples(frames), np.float32)
        return samples.reshape(frames, 2) / np.float32(_FULL_SCALE)
