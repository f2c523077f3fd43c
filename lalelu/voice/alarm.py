"""An alarm clock that is a file descriptor, so that one `poll` waits for a moment and for news at once. Linux only."""

import ctypes
import os
from typing import Final

_MONOTONIC: Final = 1  # CLOCK_MONOTONIC in linux/time.h
_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME in sys/timerfd.h
_SECOND_NS: Final = 1_000_000_000


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Alarm:
    """A timer of the kernel on CLOCK_MONOTONIC (timerfd_create(2)): readable from its moment on."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._spec = _Itimerspec(0, 0, 0, 0)
        self._pointer = ctypes.byref(self._spec)
        self.descriptor = self._libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def set(self, at_ns: int | None) -> None:
        """Ring at `at_ns`, at once where that has passed; None = never. A ring not yet heard is forgotten."""
        # zero would disarm it
        self._spec.value_s, self._spec.value_ns = (
            (0, 0) if at_ns is None else divmod(max(at_ns, 1), _SECOND_NS)
        )
        if self._libc.timerfd_settime(self.descriptor, _ABSOLUTE, self._pointer, None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
