"""The voice's side of an output with a process of its own: never waits for it. Starts a process.

Packets go through a socket. To the process: MESSAGE and the bytes, VALUE_HEAD and the address, or END. From it, JSON:
`missing` (why the port is not opened), `wrong` (why it is not although it is there), `opened` (the port's line),
`underruns` (of the sound, in words) or `lost` (why).
"""

import json
import select
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from typing import Final

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError

PACKET: Final = 4096  # bytes of the longest one
MESSAGE, VALUE, END = b"m", b"v", b"e"
VALUE_HEAD: Final = struct.Struct("<cd")
CLOSING_S: Final = 2.0  # for a process to close its port: a serial line takes up to 1 s
KILLING_S: Final = 0.02  # for a process to be gone that was killed
_MODULE: Final = "lalelu.voice.relay"


class RelayedOutput:
    """A MIDI output that another process opens as soon as its port is there; `priority` is that process's.

    `opened` is the port's line from then on, until then None; `wrong` says why a port that is there is not opened.
    """

    comes_back = True

    def __init__(
        self, uri: str, *, priority: int = 0, lock_memory: bool = False, required: bool = False
    ) -> None:
        self._label = f"MIDI output {uri.partition('?')[0]}"
        self._uri = uri
        self._real_time = str(priority), str(int(lock_memory)), str(int(required))
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.opened: str | None = None
        self.wrong = ""
        self._missing = self._underruns = ""

    @property
    def report(self) -> str:
        """The port's line and how its sound has fared since; empty for an output that makes none."""
        return f"{self.opened}; {self._underruns}" if self._underruns else ""

    def open(self) -> str:
        """Start the process, in about a millisecond. Raises LostError where the machine has no room for one."""
        try:
            self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with other:
                descriptor = other.fileno()
                arguments = [sys.executable, "-m", _MODULE, self._uri, str(descriptor), *self._real_time]
                self._process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(descriptor,)
                )
        except OSError as exc:
            raise LostError(
                f"{self._label} cannot be looked for: {exc.strerror}; end other programs"
            ) from exc
        self._socket.setblocking(False)
        self.opened, self.wrong, self._missing, self._underruns = None, "", "", ""
        return f"{self._label}: looked for"

    def send(self, message: bytes, at_ns: int) -> None:  # noqa: ARG002 - the port's signature; this one sends now
        """Hand one message over. Raises LostError when the process has gone, or takes nothing any more."""
        self._hand_over(MESSAGE + message)

    def look(self) -> None:
        """Take in what the process says. Raises LostError when the port has gone."""
        if self._socket is None:
            raise LostError(f"{self._label} is not open; call open() before look()")
        while True:
            try:
                packet = self._socket.recv(PACKET)
            except BlockingIOError:
                return
            except (
                ConnectionResetError
            ):  # once: it has died before it had read everything, and after it said why
                continue
            except OSError:
                packet = b""
            try:
                said: dict[str, str] = json.loads(packet) if packet else {}
            except ValueError as exc:
                raise self._lost() from exc
            if not packet or "lost" in said:
                raise self._lost(said.get("lost", ""))
            self.opened = said.get("opened", self.opened)
            self.wrong = said.get("wrong", self.wrong)
            self._underruns = said.get("underruns", self._underruns)
            self._missing = said.get("missing", self._missing)

    def wait_opened(self, seconds: float) -> str:
        """Wait for the port and return its line. Raises MissingError when it is not there, UsageError when wrong."""
        end_ns = now_ns() + round(seconds * 1e9)
        while self.opened is None and self._socket is not None:
            poller = select.poll()
            poller.register(self._socket, select.POLLIN)
            if not poller.poll(max(0, end_ns - now_ns()) / 1e6):
                raise MissingError(f"{self._label} was not opened within {seconds:g} s; try again")
            try:
                self.look()
            except LostError as exc:  # it may have said why before it ended
                raise MissingError(self._missing or str(exc)) from exc
            if self.wrong:
                raise UsageError(self.wrong)
            if self._missing:
                raise MissingError(self._missing)
        return self.opened or ""

    def close(self) -> None:
        """Have the port closed, after what was sent; the process is killed when that takes longer than 2 s."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(END)
            if self._process is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(CLOSING_S)
        self.kill()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):  # a driver may hold it
                self._process.wait(KILLING_S)

    def kill(self) -> None:
        """End the process, one that has lost its port or not found it, without waiting; `ended` tells when it has."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()

    @property
    def ended(self) -> bool:
        """Whether no process is left, as is to be asked of one that was killed until it is so."""
        return self._process is None or self._process.poll() is not None

    def _hand_over(self, packet: bytes) -> None:
        if self._socket is None:
            raise LostError(f"{self._label} is not open; call open() before send()")
        try:
            self._socket.send(packet)
        except BlockingIOError as exc:
            raise self._lost(f"{self._label} is lost: its process is stuck; it is started again") from exc
        except OSError as exc:
            self.look()  # it may have said why
            raise self._lost() from exc

    def _lost(self, why: str = "") -> LostError:
        self.kill()
        return LostError(why or f"{self._label} is lost: its process has died; it is started again")


class RelayedValues(RelayedOutput):
    """A relayed output that takes named values, too."""

    dropped = 0  # its process does not tell

    def value(self, address: str, value: float) -> None:
        """Hand one value over. Raises LostError as `send` does."""
        self._hand_over(VALUE_HEAD.pack(VALUE, value) + address.encode())
