"""The page's door: what the page may ask for, and a port that somebody else has."""

import select
import socket

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
