"""What the leading process understands by signals: an end, a reload, a terminal that is closed."""

import os
import pty
import signal
import time

import pytest

from lalelu.signals import Signals

WAIT_S = 20.0


def listen(ready, *, ignored=False):
    """Tell what signals have asked for, in a child process: `end` or `reload`, the first of them."""
    if ignored:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = Signals()
    with signals.heard():
        os.write(ready, b"ready ")
        while not (signals.count or signals.reloads):
            time.sleep(0.01)
        told = b"end" if signals.count else b"reload"
    os.write(ready, told)


def run_on_terminal(act, *, ignored=False):
    """Return what a process on a terminal of its own tells; `act` gets its id and the terminal's other end."""
    reading, writing = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        try:
            listen(writing, ignored=ignored)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as told:
        assert told.read(6) == b"ready "
        act(child, terminal)
        said = told.read(6)
    os.waitpid(child, 0)
    return said


def hang_up(_child, terminal):
    os.close(terminal)


def send_hup(child, _terminal):
    os.kill(child, signal.SIGHUP)


def test_a_closed_terminal_asks_for_the_end():
    assert run_on_terminal(hang_up) == b"end"


def test_sighup_asks_for_a_reload_as_long_as_the_terminal_is_there():
    assert run_on_terminal(send_hup) == b"reload"
    assert run_on_terminal(send_hup, ignored=True) == b"reload"


def test_under_nohup_a_closed_terminal_asks_for_nothing():
    def close_then_end(child, terminal):
        os.close(terminal)
        os.kill(child, signal.SIGINT)

    assert run_on_terminal(close_then_end, ignored=True) == b"end"


def test_without_a_terminal_sighup_asks_for_a_reload(monkeypatch, tmp_path):
    monkeypatch.setattr("lalelu.signals._TERMINAL", tmp_path / "none")
    signals = Signals()
    with signals.heard():
        signal.raise_signal(signal.SIGHUP)
        assert (signals.count, signals.reloads) == (0, 1)
        assert os.read(signals.descriptor, 8) == bytes([signal.SIGHUP])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_asks_for_the_end_is_counted(number):
    signals = Signals()
    with signals.heard():
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert (signals.count, signals.reloads) == (2, 0)
