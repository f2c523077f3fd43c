"""Measure what it saves to sort out a detector's anchors in its graph instead of in NumPy. Starts processes.

python tools/bench_nms.py [--model blazepose-detector] [--runtimes openvino onnxruntime] [--runs 300] [--core 1]

Each variant has a process of its own on the same core; they take turns. A run is a picture in, people or hands out.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.turns import BLOCK, Contestant, Spread, opened, take_turns
from lalelu.clock import now_ns
from lalelu.models import nms_graph, store
from lalelu.models.looks import pictures
from lalelu.models.progress import StderrProgress
from lalelu.pose.anchors import LAYOUTS, decoded, ssd_anchors, strongest
from lalelu.pose.crop import whole
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import RUNTIMES
from lalelu.pose.sampling import Sampler
from lalelu.registry import load

WAYS: Final = ("NumPy", "graph")
SCENES: Final = 8  # pictures that are shown in turn


def start(order: dict[str, Any]) -> tuple[dict[str, Any], Block]:
    """Go to the core and open one variant, for `serve`."""
    os.sched_setaffinity(0, {order["core"]})
    runtime = load("runtime", RUNTIMES, order["runtime"])(Path(order["path"]), precision="auto", threads=1)
    side = runtime.open().inputs[0].shape[1]
    layout = next(layout for layout in LAYOUTS if layout.side == side)
    anchors = ssd_anchors(layout)
    shown = np.zeros((SCENES, 1, side, side, 3), np.uint8)
    for picture, scene in zip(pictures("sim:"), shown, strict=False):
        height, width = picture.image.shape[:2]
        Sampler(side, Orientation(), bgr=True).sample(picture.image, whole(width / height), scene[0])

    def found(scene: Any) -> Any:  # noqa: ANN401 - arrays
        (output,) = runtime.infer(scene)
        if order["way"] == "graph":
            return output[0]
        return strongest(decoded(output, layout, anchors), nms_graph.MOST)

    def block(runs: int) -> dict[str, Any]:
        taken = []
        for run in range(runs):
            start_ns = now_ns()
            found(shown[run % SCENES])
            taken.append(now_ns() - start_ns)
        return {"ns": taken}

    return {"found": [found(scene).tolist() for scene in shown]}, block


def compare(model: str, runtimes: list[str], runs: int, core: int, folder: Path) -> None:
    """Print a line for each runtime."""
    raw = store.onnx_path(model)
    merged = folder / "merged.onnx"
    merged.write_bytes(nms_graph.merge_detector(raw.read_bytes()))
    files = dict(zip(WAYS, (raw, merged), strict=True))
    print(f"{model}, core {core}: picture in, detections out; {runs} runs each in turns of {BLOCK}; ms")
    print(f"{'runtime':<14}{'NumPy p50':>10}{'p99':>8}{'graph p50':>11}{'p99':>8}{'ratio':>8}  difference")
    workers = {
        (runtime, way): Contestant(
            f"{runtime} {way}",
            [sys.executable, __file__, "--worker", json.dumps(order)],
            "leave its runtime out with --runtimes",
        )
        for runtime in runtimes
        for way in WAYS
        for order in [{"runtime": runtime, "way": way, "path": str(files[way]), "core": core}]
    }
    left_out: dict[str, str] = {}
    with opened(list(workers.values()), left_out, StderrProgress().say) as ready:
        take_turns(ready, warmups=BLOCK, runs=runs, say=lambda _: None)
    for name, why in left_out.items():
        print(f"left out: {name}: {why}")
    for runtime in runtimes:
        both = [workers[runtime, way] for way in WAYS]
        if not all(worker.ns for worker in both):
            continue
        before, after = (Spread.of(worker.ns) for worker in both)
        apart = np.abs(np.subtract(*(worker.facts["found"] for worker in both))).max()
        print(
            f"{runtime:<14}{before.p50:>10.2f}{before.p99:>8.2f}{after.p50:>11.2f}{after.p99:>8.2f}"
            f"{after.p50 / before.p50:>8.3f}  {apart:.1e} of the picture"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="blazepose-detector", choices=("blazepose-detector", "handdetect"))
    parser.add_argument("--runtimes", nargs="+", default=["openvino", "onnxruntime"])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        serve_here(lambda: start(json.loads(asked.worker)))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(asked.model, asked.runtimes, asked.runs, asked.core, Path(scratch))
