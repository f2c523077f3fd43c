"""Compare networks with and without their surroundings in the graph: workers take turns. Starts processes, makes files.

For each runtime four contestants, where they can be had: unmerged and merged, each as converted and as onnxslim leaves
it. What is timed is a frame in memory becoming keypoints in the picture's unit.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from lalelu.bench.lineup import PRECISIONS
from lalelu.bench.merge_worker import Image, Pipeline
from lalelu.bench.turns import BLOCK, COLUMNS, Contestant, Spread, opened, sleeper_on, take_turns, titles
from lalelu.errors import MissingError
from lalelu.models import merged_file, slim
from lalelu.models.camera_graph import Camera
from lalelu.models.merge_options import ENDINGS, Kind
from lalelu.models.progress import Silent
from lalelu.models.store import onnx_path
from lalelu.pose.build import MODEL_FILES

KINDS: Final[dict[str, Kind]] = {
    "litert": "tflite",
    "tensorflow": "saved-model",
}  # the others read ONNX
CONFIDENT: Final = 0.3  # the score from which MoveNet's users count a keypoint as found


@dataclass(frozen=True, slots=True)
class Row:
    """What one contestant showed."""

    variant: str
    version: str
    spread: Spread
    ratio: float | None  # its p50 divided by the plain unmerged one's, of the same runtime and precision
    apart_px: (
        float | None
    )  # the farthest that a confident keypoint lies from where the plain unmerged one sees it


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model's table. `sleeper` is how late a bare absolute-clock sleeper woke, on the same core."""

    model: str
    size: tuple[int, int]  # width, height, px
    format: str
    frames: int
    core: int
    warmups: int
    runs: int
    rows: tuple[Row, ...]
    sleeper: Spread
    left_out: dict[str, str] = field(default_factory=dict)  # variant -> why

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain dicts and lists."""
        return asdict(self)


class _Worker(Contestant):
    """One pipeline's process; waits on its pipe between blocks."""

    def __init__(self, pipeline: Pipeline) -> None:
        command = [sys.executable, "-m", "lalelu.bench.merge_worker", json.dumps(asdict(pipeline))]
        super().__init__(pipeline.name, command, "leave it out with --runtimes")


def compare(
    model: str,
    runtimes: Sequence[str],
    camera: Camera,
    pictures: Sequence[Image],
    *,
    core: int,
    warmups: int,
    runs: int,
    progress: Callable[[str], None],
) -> Comparison:
    """Run each runtime's contestants in turns, runtime after runtime, and return the table.

    `pictures` are (H, W, 3) BGR of the camera's size. What cannot run here is named in `left_out`. Raises MissingError
    when nothing can, LostError when a worker dies.
    """
    left_out: dict[str, str] = {}
    rows: list[Row] = []
    sleeper: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames.npy"
        np.save(frames, np.stack(pictures))
        for runtime in runtimes:
            files = dict(_files(model, runtime, camera, Path(folder), left_out, progress))
            for precision in PRECISIONS[runtime] if files else ():
                pipelines = [
                    Pipeline(
                        f"{runtime} {precision} {name}",
                        runtime,
                        precision,
                        str(path),
                        name.startswith("merged"),
                        str(frames),
                        camera.format,
                        core,
                    )
                    for name, path in files.items()
                ]
                workers, late = _turns(pipelines, core, warmups, runs, left_out, progress)
                rows.extend(_rows(workers, camera.height))
                sleeper += late
    if not rows:
        raise MissingError(f"no runtime can run {model} here: {'; '.join(left_out.values())}")
    size = (camera.width, camera.height)
    shown = len(pictures)
    return Comparison(
        model, size, camera.format, shown, core, warmups, runs, tuple(rows), Spread.of(sleeper), left_out
    )


def _files(
    model: str,
    runtime: str,
    camera: Camera,
    folder: Path,
    left_out: dict[str, str],
    progress: Callable[[str], None],
) -> Iterator[tuple[str, Path]]:
    """Yield the contestants' model files, made in `folder` where they are not the cache's."""
    kind = KINDS.get(runtime, "onnx")
    progress(f"{model}: making the files of {runtime}")
    try:
        plain = MODEL_FILES.get(runtime, onnx_path)(model, progress=Silent())
        merged = folder / f"merged{ENDINGS[kind]}"
        if not merged.exists():
            merged_file.make(model, camera, merged, kind=kind, progress=Silent())
    except MissingError as exc:
        left_out[runtime] = str(exc)
        return
    yield "unmerged", plain
    yield "merged", merged
    if kind == "onnx":
        for name, path in (("unmerged slim", plain), ("merged slim", merged)):
            slimmed = folder / f"{name}.onnx"
            if not slimmed.exists():
                try:
                    onnx.save(slim.slimmed(onnx.load(path)), slimmed)
                except MissingError as exc:
                    left_out["slim"] = str(exc)
                    return
            yield name, slimmed


def _turns(
    pipelines: Sequence[Pipeline],
    core: int,
    warmups: int,
    runs: int,
    left_out: dict[str, str],
    progress: Callable[[str], None],
) -> tuple[list[Contestant], list[int]]:
    """Return the workers that ran, and how late the sleeper between them woke (ns)."""
    every: list[Contestant] = [*map(_Worker, pipelines), sleeper_on(core, "leave it out with --runtimes")]
    with opened(every, left_out, progress) as ready:
        take_turns(
            ready, warmups=warmups, runs=runs, say=lambda text: progress(f"{pipelines[0].name}: {text}")
        )
    *contestants, sleeper = ready
    return contestants, sleeper.ns


def _rows(workers: Sequence[Contestant], height: int) -> Iterator[Row]:
    plain = next((worker for worker in workers if worker.name.endswith(" unmerged")), None)
    for worker in workers:
        spread = Spread.of(worker.ns)
        ratio = apart = None
        if plain is not None:
            ratio = spread.p50 / Spread.of(plain.ns).p50
            apart = _apart(plain.facts["keypoints"], worker.facts["keypoints"]) * height
        yield Row(worker.name, worker.facts["version"], spread, ratio, apart)


def _apart(expected: Sequence[Any], found: Sequence[Any]) -> float:
    """Return the greatest distance of a keypoint that is expected with confidence, image heights; 0 without one."""
    wanted, seen = np.array(expected), np.array(found)
    apart = np.linalg.norm((wanted - seen)[..., :2], axis=-1)
    return float(apart[wanted[..., 2] >= CONFIDENT].max(initial=0.0))


def table(comparison: Comparison) -> str:
    """Return the comparison as text for people; durations in ms."""
    width, height = comparison.size
    columns = (*COLUMNS, "ratio", "px apart")
    title = (
        f"{comparison.model}, {width}x{height} {comparison.format}, core {comparison.core}: {comparison.runs} runs "
        f"over {comparison.frames} frames, in turns of {BLOCK}, after {comparison.warmups} warm-ups; ms"
    )
    lines = [
        title,
        f"{'frame to keypoints':<32}{titles(columns)}",
    ]
    for row in comparison.rows:
        known = f"{row.ratio:9.3f}{row.apart_px:9.4f}" if row.ratio is not None else f"{'-':>9}{'-':>9}"
        lines.append(f"{row.variant:<32}{row.spread.cells()}{known}  {row.version}")
    lines.append(f"{'sleeper, late':<32}{comparison.sleeper.cells()}")
    lines.append(
        "ratio: p50 to that of the same runtime, unmerged; px apart: the farthest of its confident keypoints"
    )
    lines.extend(f"left out: {name}: {why}" for name, why in comparison.left_out.items())
    return "\n".join(lines)
