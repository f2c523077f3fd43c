"""`lalelu desk`: where the page of the running instrument is; serves one for the configuration where none runs."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

from lalelu.channel import BoardReader
from lalelu.commands.status import living
from lalelu.config.loader import load_config, with_overrides
from lalelu.config.page import PageSection
from lalelu.config.schema import Config
from lalelu.desk.page import listening, url_of
from lalelu.errors import LaleluError, MissingError, UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--config", type=Path, help="configuration that the page shows where nobody plays")
    parser.add_argument("--at", metavar="HOST:PORT", help="serve there, instead of at page.at")
    parser.add_argument("--token", help="what every browser must show, instead of page.token")
    parser.add_argument("--open", action="store_true", help="open it in this machine's browser")


def run(args: argparse.Namespace) -> int:
    """Print where the page is; without an instrument, serve it until Ctrl-C. Raises UsageError and MissingError."""
    found = next(_running(), None)
    if found is not None and args.at is None:
        if args.config is not None or args.token is not None:
            raise UsageError(
                f"an instrument plays, and its own page is at {found}; --config and --token are for another page: "
                "give that an --at, as in --at 127.0.0.1:8766, or leave them out"
            )
        _tell(found, opens=args.open)
        return 0
    given = {key: value for key, value in (("at", args.at), ("token", args.token)) if value is not None}
    loaded = with_overrides(load_config(args.config), page=given)
    asked = loaded.config.page
    if asked.address is None:
        raise UsageError("page.at is null, so no page is served; give --at, as in --at 127.0.0.1:8765")
    try:
        door = listening(asked.address)
    except OSError as exc:
        raise MissingError(
            f"the page cannot be served at {asked.at} ({exc.strerror}); choose another --at"
        ) from exc
    why = "no instrument plays" if found is None else f"an instrument plays, but its own page is at {found}"

    def begun() -> None:
        _tell(url_of(door) + _token_of(asked), opens=args.open)
        sys.stderr.write(f"{why}: there is no live picture here; Ctrl-C ends it\n")

    with door:
        _serve(door, loaded.config, loaded.source.path, begun)
    return 0


def _running() -> Iterator[str]:
    """Yield the addresses of the pages of instruments that run here."""
    for session in living(os.environ):
        try:
            url, asked = BoardReader(session / "desk").value().get("page"), session.plan.config.page
        except LaleluError:  # it has just ended
            continue
        if url is not None:
            yield url + _token_of(asked)


def _token_of(asked: PageSection) -> str:
    return "" if asked.token is None else f"?token={asked.token}"


def _tell(url: str, *, opens: bool) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    if opens:
        webbrowser.open(url)


def _serve(door: socket.socket, config: Config, config_path: Path | None, begun: Callable[[], None]) -> None:
    """Serve until a signal; `begun` is called once that is heard."""
    from lalelu.page.app import make_app
    from lalelu.page.context import Context
    from lalelu.page.process import serve
    from lalelu.takes.folder import takes_folder

    async def until_told() -> None:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        begun()
        await serve(make_app(context), door, over)

    path = None if config_path is None else config_path.absolute()
    context = Context(None, path, takes_folder(config, os.environ), config.page.token)
    asyncio.run(until_told())
