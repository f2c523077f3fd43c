import os
import socket
import sys

import pytest

from lalelu.journal import CONDITION_ID, WARNING, Journal


@pytest.fixture
def journald(tmp_path):
    """The journal's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


def test_an_entry_is_one_datagram_of_fields(journald, journal):
    assert journal.send(
        "the picture is black", WARNING, MESSAGE_ID=CONDITION_ID, LALELU_CONDITION="dark", LALELU_TIMES=2
    )
    assert journald.recv(1 << 16).decode().splitlines() == [
        "MESSAGE=the picture is black", "PRIORITY=4", "SYSLOG_IDENTIFIER=lalelu",
        f"MESSAGE_ID={CONDITION_ID}", "LALELU_CONDITION=dark", "LALELU_TIMES=2",
    ]  # fmt: skip


def test_no_text_becomes_a_field_of_its_own(journald, journal):
    assert journal.send("lost\nPRIORITY=0", WARNING)
    assert journald.recv(1 << 16).decode().splitlines()[0] == "MESSAGE=lost PRIORITY=0"


def test_a_journal_that_has_gone_or_does_not_read_is_told_of_at_once(journald, journal):
    taken = 0
    while journal.send("full", WARNING):
        taken += 1
        assert taken < 100_000
    assert taken > 0
    journald.close()
    assert not journal.send("gone", WARNING)


def test_the_journal_is_used_where_the_standard_error_goes_there(monkeypatch, tmp_path):
    with (tmp_path / "err").open("w") as err:
        monkeypatch.setattr(sys, "stderr", err)
        told = os.fstat(err.fileno())
        assert Journal.of_stderr({}) is None
        assert Journal.of_stderr({"JOURNAL_STREAM": f"{told.st_dev}:{told.st_ino + 1}"}) is None
        found = Journal.of_stderr({"JOURNAL_STREAM": f"{told.st_dev}:{told.st_ino}"})
        assert found is not None
        found.close()
    assert Journal.of_stderr({"JOURNAL_STREAM": "1:2"}) is None  # closed
