"""Sound without a synthesiser, made by a process of its own. Starts a process."""

from typing import Annotated, Final, Literal
from urllib.parse import quote, urlencode

from pydantic import Field, ValidationInfo, field_validator

from lalelu.errors import LostError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.relayed import RelayedOutput

OPENING_S: Final = 20.0  # for its process: a slow disk, a large SoundFont
_REAL_TIME: Final = {"priority", "lock_memory", "required"}


class SynthOutputOptions(AdapterOptions):
    """`synth:CARD?engine=auto&soundfont=FILE&buffer_ms=6&gain=1&backend=auto`; no CARD = the machine's own choice."""

    engine: Literal["auto", "fluidsynth", "builtin"] = "auto"
    soundfont: Annotated[str, Field(min_length=1)] | None = None  # by default one of the usual folders
    buffer_ms: Annotated[int, Field(ge=2, le=200, multiple_of=2)] = 6  # two blocks; more where it crackles
    gain: Annotated[float, Field(gt=0, le=4)] = 1.0
    backend: Literal["auto", "pulseaudio", "alsa", "jack", "null"] = "auto"  # null: nothing is heard
    priority: Annotated[int, Field(ge=0, le=99)] = 0  # of its process; the voice names it, and the next two
    lock_memory: bool = False
    required: bool = False  # realtime.required, likewise

    @field_validator("soundfont")
    @classmethod
    def _only_fluidsynth_has_one(cls, soundfont: str | None, info: ValidationInfo) -> str | None:
        if soundfont is not None and info.data.get("engine") == "builtin":
            raise ValueError("the built-in drums play none; leave it out, or write engine=fluidsynth")
        return soundfont


class SynthOutput:
    """The voice's side of `synth:`, which hands messages over and never waits for the sound."""

    Options = SynthOutputOptions
    comes_back = True

    def __init__(self, options: SynthOutputOptions) -> None:
        self._label = f"MIDI output synth:{options.target}"
        told = options.model_dump(exclude={"target", *_REAL_TIME}, exclude_defaults=True)
        self._process = RelayedOutput(
            f"synth:{quote(options.target)}?{urlencode(told)}",
            **options.model_dump(include=_REAL_TIME),
        )
        self._is_open = False

    @property
    def report(self) -> str:
        """What its process said when it was opened, and since."""
        return self._process.report or self._process.opened or ""

    def open(self) -> str:
        """Start the process and wait until it plays. Raises what its card, SoundFont or library are missing."""
        if self._is_open:
            raise UsageError(f"{self._label} is open already; close it first")
        self._process.open()
        try:
            line = self._process.wait_opened(OPENING_S)
        except BaseException:
            self._process.close()
            raise
        self._is_open = True
        return line

    def send(self, message: bytes, at_ns: int) -> None:
        """Hand one message over. Raises LostError when the process has gone, or its card."""
        if not self._is_open:
            raise LostError(f"{self._label} is not open; call open() before send()")
        self._process.send(message, at_ns)

    def look(self) -> None:
        """Raise LostError when the process has gone, or its card."""
        if self._is_open:
            self._process.look()

    def close(self) -> None:
        """Let be heard what was sent, and end the process; safe to call twice and before `open()`."""
        if self._is_open:
            self._is_open = False
            self._process.close()
