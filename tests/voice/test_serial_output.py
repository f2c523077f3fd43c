"""The serial output on a pty: the rate, the locks, a full kernel, an unplugged device. A real UART was not here."""

import fcntl
import os
import struct
from pathlib import Path

import pytest
from test_line import parsed

from lalelu.clock import now_ns
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.voice.message import note_off, note_on
from lalelu.voice.outputs import serial
from lalelu.voice.outputs.serial import SerialOutput, SerialOutputOptions


@pytest.fixture
def pty():
    master, slave = os.openpty()
    os.set_blocking(master, False)
    yield master, Path(os.ttyname(slave))
    os.close(master)
    os.close(slave)


def output_at(path: Path, **options: int) -> SerialOutput:
    return SerialOutput(SerialOutputOptions(target=str(path), **options))


def settings_of(path: Path) -> tuple[int, int, int, int, int]:
    """Input, output, control and local flags, and the rate."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        fields = struct.unpack("=4IB19s2I", fcntl.ioctl(descriptor, 0x802C542A, bytes(44)))
    finally:
        os.close(descriptor)
    return (*fields[:4], fields[-1])


def test_the_line_is_raw_and_runs_at_the_asked_rate(pty):
    master, path = pty
    output = output_at(path)
    assert output.open() == f"serial:{path}: 31250 baud, read back"
    iflag, oflag, cflag, lflag, rate = settings_of(path)
    assert (iflag, oflag, lflag, rate) == (0, 0, 0, 31250)
    assert cflag & 0o10017 == 0o10000  # BOTHER
    output.send(note_on(10, 13, 10), now_ns())  # carriage return and newline are bytes as others
    output.close()
    assert os.read(master, 64) == bytes((0x99, 13, 10))


@pytest.mark.parametrize(("rate", "refused"), [(31250, False), (31500, False), (31600, True), (38400, True)])
def test_another_rate_than_asked_is_refused_beyond_one_percent(pty, monkeypatch, rate, refused):
    real = fcntl.ioctl

    def ioctl(descriptor, request, *arguments):
        answer = real(descriptor, request, *arguments)
        if request == 0x802C542A:
            answer = answer[:-8] + struct.pack("=2I", rate, rate)
        return answer

    monkeypatch.setattr(serial.fcntl, "ioctl", ioctl)
    output = output_at(pty[1])
    if not refused:
        assert f"{rate} baud" in output.open()
        output.close()
        return
    with pytest.raises(
        UsageError, match=f"runs at {rate} baud instead of 31250; MIDI allows a difference of 1%"
    ):
        output.open()
    monkeypatch.undo()
    output.open()  # nothing was left open or locked
    output.close()


def test_a_line_is_one_programs_at_a_time(pty):
    first, second = output_at(pty[1]), output_at(pty[1], baud=115200)
    first.open()
    with pytest.raises(MissingError, match="in use by another program"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_what_cannot_be_opened_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(MissingError, match="it is not there; plug it in"):
        output_at(tmp_path / "ttyUSB9").open()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="no serial line"):
        output_at(tmp_path / "file").open()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(serial.os, "open", refuse)
    with pytest.raises(MissingError, match="join the group dialout"):
        output_at(tmp_path / "ttyUSB0").open()


def test_a_reader_that_takes_nothing_never_holds_the_sender_up_and_no_notes_end_is_lost(pty):
    master, path = pty
    output = output_at(path, baud=4_000_000)
    output.open()
    at_ns = now_ns()
    for number in range(30_000):  # more than the kernel keeps
        at_ns += 100_000
        output.send(note_on(10, number % 64, 1 + number % 127), at_ns)
    for note in range(64):
        output.send(note_off(10, note), at_ns)
    assert output.dropped > 1000
    heard = bytearray()
    while output.next_ns is not None:
        heard += os.read(master, 65536)
        at_ns += 1_000_000
        output.advance(at_ns)
    heard += os.read(master, 65536)
    output.close()
    messages = list(parsed(bytes(heard)))
    assert messages[-64:] == [note_off(10, note) for note in range(64)]


def test_an_unplugged_line_is_noticed_by_a_look_and_by_sending_and_opens_again(tmp_path):
    link = tmp_path / "ttyUSB0"
    output = output_at(link)
    for noticed in (output.look, lambda: output.send(note_on(10, 38, 1), now_ns())):
        master, slave = os.openpty()
        link.symlink_to(os.ttyname(slave))
        output.open()
        os.close(slave)
        output.look()
        os.close(master)
        with pytest.raises(LostError, match=r"is lost: .*; plug it in again"):
            noticed()
        link.unlink()
        with pytest.raises(MissingError, match="not there"):
            output.open()
    output.close()
