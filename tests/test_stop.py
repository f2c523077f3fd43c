"""When a loop is told to end, what interrupts it, and what no longer does."""

import os
import signal
import time

import pytest

from lalelu import stop as stop_module
from lalelu.stop import Stop

FOR_EVER_S = 60.0
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def names(number):
    return number.name


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What waits is left soon."""
    monkeypatch.setattr(stop_module, "GRACE_S", 0.05)


@pytest.fixture(autouse=True)
def hung_up():
    """A hang-up is heard, whoever runs the tests: under nohup it would be ignored, and loops here never end."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def handlers():
    return [signal.getsignal(number) for number in (*NUMBERS, signal.SIGALRM)]


@pytest.mark.parametrize("number", NUMBERS, ids=names)
def test_a_signal_lets_the_loop_end_after_the_frame_in_hand(monkeypatch, number):
    monkeypatch.setattr(stop_module, "GRACE_S", FOR_EVER_S)
    frames = []
    stop = Stop()
    with stop.on_signals():
        while not stop.requested:
            signal.raise_signal(number)
            frames.append("played to its end")
        stop.heard()
        frames.append("and closed")
    assert frames == ["played to its end", "and closed"]


@pytest.mark.parametrize("number", NUMBERS, ids=names)
def test_a_signal_that_is_not_noticed_interrupts_what_the_loop_waits_for(number):
    left = []
    stop = Stop()
    with stop.on_signals():
        try:
            signal.raise_signal(number)
            time.sleep(FOR_EVER_S)
            left.append("late")
        finally:
            left.append("tidied")
    assert left == ["tidied"]
    assert stop.requested


def test_nobody_who_catches_exceptions_keeps_the_interruption():
    stop = Stop()
    caught = []
    with stop.on_signals():
        signal.raise_signal(signal.SIGTERM)
        try:
            time.sleep(FOR_EVER_S)
        except Exception as exc:  # noqa: BLE001 - as a library might
            caught.append(exc)
    assert caught == []


def test_the_loop_is_stopped_when_its_time_is_over():
    stop = Stop()
    with stop.on_signals():
        stop.after(0.02)
        deadline_s = time.monotonic() + FOR_EVER_S
        while not stop.requested:
            assert time.monotonic() < deadline_s
        stop.heard()
    assert stop.requested


def test_what_the_loop_waits_for_is_left_when_its_time_is_over():
    reached = []
    with Stop().on_signals() as stop:
        stop.after(0.02)
        time.sleep(FOR_EVER_S)
        reached.append("the end of the sleep")
    assert reached == []


def test_nothing_is_interrupted_once_the_loop_has_ended(monkeypatch):
    monkeypatch.setattr(stop_module, "GRACE_S", 0.3)  # long enough to call heard() on a busy machine
    closed = []
    with Stop().on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        stop.heard()
        time.sleep(1.5 * stop_module.GRACE_S)
        closed.append("the camera")
        for number in (
            *NUMBERS,
            signal.SIGALRM,
        ):  # an impatient leader, or a service manager of its own accord
            signal.raise_signal(number)
        time.sleep(1.5 * stop_module.GRACE_S)
        closed.append("the network")
    assert closed == ["the camera", "the network"]


@pytest.mark.parametrize("how", ["ended", "interrupted", "failed"])
def test_the_signals_and_the_timer_are_given_back(how):
    before = handlers()
    stop = Stop()
    try:
        with stop.on_signals():
            assert handlers() != before
            stop.after(FOR_EVER_S)
            if how == "interrupted":
                signal.raise_signal(signal.SIGTERM)
                time.sleep(FOR_EVER_S)
            if how == "failed":
                {}["a bug"]
    except KeyError:
        assert how == "failed"
    assert handlers() == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_hang_up_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop().on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(2 * stop_module.GRACE_S)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)
