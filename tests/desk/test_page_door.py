"""The page's door: what the page may ask for, and a port that somebody else has."""

import select
import socket
import sys
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from desk.players import Leader

from lalelu.channel import BoardReader
from lalelu.config.page import PageSection
from lalelu.desk import page
from lalelu.desk.page import PageDoor, listening, order_of, url_of
from lalelu.orders import KIT, PLAY, STANDBY, OrderWriter


@pytest.mark.parametrize(
    ("line", "kind", "number"),
    [("standby", STANDBY, 0), ("play", PLAY, 0), ("kit 2", KIT, 2)],
)
def test_a_line_of_the_page_s_becomes_an_order(line, kind, number):
    order = order_of(line)
    assert (order.kind, order.number) == (kind, number)
    assert order.at_ns > 0


@pytest.mark.parametrize("line", ["", "kit", "kit x", "kit -1", "kit 99999", "standby now", "stop", "\x00"])
def test_whatever_else_it_says_is_no_order(line):
    assert order_of(line) is None


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "http://127.0.0.1:"), ("::1", "http://[::1]:")])
def test_an_address_is_told_as_browsers_take_it(host, shown):
    try:
        door = listening((host, 0))
    except OSError:
        pytest.skip(f"{host} is not there")
    with door:
        assert url_of(door).startswith(shown)


def test_a_taken_port_is_told_once_and_taken_over_when_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "RETRY_S", 0.0)
    monkeypatch.setattr(page, "PATIENCE_S", -1.0)
    other = listening(("127.0.0.1", 0))
    at = f"127.0.0.1:{other.getsockname()[1]}"
    with Leader(tmp_path / "led") as leader:
        orders, poller = OrderWriter(leader.session), select.poll()
        asked = PageSection(at=at)
        with PageDoor(leader.session, asked, orders, poller, leader.lead) as door:
            for _ in range(3):
                door.step()
            (told,) = BoardReader(leader.session / "lead").value()["lines"]
            assert told.startswith(f"page: none, {at} cannot be used (Address already in use)")
            other.close()
            door.step()
            value = BoardReader(leader.session / "lead").value()
            assert (value["lines"], value["page"]) == ([told, f"page: http://{at}/"], f"http://{at}/")
            with socket.create_connection(asked.address):
                assert poller.poll(5000) != []  # the desk is woken


def test_without_an_address_nothing_listens(tmp_path):
    with Leader(tmp_path / "led") as leader:
        poller = select.poll()
        with PageDoor(
            leader.session,
            PageSection(at=None),
            OrderWriter(leader.session),
            poller,
            leader.lead,
        ) as door:
            door.step()
        assert poller.poll(0) == []


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("/bin/false", "page: it has ended (status 1); it is started again when a browser asks for it"),
        ("/nowhere/python", "page: it cannot be started (No such file or directory); it is started again"),
    ],
)
def test_a_page_that_does_not_start_is_told_and_left_alone_for_a_while(tmp_path, monkeypatch, program, told):
    with Leader(tmp_path / "led") as leader:
        board, poller = BoardReader(leader.session / "lead"), select.poll()
        asked = PageSection(at="127.0.0.1:0")
        monkeypatch.setattr(sys, "executable", program)
        monkeypatch.setattr(page, "RETRY_S", 3600.0)
        with PageDoor(leader.session, asked, OrderWriter(leader.session), poller, leader.lead) as door:
            door.step()
            port = int(board.value()["page"].rpartition(":")[2].strip("/"))
            with socket.create_connection(("127.0.0.1", port)):
                while len(board.value()["lines"]) < 2:
                    poller.poll(5000)
                    door.step()
                assert board.value()["lines"][1].startswith(told)
                for _ in range(3):
                    assert poller.poll(0) == []  # who waits does not keep the desk busy
                    door.step()
        assert len(board.value()["lines"]) == 2


def test_a_page_that_could_not_start_is_started_again(tmp_path, monkeypatch):
    with Leader(tmp_path / "led") as leader:
        poller = select.poll()
        started = tmp_path / "started"
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\necho once >> {started}\nexit 3\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        monkeypatch.setattr(page, "RETRY_S", 0.0)
        asked = PageSection(at="127.0.0.1:0")
        with PageDoor(leader.session, asked, OrderWriter(leader.session), poller, leader.lead) as door:
            door.step()
            url = BoardReader(leader.session / "lead").value()["page"]
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2].strip("/")))):
                while not started.exists() or len(started.read_text().split()) < 3:
                    poller.poll(20)
                    door.step()


def test_a_page_for_the_whole_network_is_told_by_an_address_that_others_can_open():
    with listening(("0.0.0.0", 0)) as door:
        host = urlsplit(url_of(door)).hostname
        with socket.create_connection((host, door.getsockname()[1]), 5):
            assert not ip_address(host).is_unspecified
