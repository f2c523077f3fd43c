"""Compare whole pipelines, from a frame to hits: runtimes, flow and hands. Starts processes, writes a film."""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.bench.turns import BLOCK, COLUMNS, Contestant, Spread, opened, sleeper_on, take_turns, titles
from lalelu.bench.worker import SLEEPER, Variant
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.errors import MissingError

FPS: Final = 100  # of the film, and what a carried network's rate is told for
FILM_FRAMES: Final = 100  # 92 MB; they are shown forth and back, so that all motion goes on
FIRST_FRAME: Final = 150  # the drummer has begun by then
_REMEDY: Final = "leave it out with --runtimes"


@dataclass(frozen=True, slots=True)
class Bench:
    """What one worker runs: a network on a runtime, in every combination of flow and hands."""

    variant: Variant
    film: str  # a NumPy file, (N, H, W, 3) uint8 BGR


@dataclass(frozen=True, slots=True)
class Row:
    """What one pipeline showed.

    `spread` is what the loop needs for a frame, from the picture in memory to its hits. A network that runs beside
    (carried) is not in it, but in `net_ms`, as all networks are: one result of the network, from the crop to the pose.
    `results_per_s`: how often the network sees the player at `frames_per_s`; carried: at FPS frames a second, where it
    has what the loop leaves of the same core.
    """

    variant: str
    version: str
    flow: str
    hands: str
    spread: Spread
    frames_per_s: float
    net_ms: float  # p50
    results_per_s: float
    seen: float  # share of frames in which the player was seen
    hits: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model's table. `sleeper` is how late a bare absolute-clock sleeper woke, on the same core."""

    model: str
    core: int
    warmups: int
    runs: int
    rows: tuple[Row, ...]
    sleeper: Spread
    left_out: dict[str, str] = field(default_factory=dict)  # variant -> why

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain dicts and lists."""
        return asdict(self)


def write_film(path: Path, frames: int) -> None:
    """Render so many frames of the simulated drummer at play into a NumPy file."""
    settings = FilmSettings("rock", fps=FPS, seed=1)
    film = Film(settings)
    pictures = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(frames, settings.height, settings.width, 3)
    )
    for seq in range(frames):
        film.render(FIRST_FRAME + seq, pictures[seq])
    pictures.flush()


def compare(
    model: str,
    variants: Sequence[Variant],
    *,
    core: int,
    warmups: int,
    runs: int,
    progress: Callable[[str], None],
    left_out: dict[str, str] | None = None,
    film_frames: int = FILM_FRAMES,
) -> Comparison:
    """Run every pipeline of all variants in turns and return the table.

    A variant that cannot run here is named in `left_out`, beside those given. Raises MissingError when none can,
    LostError when a worker dies.
    """
    missing = dict(left_out or {})

    def say(text: str) -> None:
        progress(f"{model}, pipeline: {text}")

    with tempfile.TemporaryDirectory(prefix="lalelu-bench-") as folder:
        film = Path(folder) / "film.npy"
        say("rendering a film")
        write_film(film, film_frames)
        every = [
            *(Contestant(each.name, _command(Bench(each, str(film))), _REMEDY) for each in variants),
            sleeper_on(core, _REMEDY),
        ]
        with opened(every, missing, say) as ready:
            workers = [worker for worker in ready if worker.name != SLEEPER]
            if not workers:
                raise MissingError(f"no runtime can run {model} here: {'; '.join(missing.values())}")
            take_turns(ready, warmups=warmups, runs=runs, say=say)
    sleeper = next(worker for worker in ready if worker.name == SLEEPER)
    rows = tuple(row for worker in workers for row in _rows(worker))
    return Comparison(model, core, warmups, runs, rows, Spread.of(sleeper.ns), missing)


def _command(bench: Bench) -> list[str]:
    python = bench.variant.python or sys.executable
    return [python, "-m", "lalelu.bench.pipeline_worker", json.dumps(asdict(bench))]


def _rows(worker: Contestant) -> Sequence[Row]:
    rows = []
    for number, (flow, hands) in enumerate(worker.facts["pipelines"]):
        told = [answer["pipelines"][number] for answer in worker.answers]
        loop = Spread.of([ns for each in told for ns in each["loop_ns"]])
        net = Spread.of([ns for each in told for ns in each["net_ns"]])
        frames_per_s = 1e3 / loop.mean
        if flow == "carried":
            results_per_s = max(0.0, 1.0 - FPS / frames_per_s) * 1e3 / net.mean
        else:
            results_per_s = frames_per_s * net.count / loop.count
        rows.append(
            Row(
                variant=f"{worker.facts['runtime']} {worker.facts['precision']}",
                version=worker.facts["version"],
                flow=flow,
                hands=hands,
                spread=loop,
                frames_per_s=frames_per_s,
                net_ms=net.p50,
                results_per_s=results_per_s,
                seen=sum(each["seen"] for each in told) / loop.count,
                hits=sum(each["hits"] for each in told),
            )
        )
    return rows


def table(comparison: Comparison) -> str:
    """Return the comparison as text for people."""
    columns = (*COLUMNS, "frame/s", "net", "net/s", "seen", "hits")
    title = (
        f"{comparison.model}, pipeline, core {comparison.core}: {comparison.runs} frames each, in turns of {BLOCK}, "
        f"after {comparison.warmups} warm-ups; ms a frame"
    )
    width = max(len(row.variant) for row in comparison.rows) + 2
    names = f"{'flow':<13}{'hands':<9}"
    lines = [title, f"{'variant':<{width}}{names}{titles(columns)}"]
    lines += [
        *(
            f"{row.variant:<{width}}{row.flow:<13}{row.hands:<9}{row.spread.cells()}{row.frames_per_s:9.1f}"
            f"{row.net_ms:9.2f}{row.results_per_s:9.1f}{row.seen:9.0%}{row.hits:9d}"
            for row in comparison.rows
        ),
        f"{'sleeper, late':<{width + len(names)}}{comparison.sleeper.cells()}",
        "frame/s: frames a second that the loop could do; net: ms from a crop to its pose (p50); net/s: how many of",
        "these a second. Carried: the network runs in a process of its own, so frame/s is the loop without it, and",
        f"net/s what it has of the same core beside a loop at {FPS} frames a second.",
    ]
    lines.extend(f"left out: {name}: {why}" for name, why in comparison.left_out.items())
    return "\n".join(lines)
