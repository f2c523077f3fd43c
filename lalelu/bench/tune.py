"""Which runtime and precision play best here: what each candidate costs in time and keypoints. Starts processes.

Time is of the whole estimator, from a frame in memory to its pose, on frames of the camera's size; candidates are
processes of their own on one core and take turns. Keypoints are compared on the same squares around people, with those
of the most exact of the models in f32.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.keypoint_agreement import Agreement, Limit, agreement, broken, figures
from lalelu.bench.tune_worker import FRAMES, Task, command_line, keypoints, network, save_looks
from lalelu.bench.turns import BLOCK, Contestant, Spread, opened, take_turns
from lalelu.camera.port import CameraFacts
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.config.loader import Loaded
from lalelu.config.schema import CameraSection, Config
from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue
from lalelu.models.looks import Look, Viewer, pictures
from lalelu.models.variant import Network
from lalelu.pose.orientation import Orientation
from lalelu.pose.sampling import Sampler
from lalelu.realtime.requests import MAX_LOAD

TIMED_FRAMES: Final = 20  # different ones; 0.2 s of play, shown again and again

Options = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of the catalogue on one runtime."""

    model: str
    runtime: str
    precision: Literal["f32", "bf16"]

    @property
    def name(self) -> str:
        """How the tables call it."""
        return f"{self.model} {self.runtime} {self.precision}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one candidate showed; `broken` has a sentence for each limit that it does not hold."""

    candidate: Candidate
    version: str
    spread: Spread
    load: float  # of a frame period that camera and network take
    agreement: Agreement
    broken: tuple[str, ...]

    @property
    def keeps_up(self) -> bool:
        """Whether the loop has time for every frame."""
        return self.load <= MAX_LOAD


@dataclass(frozen=True, slots=True)
class Tuning:
    """All candidates. `source` is where the people are that keypoints were compared on."""

    camera: CameraFacts
    core: int
    frames: int
    source: str
    people: int
    reference: str
    rows: tuple[Row, ...]
    left_out: dict[str, str]

    @property
    def chosen(self) -> Row | None:
        """The fastest that holds all limits."""
        holding = [row for row in self.rows if not row.broken]
        return min(holding, key=lambda row: row.spread.p50, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain dicts and lists."""
        rows = [{**asdict(row), "name": row.candidate.name, "keeps_up": row.keeps_up} for row in self.rows]
        return {**asdict(self), "rows": rows, "chosen": self.chosen and self.chosen.candidate.name}


class Worker(Contestant):
    """One candidate's process; waits on its pipe between blocks."""

    def __init__(self, candidate: Candidate, task: Task, folder: Path) -> None:
        super().__init__(candidate.name, command_line(task, folder), "leave it out with --runtimes")
        self.candidate = candidate

    @property
    def found(self) -> NDArray[np.float64]:
        """What it sees in the pictures."""
        return np.array(self.facts["found"])


def measure(
    loaded: Loaded,
    camera: CameraFacts,
    candidates: Sequence[Candidate],
    limits: Iterable[Limit],
    *,
    source: str,
    core: int,
    warmups: int,
    frames: int,
    progress: Callable[[str], None],
    left_out: Mapping[str, str] | None = None,
) -> Tuning:
    """Run all candidates in turns and return the table; one that cannot run here is named in `left_out`.

    Raises MissingError when none can, UsageError when nobody is seen in `source`, LostError when a process dies.
    """
    missing, limits = dict(left_out or {}), tuple(limits)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lalelu-tune-")))
        progress("filming the simulated drummer")
        np.save(folder / FRAMES, filmed(camera, loaded.config.camera))
        progress(f"looking for people in {source}")
        reference, expected, sizes = _prepare(folder, candidates, source, _upright(camera, loaded), missing)
        workers = [
            Worker(candidate, Task(*_asked(loaded, candidate), core), folder) for candidate in candidates
        ]
        ready = stack.enter_context(opened(workers, missing, progress))
        if not ready:
            raise MissingError(f"no candidate can run here: {'; '.join(missing.values())}")
        take_turns(ready, warmups=warmups, runs=frames, say=progress)
    rows = []
    for worker in ready:
        spread = Spread.of(worker.ns)
        alike = agreement(expected, worker.found, sizes)
        unheld = tuple(broken(figures(alike, oks=None, time=None), limits))
        load = (spread.p50 + camera.busy_ms) * 1e-3 * camera.fps
        rows.append(Row(worker.candidate, worker.facts["version"], spread, load, alike, unheld))
    return Tuning(camera, core, frames, source, len(sizes), reference, tuple(rows), missing)


def _asked(loaded: Loaded, candidate: Candidate) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the configuration with the candidate's network, and its kits, as plain values."""
    config = loaded.config.model_dump(mode="json")
    config["pose"] |= {**options_for(loaded.config, candidate), "flow": "off", "every": None}
    return config, [kit.model_dump(mode="json") for kit in loaded.kits]


def options_for(config: Config, candidate: Candidate) -> Options:
    """Return the options of `pose` that choose a candidate; one thread and the processor are what was measured."""
    options: Options = {
        "model": candidate.model,
        "runtime": candidate.runtime,
        "precision": candidate.precision,
    }
    if config.pose.device != "cpu":
        options["device"] = "cpu"
    if config.pose.threads != 1:
        options["threads"] = 1
    return options


def filmed(camera: CameraFacts, section: CameraSection) -> NDArray[np.uint8]:
    """Return frames (T, H, W, 3) or (T, H, W) of the simulated drummer, as this camera would deliver them."""
    width, height = Orientation(section.rotate).upright_size(camera.width, camera.height)
    film = Film(FilmSettings(width=width, height=height))
    frames = np.empty((TIMED_FRAMES, height, width, 3), np.uint8)
    for seq, image in enumerate(frames):
        film.render(seq, image)
    mirrored = frames[:, :, ::-1] if section.mirror else frames
    seen = np.rot90(
        mirrored, section.rotate // 90, axes=(1, 2)
    )  # counter-clockwise: what `rotate` takes back
    return np.ascontiguousarray(seen[..., 1] if camera.grey else seen)


def _upright(camera: CameraFacts, loaded: Loaded) -> tuple[int, int]:
    return Orientation(loaded.config.camera.rotate).upright_size(camera.width, camera.height)


def _prepare(
    folder: Path, candidates: Sequence[Candidate], source: str, size: tuple[int, int], missing: dict[str, str]
) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """Cut squares around the people in `source` for each model.

    Returns the reference's name, what it sees there, and how large the people are (px).
    """
    with ExitStack() as opened:
        reference = _reference(candidates, opened, missing)
        viewer = Viewer(reference)
        sides = {catalogue.find(candidate.model).size for candidate in candidates} | {reference.side}
        samplers = {side: Sampler(side, Orientation(), bgr=True) for side in sides}
        looks: dict[int, list[Look]] = {side: [] for side in sides}
        for picture in pictures(source, size):
            seen = viewer.close_up(picture)
            if seen is None:
                continue
            for side, sampler in samplers.items():
                cut = np.zeros((side, side, 3), np.uint8)
                crop = sampler.sample(picture.image, seen.crop, cut)
                looks[side].append(Look(seen.name, cut, crop, seen.height, seen.size, None))
        judged = looks[reference.side]
        if not judged:
            raise UsageError(f"nobody is seen in {source}; give pictures with people in them to --on")
        for each in looks.values():
            save_looks(folder, each)
        found = keypoints(reference, folder)
    return reference.variant.name, found, np.array([look.size for look in judged])


def _reference(candidates: Sequence[Candidate], opened: ExitStack, missing: dict[str, str]) -> Network:
    """Return the most exact of the models in f32, opened on the first runtime that can."""
    model = max((candidate.model for candidate in candidates), key=lambda name: catalogue.find(name).size)
    # where it is a candidate, its file is there
    for runtime in dict.fromkeys(candidate.runtime for candidate in candidates if candidate.model == model):
        tried = network(model, runtime, "f32")
        opened.callback(tried.close)
        try:
            tried.open()
        except MissingError as exc:
            missing[tried.variant.name] = str(exc)
            continue
        return tried
    raise MissingError(f"{model} cannot be opened in f32: {'; '.join(missing.values())}")


def table(tuning: Tuning) -> str:
    """Return the candidates as text for people, the fastest first; durations in ms, drift in px."""
    camera = tuning.camera
    width = max(len(row.candidate.name) for row in tuning.rows) + 2
    columns = ("p50", "p99", "load", "drift p50", "p95", "p99", "lost")
    title = (
        f"{camera.width}x{camera.height} at {camera.fps:.4g} frames/s, core {tuning.core}: {tuning.frames} frames "
        f"each, in turns of {BLOCK}, from the frame in memory to its pose, ms; load: of a frame's period"
    )
    lines = [
        title,
        f"drift (px) and lost joints against {tuning.reference}, on {tuning.people} people of {tuning.source}",
        f"{'candidate':<{width}}" + "".join(f"{name:>10}" for name in columns),
    ]
    for row in sorted(tuning.rows, key=lambda row: row.spread.p50):
        found = row.agreement
        drift = "".join(
            f"{'-' if px is None else format(px, '.2f'):>10}"
            for px in (found.p50_px, found.p95_px, found.p99_px)
        )
        lines.append(
            f"{row.candidate.name:<{width}}{row.spread.p50:10.2f}{row.spread.p99:10.2f}{row.load:10.0%}{drift}"
            f"{found.lost_percent:9.1f}%  {verdict(row, tuning.chosen)}"
        )
    lines.extend(f"left out: {name}: {why}" for name, why in tuning.left_out.items())
    return "\n".join(lines)


def verdict(row: Row, chosen: Row | None) -> str:
    """Say of a candidate whether it is kept, and why not."""
    if row is chosen:
        return f"chosen{'' if row.keeps_up else ', too slow for the camera'}"
    if row.broken:
        return f"excluded: {'; '.join(row.broken)}"
    return "kept" if row.keeps_up else "kept, too slow for the camera"


def advice(tuning: Tuning, config: Config) -> str:
    """Say what the chosen candidate cannot do in time, and what would help; empty where nothing is amiss."""
    row, camera = tuning.chosen, tuning.camera
    if row is None or (row.keeps_up and row.spread.p99 + camera.busy_ms <= 1e3 / camera.fps):
        return ""
    if config.pose.flow == "carried":
        return (
            f"{row.candidate.name} takes {row.load:.0%} of a frame's period: it runs beside the loop "
            "(pose.flow: carried), and its results are that much older"
        )
    if row.keeps_up:
        return (
            f"{row.candidate.name} keeps up with {camera.fps:.4g} frames/s at the median, but one frame in a "
            f"hundred takes {row.spread.p99:.1f} ms and makes the next one wait or be skipped"
        )
    slower = MAX_LOAD / row.load * camera.fps
    return (
        f"{row.candidate.name} cannot keep up with {camera.fps:.4g} frames/s: it takes {row.load:.0%} of a frame's "
        f"period, and at most {MAX_LOAD:.0%} leaves the loop its sleep; frames will be skipped. pose.flow: carried "
        f"runs it beside the loop, a camera at {slower:.0f} frames/s waits for it, and a wider --limit or another of "
        "--models may let a faster one in"
    )
