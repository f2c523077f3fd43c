"""Ask a running JACK server for its period, and notice when it ends. Connects to the server.

python-rtmidi tells neither, and after the server's end its `send_message` fills a buffer and then waits for
ever. This client is never activated, so the server does not call it once a period.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rtmidi

from lalelu.errors import MissingError

_NO_START_SERVER: Final = 0x01  # JackNoStartServer in jack/types.h


@dataclass(frozen=True, slots=True)
class JackFacts:
    """What a JACK server says about itself."""

    rate: int  # Hz
    period: int  # frames; MIDI goes out once a period

    @property
    def period_ms(self) -> float:
        """The period in ms: how far apart two notes may be moved."""
        return 1000 * self.period / self.rate


class JackServer:
    """A connection to the JACK server; `lost` turns true when the server has ended."""

    def __init__(self) -> None:
        self.lost = False
        self._library: Any = None
        self._client: int | None = None
        self._on_shutdown: Any = None  # kept alive while libjack may call it

    def open(self, client_name: str) -> JackFacts:
        """Connect as `client_name`; never starts a server. Raises MissingError when none answers."""
        library = _libjack()
        status = ctypes.c_int()
        client = library.jack_client_open(client_name.encode(), _NO_START_SERVER, ctypes.byref(status))
        if not client:
            raise MissingError("no JACK server answers; start one (qjackctl, jackd or PipeWire's)")
        self.lost = False
        self._library, self._client = library, client
        self._on_shutdown = _SHUTDOWN(self._note_end)
        library.jack_on_shutdown(client, self._on_shutdown, None)
        return JackFacts(library.jack_get_sample_rate(client), library.jack_get_buffer_size(client))

    def close(self) -> None:
        """Disconnect; safe to call twice and before `open()`."""
        client, self._client = self._client, None
        if client is not None:
            self._library.jack_client_close(client)
            self._on_shutdown = None

    def abandon(self) -> None:
        """Leave a connection that is lost as it is: see `keep_for_ever`."""
        keep_for_ever(self)
        self._client = None

    def _note_end(self, _argument: int | None) -> None:
        self.lost = True


def keep_for_ever(thing: object) -> None:
    """Keep `thing`, which holds a client of a JACK server that has ended, and its closing, from ever being run.

    RtMidi waits a second for a dead server to take what was sent, with Python's lock held; and libjack crashes the
    process when an old client is closed after a new one was opened.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


_SHUTDOWN: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _libjack() -> Any:  # noqa: ANN401 - ctypes gives libraries no type
    """Return the libjack that python-rtmidi uses: its wheel brings one, the system may have another."""
    if rtmidi.API_UNIX_JACK not in rtmidi.get_compiled_api():
        raise MissingError("python-rtmidi is built without JACK; install its wheel")
    mapped = [line.split(maxsplit=5)[5] for line in _memory_map() if "/libjack" in line]
    try:
        library = ctypes.CDLL(mapped[0] if mapped else "libjack.so.0")
        libc = ctypes.CDLL(None)
    except OSError as exc:
        raise MissingError(f"JACK's library cannot be loaded ({exc}); install libjack") from exc
    library.jack_client_open.restype = ctypes.c_void_p
    library.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]
    library.jack_client_close.argtypes = [ctypes.c_void_p]
    library.jack_get_sample_rate.argtypes = [ctypes.c_void_p]
    library.jack_get_buffer_size.argtypes = [ctypes.c_void_p]
    library.jack_on_shutdown.argtypes = [ctypes.c_void_p, _SHUTDOWN, ctypes.c_void_p]
    library.jack_set_error_function.argtypes = [ctypes.c_void_p]
    # libjack prints every refusal to stderr, and we say it ourselves. Its error function must be C: it is
    # called on libjack's threads while rtmidi may hold the GIL. strlen takes a string and does nothing.
    library.jack_set_error_function(ctypes.cast(libc.strlen, ctypes.c_void_p))
    return library


def _memory_map() -> list[str]:
    return Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
