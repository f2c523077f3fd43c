"""The OSC output: what it sends, that it never waits, and what it says where it cannot."""

import errno
import socket
from collections.abc import Iterator

import pytest
from pythonosc.osc_message import OscMessage

from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import from_uri
from lalelu.voice.message import CLOCK, control, note_off, note_on, pitch_bend
from lalelu.voice.outputs import osc
from lalelu.voice.outputs.osc import OscOutput, OscOutputOptions
from lalelu.voice.port import ADAPTERS, ValueOutput


class Jammed:
    """A socket whose network refuses."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tried = 0

    def sendto(self, data: bytes, address: object) -> int:
        self.tried += 1
        raise OSError(self.number, "refused")

    def close(self) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(5)
        yield made


def made(target: str) -> OscOutput:
    output = from_uri("MIDI output", ADAPTERS, f"osc:{target}")
    assert isinstance(output, OscOutput)
    return output


def opened(listener: socket.socket, host: str = "127.0.0.1") -> OscOutput:
    output = made(f"{host}:{listener.getsockname()[1]}")
    output.open()
    return output


@pytest.mark.parametrize(
    ("message", "address", "arguments"),
    [
        (note_on(10, 38, 100), "/lalelu/note", [10, 38, 100]),
        (note_off(16, 0), "/lalelu/note", [16, 0, 0]),
        (control(1, 4, 127), "/lalelu/control", [1, 4, 127]),
        (pitch_bend(2, 0), "/lalelu/bend", [2, -1.0]),
        (pitch_bend(2, 8192), "/lalelu/bend", [2, 0.0]),
        (pitch_bend(2, 16383), "/lalelu/bend", [2, 1.0]),
        (CLOCK, "/lalelu/clock", []),
        (bytes((0xC9, 5)), "/lalelu/midi", [0xC9, 5]),
    ],
)
def test_every_message_has_its_address(
    listener: socket.socket, message: bytes, address: str, arguments: list[float]
) -> None:
    output = opened(listener)
    output.send(message, 0)
    heard = OscMessage(listener.recv(1024))
    assert (heard.address, list(heard.params)) == (address, arguments)
    assert [type(value) for value in heard.params] == [type(value) for value in arguments]
    output.close()


def test_a_value_goes_to_the_address_that_the_kit_gives_it(listener: socket.socket) -> None:
    output = opened(listener)
    assert isinstance(output, ValueOutput)
    output.value("/filter/cutoff", 0.25)
    heard = OscMessage(listener.recv(1024))
    assert (heard.address, list(heard.params)) == ("/filter/cutoff", [0.25])
    output.close()


def test_a_name_is_looked_up_when_it_opens_and_the_line_says_what_was_found(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    output = made(f"localhost:{port}")
    assert output.open() == f"osc:localhost:{port}: UDP to 127.0.0.1, port {port}"
    output.send(CLOCK, 0)
    assert listener.recv(1024).startswith(b"/lalelu/clock\0")
    with pytest.raises(UsageError, match="is open already"):
        output.open()
    output.close()


def test_an_address_of_ip_version_6_stands_in_brackets() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError as exc:
            pytest.skip(f"this machine has no IPv6 ({exc.strerror})")
        listener.settimeout(5)
        output = opened(listener, "[::1]")
        output.send(CLOCK, 0)
        assert listener.recv(1024).startswith(b"/lalelu/clock\0")
        output.close()


def test_nobody_who_listens_is_no_loss(listener: socket.socket) -> None:
    output = opened(listener)
    listener.close()
    for _ in range(20):
        output.send(CLOCK, 0)
    assert output.dropped == 0
    output.close()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
def test_what_would_have_to_wait_is_left_out_and_counted(listener: socket.socket, number: int) -> None:
    output = opened(listener)
    output.close()
    jam = Jammed(number)
    output._socket = jam  # type: ignore[assignment]
    output.send(note_on(1, 60, 1), 0)
    output.value("/x", 0.5)
    assert (output.dropped, jam.tried) == (2, 2)


def test_a_network_that_has_gone_is_a_loss(listener: socket.socket) -> None:
    output = opened(listener)
    output.close()
    output._socket = Jammed(errno.ENETUNREACH)  # type: ignore[assignment]
    with pytest.raises(LostError, match=r"osc:127\.0\.0\.1:\d+ is lost: refused; connect the network again"):
        output.send(CLOCK, 0)


def test_it_never_waits(listener: socket.socket) -> None:
    output = opened(listener)
    assert output._socket is not None
    assert output._socket.getblocking() is False
    output.close()


@pytest.mark.parametrize("target", ["localhost", ":9000", "localhost:", "a:b:1", "localhost:123456", ""])
def test_an_address_without_host_or_port_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="target is"):
        made(target)


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match=rf"the port is {port}; use 1\.\.65535"):
        made(f"localhost:{port}")


@pytest.mark.parametrize("host", ["nobody.invalid", "x" * 70])
def test_a_host_that_is_not_found_is_named(host: str) -> None:
    with pytest.raises(MissingError, match=f"'{host}' is not found"):
        made(f"{host}:9000").open()


def test_a_host_to_which_no_network_leads_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(osc.socket, "socket", Unreachable)
    output = OscOutput(OscOutputOptions(target="127.0.0.1:9000"))
    with pytest.raises(MissingError, match="Network is unreachable; connect the network"):
        output.open()
    monkeypatch.undo()
    assert output.open()
    output.close()
