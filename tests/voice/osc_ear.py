"""What hears `osc:`, for the contract's test."""

import socket

import pytest
from pythonosc.osc_message import OscMessage

from lalelu.voice.message import CENTRE, CLOCK, control, note_off, note_on, pitch_bend
from lalelu.voice.port import MidiOutput


class OscEar:
    """A UDP socket; what it hears is written as MIDI again."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.uri = f"osc:127.0.0.1:{self._socket.getsockname()[1]}"

    def attach(self, output: MidiOutput) -> None:
        pass

    def heard(self, count: int) -> list[bytes]:
        self._socket.settimeout(5.0)
        heard = [self._midi(OscMessage(self._socket.recv(1024))) for _ in range(count)]
        self._socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            self._socket.recv(1024)
        return heard

    def remove(self) -> None:
        self._socket.close()

    @staticmethod
    def _midi(message: OscMessage) -> bytes:
        channel, *values = [*message.params, 0]
        if message.address == "/lalelu/note":
            return note_on(channel, *values[:2]) if values[1] else note_off(channel, values[0])
        if message.address == "/lalelu/control":
            return control(channel, *values[:2])
        if message.address == "/lalelu/bend":
            return pitch_bend(channel, CENTRE + round(values[0] * CENTRE))
        return CLOCK if message.address == "/lalelu/clock" else bytes(message.params)
