"""Hear MIDI through ALSA's sequencer or a JACK server. Opens ports, by python-rtmidi.

Messages wait in python-rtmidi's own queue until they are asked for. Its callback would hold Python's lock on JACK's
thread: a busy desk would make the whole graph late.
"""

from typing import Annotated, Final

import rtmidi
from pydantic import Field

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.outputs.jack import JackServer
from lalelu.voice.outputs.rtmidi import (
    CLIENT_NAME,
    CODES,
    TITLES,
    Api,
    ApiChoice,
    VirtualOutputOptions,
    check_present,
    choose_api,
    only_port,
)

# Looking takes 0.03 ms. A USB device that is plugged in again takes some 0.5 s, in which its name is not there.
PRESENT_EVERY_NS: Final = 250_000_000
# appended to the clients' names: JACK would number the second client of a name, and the outputs' have the plain one
_SUFFIX: Final = "-in"
_INSTEAD: Final = "connect or start it, or play without by midi.input: null"


class PortInputOptions(AdapterOptions):
    """`port:NAME?api=auto`."""

    target: Annotated[str, Field(min_length=1)]  # the port's name, or a part that only it has
    api: ApiChoice = "auto"  # auto: the ports of both


class _Connection:
    """An rtmidi client on one API that hears, with the watch that JACK needs."""

    def __init__(self, label: str, api: Api, client_name: str) -> None:
        self.facts = TITLES[api]  # the API in words, after open()
        self._label = label  # the input's address, for errors
        self._api = api
        self._client_name = client_name
        self._server = JackServer() if api == "jack" else None
        self._midi: rtmidi.MidiIn | None = None

    def open(self) -> rtmidi.MidiIn:
        """Become a client. Raises MissingError."""
        try:
            if self._server is not None:
                facts = self._server.open(f"{self._client_name}-watch")
                self.facts = f"JACK, period {facts.period_ms:.2f} ms"
            self._midi = _midi_in(self._api, self._client_name)
        except MissingError as exc:
            self.close()
            raise MissingError(f"{self._label} cannot be opened: {exc}") from exc
        return self._midi

    def messages(self) -> list[bytes]:
        """Return what has come. Raises LostError."""
        midi = self._living()
        found = []
        while (waiting := midi.get_message()) is not None:
            found.append(bytes(waiting[0]))
        return found

    def check(self, name: str) -> None:
        """Raise LostError when the port `name` is not there any more."""
        check_present(self._living(), name, self._label)

    def close(self) -> None:
        """Leave; safe to call twice."""
        midi, self._midi = self._midi, None
        if midi is not None:
            midi.close_port()
            midi.delete()
        if self._server is not None:
            self._server.close()

    def _living(self) -> rtmidi.MidiIn:
        if self._midi is None:
            raise LostError(f"{self._label} is not open; call open() before messages()")
        if self._server is not None and self._server.lost:
            raise LostError(f"{self._label} is lost: the JACK server has ended; start it again")
        return self._midi


class VirtualInput:
    """A port of our own, to which controllers connect."""

    Options = VirtualOutputOptions

    def __init__(self, options: VirtualOutputOptions) -> None:
        self.options = options
        self._label = f"MIDI input virtual:{options.target}"
        self._connection: _Connection | None = None

    def open(self) -> str:
        """Make the port. Raises MissingError when neither API can, naming both reasons."""
        if self._connection is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        api = choose_api(self.options.api, f"{self._label} cannot be made", _INSTEAD)
        name = f"{self.options.target}{_SUFFIX}"
        connection = _Connection(self._label, api, name)
        midi = connection.open()
        try:
            midi.open_virtual_port("in")
        except (
            rtmidi.RtMidiError,
            NotImplementedError,
        ) as exc:  # the second where ports of our own are unknown
            connection.close()
            raise MissingError(f"{self._label} cannot be made: {exc}; {_INSTEAD}") from exc
        self._connection = connection
        return f'virtual:{self.options.target}: port "{name}:in" ({connection.facts})'

    def messages(self, at_ns: int) -> list[bytes]:  # noqa: ARG002 - the port's signature
        """Return what has come since the last call. Raises LostError when JACK's server has ended."""
        if self._connection is None:
            raise LostError(f"{self._label} is not open; call open() before messages()")
        return self._connection.messages()

    def close(self) -> None:
        """Remove the port; safe to call twice and before `open()`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class PortInput:
    """A connection to a port that is there: a pedal board, a keyboard, another program."""

    Options = PortInputOptions

    def __init__(self, options: PortInputOptions) -> None:
        self.options = options
        self._label = f"MIDI input port:{options.target}"
        self._connection: _Connection | None = None
        self._name = ""
        self._look_ns = 0

    def open(self) -> str:
        """Connect to the one port whose name is, or contains, NAME.

        Raises MissingError when there is none (listing those there are), UsageError when there are several.
        """
        if self._connection is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        api, name = only_port(self._label, self.options.target, self.options.api, ports, _INSTEAD)
        connection = _Connection(self._label, api, f"{CLIENT_NAME}{_SUFFIX}")
        midi = connection.open()
        try:
            midi.open_port(midi.get_ports().index(name), "in")
        except (rtmidi.RtMidiError, ValueError) as exc:
            connection.close()
            raise MissingError(
                f"{self._label} cannot be opened: {name!r} refused ({exc}); {_INSTEAD}"
            ) from exc
        self._connection, self._name, self._look_ns = connection, name, 0
        return f'port:{self.options.target}: connected to "{name}" ({connection.facts})'

    def messages(self, at_ns: int) -> list[bytes]:
        """Return what has come since the last call. Raises LostError when the port has gone."""
        connection = self._connection
        if connection is None:
            raise LostError(f"{self._label} is not open; call open() before messages()")
        if at_ns >= self._look_ns:
            self._look_ns = at_ns + PRESENT_EVERY_NS
            connection.check(self._name)
        return connection.messages()

    def close(self) -> None:
        """Disconnect; safe to call twice and before `open()`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def ports(api: Api) -> tuple[str, ...]:
    """Return the names of the ports that can be heard. Raises MissingError where the API is missing."""
    midi = _midi_in(api, f"{CLIENT_NAME}-list")
    try:
        return tuple(midi.get_ports())
    finally:
        midi.delete()


def _midi_in(api: Api, client_name: str) -> rtmidi.MidiIn:
    try:
        return rtmidi.MidiIn(CODES[api], client_name)
    except rtmidi.RtMidiError as exc:
        raise MissingError(f"{exc}; {_INSTEAD}") from exc
