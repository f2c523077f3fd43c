"""The live socket: one binary message a tick to every browser that looks. Runs a task while somebody looks."""

import asyncio
import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from lalelu.clock import now_ns
from lalelu.errors import UsageError
from lalelu.page.context import Context
from lalelu.page.tracker import Tracker

HEAD: Final = struct.Struct("<I")  # bytes of the JSON that follows; the rest is a JPEG, or nothing
TICK_S: Final = 0.066  # between two messages
HEARTBEAT_S: Final = 10.0  # a browser that does not answer by then has gone
MOST_LOOKERS: Final = 16
MOST_WAITING: Final = 8  # messages for a browser that is slow, before they are dropped
_LEAVE: Final = b""  # no message
ORDERS: Final = ("standby", "play")


def add_routes(app: web.Application, context: Context) -> None:
    """Add the live socket and the player's orders."""
    app.router.add_get("/live", Live(context).serve)
    app.router.add_post("/api/order", Orders(context).take)


def packed(head: dict[str, Any], picture: bytes = b"") -> bytes:
    """Return a message of the live socket."""
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    return HEAD.pack(len(text)) + text + picture


class Mailbox:
    """The messages that wait for one browser."""

    def __init__(self, first: bytes) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._queue.put_nowait(first)

    def put(self, message: bytes, greeting: Callable[[], bytes]) -> None:
        """Have a message sent; a browser that is too slow for all of them begins anew with a greeting."""
        if self._queue.full():
            self._clear()
            self._queue.put_nowait(greeting())  # what was dropped may have had the scene
        self._queue.put_nowait(message)

    def close(self) -> None:
        """Have nothing sent any more, and the browser come again."""
        self._clear()
        self._queue.put_nowait(_LEAVE)

    async def get(self) -> bytes:
        """Return the next message; nothing = there are no more."""
        return await self._queue.get()

    def _clear(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()


class Live:
    """The browsers that look; the instrument is followed while there is one."""

    def __init__(self, context: Context) -> None:
        self._session = context.session
        self._mailboxes: set[Mailbox] = set()
        self._tracker: Tracker | None = None
        self._task: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Tell one browser what happens until it leaves."""
        if len(self._mailboxes) >= MOST_LOOKERS:
            sentence = f"{MOST_LOOKERS} browsers look already; close one"
            return web.json_response({"error": sentence}, status=503)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=1024)
        await socket.prepare(request)
        mailbox = Mailbox(packed(self._greeting()))
        self._mailboxes.add(mailbox)
        sending = asyncio.create_task(_send(socket, mailbox))
        self._begin()
        try:
            async for _ in socket:  # it has nothing to say, but to leave
                pass
        finally:
            self._mailboxes.discard(mailbox)
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return socket

    def _greeting(self) -> dict[str, Any]:
        if self._session is None:
            return {"state": {"state": "idle"}}
        if self._tracker is None:
            self._tracker = Tracker(self._session)
        return self._tracker.greeting()

    def _begin(self) -> None:
        if self._tracker is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._follow(self._tracker))

    async def _follow(self, tracker: Tracker) -> None:
        """Fill all mailboxes until nobody looks."""
        try:
            while self._mailboxes:
                head, picture = tracker.tick(now_ns())
                message = packed(head, picture)
                for mailbox in self._mailboxes:
                    mailbox.put(message, lambda: packed(tracker.greeting()))
                await asyncio.sleep(TICK_S)
        finally:
            self._tracker = None
            for mailbox in self._mailboxes:  # it has failed: they come again
                mailbox.close()


async def _send(socket: web.WebSocketResponse, mailbox: Mailbox) -> None:
    with suppress(ConnectionError):
        while message := await mailbox.get():
            await socket.send_bytes(message)
        await socket.close()


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
