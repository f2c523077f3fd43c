import asyncio
import json

import pytest
from aiohttp import WSServerHandshakeError
from page.served import asked, served

from lalelu.page import live_routes

TOKEN = "a token of 20 chars."
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize("path", ["/", "/static/shell.js", "/api/nothing", "/static/nothing.js"])
def test_every_answer_has_the_headers_that_keep_a_page_to_itself(path):
    _, headers, _ = asked(path)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("127.0.0.1:1", 421),
        ("127.0.0.1", 421),
        ("evil.example:{port}", 421),
        ("localhost.evil.example:{port}", 421),
        ("192.168.1.5:{port}", 421),
        ("[::1:{port}", 421),
        ("", 421),
    ],
)
def test_a_page_answers_to_this_machine_s_own_names_only(host, status):
    assert asked(headers={"Host": host})[0] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 200),
        ("http://127.0.0.1:1", 403),
        ("https://127.0.0.1:{port}", 403),
        ("http://evil.example", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_origins_may_not_ask(origin, status):
    assert asked(headers={"Origin": origin})[0] == status


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_the_live_socket_is_not_opened_for_another_page(origin):
    headers = UPGRADE if origin is None else {**UPGRADE, "Origin": origin}
    assert asked("/live", headers=headers)[0] == 403


def test_without_the_token_nothing_is_shown():
    for path in ("/", "/static/shell.js", "/live", "/?token=wrong", "/api/order"):
        status, _, text = asked(path, token=TOKEN)
        assert (status, list(json.loads(text))) == (401, ["error"])
        assert TOKEN not in text


def test_a_token_becomes_a_cookie_and_leaves_the_address():
    async def visit():
        async with served(token=TOKEN) as client:
            async with client.get("/", params={"token": TOKEN}, allow_redirects=False) as answer:
                cookie = answer.headers["Set-Cookie"]
                moved = answer.status, answer.headers["Location"]
            client.session.cookie_jar.clear()
            own = {"Cookie": cookie.split(";")[0], "Host": f"192.168.1.5:{client.port}"}
            async with client.get("/", headers=own) as answer:
                return moved, cookie, answer.status

    moved, cookie, status = asyncio.run(visit())
    assert moved == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert status == 200


def test_a_name_is_refused_even_with_a_token():
    assert asked("/?token=" + TOKEN, token=TOKEN, headers={"Host": "evil.example:{port}"})[0] == 421


def test_an_order_is_handed_on_and_an_unknown_one_refused():
    async def order():
        given = []
        async with served(ask=given.append) as client:
            async with client.post("/api/order", json={"order": "standby"}) as answer:
                first = answer.status
            async with client.post("/api/order", json={"order": "explode"}) as answer:
                second = answer.status, (await answer.json())["error"]
            refused = []
            for garbage in (b"{", b'"\xff"'):
                async with client.post("/api/order", data=garbage) as answer:
                    refused.append((answer.status, (await answer.json())["error"]))
        return given, first, second, refused

    given, first, second, refused = asyncio.run(order())
    assert (given, first) == (["standby"], 200)
    assert second == (400, "the order 'explode' is not known; there are standby, play")
    for status, sentence in refused:
        assert status == 400
        assert sentence.startswith("the request is not JSON")


def test_the_live_socket_opens_for_its_own_page():
    async def look():
        async with served() as client:
            origin = f"http://127.0.0.1:{client.port}"
            async with client.ws_connect("/live", origin=origin) as socket:
                first = await socket.receive_bytes(timeout=5)
            with pytest.raises(WSServerHandshakeError):
                await client.ws_connect("/live", origin="http://evil.example")
            return first

    first = asyncio.run(look())
    assert json.loads(first[4 : 4 + int.from_bytes(first[:4], "little")])["state"]["state"] == "idle"


def test_a_browser_too_many_is_told_so(monkeypatch):
    monkeypatch.setattr(live_routes, "MOST_LOOKERS", 0)
    status, _, text = asked("/live")
    assert (status, json.loads(text)) == (503, {"error": "0 browsers look already; close one"})
