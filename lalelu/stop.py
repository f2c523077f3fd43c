"""Tell a loop that it is time to end: on a signal, or after a time. Handles signals of this process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self

GRACE_S: Final = 0.3  # a signal that the loop has not noticed by then interrupts whatever it waits for


class _InterruptedError(BaseException):
    """Raised by the alarm that follows an unnoticed stop signal; never leaves this module."""


class Stop:
    """SIGINT, SIGTERM, SIGHUP or the end of the asked time: the loop ends after the frame in hand."""

    def __init__(self) -> None:
        self.requested = False
        self._ended = False  # the loop has: nothing is left to interrupt

    @contextmanager
    def on_signals(self) -> Iterator[Self]:
        """Listen to the signals and the timer inside the block (main thread only)."""

        def stop_soon(_signum: int, _frame: FrameType | None) -> None:
            self.requested = True
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)

        def on_alarm(signum: int, frame: FrameType | None) -> None:
            if not self.requested:
                stop_soon(signum, frame)
            elif not self._ended:
                raise _InterruptedError

        handlers = {signal.SIGINT: stop_soon, signal.SIGTERM: stop_soon, signal.SIGALRM: on_alarm}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to play on
            handlers[signal.SIGHUP] = stop_soon
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield self
        except _InterruptedError:
            pass  # the stop was asked for; what waited has been left
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def heard(self) -> None:
        """Say that the loop has ended, so that nothing after it is interrupted, not even by one more signal."""
        self._ended = True
        signal.setitimer(signal.ITIMER_REAL, 0)

    def after(self, seconds: float) -> None:
        """Stop when `seconds` have passed; valid inside `on_signals`."""
        signal.setitimer(signal.ITIMER_REAL, seconds)
