"""The MIDI output port: where messages go, and the list of adapters."""

from typing import Final, Protocol, runtime_checkable

ADAPTERS: Final[dict[str, str]] = {
    "virtual": "lalelu.voice.outputs.rtmidi:VirtualOutput",
    "port": "lalelu.voice.outputs.rtmidi:PortOutput",
    "serial": "lalelu.voice.outputs.serial:SerialOutput",
    "file": "lalelu.voice.outputs.file:FileOutput",
    "osc": "lalelu.voice.outputs.osc:OscOutput",
    "synth": "lalelu.voice.outputs.synth:SynthOutput",
    "memory": "lalelu.voice.outputs.memory:MemoryOutput",
}
# What an adapter that has a process of its own is in there.
HOSTED: Final[dict[str, str]] = {"synth": "lalelu.voice.synth.sound:SoundOutput"}
SOUND: Final = "sound"  # among the voice's requests to the machine: what a ReportedOutput tells


class MidiOutput(Protocol):
    """Somewhere MIDI messages go. Constructors keep; `open()` acts.

    An adapter is built by `registry.from_uri` and carries its option schema as `Options`.
    """

    comes_back: bool  # whether one that was lost may be there again, and is looked for

    def open(self) -> str:
        """Open the port and say in one line what was opened. Raises MissingError when it cannot be."""

    def send(self, message: bytes, at_ns: int) -> None:
        """Send one complete message (status and data bytes) now; `at_ns` is this moment, for files.

        Raises LostError when the port has gone.
        """

    def look(self) -> None:
        """Raise LostError when the port has gone: some do not say so when they are sent to. Takes up to 1 ms."""

    def close(self) -> None:
        """Send nothing more and release the port; safe to call twice and before `open()`."""


@runtime_checkable
class PacedOutput(MidiOutput, Protocol):
    """An output that takes messages faster than it can pass them on, and keeps what has to wait."""

    dropped: int  # messages that found no room to wait, and so never were sent

    @property
    def next_ns(self) -> int | None:
        """When more of what waits can be passed on; None while nothing waits."""

    def advance(self, at_ns: int) -> None:
        """Pass on what can be at this moment; never waits. Raises LostError as `send` does."""


@runtime_checkable
class ReportedOutput(MidiOutput, Protocol):
    """An output that tells what it asked of the machine and got, and what went wrong since: for status and ledger."""

    report: str  # empty: there is nothing to tell


@runtime_checkable
class AudioOutput(MidiOutput, Protocol):
    """An output that makes the sound itself."""

    underruns: str  # how many there were since it was opened, in words


@runtime_checkable
class ValueOutput(MidiOutput, Protocol):
    """An output that takes named values beside MIDI messages."""

    dropped: int  # messages and values that could not be sent at once, and so never were

    def value(self, address: str, value: float) -> None:
        """Send the value (0..1) of an address such as `/filter/cutoff` now. Raises LostError as `send` does."""
