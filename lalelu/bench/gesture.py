"""Cost of the gesture step, in time and in hits decided too early: workers take turns. Starts processes, reads a kit.

`python -m lalelu.bench.gesture JSON` (the fields of Load) is one worker. It speaks as `lalelu.bench.pipe` says.
"""

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from lalelu.bench.leads import LEADS_MS, Price, lead_table, prices
from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.turns import BLOCK, COLUMNS, Contestant, Spread, sleeper_on, take_turns, titles
from lalelu.clock import now_ns, sleep_until
from lalelu.config.kit import KitConfig, LearnedSection
from lalelu.gesture.detector import Detector
from lalelu.gesture.learned import FALL, RISEN
from lalelu.gesture.trees import TREES, Ensemble, Node
from lalelu.skeleton import COCO17
from lalelu.types import Pose

DetectorKind: TypeAlias = Literal["model", "learned"]

# (players, pads, detector): a small, a full and an overfull kit; both detectors; and as many players as MultiPose finds
LOADS: Final[tuple[tuple[int, int, DetectorKind], ...]] = (
    (1, 6, "model"),
    (1, 16, "model"),
    (1, 16, "learned"),
    (1, 32, "model"),
    (2, 16, "model"),
    (2, 16, "learned"),
    (6, 16, "model"),
)
PERIOD_NS: Final = 10_000_000  # of the poses' stamps: 100 frames a second
# A frame finds the caches as a sleep leaves them, not as the frame before did; real frames are farther apart.
PAUSE_NS: Final = 1_000_000
# What is played: both hands without a pause, 0.6 body units high (230 mm), at the tempo of a quick eighth.
HZ: Final = {"left_wrist": 4.0, "right_wrist": 5.0}
HEIGHT: Final = 0.6
NOISE: Final = 0.01  # body units: a rendered player's keypoints
SHOULDER_WIDTH: Final = 0.2  # image heights
SCORE: Final = 0.7
# Body units: where the other keypoints are; x to the player's right, y up, from the point between the shoulders.
_BODY: Final[dict[str, tuple[float, float]]] = {
    "left_shoulder": (-0.5, 0.0),
    "right_shoulder": (0.5, 0.0),
    "left_hip": (-0.35, -1.35),
    "right_hip": (0.35, -1.35),
}
_WRIST_X: Final = {"left_wrist": -0.5, "right_wrist": 0.6}
_LOWEST: Final = -1.0
_COLUMNS: Final = 8  # of the grid that the pads lie in
_WIDTH: Final = 28  # of a variant's name, characters
# Made-up trees: a fall is a stroke once it has risen for so long. All are walked to their leaves, so it costs nothing
# what they ask.
_LEAST_FALL: Final = 0.3  # body units
_RISEN_S: Final = 0.025


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker's detector has to do, and where."""

    players: int
    pads: int
    core: int
    detector: DetectorKind = "model"

    @property
    def name(self) -> str:
        """How the tables call it."""
        kind = ", learned" if self.detector == "learned" else ""
        return f"{self.players} player{'s' if self.players > 1 else ''}, {self.pads} pads{kind}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one load showed; `spread` is of the time for one frame with all its players."""

    variant: str
    players: int
    pads: int
    hits: int  # that the detector found meanwhile: proof that it was at work
    spread: Spread


@dataclass(frozen=True, slots=True)
class Costs:
    """The tables. `sleeper` is how late a bare absolute-clock sleeper woke, on the same core."""

    core: int
    warmups: int
    runs: int
    rows: tuple[Row, ...]
    sleeper: Spread
    leads: tuple[Price, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the costs as plain dicts and lists."""
        return asdict(self)


def kit(pads: int) -> KitConfig:
    """Return a kit of so many pads, in a grid in front of the player."""
    rows = math.ceil(pads / _COLUMNS)
    zones = {
        f"pad{number:02d}": {
            "note": 35 + number,
            "zone": {
                "ellipse": [
                    -1.4 + 2.8 * (number % _COLUMNS) / (_COLUMNS - 1),
                    -1.2 + 1.2 * (number // _COLUMNS) / max(1, rows - 1),
                    0.2,
                    0.15,
                ]
            },
        }
        for number in range(pads)
    }
    return KitConfig.model_validate({"name": f"{pads} pads", "pads": zones})


def learned(plain: KitConfig) -> KitConfig:
    """Return a kit with a learned detector that was made up, as large as a grown one."""
    low, high = Node(-0.1), Node(0.1)
    nodes = {
        0: Node(feature=FALL, threshold=_LEAST_FALL, left=1, right=2),
        1: low,
        2: Node(feature=RISEN, threshold=_RISEN_S, left=1, right=3),
        3: high,
    }
    section = LearnedSection(file="-", sha256="0" * 64, trees=Ensemble.of(0.0, [nodes] * TREES).text)
    return plain.model_copy(update={"detector": "learned", "learned": section})


def pose(seq: int, player: int, random: np.random.Generator) -> Pose:
    """Return what a network would see of one of the players in frame `seq`."""
    time_s = seq * PERIOD_NS * 1e-9 + 0.013 * player  # nobody plays in unison
    xy = np.zeros((len(COCO17), 2))
    for name, place in _BODY.items():
        xy[COCO17.index(name)] = place
    for name, hz in HZ.items():
        up = 0.5 * HEIGHT * (1.0 - math.cos(2.0 * math.pi * hz * time_s))
        xy[COCO17.index(name)] = _WRIST_X[name], _LOWEST + up
    xy += random.normal(0.0, NOISE, xy.shape)
    picture = (np.array([0.2 * (player + 1), 0.35]) - SHOULDER_WIDTH * xy).astype(np.float32)
    return Pose(seq, seq * PERIOD_NS, player, picture, np.full(len(COCO17), SCORE, np.float32))


class Drill:
    """A detector and its players: `block` plays them on, frame by frame."""

    def __init__(self, load: Load) -> None:
        self._players = load.players
        played = learned(kit(load.pads)) if load.detector == "learned" else kit(load.pads)
        self._detector = Detector(played, skeleton=COCO17)
        self._random = np.random.default_rng(1)
        self._seq = 0
        self.hits = 0

    def block(self, frames: int) -> list[int]:
        """Return how long the detector took for each of so many frames, ns."""
        taken: list[int] = []
        for _ in range(frames):
            self._seq += 1
            poses = [pose(self._seq, player, self._random) for player in range(self._players)]
            sleep_until(now_ns() + PAUSE_NS)
            found = 0
            start_ns = now_ns()
            for each in poses:
                found += len(self._detector.step(each))
            taken.append(now_ns() - start_ns)
            self.hits += found
        return taken


def start(load: Load) -> tuple[dict[str, Any], Block]:
    """Go to the core and make the detector, for `serve`."""
    os.sched_setaffinity(0, {load.core})
    drill = Drill(load)

    def answer(frames: int) -> dict[str, Any]:
        return {"ns": drill.block(frames), "hits": drill.hits}

    return {}, answer


class LoadWorker(Contestant):
    """One load's process; waits on its pipe between blocks."""

    def __init__(self, load: Load) -> None:
        command = [sys.executable, "-m", "lalelu.bench.gesture", json.dumps(asdict(load))]
        super().__init__(repr(load.name), command, "start the benchmark again")
        self.load = load

    @property
    def hits(self) -> int:
        """How many it has found so far."""
        return int(self.answers[-1]["hits"])


def measure(
    loads: Sequence[tuple[int, int, DetectorKind]],
    *,
    core: int,
    warmups: int,
    runs: int,
    progress: Callable[[str], None],
    leads_ms: Sequence[float] = LEADS_MS,
) -> Costs:
    """Run all loads (players, pads, detector) and a bare sleeper in turns, then score each lead, and return the tables.

    Raises LostError when a worker dies.
    """
    with ExitStack() as opened:
        workers = [LoadWorker(Load(players, pads, core, detector)) for players, pads, detector in loads]
        sleeper = sleeper_on(core, "start the benchmark again")
        contestants = [*workers, sleeper]
        for contestant in contestants:
            opened.callback(contestant.close)
            contestant.open()
        take_turns(contestants, warmups=warmups, runs=runs, say=lambda text: progress(f"gesture: {text}"))
    rows = tuple(
        Row(worker.load.name, worker.load.players, worker.load.pads, worker.hits, Spread.of(worker.ns))
        for worker in workers
    )
    late = Spread.of(sleeper.ns)
    return Costs(core, warmups, runs, rows, late, prices(leads_ms, progress))


def table(costs: Costs) -> str:
    """Return the costs as text for people; durations in ms."""
    title = (
        f"gesture step, core {costs.core}: {costs.runs} frames each, in turns of {BLOCK}, "
        f"after {costs.warmups} warm-ups; ms a frame"
    )
    lines = [
        title,
        f"{'variant':<{_WIDTH}}{titles((*COLUMNS, 'hits'))}",
        *(f"{row.variant:<{_WIDTH}}{row.spread.cells(3)}{row.hits:9d}" for row in costs.rows),
        f"{'sleeper, late':<{_WIDTH}}{costs.sleeper.cells(3)}",
    ]
    if costs.leads:
        lines += ["", lead_table(costs.leads)]
    return "\n".join(lines)


if __name__ == "__main__":
    serve_here(lambda: start(Load(**json.loads(sys.argv[1]))))
