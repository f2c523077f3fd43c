"""Send MIDI through ALSA's sequencer or a JACK server. Opens ports, by python-rtmidi."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal, TypeAlias

import rtmidi
from pydantic import Field

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions, did_you_mean
from lalelu.voice.outputs.jack import JackServer, keep_for_ever

Api: TypeAlias = Literal["alsa", "jack"]
ApiChoice: TypeAlias = Literal["auto", "alsa", "jack"]

APIS: Final[tuple[Api, ...]] = ("alsa", "jack")  # in the order of preference
CLIENT_NAME: Final = "lalelu"
PORT_CLIENT_NAME: Final = (
    f"{CLIENT_NAME}-port"  # beside `virtual:lalelu`: JACK would give one of them a number
)

_SEQUENCER: Final = "/dev/snd/seq"
CODES: Final[dict[Api, int]] = {"alsa": rtmidi.API_LINUX_ALSA, "jack": rtmidi.API_UNIX_JACK}
TITLES: Final[dict[Api, str]] = {"alsa": "ALSA", "jack": "JACK"}
_INSTEAD: Final = "write a file instead with midi.outputs: [file:out.mid]"


class VirtualOutputOptions(AdapterOptions):
    """`virtual:NAME?api=auto`."""

    # a colon parts client and port in JACK's names
    target: Annotated[str, Field(min_length=1, max_length=32, pattern="^[^:]+$")] = CLIENT_NAME
    api: ApiChoice = "auto"  # auto: ALSA where its sequencer exists, else JACK


class PortOutputOptions(AdapterOptions):
    """`port:NAME?api=auto`."""

    target: Annotated[str, Field(min_length=1)] = "synth"  # the port's name, or a part that only it has
    api: ApiChoice = "auto"  # auto: the ports of both


def why_unavailable(api: Api) -> str | None:
    """Say why an API cannot be used here, or None where it can. Opens the sequencer or asks JACK's server."""
    if api == "jack":
        server = JackServer()
        try:
            server.open(f"{CLIENT_NAME}-probe")
        except MissingError as exc:
            return str(exc)
        server.close()
        return None
    if rtmidi.API_LINUX_ALSA not in rtmidi.get_compiled_api():
        return "python-rtmidi is built without ALSA; install its wheel"
    # looked at first, because ALSA's library complains on stderr by itself
    try:
        os.close(os.open(_SEQUENCER, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        return f"there is no ALSA sequencer ({_SEQUENCER}); load it with `modprobe snd-seq`"
    except OSError as exc:
        return f"the ALSA sequencer ({_SEQUENCER}) cannot be opened: {exc.strerror}; join the group audio"
    return None


def available_api() -> Api | None:
    """Return the API that `api=auto` takes for a port of our own: "alsa", else "jack", else None."""
    return next((api for api in APIS if why_unavailable(api) is None), None)


def ports(api: Api) -> tuple[str, ...]:
    """Return the names of the ports that can be played to. Raises MissingError where the API is missing."""
    midi = _midi_out(api, f"{CLIENT_NAME}-list", f"MIDI ports of {TITLES[api]}")
    try:
        return tuple(midi.get_ports())
    finally:
        midi.delete()


def check_present(midi: rtmidi.MidiOut | rtmidi.MidiIn, name: str, label: str) -> None:
    """Raise LostError, with the address `label`, when the port `name` is not there any more: neither API tells."""
    try:
        present = name in midi.get_ports()
    except rtmidi.RtMidiError as exc:
        raise LostError(f"{label} is lost: {exc}; connect it again") from exc
    if not present:
        raise LostError(f"{label} is lost: {name!r} has gone; connect or start it again")


class _Connection:
    """An rtmidi client on one API, with the watch that JACK needs."""

    def __init__(self, label: str, api: Api, client_name: str) -> None:
        self.label = label  # the output's address, for errors
        self.api = api
        self.facts = TITLES[api]  # the API in words, after open()
        self._server = JackServer() if api == "jack" else None
        self._period_ms = 0.0  # JACK's
        self.midi: rtmidi.MidiOut | None = None
        self._client_name = client_name

    def open(self) -> rtmidi.MidiOut:
        if self._server is not None:
            try:
                facts = self._server.open(f"{self._client_name}-watch")
            except MissingError as exc:
                raise MissingError(f"{self.label} cannot be opened: {exc}") from exc
            self._period_ms = facts.period_ms
            self.facts = f"JACK, period {facts.period} frames = {facts.period_ms:.2f} ms at {facts.rate} Hz"
        try:
            self.midi = _midi_out(self.api, self._client_name, self.label)
        except MissingError:
            self.close()
            raise
        return self.midi

    def send(self, message: bytes) -> None:
        midi = self._living()
        try:
            midi.send_message(message)
        except rtmidi.RtMidiError as exc:
            raise LostError(f"{self.label} is lost: {exc}; connect it again") from exc

    def look(self, name: str | None) -> None:
        """Raise LostError when the server has ended, or the port `name` has gone: neither API tells a sender."""
        midi = self._living()
        if name is not None:
            check_present(midi, name, self.label)

    def _living(self) -> rtmidi.MidiOut:
        if self.midi is None:
            raise LostError(f"{self.label} is not open; call open() before send()")
        if self._server is not None and self._server.lost:
            raise LostError(f"{self.label} is lost: the JACK server has ended; start it again")
        return self.midi

    def close(self) -> None:
        midi, self.midi = self.midi, None
        if self._server is not None and self._server.lost:
            if midi is not None:
                keep_for_ever(midi)
            self._server.abandon()
            return
        if midi is not None:
            # A JACK port that goes takes the period's messages with it, note-offs among them: two periods let
            # them reach the listener.
            time.sleep(2 * self._period_ms / 1000)
            midi.close_port()
            midi.delete()
        if self._server is not None:
            self._server.close()


class VirtualOutput:
    """A port of our own, to which synthesizers connect."""

    Options = VirtualOutputOptions
    comes_back = True

    def __init__(self, options: VirtualOutputOptions) -> None:
        self.options = options
        self._label = f"MIDI output virtual:{options.target}"
        self._connection: _Connection | None = None

    def open(self) -> str:
        """Make the port. Raises MissingError when neither API can, naming both reasons."""
        if self._connection is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        connection = _Connection(
            self._label,
            choose_api(self.options.api, f"{self._label} cannot be opened", f"or {_INSTEAD}"),
            self.options.target,
        )
        midi = connection.open()
        try:
            midi.open_virtual_port("out")
        except (
            rtmidi.RtMidiError,
            NotImplementedError,
        ) as exc:  # the second where ports of our own are unknown
            connection.close()
            raise MissingError(f"{self._label} cannot be made: {exc}; {_INSTEAD}") from exc
        self._connection = connection
        return f'virtual:{self.options.target}: port "{self.options.target}:out" ({connection.facts})'

    def send(self, message: bytes, at_ns: int) -> None:  # noqa: ARG002 - the port's signature; this one sends now
        """Send one message now. Raises LostError when the port has gone."""
        if self._connection is None:
            raise LostError(f"{self._label} is not open; call open() before send()")
        self._connection.send(message)

    def look(self) -> None:
        """Raise LostError when JACK's server has ended."""
        if self._connection is not None:
            self._connection.look(None)

    def close(self) -> None:
        """Let the last messages out and remove the port; safe to call twice and before `open()`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class PortOutput:
    """A connection to a port that is there: a synthesizer, an interface, another program."""

    Options = PortOutputOptions
    comes_back = True

    def __init__(self, options: PortOutputOptions) -> None:
        self.options = options
        self._label = f"MIDI output port:{options.target}"
        self._connection: _Connection | None = None
        self._name = ""

    def open(self) -> str:
        """Connect to the one port whose name is, or contains, NAME.

        Raises MissingError when there is none (listing those there are), UsageError when there are several.
        """
        if self._connection is not None:
            raise UsageError(f"{self._label} is open already; close it first")
        api, name = only_port(self._label, self.options.target, self.options.api, ports, f"or {_INSTEAD}")
        connection = _Connection(self._label, api, PORT_CLIENT_NAME)
        midi = connection.open()
        try:
            midi.open_port(midi.get_ports().index(name), "out")
        except (rtmidi.RtMidiError, ValueError) as exc:
            connection.close()
            raise MissingError(
                f"{self._label} cannot be opened: {name!r} refused ({exc}); {_INSTEAD}"
            ) from exc
        self._connection, self._name = connection, name
        return f'port:{self.options.target}: connected to "{name}" ({connection.facts})'

    def send(self, message: bytes, at_ns: int) -> None:  # noqa: ARG002 - the port's signature; this one sends now
        """Send one message now. Raises LostError when the API says that the port has gone; mostly `look` sees it."""
        if self._connection is None:
            raise LostError(f"{self._label} is not open; call open() before send()")
        self._connection.send(message)

    def look(self) -> None:
        """Raise LostError when the port has gone. Asking for the ports takes 0.2 ms on JACK, less on ALSA."""
        if self._connection is not None:
            self._connection.look(self._name)

    def close(self) -> None:
        """Let the last messages out and disconnect; safe to call twice and before `open()`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def choose_api(wanted: ApiChoice, problem: str, instead: str) -> Api:
    """Return the first API that is wanted and can be used here; not even asks those after it.

    Raises MissingError when there is none: the `problem`, the reasons, and what would work `instead`.
    """
    reasons = []
    for api in _wanted(wanted):
        reason = why_unavailable(api)
        if reason is None:
            return api
        reasons.append(f"{TITLES[api]}: {reason}")
    raise MissingError(f"{problem} ({'. '.join(reasons)}); {instead}")


def only_port(
    label: str,
    wanted: str,
    apis: ApiChoice,
    names: Callable[[Api], Sequence[str]],
    instead: str,
) -> tuple[Api, str]:
    """Return the one port whose name is, or contains, `wanted`; `names` tells those of an API.

    Raises MissingError when there is none (listing those there are), UsageError when there are several. `label` is the
    address, `instead` what would work.
    """
    found: list[tuple[Api, str]] = []
    reasons = []
    for api in _wanted(apis):
        reason = why_unavailable(api)
        if reason is None:
            found += [(api, name) for name in names(api)]
        else:
            reasons.append(f"{TITLES[api]}: {reason}")
    exact = [entry for entry in found if entry[1] == wanted]
    near = exact or [entry for entry in found if wanted in entry[1]]
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(f"{label} fits {len(near)} ports: {_listed(near)}; write more of the name, or ?api=")
    there = f"the ports are {_listed(found)}" if found else "there are no ports"
    hint = did_you_mean(wanted, [name for _, name in found])
    unavailable = f" ({'. '.join(reasons)})" if reasons else ""
    raise MissingError(f"{label} is not there; {there}{hint}{unavailable}; {instead}")


def _wanted(api: ApiChoice) -> tuple[Api, ...]:
    return APIS if api == "auto" else (api,)


def _listed(entries: list[tuple[Api, str]]) -> str:
    return ", ".join(f'"{name}" ({TITLES[api]})' for api, name in entries)


def _midi_out(api: Api, client_name: str, label: str) -> rtmidi.MidiOut:
    try:
        return rtmidi.MidiOut(CODES[api], client_name)
    except rtmidi.RtMidiError as exc:
        raise MissingError(f"{label} cannot be opened: {exc}; {_INSTEAD}") from exc
