import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from lalelu.clock import now_ns
from lalelu.voice.alarm import Alarm

MS = 1_000_000


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    alarm = Alarm()
    yield alarm
    alarm.close()


def rings(alarm: Alarm, within_ms: int) -> bool:
    """Whether it rings; returns as soon as it does."""
    poller = select.poll()
    poller.register(alarm.descriptor, select.POLLIN)
    return bool(poller.poll(within_ms))


def test_it_rings_at_its_moment_and_not_before(alarm: Alarm) -> None:
    for ahead_ms in (1, 20, 60):
        at_ns = now_ns() + ahead_ms * MS
        alarm.set(at_ns)
        assert rings(alarm, 10_000)
        assert now_ns() >= at_ns


@pytest.mark.parametrize("at_ns", [-5, 0, 1, 1_000_000_000], ids=str)
def test_a_moment_that_has_passed_rings_at_once(alarm: Alarm, at_ns: int) -> None:
    alarm.set(at_ns)
    assert rings(alarm, 10_000)


def test_it_is_silent_until_it_is_set_and_when_it_is_set_to_never(alarm: Alarm) -> None:
    assert not rings(alarm, 20)
    alarm.set(now_ns() + 10 * MS)
    alarm.set(None)
    assert not rings(alarm, 50)


def test_a_ring_that_nobody_heard_is_forgotten_when_it_is_set_anew(alarm: Alarm) -> None:
    alarm.set(1)
    assert rings(alarm, 10_000)
    alarm.set(now_ns() + 3_600_000 * MS)
    assert not rings(alarm, 20)


def test_it_goes_on_ringing_until_it_is_read_and_reading_a_silent_one_does_not_wait(alarm: Alarm) -> None:
    alarm.set(1)
    assert rings(alarm, 10_000)
    assert rings(alarm, 0)
    assert os.read(alarm.descriptor, 8) == (1).to_bytes(8, "little")
    assert not rings(alarm, 0)
    with pytest.raises(BlockingIOError):
        os.read(alarm.descriptor, 8)


def test_its_descriptor_is_given_back_once_and_is_not_inherited(alarm: Alarm) -> None:
    descriptor = alarm.descriptor
    assert not os.get_inheritable(descriptor)
    alarm.close()
    assert not Path(f"/proc/self/fd/{descriptor}").exists()
    alarm.close()
    with pytest.raises(OSError, match="descriptor"):
        alarm.set(1)
