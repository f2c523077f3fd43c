"""Let tools/disturb.py make garbage collections and page faults in the engine's own thread. Handles two signals.

Python imports a module of this name by itself from a folder on PYTHONPATH, and so nothing of it is in the product:

    PYTHONPATH=tools/disturbed LALELU_DISTURBED=/dev/shm/stamps lalelu run

The handlers run in the engine's main thread, the hot one, between two of its instructions. Each leaves a line in the
file: `begin end`, ns on CLOCK_MONOTONIC.
"""

import gc
import mmap
import os
import signal
import sys
import time

PAGES = 2048  # 8 MB, as if two pictures of 1280x960 were allocated anew


def collect() -> None:
    """Collect garbage over all objects, as a library that calls gc.collect() would, and freeze them again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def fault() -> None:
    """Touch fresh memory, one byte a page, and give it back."""
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as fresh:
        fresh.madvise(mmap.MADV_NOHUGEPAGE)
        with memoryview(fresh) as whole:
            whole[:: mmap.PAGESIZE] = bytes(PAGES)


def listen(path: str) -> None:
    """Obey the signals from now on."""
    stamps = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def obey(number: int, _frame: object) -> None:
        begin_ns = time.monotonic_ns()
        collect() if number == signal.SIGUSR1 else fault()
        os.write(stamps, b"%d %d\n" % (begin_ns, time.monotonic_ns()))

    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, obey)


if "LALELU_DISTURBED" in os.environ and "lalelu.instrument" in sys.orig_argv:
    listen(os.environ["LALELU_DISTURBED"])
