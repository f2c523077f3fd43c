"""A page on a free port of this machine, and what a browser would ask of it."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from lalelu.page.app import make_app
from lalelu.page.context import Context


@asynccontextmanager
async def served(context=None, **options):
    """A client of a page that nobody plays, or of `context`'s."""
    app = make_app(context or Context(None, None, Path("takes"), **options))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


def asked(path="/", *, method="GET", headers=None, **options):
    """The status, the headers and the text of one answer."""

    async def ask():
        async with served(**options) as client:
            own = {name: value.format(port=client.port) for name, value in (headers or {}).items()}
            async with client.request(method, path, headers=own, allow_redirects=False) as answer:
                return answer.status, answer.headers, await answer.text()

    return asyncio.run(ask())


def talk(context, *requests):
    """The status and the answer to each request about the take `mine`, (path) or (path, body)."""

    async def ask():
        answers = []
        async with served(context) as client:
            for path, *body in requests:
                given = {"json": {"take": "mine", **body[0]}} if body else {}
                async with client.request("POST" if body else "GET", f"/api/takes{path}", **given) as answer:
                    answers.append((answer.status, await answer.json()))
        return answers

    return asyncio.run(ask())
