"""Who may ask the page for something: the right host, the right origin, and the token where there is one.

Host and Origin keep other web pages out that are open in the same browser (DNS rebinding, cross-site WebSockets); the
token keeps out whoever else is on the network.
"""

import hmac
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE: Final = "lalelu"
_COOKIE_S: Final = 30 * 24 * 3600
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard(token: str | None) -> Middleware:
    """Return the middleware that refuses strangers, and gives every answer the headers."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse
        try:
            answer = _refusal(request, token) or await handler(request)
        except web.HTTPException as exc:
            exc.headers.update(HEADERS)
            raise
        if not answer.prepared:
            answer.headers.update(HEADERS)
        return answer

    return check


def _refusal(request: web.Request, token: str | None) -> web.StreamResponse | None:
    """Return why a request is refused, or where it is sent first; None = it is allowed."""
    if not _is_ours(request.host, _port(request), any_address=token is not None):
        return _said(421, f"the page is not served as {request.host}; open it by its address")
    origin = request.headers.get("Origin")
    wanted = request.headers.get("Upgrade", "").lower() == "websocket"
    if (origin is None and wanted) or (origin is not None and not _same(origin, request.host)):
        return _said(403, f"a page of {origin or 'nowhere'} may not ask this one; open this page itself")
    if token is None:
        return None
    given = request.query.get("token")
    if given is not None and request.method == "GET" and _equal(given, token):
        answer = web.HTTPSeeOther(request.path)  # so that the token stays in no address bar
        answer.set_cookie(COOKIE, token, max_age=_COOKIE_S, httponly=True, samesite="Strict")
        raise answer
    if _equal(request.cookies.get(COOKIE, ""), token):
        return None
    return _said(401, "a token is needed: open the page with ?token=... as `lalelu desk` prints it")


def _said(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _same(origin: str, host: str) -> bool:
    return origin.lower() == f"http://{host.lower()}"


def _port(request: web.Request) -> int | None:
    """Return the port on which the request came in; None where that is not known any more."""
    name = None if request.transport is None else request.transport.get_extra_info("sockname")
    return name[1] if isinstance(name, tuple) else None


def _is_ours(host: str, port: int | None, *, any_address: bool) -> bool:
    """Whether a Host header means this machine by an address, never by a name that somebody else may hand out."""
    try:
        parts = urlsplit(f"//{host}")
        name, given = parts.hostname or "", parts.port or 80
    except ValueError:
        return False
    if given != port:
        return False
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any_address or address.is_loopback
