"""What signals ask of the leading process: to end, or to read its configuration again. Handles signals."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TERMINAL: Final = Path("/dev/tty")  # of this process; cannot be opened where it has none


@dataclass(slots=True)
class Signals:
    """How often the end was asked for: once = in good order, twice = at once; and how often a reload.

    SIGHUP asks for a reload; but where it comes because the terminal has been closed, for the end.
    """

    count: int = 0
    reloads: int = 0
    descriptor: int = -1  # readable once a signal has come

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen inside the block (main thread only)."""
        plays_on = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup asks for it
        had_terminal = _has_terminal()

        def hear(number: int, _frame: object) -> None:
            if number != signal.SIGHUP:
                self.count += 1
            elif not had_terminal or _has_terminal():
                self.reloads += 1
            elif not plays_on:
                self.count += 1

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self.descriptor, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        told = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        before = {number: signal.signal(number, hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(told)
            os.close(self.descriptor)
            os.close(writing)


def _has_terminal() -> bool:
    with suppress(OSError):
        os.close(os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
