"""What scheduler, memory and garbage collector did to the calling thread, frame by frame. Reads /proc."""

import gc
import os
import resource
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lalelu.clock import now_ns
from lalelu.ledger.layout import UNTOLD

_MOST: Final = UNTOLD - 1  # what a row's field can hold; longer is told as that
_LINE: Final = 96  # bytes: three numbers of at most 20 digits


class ThreadUsage:
    """Counts for one row: `begin()` when a frame is there, `end()` when all of its work is done.

    `open()` in the thread that is measured; it and all calls must be that thread's. What this machine does not tell is
    UNTOLD in the rows, and `unavailable` says why. One frame costs two looks: 5 us here, of 10 ms.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.unavailable: dict[str, str] = {}  # by field of FRAME_DTYPE
        self._proc = proc
        self._file: int | None = None  # of the scheduler's account of the thread
        self._queued_ns = 0  # since the thread's start, when last looked
        self._began = (0, 0, 0, 0, 0)  # queued, running, voluntary, minor, major at `begin()`
        self._waited_ns = 0
        self._involuntary = 0
        self._gc_ns = 0
        self._gc_began_ns = 0

    def open(self) -> None:
        """Begin to count; safe to call twice."""
        self.close()
        path = self._proc / f"self/task/{threading.get_native_id()}/schedstat"
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._queued_ns = self._queue()
        except (OSError, LookupError, ValueError) as exc:
            self.close()
            reason = (
                f"{path}: {exc.strerror if isinstance(exc, OSError) else 'this kernel does not count it'}"
            )
            self.unavailable = dict.fromkeys(("woken_late_ns", "queued_ns"), reason)
        self._involuntary = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
        gc.callbacks.append(self._collects)

    def close(self) -> None:
        """Count no more; safe to call twice and before `open()`."""
        if self._collects in gc.callbacks:
            gc.callbacks.remove(self._collects)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def begin(self) -> None:
        """Begin to count: a frame has been waited for and is there."""
        queued_ns = self._queue()
        self._waited_ns = queued_ns - self._queued_ns
        used = resource.getrusage(resource.RUSAGE_THREAD)
        self._began = (queued_ns, time.thread_time_ns(), used.ru_nvcsw, used.ru_minflt, used.ru_majflt)

    def end(self) -> tuple[int, int, int, int, int, int, int, int]:
        """Return the fields of FRAME_DTYPE from `woken_late_ns` on: the frame's work is done."""
        running_ns = time.thread_time_ns()
        used = resource.getrusage(resource.RUSAGE_THREAD)
        self._queued_ns = self._queue()
        queued, running, voluntary, minor, major = self._began
        involuntary, self._involuntary = used.ru_nivcsw - self._involuntary, used.ru_nivcsw
        gc_ns, self._gc_ns = self._gc_ns, 0
        known = self._file is not None
        return (
            min(self._waited_ns, _MOST) if known else UNTOLD,
            min(self._queued_ns - queued, _MOST) if known else UNTOLD,
            min(running_ns - running, _MOST),
            min(gc_ns, _MOST),
            used.ru_nvcsw - voluntary,
            involuntary,
            used.ru_minflt - minor,
            used.ru_majflt - major,
        )

    def _queue(self) -> int:
        """Return how long the thread has waited for a processor since its start, ns."""
        return 0 if self._file is None else int(os.pread(self._file, _LINE, 0).split(None, 2)[1])

    def _collects(self, phase: str, _info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._gc_began_ns = now_ns()
        else:
            self._gc_ns += now_ns() - self._gc_began_ns
