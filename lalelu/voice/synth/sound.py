"""What `synth:` is in the process of its own: messages become sound on a card. Opens a device."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.voice.mixer import Mixer, prepare
from lalelu.voice.outputs.synth import SynthOutputOptions
from lalelu.voice.synth.blocks import Blocks, Voices
from lalelu.voice.synth.card import PERIODS, RATE, Card, quiet

NICENESS: Final = 15  # of the thread that makes sounds
SWITCH_S: Final = 0.0005  # after which the card's thread gets Python's lock from one that makes sounds
CLOSING_S: Final = 0.5  # for what was sent to be heard


class SoundOutput:
    """Drums on the machine's loudspeakers, without a synthesiser."""

    Options = SynthOutputOptions
    comes_back = True

    def __init__(self, options: SynthOutputOptions) -> None:
        self._options = options
        self._label = f"MIDI output synth:{options.target}"
        self._made: tuple[Voices, str] | None = None  # what sounds, and what people call it
        self._blocks: Blocks | None = None
        self._card: Card | None = None
        self._held_ms = 0.0  # what the card holds

    def open(self) -> str:
        """Choose the voices and have the card play. Raises MissingError or UsageError as the card or FluidSynth do."""
        if self._card is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        sys.setswitchinterval(SWITCH_S)
        options = self._options
        # once: a card may be tried again and again, and a SoundFont is large
        voices, name = self._made = self._made or self._voices()
        blocks = Blocks(voices, RATE, options.gain)
        card = Card(
            options.target,
            options.backend,
            blocks.fill,
            period_ms=options.buffer_ms // PERIODS,
            priority=options.priority,
            required=options.required,
        )
        card.open()
        if isinstance(
            voices, Mixer
        ):  # beside what is played: a drum that is struck before it is ready is made at once
            threading.Thread(target=_prepare, daemon=True).start()
        self._held_ms = blocks.held_ms
        blocks.underruns.begin(now_ns())
        self._card, self._blocks = card, blocks
        frames = card.frames
        held = f"{self._held_ms:.1f} ms measured"
        if self._held_ms <= 0:
            held = "not measured, because the card ran out of sound meanwhile"
        grants = "".join(f"; {grant}" for grant in card.grants)
        return (
            f"synth:{options.target} {name}, {card.title}, {RATE // 1000} kHz, buffer {PERIODS} x {frames} frames = "
            f"{1000 * PERIODS * frames / RATE:.1f} ms asked for, {held}{grants}"
        )

    @property
    def underruns(self) -> str:
        """How often the card had nothing to play since it was opened, and for how long."""
        blocks, card = self._blocks, self._card
        if blocks is None or card is None:
            return ""
        slow = f", {card.slow} blocks took longer to make than to play" if card.slow else ""
        return f"{blocks.underruns}{slow}"

    def send(self, message: bytes, at_ns: int) -> None:
        """Have one message heard. Raises LostError when it is not open."""
        if self._blocks is None:
            raise LostError(f"{self._label} is not open; call open() before send()")
        self._blocks.add(message, at_ns)

    def look(self) -> None:
        """Raise LostError when the card has gone."""
        if self._card is not None:
            self._card.look()

    def close(self) -> None:
        """Let be heard what was sent, and give the card back; safe to call twice and before `open()`."""
        card, self._card = self._card, None
        blocks, self._blocks = self._blocks, None
        if card is None or blocks is None:
            return
        end_ns = now_ns() + round(CLOSING_S * 1e9)
        while not blocks.idle and now_ns() < end_ns:
            time.sleep(0.001)
        time.sleep(min(CLOSING_S, max(0.0, self._held_ms / 1000)))
        card.close()

    def _voices(self) -> tuple[Voices, str]:
        """Return what makes the sound, and what people call it."""
        options = self._options
        if options.engine == "builtin":
            return Mixer(RATE), "built-in drums"
        with quiet():  # a library that is looked for, or dislikes a file
            try:
                from lalelu.voice.synth.fluid import FOLDERS, FluidVoices, find_soundfont
            except ImportError as exc:  # the package, or the library that it loads
                return self._without(f"FluidSynth is not there: {exc}")
            named = options.soundfont
            soundfont = find_soundfont() if named is None else Path(named).expanduser()
            if soundfont is None:
                return self._without(f"no SoundFont is in {', '.join(FOLDERS)}")
            return FluidVoices(soundfont, RATE), f"FluidSynth with {soundfont}"

    def _without(self, why: str) -> tuple[Voices, str]:
        """Return what plays where FluidSynth cannot. Raises MissingError where it was asked for."""
        if self._options.engine == "auto" and self._options.soundfont is None:
            return Mixer(RATE), f"built-in drums ({why})"
        raise MissingError(
            f"{self._label} cannot be opened: {why}; install libfluidsynth3 and a SoundFont, or write engine=builtin"
        )


def _prepare() -> None:
    os.nice(NICENESS)  # of this thread alone, on Linux
    prepare(RATE)
