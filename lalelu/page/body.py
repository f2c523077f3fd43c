"""What browsers send."""

from typing import Any

from aiohttp import web

from lalelu.errors import UsageError


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return a request's JSON object. Raises UsageError for something else, ValueError for no JSON."""
    body = await request.json()
    if not isinstance(body, dict):
        raise UsageError("the request is no object; send {...}")
    return body
