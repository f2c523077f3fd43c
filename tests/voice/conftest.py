"""A kit, hits, a JACK server of the test's own, and a stage: an engine that obeys, and the voice as a process."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lalelu.channel import BoardReader, RingReader
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.ledger.schema import EVENT_DTYPE, NOTE_DTYPE
from lalelu.session import Plan, Recording, create_session
from lalelu.skeleton import COCO17
from lalelu.types import Command, Control, Release
from lalelu.voice.voice import Strike


@pytest.fixture
def kit() -> KitConfig:
    box = {"box": (-1.0, -1.0, 1.0, 1.0)}
    return KitConfig.model_validate(
        {
            "name": "test",
            "channel": 10,
            "note_ms": 50,
            "pads": {
                "snare": {"zone": box, "note": 38},
                "flam": {"zone": box, "note": 38},
                "chord": {"zone": box, "note": [60, 64, 67, 64], "channel": 2},
            },
        }
    )


@pytest.fixture
def strike(kit: KitConfig) -> Callable[..., Strike]:
    pads = list(kit.pads)

    def make(pad: str = "snare", *, struck_ns: int = 0, strength: float = 0.5, seq: int = 7) -> Strike:
        return Strike(
            seq=seq,
            captured_ns=struck_ns + 5_000_000,
            struck_ns=struck_ns,
            strength=strength,
            player=0,
            limb=1 + COCO17.index("right_wrist"),
            pad=1 + pads.index(pad),
        )

    return make


@pytest.fixture
def no_jack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no JACK server be found, whatever runs on this machine."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "lalelu-nobody")


# An engine without camera and network: a row each period, and what it is told on its standard input.
ENGINE = """
import json, os, select, sys, time
from pathlib import Path
from lalelu.session import Session
from lalelu.skeleton import COCO17
from lalelu.types import Command, Control, Hit, Release
from lalelu.wire import EngineRings

session = Session(Path(sys.argv[1]))
kits = session.plan.kits
rings = EngineRings(session, int(sys.argv[2]), kits=kits, skeleton=COCO17, keeps_poses=False)
values = {value.__name__: value for value in (Command, Control, Hit, Release)}
period_ns = int(sys.argv[3])
rows = False
seq = 0
due_ns = time.monotonic_ns()
while True:
    due_ns += period_ns
    while (rest_ns := due_ns - time.monotonic_ns()) > 0:
        if not select.select([0], [], [], rest_ns * 1e-9)[0]:
            continue
        orders = os.read(0, 65536).splitlines()
        if not orders:
            sys.exit()
        for order in map(json.loads, orders):
            if order[0] == "events":
                rings.send([values[name](**event) for name, event in order[1]])
            elif order[0] == "rows":
                rows = order[1]
                due_ns = time.monotonic_ns()
            else:
                rows = False  # the end, or a lost camera
                getattr(rings, order[0])()
    if rows:
        sent_ns = time.monotonic_ns()
        rings.frame(seq, due_ns, *[sent_ns] * 7, 0, 0, 1, 0, [0] * 8)
        seq += 1
"""


class Stage:
    """A session that this process leads, with an engine that obeys and the voice, each a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self.session, self._lock = create_session(plan, os.environ, keypoints=len(COCO17))
        self._plan = plan
        self._bell = os.eventfd(0)
        self._pidfd = -1
        self._played = 0
        self.engine: subprocess.Popen[bytes]
        self.voice: subprocess.Popen[bytes]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.frames = RingReader(self.session / "frames")
        self.notes = RingReader(self.session / "notes")
        self.events = RingReader(self.session / "events.voice")

    def start_engine(self, fps: float = 100.0) -> None:
        """Start the engine; it leaves rows from `tell("rows", True)` on."""
        arguments = [str(self.session.folder), str(self._bell), str(round(1e9 / fps))]
        self.engine = self._start([sys.executable, "-c", ENGINE, *arguments], self._bell)
        self._pidfd = os.pidfd_open(self.engine.pid)

    def start_voice(self) -> None:
        """Start the voice and wait until it is ready, or has failed; the engine must have been started."""
        self.voice = self._start(
            self.session.command("voice", self._bell, self._pidfd), self._bell, self._pidfd
        )
        board = BoardReader(self.session / "voice")
        self.wait(lambda: board.value().get("pid") == self.voice.pid and board.value()["state"] != "starting")

    def start(self) -> None:
        """Start both and let the engine's rows begin."""
        self.start_engine()
        self.start_voice()
        self.tell("rows", True)
        self.wait(lambda: self.frames.head > 2)

    def tell(self, *order: object) -> None:
        """Tell the engine: `rows` with True, or a method of its rings, after which it leaves no row."""
        assert self.engine.stdin is not None
        self.engine.stdin.write(json.dumps(order).encode() + b"\n")
        self.engine.stdin.flush()

    def play(self, *pads: str, in_ms: float = 0.0) -> list[dict[str, object]]:
        """Have the engine play one hit on each pad, struck 1 ms apart from `in_ms` from now on; returns the hits."""
        struck_ns = time.monotonic_ns() + round(in_ms * 1e6)
        hits: list[dict[str, object]] = []
        for number, pad in enumerate(pads):
            self._played += 1
            at_ns = struck_ns + number * 1_000_000
            hits.append(
                {
                    "seq": self._played, "captured_ns": at_ns + 3_000_000, "struck_ns": at_ns, "player": 0,
                    "limb": "left_wrist", "pad": pad, "strength": 0.3 + self._played % 5 / 10,
                }
            )  # fmt: skip
        self.tell("events", [("Hit", hit) for hit in hits])
        return hits

    def send(self, *events: Command | Control | Release) -> None:
        """Have the engine send events."""
        self.tell("events", [(type(event).__name__, asdict(event)) for event in events])

    def play_and_hear(self, *pads: str) -> list[dict[str, object]]:
        """Play hits and wait until all their notes have been sent."""
        before = self.notes.head
        hits = self.play(*pads)
        notes = {name: len(set(pad.notes)) for name, pad in self._plan.kits[0].pads.items()}
        count = sum(notes[pad] for pad in pads)
        self.wait(lambda: self.notes.head >= before + count)
        return hits

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until `condition()` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not come to that; the voice says {self.board}"
            time.sleep(0.005)

    def end(self) -> int:
        """Let the engine leave as it is; the voice's exit status."""
        assert self.engine.stdin is not None
        self.engine.stdin.close()
        self.engine.wait(30)
        return self.voice.wait(30)

    @property
    def board(self) -> dict[str, object]:
        """What the voice says of itself."""
        return BoardReader(self.session / "voice").value()

    @property
    def marks(self) -> set[int]:
        """The indices of the notes that are marked as sounding."""
        return {index for index, mark in enumerate((self.session / "sounding").read_bytes()) if mark & 1}

    def rows(self) -> np.ndarray:
        """All notes' rows."""
        return np.frombuffer(b"".join(self.notes.read(0).records), NOTE_DTYPE)

    def said(self) -> list[tuple[str, str]]:
        """All of the voice's events, as (kind, text)."""
        rows = np.frombuffer(b"".join(self.events.read(0).records), EVENT_DTYPE)
        return [(bytes(row["kind"]).decode(), bytes(row["text"]).decode()) for row in rows]

    def close(self) -> None:
        """Kill what still runs, and remove the session."""
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        for descriptor in (self._bell, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock.close()
        self.session.remove()

    def _start(self, arguments: list[str], *passed: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, pass_fds=passed)
        self._processes.append(process)
        return process


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit: KitConfig) -> Iterator[Callable[..., Stage]]:
    """`stage(*outputs, note_ms=, ...)` makes a Stage, in a runtime directory of its own."""
    place = Path(f"/dev/shm/lalelu-test-{os.getpid()}-{tmp_path.name}")
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    stages: list[Stage] = []

    def make(
        *outputs: str,
        note_ms: int = 10_000,
        delay_ms: float = 0.0,
        once: bool = False,
        wait: bool = False,
        core: int | None = None,
        more_kits: Sequence[KitConfig] = (),
        channels: Sequence[int | None] | None = None,
    ) -> Stage:
        config = Config.model_validate(
            {
                "midi": {"outputs": outputs, "wait": wait},
                "timing": {"delay_ms": delay_ms},
                "player": {"channels": channels},
            }
        )
        kits = (kit.model_copy(update={"note_ms": note_ms}), *more_kits)
        stages.append(Stage(Plan(config, kits, Recording(), core, once=once)))
        return stages[-1]

    yield make
    for made in stages:
        made.close()
    shutil.rmtree(place, ignore_errors=True)
