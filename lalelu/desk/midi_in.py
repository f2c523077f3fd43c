"""The MIDI input port: where the player's pedals and controllers are heard, and the list of adapters."""

from typing import Final, Protocol

ADAPTERS: Final[dict[str, str]] = {
    "virtual": "lalelu.desk.inputs.rtmidi:VirtualInput",
    "port": "lalelu.desk.inputs.rtmidi:PortInput",
}


class MidiInput(Protocol):
    """Somewhere MIDI messages come from. Constructors keep; `open()` acts.

    An adapter is built by `registry.from_uri` and carries its option schema as `Options`.
    """

    def open(self) -> str:
        """Open the port and say in one line what was opened. Raises MissingError when it cannot be."""

    def messages(self, at_ns: int) -> list[bytes]:
        """Return the whole messages that have come since the last call, oldest first; never waits.

        `at_ns` is this moment. Raises LostError when the port has gone.
        """

    def close(self) -> None:
        """Hear nothing more and release the port; safe to call twice and before `open()`."""
