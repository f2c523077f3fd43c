"""Measure whether the page is felt: the engine's rows with 0, 1 and 5 pages open, and while the desk is killed.

    tools/bench_page.py [--seconds 10] [--rounds 3] [--camera URI] [--chromium PATH] [--json]

One instrument plays, and the conditions take turns. Two of them are the same, nobody looks: their difference is the
noise that the others are to be seen in. A page is a tab of Chromium that draws, or without --chromium a browser's
WebSocket that takes every message. Chromium runs here, too, niced and kept off the engine's core: a phone costs less.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

from lalelu.channel import BoardReader, RingReader
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE
from lalelu.session import Session

CONDITIONS: Final = ("nobody looks", "nobody looks, again", "1 page", "5 pages", "the desk is killed")
PAGES: Final = {"1 page": 1, "5 pages": 5}
CONFIG: Final = 'page: {at: "127.0.0.1:0"}\nmidi: {outputs: ["memory:"]}\n'
SETTLE_S: Final = 1.0  # after a change of condition
KILL_S: Final = 1.0  # between two deaths of the desk
START_S: Final = 120.0


class Rows:
    """The frames and notes of an instrument since the last call."""

    def __init__(self, session: Session) -> None:
        self._rings = {"frames": RingReader(session / "frames"), "notes": RingReader(session / "notes")}
        self._next = dict.fromkeys(self._rings, 0)
        self.skip()

    def skip(self) -> None:
        """Leave out what has been until now."""
        self._next = {name: ring.head for name, ring in self._rings.items()}

    def latencies_ms(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how long frames took to their row (N,) and from a frame's arrival to its notes (M,)."""
        frames, notes = self._new("frames", FRAME_DTYPE), self._new("notes", NOTE_DTYPE)
        arrived = dict(zip(frames["seq"].tolist(), frames["arrived_ns"].tolist(), strict=True))
        sent = [
            (sent_ns - arrived[seq]) * 1e-6
            for seq, sent_ns in zip(notes["seq"].tolist(), notes["sent_ns"].tolist(), strict=True)
            if seq in arrived
        ]
        return (frames["sent_ns"] - frames["arrived_ns"]) * 1e-6, np.array(sent)

    def _new(self, name: str, dtype: np.dtype[np.void]) -> NDArray[np.void]:
        batch = self._rings[name].read(self._next[name])
        self._next[name] = batch.next
        return np.frombuffer(b"".join(batch.records), dtype)


@contextmanager
def instrument(camera: str, folder: Path) -> Iterator[tuple[Session, "subprocess.Popen[bytes]"]]:
    """Have an instrument play with a page, and give its session and its leader."""
    (folder / "bench.yaml").write_text(CONFIG)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    environment.pop("RUNTIME_DIRECTORY", None)
    command = [
        sys.executable,
        "-m",
        "lalelu",
        "run",
        "--config",
        str(folder / "bench.yaml"),
        "--camera",
        camera,
    ]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            session = Session(folder / "lalelu" / str(process.pid))
            wait(session.folder.exists, process)
            wait(lambda: BoardReader(session / "engine").value().get("state") == "playing", process)
            yield session, process
        finally:
            process.send_signal(signal.SIGTERM)


def wait(condition: Callable[[], object], process: "subprocess.Popen[bytes]") -> None:
    """Wait until something is true. Raises RuntimeError when the instrument ends before, or it takes too long."""
    until_s = time.monotonic() + START_S
    while not condition():
        if process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError("the instrument does not play; start it by hand: lalelu run")
        time.sleep(0.05)


def has_desk(session: Session) -> bool:
    """Whether a desk lives that has opened its page."""
    desk = BoardReader(session / "desk").value()
    same = desk.get("pid") == BoardReader(session / "lead").value().get("desk")
    return same and "page" in desk and Path(f"/proc/{desk['pid']}").exists()


@contextmanager
def looked_at(session: Session, pages: int, chromium: str) -> Iterator[None]:
    """Have so many browsers look."""
    if not pages:
        yield
        return
    url = BoardReader(session / "desk").value()["page"]
    engine = str(BoardReader(session / "lead").value()["engine"])
    command = [sys.executable, __file__, "--look", url, "--pages", str(pages), "--engine", engine]
    with subprocess.Popen([*command, "--chromium", chromium], stdout=subprocess.PIPE) as lookers:
        assert lookers.stdout is not None
        try:
            if not lookers.stdout.readline():  # all of them have had a message
                raise RuntimeError(f"no browser can look at {url}")
            yield
        finally:
            lookers.terminate()


def stand_back(engine: int) -> None:
    """Leave the core of the engine (a process), and let everybody else go first; what is started then does so, too."""
    os.sched_setaffinity(0, os.sched_getaffinity(0) - os.sched_getaffinity(engine) or {0})
    os.nice(19)


def draw(url: str, pages: int, chromium: str) -> None:
    """Have so many tabs of one browser draw what they get."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(pages):
            tab = browser.new_context(viewport={"width": 390, "height": 844}).new_page()  # a window each
            tab.goto(url)
            tab.locator("#traces canvas").first.wait_for()
        print("look", flush=True)
        while True:
            tab.wait_for_timeout(1000.0)


async def look(url: str, pages: int) -> None:
    """Take every message, as so many browsers."""
    begun = asyncio.Barrier(pages)

    async def one(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(f"{url}live", origin=url.rstrip("/")) as socket:
            await socket.receive_bytes()
            if await begun.wait() == 0:
                print("look", flush=True)
            async for _ in socket:
                pass

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(one(client) for _ in range(pages)))


def spend(session: Session, seconds: float, *, kills: bool) -> None:
    """Let time pass; with `kills` no desk lives for long."""
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        if kills:
            with suppress(ProcessLookupError):
                os.kill(int(BoardReader(session / "lead").value()["desk"]), signal.SIGKILL)
        time.sleep(min(KILL_S, left_s))


def measure(camera: str, seconds: float, rounds: int, chromium: str) -> dict[str, dict[str, float]]:
    """Return the figures of every condition, all rounds together."""
    found: dict[str, tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]] = {
        name: ([], []) for name in CONDITIONS
    }
    with (
        tempfile.TemporaryDirectory(prefix="lalelu-bench-", dir="/dev/shm") as folder,
        instrument(camera, Path(folder)) as (session, process),
    ):
        rows = Rows(session)
        for turn in range(rounds):
            for name in CONDITIONS if turn % 2 == 0 else reversed(CONDITIONS):
                print(f"round {turn + 1} of {rounds}: {name}", file=sys.stderr)
                wait(lambda: has_desk(session), process)
                with looked_at(session, PAGES.get(name, 0), chromium):
                    time.sleep(SETTLE_S)
                    rows.skip()
                    spend(session, seconds, kills=name == "the desk is killed")
                    for kept, fresh in zip(found[name], rows.latencies_ms(), strict=True):
                        kept.append(fresh)
    return {
        name: figures(np.concatenate(frames), np.concatenate(notes))
        for name, (frames, notes) in found.items()
    }


def figures(frame_ms: NDArray[np.float64], note_ms: NDArray[np.float64]) -> dict[str, float]:
    """Return counts and percentiles, ms."""
    told: dict[str, float] = {"frames": len(frame_ms), "notes": len(note_ms)}
    for name, values in (("frame", frame_ms), ("note", note_ms)):
        for share in (50, 99):
            told[f"{name}_p{share}_ms"] = (
                round(float(np.percentile(values, share)), 3) if len(values) else float("nan")
            )
    return told


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the figures for people, as Markdown."""
    columns = list(next(iter(found.values())))
    heads = ["condition", *(column.replace("_", " ") for column in columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [
        f"| {name} | {' | '.join(f'{told[key]:g}' for key in columns)} |" for name, told in found.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--camera", default="sim:?groove=rock&bpm=120&fps=50")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each condition in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chromium", default="", help="a browser's program, to draw the pages with")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--look", help=argparse.SUPPRESS)
    parser.add_argument("--pages", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--engine", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.look:
        stand_back(args.engine)
        if args.chromium:
            draw(args.look, args.pages, args.chromium)
        else:
            asyncio.run(look(args.look, args.pages))
        return
    found = measure(args.camera, args.seconds, args.rounds, args.chromium)
    print(json.dumps(found) if args.json else table(found))


if __name__ == "__main__":
    main()
