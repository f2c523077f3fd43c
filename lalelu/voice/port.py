"""The MIDI output port: where messages go, and the list of adapters."""

from typing import Final, Protocol, runtime_checkable

ADAPTERS: Final[dict[str, str]] = {
    "virtual": "lalelu.voice.outputs.rtmidi:VirtualOutput",
    "port": "lalelu.voice.outputs.rtmidi:PortOutput",
    "file": "lalelu.voice.outputs.file:FileOutput",
    "osc": "lalelu.voice.outputs.osc:OscOutput",
    "memory": "lalelu.voice.outputs.memory:MemoryOutput",
}


class MidiOutput(Protocol):
    """Somewhere MIDI messages go. Constructors keep; `open()` acts.

    An adapter is built by `registry.from_uri` and carries its option schema as `Options`.
    """

    def open(self) -> str:
        """Open the port and say in one line what was opened. Raises MissingError when it cannot be."""

    def send(self, message: bytes, at_ns: int) -> None:
        """Send one complete message (status and data bytes) now; `at_ns` is this moment, for files.

        Raises LostError when the port has gone.
        """

    def close(self) -> None:
        """Send nothing more and release the port; safe to call twice and before `open()`."""


@runtime_checkable
class ValueOutput(MidiOutput, Protocol):
    """An output that takes named values beside MIDI messages."""

    dropped: int  # messages and values that could not be sent at once, and so never were

    def value(self, address: str, value: float) -> None:
        """Send the value (0..1) of an address such as `/filter/cutoff` now. Raises LostError as `send` does."""
