import os
import socket
import sys

import pytest

from lalelu.notify import MAX_CHARACTERS, notify, watchdog_period_s

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract sockets are Linux's")


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """What systemd's end of the socket receives."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def heard(listener: socket.socket) -> list[str]:
    return listener.recv(1 << 16).decode().split("\n")


def test_assignments_arrive_as_the_lines_of_one_message(manager):
    assert notify(READY=1, STATUS="playing at 100 fps")
    assert heard(manager) == ["READY=1", "STATUS=playing at 100 fps"]


def test_a_message_of_several_lines_stays_one_assignment(manager):
    assert notify(STATUS="no source gave it:\n  the CDN: 404\nREADY=1")
    assert heard(manager) == ["STATUS=no source gave it: the CDN: 404 READY=1"]


def test_a_long_status_is_cut_below_what_systemd_reads(manager):
    assert notify(WATCHDOG=1, STATUS="\N{MUSICAL SYMBOL G CLEF}" * 5000)
    watchdog, status = heard(manager)
    assert watchdog == "WATCHDOG=1"
    assert status == "STATUS=" + "\N{MUSICAL SYMBOL G CLEF}" * MAX_CHARACTERS
    assert len(status.encode()) < 4096


def test_a_file_name_that_is_no_text_arrives_as_text(manager):
    assert notify(STATUS="cannot read \udcff.yaml")
    assert heard(manager) == ["STATUS=cannot read ?.yaml"]


@linux
def test_an_abstract_address_is_reached(monkeypatch):
    name = f"lalelu-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify(STOPPING=1)
        assert heard(listener) == ["STOPPING=1"]


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "relative/name"])
def test_nothing_is_sent_where_nobody_asked(address, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify(READY=1)


@pytest.mark.parametrize("path", ["gone", "x" * 300])
def test_a_systemd_that_has_gone_stops_nobody(path, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / path))
    assert not notify(WATCHDOG=1)


def test_a_systemd_that_does_not_read_is_not_waited_for_without_end(manager):
    sent = 0
    while notify(WATCHDOG=1):
        sent += 1
        assert sent < 100_000
    assert sent > 0


def test_the_watchdog_is_fed_twice_in_its_time(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "15000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_period_s() == 7.5
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_period_s() == 7.5


def test_a_child_does_not_feed_its_parents_watchdog(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "15000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    assert watchdog_period_s() is None


@pytest.mark.parametrize("timeout", [None, "", "0", "-1", "soon"])
def test_no_watchdog_asks_for_nothing(timeout, monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if timeout is not None:
        monkeypatch.setenv("WATCHDOG_USEC", timeout)
    assert watchdog_period_s() is None
