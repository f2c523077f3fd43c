"""Send MIDI over a serial line: a UART's MIDI socket, or an adapter on USB. Opens a device. Linux only.

The rate is asked for by number (termios2 with BOTHER, ioctl_tty(2)): 31250 is none of the old names. It is read back,
because a UART that cannot make it takes the nearest that it can, and says nothing.
"""

import errno
import fcntl
import os
import select
import struct
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.voice.line import Line

BAUD: Final = 31_250  # MIDI 1.0, as is the tolerance
TOLERANCE: Final = 0.01
CLOSING_S: Final = 1.0  # for what waits to go out; 256 notes take 0.25 s

# asm-generic/ioctls.h and termbits.h, as on x86, Arm and RISC-V
_TCGETS2: Final = 0x802C542A
_TCSETS2: Final = 0x402C542B
# struct termios2: input, output, control and local flags, line, characters, both rates
_TERMIOS2: Final = struct.Struct("=4IB19s2I")
_BOTHER: Final = 0o010000
_RAW: Final = termios.CS8 | termios.CLOCAL | _BOTHER  # not CREAD: nothing is read, so nothing may pile up
_COUNT: Final = struct.Struct("i")


class SerialOutputOptions(AdapterOptions):
    """`serial:/dev/ttyUSB0?baud=31250`."""

    target: Annotated[str, Field(min_length=1)] = "/dev/ttyUSB0"
    baud: Annotated[int, Field(ge=1200, le=4_000_000)] = BAUD  # others for adapters that are no MIDI socket


class SerialOutput:
    """A serial line, whose bytes go out one after the other; what comes faster waits here (see Line).

    At 31250 baud a byte takes 0.32 ms, a note 0.64 ms, or 0.96 with its status byte.
    """

    Options = SerialOutputOptions
    comes_back = True

    def __init__(self, options: SerialOutputOptions) -> None:
        self._path = Path(options.target)
        self._baud = options.baud
        self._label = f"MIDI output serial:{self._path}"
        self._descriptor = -1
        self._line = Line(self._baud)

    @property
    def dropped(self) -> int:
        """Messages that found no room to wait."""
        return self._line.dropped

    @property
    def next_ns(self) -> int | None:
        """When the line takes more of what waits; None while nothing does."""
        return self._line.next_ns

    def open(self) -> str:
        """Open the device for this process alone, and set and read back the rate.

        Raises MissingError when it is not there or somebody else's, UsageError when it is no serial line or has
        another rate.
        """
        if self._descriptor >= 0:
            raise UsageError(f"{self._label} is open already; close it first")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise MissingError(f"{self._label} cannot be opened: {_why(exc)}") from exc
        try:
            baud = self._prepare(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._line = descriptor, Line(self._baud)
        return f"serial:{self._path}: {baud} baud, read back"

    def send(self, message: bytes, at_ns: int) -> None:
        """Write one message, or let it wait; never waits itself. Raises LostError when the device has gone."""
        if self._descriptor < 0:
            raise LostError(f"{self._label} is not open; call open() before send()")
        self._line.add(message)
        self.advance(at_ns)

    def advance(self, at_ns: int) -> None:
        """Write what the line can take now of what waits. Raises LostError when the device has gone."""
        if self._descriptor < 0 or self._line.next_ns is None or at_ns < self._line.next_ns:
            return
        try:
            data = self._line.take(at_ns, _unsent(self._descriptor))
            if data:
                self._line.wrote(os.write(self._descriptor, data), at_ns)
        except BlockingIOError:
            self._line.wrote(0, at_ns)
        except OSError as exc:
            raise self._lost(str(exc.strerror)) from exc

    def look(self) -> None:
        """Raise LostError when the device has gone."""
        if self._descriptor >= 0:
            poller = select.poll()
            poller.register(self._descriptor, 0)
            if poller.poll(0):  # POLLHUP, POLLERR or POLLNVAL
                raise self._lost("it was unplugged")

    def close(self) -> None:
        """Let what waits go out, a second at the most, and give the device back; safe to call twice and unopened."""
        end_ns = now_ns() + round(CLOSING_S * 1e9)
        with suppress(LostError):
            while self._descriptor >= 0 and self._line.next_ns is not None and now_ns() < end_ns:
                self.advance(now_ns())
                time.sleep(self._line.byte_ns * 1e-9)
            if self._descriptor >= 0:
                time.sleep(max(0, min(self._line.end_ns, end_ns) - now_ns()) * 1e-9)
        self._drop()

    def _prepare(self, descriptor: int) -> int:
        """Set a device up for bytes as they are, and return its rate. Raises as `open` does."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # TIOCEXCL does not keep root out
            fcntl.ioctl(descriptor, termios.TIOCEXCL)
            characters = _settings(descriptor)[5]
            asked = _TERMIOS2.pack(0, 0, _RAW, 0, 0, characters, self._baud, self._baud)
            fcntl.ioctl(descriptor, _TCSETS2, asked)
            rate = _settings(descriptor)[-1]
        except BlockingIOError as exc:
            raise MissingError(f"{self._label} is in use by another program; end that first") from exc
        except OSError as exc:
            if exc.errno in (errno.ENOTTY, errno.EINVAL):
                raise UsageError(
                    f"{self._label} is no serial line; `lalelu devices` lists those there are"
                ) from exc
            raise MissingError(f"{self._label} cannot be opened: {_why(exc)}") from exc
        if abs(rate - self._baud) > TOLERANCE * self._baud:
            raise UsageError(
                f"{self._label} runs at {rate} baud instead of {self._baud}; MIDI allows a difference of "
                f"{TOLERANCE:.0%}: use an adapter whose clock makes it"
            )
        return int(rate)

    def _lost(self, why: str) -> LostError:
        self._drop()  # the name is free for the device when it is plugged in again
        return LostError(f"{self._label} is lost: {why}; plug it in again")

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError, termios.error):
                if _unsent(descriptor):  # closing would wait for a line that is stuck
                    termios.tcflush(descriptor, termios.TCOFLUSH)
            os.close(descriptor)


def _settings(descriptor: int) -> tuple[Any, ...]:
    return _TERMIOS2.unpack(fcntl.ioctl(descriptor, _TCGETS2, bytes(_TERMIOS2.size)))


def _unsent(descriptor: int) -> int:
    """Return how many bytes wait in the kernel."""
    count: int = _COUNT.unpack(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(_COUNT.size)))[0]
    return count


def _why(exc: OSError) -> str:
    if isinstance(exc, FileNotFoundError):
        return "it is not there; plug it in (`lalelu devices` lists serial ports)"
    if isinstance(exc, PermissionError):
        return f"{exc.strerror}; join the group dialout"
    if exc.errno == errno.EBUSY:
        return "another program uses it; end that first"
    return f"{exc.strerror}; `lalelu devices` lists serial ports"
