"""One candidate of `lalelu model tune` in its own process: where it sees keypoints, then how long frames take it.

`python -m lalelu.bench.tune_worker FOLDER JSON`: the pictures' folder, and the fields of Task. It speaks
as `lalelu.bench.pipe` says.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from lalelu.bench.pipe import Block, serve_here
from lalelu.clock import now_ns
from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.models import store
from lalelu.models.looks import Look
from lalelu.models.variant import Network, Precision, Variant
from lalelu.pose.build import MODEL_FILES, build_single
from lalelu.pose.crop import Crop
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.skeleton import COCO17
from lalelu.types import Frame

FRAMES: Final = "frames.npy"  # (T, H, W, 3) or (T, H, W): what the camera delivers
PERIOD_NS: Final = 10_000_000  # of the frames' stamps


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker has to run, and where."""

    config: dict[str, Any]  # a Config with the candidate's `pose`
    kits: list[dict[str, Any]]
    core: int


def looks_file(side: int) -> str:
    """Return the name of the file of squares of `side` px, and where they were cut."""
    return f"looks-{side}.npz"


def save_looks(folder: Path, looks: Sequence[Look]) -> None:
    """Keep squares, all of one size, for the workers."""
    pictures = np.stack([look.picture for look in looks])
    crops = np.array([look.crop for look in looks])
    heights = np.array([look.height for look in looks])
    np.savez(folder / looks_file(pictures.shape[1]), pictures=pictures, crops=crops, heights=heights)


def network(model: str, runtime: str, precision: str) -> Network:
    """Return a catalogue's model on a runtime, not yet opened; its file is in the cache afterwards."""
    path = MODEL_FILES.get(runtime, store.onnx_path)(model)
    return Network(Variant(f"{model} {runtime} {precision}", path, runtime, cast("Precision", precision)))


def keypoints(network: Network, folder: Path) -> NDArray[np.float64]:
    """Return (N, 17, 3): where an open network sees the keypoints in the folder's squares, px and score."""
    with np.load(folder / looks_file(network.side)) as kept:
        pictures, crops, heights = kept["pictures"], kept["crops"], kept["heights"]
    found = np.zeros((len(pictures), len(COCO17), 3))
    for at, (picture, crop, height) in enumerate(zip(pictures, crops, heights, strict=True)):
        network.show(picture)
        places, scores = network.keypoints(Crop(*crop.tolist()))
        found[at, :, :2] = np.array(places).reshape(-1, 2) * height
        found[at, :, 2] = scores
    return found


def open_task(task: Task, folder: Path) -> tuple[dict[str, Any], Callable[[int], list[int]]]:
    """Return what there is to say about the candidate, and the function that runs so many frames (ns each)."""
    config = Config.model_validate(task.config)
    pose = config.pose
    seen = network(pose.model, pose.runtime, pose.precision)
    try:
        seen.open()
        found = keypoints(seen, folder)
    finally:
        seen.close()
    estimator = build_single(config, [KitConfig.model_validate(kit) for kit in task.kits])
    facts = estimator.open()
    return {"version": facts.version, "found": found.tolist()}, stepper(estimator, np.load(folder / FRAMES))


def stepper(estimator: SinglePoseEstimator, frames: NDArray[np.uint8]) -> Callable[[int], list[int]]:
    """Return the function that shows so many of the frames, from the first on again, and times each (ns)."""
    seq = 0

    def block(count: int) -> list[int]:
        nonlocal seq
        taken: list[int] = []
        for _ in range(count):
            frame = Frame(seq, seq * PERIOD_NS, seq * PERIOD_NS, 0, frames[seq % len(frames)])
            seq += 1
            start_ns = now_ns()
            estimator.prepare(frame)
            estimator.infer()
            estimator.poses()
            taken.append(now_ns() - start_ns)
        return taken

    return block


def start(task: Task, folder: Path) -> tuple[dict[str, Any], Block]:
    """Go to the core and open the candidate, for `serve`."""
    os.sched_setaffinity(0, {task.core})
    said, block = open_task(task, folder)

    def answer(frames: int) -> dict[str, Any]:
        return {"ns": block(frames)}

    return said, answer


def command_line(task: Task, folder: Path) -> list[str]:
    """Return the command that starts the task's worker."""
    return [sys.executable, "-m", "lalelu.bench.tune_worker", str(folder), json.dumps(asdict(task))]


if __name__ == "__main__":
    place, told = sys.argv[1:]
    serve_here(lambda: start(Task(**json.loads(told)), Path(place)))
