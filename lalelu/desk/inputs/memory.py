"""A MIDI input that is played by its caller's word: for tests."""

from collections import deque
from typing import Final

from lalelu.errors import LostError, MissingError

_PROGRAM: Final = 0xC0
_CONTROLLER: Final = 0xB0


class MemoryInput:
    """An input with verbs for what a player does, and for a cable that is pulled.

    One thread may play while another one listens.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._plugged = True
        self._waiting: deque[bytes] = deque()

    def program(self, number: int, channel: int = 1) -> None:
        """Send a program change; programs are counted from 0, channels from 1."""
        self.send(bytes((_PROGRAM | channel - 1, number)))

    def controller(self, number: int, value: int, channel: int = 1) -> None:
        """Send a controller's new value."""
        self.send(bytes((_CONTROLLER | channel - 1, number, value)))

    def send(self, message: bytes) -> None:
        """Send any message; nobody hears it while the input is closed or unplugged."""
        if self.is_open and self._plugged:
            self._waiting.append(message)

    def unplug(self) -> None:
        """Pull the cable."""
        self._plugged = False

    def plug(self) -> None:
        """Put the cable in again."""
        self._plugged = True

    def open(self) -> str:
        """Begin to hear. Raises MissingError while it is unplugged."""
        if not self._plugged:
            raise MissingError("MIDI input memory: is not there; plug() it in")
        self._waiting.clear()
        self.is_open = True
        return "memory: hears what a test sends"

    def messages(self, at_ns: int) -> list[bytes]:  # noqa: ARG002 - the port's signature
        """Return what was sent since the last call. Raises LostError when it is unplugged or not open."""
        if not (self.is_open and self._plugged):
            raise LostError("MIDI input memory: is lost; plug() it in")
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        """Hear nothing more."""
        self.is_open = False
