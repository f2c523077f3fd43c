"""What the hot thread is told of itself: on fake accounts exactly, on the real ones in the right direction."""

import gc
import mmap
import threading
import time

import pytest

from lalelu.ledger.schema import FRAME_DTYPE, UNTOLD
from lalelu.realtime.usage import ThreadUsage

NAMES = FRAME_DTYPE.names[FRAME_DTYPE.names.index("woken_late_ns") :]
PAGES = 500


@pytest.fixture
def usage():
    counting = ThreadUsage()
    counting.open()
    yield counting
    counting.close()


@pytest.fixture
def account(tmp_path):
    """A scheduler's account of this thread that waits as it is told: `account(queued_ns)`."""
    path = tmp_path / f"self/task/{threading.get_native_id()}/schedstat"
    path.parent.mkdir(parents=True)

    def write(queued_ns):
        path.write_text(f"123456789 {queued_ns} 42\n")

    write(0)
    return write


def told(usage):
    return dict(zip(NAMES, usage.end(), strict=True))


def test_waiting_before_a_frames_work_and_within_it_are_told_apart(tmp_path, account):
    usage = ThreadUsage(tmp_path)
    account(1000)
    usage.open()
    account(1500)
    usage.begin()
    account(1520)
    row = told(usage)
    assert (row["woken_late_ns"], row["queued_ns"]) == (500, 20)
    account(1521)
    usage.begin()
    row = told(usage)
    assert (row["woken_late_ns"], row["queued_ns"]) == (1, 0)
    account(1521 + (1 << 33))
    usage.begin()
    assert told(usage)["woken_late_ns"] == UNTOLD - 1
    usage.close()


def test_a_kernel_that_keeps_no_account_is_said_and_the_rest_is_told(tmp_path):
    usage = ThreadUsage(tmp_path)
    usage.open()
    usage.begin()
    row = told(usage)
    assert (row["woken_late_ns"], row["queued_ns"]) == (UNTOLD, UNTOLD)
    assert sorted(usage.unavailable) == ["queued_ns", "woken_late_ns"]
    assert "No such file" in usage.unavailable["queued_ns"]
    assert row["running_ns"] < UNTOLD
    usage.close()


def test_work_is_processor_time_and_sleep_is_not(usage):
    usage.begin()
    until = time.thread_time_ns() + 20_000_000
    while time.thread_time_ns() < until:
        pass
    worked = told(usage)
    usage.begin()
    time.sleep(0.05)
    slept = told(usage)
    assert worked["running_ns"] >= 20_000_000 > slept["running_ns"]
    assert slept["voluntary"] >= 1


def test_fresh_memory_is_counted_in_pages(usage):
    usage.begin()
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(PAGES):
            memory[page * mmap.PAGESIZE] = 1
    assert told(usage)["minor_faults"] >= PAGES


def test_a_collection_is_told_once_and_only_while_open(usage):
    usage.begin()
    gc.collect()
    assert told(usage)["gc_ns"] > 0
    usage.begin()
    assert told(usage)["gc_ns"] == 0
    usage.close()
    usage.close()
    gc.collect()
    usage.begin()
    assert told(usage)["gc_ns"] == 0
