"""Send notes, controllers and values by Open Sound Control 1.0 over UDP. Opens a socket, by python-osc's messages."""

import errno
import socket
from typing import Annotated, Final

from pydantic import Field
from pythonosc.osc_message_builder import OscMessageBuilder

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.message import CENTRE

# The network's own buffers are full; the next message may pass.
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


class OscOutputOptions(AdapterOptions):
    """`osc:HOST:PORT`; an IPv6 address in brackets."""

    target: Annotated[str, Field(pattern=r"^(\[[^\[\]]+\]|[^:\[\]]+):[0-9]{1,5}$")] = "localhost:9000"


class OscOutput:
    """What a synthesizer without MIDI hears: UDP datagrams of one message each, to one host.

    /lalelu/note channel note velocity (0 = note-off) · /lalelu/control channel controller 0..127 ·
    /lalelu/bend channel -1..1 · /lalelu/clock, 24 a beat · /lalelu/midi byte ... for any other message · and the
    values of gestures at the addresses that the kit gives them. UDP tells no sender whether anybody listens.
    """

    Options = OscOutputOptions
    comes_back = True

    def __init__(self, options: OscOutputOptions) -> None:
        self._label = f"MIDI output osc:{options.target}"
        host, _, port = options.target.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        if not 1 <= self._port <= 65535:
            raise UsageError(f"{self._label}: the port is {self._port}; use 1..65535")
        self._socket: socket.socket | None = None
        self._address: tuple[object, ...] = ()
        self.dropped = 0  # datagrams that would have had to wait

    def open(self) -> str:
        """Find the host's address. Raises MissingError where it has none, or no network leads there."""
        if self._socket is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
            # IPv4 first: most that speak OSC listen only there, and localhost often names both
            family, kind, protocol, _, self._address = min(found, key=lambda one: one[0] != socket.AF_INET)
            self._socket = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as exc:
            raise MissingError(
                f"{self._label} cannot be opened: {self._host!r} is not found ({exc}); write its address in numbers"
            ) from exc
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(self._address)  # sends nothing
        except OSError as exc:
            self.close()
            raise MissingError(
                f"{self._label} cannot be opened: {exc.strerror}; connect the network"
            ) from exc
        self._socket.setblocking(False)
        return f"osc:{self._host}:{self._port}: UDP to {self._address[0]}, port {self._port}"

    def send(self, message: bytes, at_ns: int) -> None:  # noqa: ARG002 - the port's signature; this one sends now
        """Send one message now, or drop it where the network is busy. Raises LostError when the network has gone."""
        kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        if kind in (0x80, 0x90):
            self._send("/lalelu/note", "iii", channel, message[1], message[2] if kind == 0x90 else 0)
        elif kind == 0xB0:
            self._send("/lalelu/control", "iii", channel, message[1], message[2])
        elif kind == 0xE0:
            turned = (message[2] << 7 | message[1]) - CENTRE
            self._send("/lalelu/bend", "if", channel, turned / (CENTRE - (turned > 0)))
        elif message[0] == 0xF8:
            self._send("/lalelu/clock", "")
        else:
            self._send("/lalelu/midi", "i" * len(message), *message)

    def value(self, address: str, value: float) -> None:
        """Send one value now, as `send` does."""
        self._send(address, "f", value)

    def look(self) -> None:
        """Do nothing: UDP tells only who sends."""

    def close(self) -> None:
        """Give the socket back; safe to call twice and before `open()`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, address: str, types: str, *values: float) -> None:
        if self._socket is None:
            raise LostError(f"{self._label} is not open; call open() before send()")
        builder = OscMessageBuilder(address)
        for value, kind in zip(values, types, strict=True):
            builder.add_arg(value, kind)
        try:
            # not a connected socket: that would refuse a message because nobody took the one before
            self._socket.sendto(builder.build().dgram, self._address)
        except OSError as exc:
            if exc.errno not in _FULL:
                raise LostError(f"{self._label} is lost: {exc.strerror}; connect the network again") from exc
            self.dropped += 1
