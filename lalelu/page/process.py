"""The page's own process: serves browsers on a socket that the desk has opened. Serves a network, runs an event loop.

`python -m lalelu.page.process SESSION FD`: the session's folder and the socket. Its standard input is a lifeline; on
its standard output it asks the desk for what the player wants, a line each. It may be killed at any moment.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from lalelu import realtime
from lalelu.errors import LaleluError
from lalelu.page.app import make_app
from lalelu.page.context import Context
from lalelu.session import Plan, Session
from lalelu.takes.folder import takes_folder

NICENESS: Final = 10
OOM_SCORE: Final = 900  # of 1000, proc(5): before the desk, and long before the sound
LEAVING_S: Final = 1.0  # for browsers to be told that it ends
_LIFELINE, _ASKED = 0, 1


async def serve(app: web.Application, door: socket.socket, over: asyncio.Event) -> None:
    """Serve browsers until `over`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LEAVING_S, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, door, shutdown_timeout=LEAVING_S).start()
        await over.wait()
    finally:
        await runner.cleanup()


def context_of(session: Session, plan: Plan) -> Context:
    """Return what the page of a running instrument shows."""
    return Context(
        session,
        None if plan.source is None else plan.source.path,
        takes_folder(plan.config, os.environ),
        plan.config.page.token,
        ask=_ask,
    )


def _ask(order: str) -> None:
    os.write(_ASKED, f"{order}\n".encode("ascii", "replace"))


async def attend(app: web.Application, door: socket.socket) -> None:
    """Serve until the lifeline ends or SIGTERM comes."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear() -> None:
        if not os.read(_LIFELINE, 64):
            loop.remove_reader(_LIFELINE)
            over.set()

    loop.add_reader(_LIFELINE, hear)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    await serve(app, door, over)


def main(arguments: Sequence[str]) -> int:
    """Be the page of one instrument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    session = Session(Path(arguments[0]))
    try:
        plan = session.plan
        _step_back(plan.core)
        with socket.socket(fileno=int(arguments[1])) as door:
            asyncio.run(attend(make_app(context_of(session, plan)), door))
    except LaleluError as exc:
        sys.stderr.write(f"the page: {exc}\n")
        return exc.exit_code
    return 0


def _step_back(core: int | None) -> None:
    """Let all else go first, as far as this may be done: in the service the desk's unit has done some of it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
    with suppress(OSError):
        realtime.leave_core(core)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
