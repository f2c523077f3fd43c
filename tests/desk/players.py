"""Stand-ins for those who play: a session as the leader makes it, and a process that fills its rings.

`python players.py SESSION FRAMES PER_SECOND` writes as engine and voice do: poses (none, one or two players), then the
frame's row, a note and a row of the voice's events now and then. 0 a second = as fast as it goes.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import numpy as np

from lalelu.bulletin import Bulletin
from lalelu.channel import RingWriter
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.ledger.files import create_ledger, new_header
from lalelu.ledger.schema import EVENT, NOTE
from lalelu.session import Plan, Recording, Session, create_session
from lalelu.skeleton import COCO17
from lalelu.types import Pose
from lalelu.wire import EngineRings, EventRing

KIT = KitConfig.model_validate(
    {"name": "one", "pads": {"snare": {"note": 38, "zone": {"box": [-1, -1, 1, 1]}, "limbs": ["left_wrist"]}}}
)
TAKE = {"source": "sim", "fps": 100, "width": 640, "height": 480, "model": "lightning"}
HEADER = new_header({"kit": "rock"}, camera={}, model="lightning", runtime={})
KEYPOINTS = len(COCO17)
MS = 1_000_000
NOTE_EVERY, EVENT_EVERY = 3, 50


class Leader:
    """A session, led by the test itself, with a recording in `folder`."""

    def __init__(
        self, folder: Path, *, take: str | None = None, rotates: bool = False, ledger_at: Path | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.ledger = ledger_at or folder / "run.ledger"
        self.take = None if take is None else folder / take
        self.plan = Plan(
            config=Config.model_validate({"ledger": {"dir": str(folder)}}),
            kits=(KIT,),
            recording=Recording(self.ledger, self.take, rotates),
            core=0,
        )
        create_ledger(self.ledger, HEADER)
        self.environment = {"XDG_RUNTIME_DIR": str(folder / "memory")}
        self.session, self.lock = create_session(self.plan, self.environment, keypoints=KEYPOINTS)
        self.lead = Bulletin(self.session / "lead")
        self.engine = Bulletin(self.session / "engine")
        self.voice = Bulletin(self.session / "voice")
        self.engine.tell(state="playing", camera={"source": "sim"}, take=TAKE, requests=[grant("core")])
        self.voice.tell(state="ready", requests=[grant("fifo")])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.close()
        self.session.remove()

    def play(self, frames: int, per_second: int = 0) -> subprocess.Popen[bytes]:
        """Start the process that fills the rings, as the engine and the voice in one."""
        command = [sys.executable, __file__, str(self.session.folder), str(frames), str(per_second)]
        playing = subprocess.Popen(command)
        self.lead.tell(engine=playing.pid, voice=playing.pid)
        return playing


def grant(request: str) -> dict:
    return {"request": request, "granted": True, "detail": "", "remedy": ""}


def players_of(frame: int) -> int:
    return frame % 3


class Players:
    """What engine and voice write."""

    def __init__(self, session: Session) -> None:
        bell = os.eventfd(0, os.EFD_NONBLOCK)
        self._rings = EngineRings(
            session, bell, kits=(KIT,), skeleton=COCO17, keeps_poses=(session / "poses").exists()
        )
        self._notes = RingWriter(session / "notes")
        self._events = RingWriter(session / "events.voice")
        self.lead = EventRing(session, "lead")

    def frame(self, frame: int) -> None:
        captured_ns = 10 * MS * (frame + 1)
        for player in range(players_of(frame)):
            xy = np.full((KEYPOINTS, 2), frame % 1000 / 1000, np.float32)
            score = np.full(KEYPOINTS, 0.9, np.float32)
            self._rings.pose(Pose(frame, captured_ns, player, xy, score))
        stamps = range(captured_ns + 1, captured_ns + 8)
        self._rings.frame(
            frame, captured_ns, *stamps, 0, frame % NOTE_EVERY == 0, players_of(frame), 0, [0] * 8
        )
        if frame % NOTE_EVERY == 0:
            number = frame // NOTE_EVERY
            self._notes.write(NOTE.pack(number, captured_ns, 1, 2, 3, 4, 0, 10, 38, 96, 0, 10, 1))
        if frame % EVENT_EVERY == 0:
            self._events.write(EVENT.pack(frame // EVENT_EVERY, b"test", b"a text"))


def main(folder: str, frames: str, per_second: str) -> None:
    players = Players(Session(Path(folder)))
    began, rate = time.monotonic(), int(per_second)
    for frame in range(int(frames)):
        players.frame(frame)
        if rate:
            time.sleep(max(began + frame / rate - time.monotonic(), 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
