"""The live socket: one binary message a tick to every browser that looks. Runs a task while somebody looks."""

import asyncio
import json
import struct
from contextlib import suppress
from typing import Any, Final

from aiohttp import WSMsgType, web

from lalelu.errors import UsageError
from lalelu.page.context import Context

HEAD: Final = struct.Struct("<I")  # bytes of the JSON that follows; the rest is a JPEG, or nothing
ORDERS: Final = ("standby", "play")


def add_routes(app: web.Application, context: Context) -> None:
    """Add the live socket and the player's orders."""
    app.router.add_get("/live", Live(context).serve)
    app.router.add_post("/api/order", Orders(context).take)


def packed(head: dict[str, Any], picture: bytes = b"") -> bytes:
    """Return a message of the live socket."""
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    return HEAD.pack(len(text)) + text + picture


class Live:
    """The browsers that look."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Tell one browser what happens until it leaves."""
        socket = web.WebSocketResponse(heartbeat=10.0, max_msg_size=1024)
        await socket.prepare(request)
        with suppress(ConnectionError, asyncio.CancelledError):
            await socket.send_bytes(packed({"state": {"state": "idle"}}))
            async for message in socket:
                if message.type == WSMsgType.ERROR:
                    break
        return socket


class Orders:
    """What a browser asks of the instrument."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def take(self, request: web.Request) -> web.Response:
        """Take {"order": "standby"} or "play"; the answer says what was handed on."""
        body = await request.json()
        order = body.get("order") if isinstance(body, dict) else None
        if order not in ORDERS:
            raise UsageError(f"the order {order!r} is not known; there are {', '.join(ORDERS)}")
        self._context.ask(order)
        return web.json_response({"order": order})
