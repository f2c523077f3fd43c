"""An instrument that a test plays by hand, before a camera: a session's rings and boards, and its page."""

import asyncio
import threading
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path

import numpy as np
from aiohttp.test_utils import TestServer
from system.stage import poses

from lalelu.bulletin import Bulletin
from lalelu.clock import now_ns
from lalelu.glimpse import RING, GlimpseWriter
from lalelu.page.app import make_app
from lalelu.page.context import Context
from lalelu.skeleton import COCO17
from lalelu.types import Frame
from lalelu.wire import EngineRings

PERIOD_S = 0.02
ASIDE = (0.4, 0.0)  # image heights, of each further player
MARKED = "right_shoulder"  # of the first player: it rests, and lies on no pad
HALF = 8  # px, of the mark's side
TAKE = {"source": "test", "fps": 100.0, "width": 640, "height": 480, "skeleton": "coco17"}


class Shown:
    """`players` who drum are seen by a camera that shows nothing but a red mark at the first one's shoulder.

    A context manager; the page goes and comes by `serve` and `stop`.
    """

    def __init__(self, session, bell, *, players=1, kits):
        self._players, self._session = players, session
        Bulletin(session / "engine").tell(
            state="playing", take=TAKE, epoch=0, kit=kits[0], kits=kits, standby=False
        )
        self._rings = EngineRings(session, bell, kits=session.plan.kits, skeleton=COCO17, keeps_poses=True)
        self._view = GlimpseWriter(session / RING)
        self._over = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._threads = [threading.Thread(target=each) for each in (self._play, self._loop.run_forever)]
        self._port = 0

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.serve()
        return self

    def __exit__(self, *_):
        self.stop()
        self._over.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join()
        self._loop.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}/"

    def serve(self, token=None):
        """Serve the page, at the same port as before."""
        app = make_app(Context(self._session, None, Path("takes"), token))
        self._server = TestServer(app, host="127.0.0.1", port=self._port)
        asyncio.run_coroutine_threadsafe(self._server.start_server(), self._loop).result(30)
        self._port = self._server.port

    def stop(self):
        """Have the page go, and all sockets with it."""
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result(30)

    def _play(self):
        film = poses(2.0)
        column, row = (round(float(place) * 240) for place in film[0].xy[COCO17.index(MARKED)])
        image = np.zeros((240, 320, 3), np.uint8)
        image[row - HALF : row + HALF, column - HALF : column + HALF] = (0, 0, 255)
        for seq, pose in zip(count(), cycle(film), strict=False):
            if self._over.wait(PERIOD_S):
                return
            at_ns = now_ns()
            for player in range(self._players):
                xy = pose.xy + np.multiply(ASIDE, player).astype(np.float32)
                self._rings.pose(replace(pose, seq=seq, captured_ns=at_ns, player=player, xy=xy))
            self._rings.frame(seq, at_ns, *range(at_ns + 1, at_ns + 8), 0, 0, self._players, 0, [0] * 8)
            self._view.show(Frame(seq, at_ns, at_ns, 0, image))
