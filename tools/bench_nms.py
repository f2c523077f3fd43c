"""Measure what it saves to sort out a detector's anchors in its graph instead of in NumPy. Starts processes.

python tools/bench_nms.py [--model blazepose-detector] [--runtimes openvino onnxruntime] [--runs 300] [--core 1]

Each variant has a process of its own on the same core; they take turns. A run is a picture in, people or hands out.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.bench.pipe import Pipe
from lalelu.bench.turns import BLOCK, Spread
from lalelu.clock import now_ns
from lalelu.models import nms_graph, store
from lalelu.models.looks import pictures
from lalelu.pose.anchors import LAYOUTS, decoded, ssd_anchors, strongest
from lalelu.pose.crop import whole
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import RUNTIMES
from lalelu.pose.sampling import Sampler
from lalelu.registry import load

WAYS: Final = ("NumPy", "graph")
SCENES: Final = 8  # pictures that are shown in turn


def work(order: dict[str, Any]) -> None:
    """Run blocks for one variant, as they are asked for on standard input."""
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

    print(json.dumps({"found": [found(scene).tolist() for scene in shown]}), flush=True)
    for line in sys.stdin:
        taken = []
        for run in range(int(line)):
            start_ns = now_ns()
            found(shown[run % SCENES])
            taken.append(now_ns() - start_ns)
        print(json.dumps({"ns": taken}), flush=True)


def compare(model: str, runtimes: list[str], runs: int, core: int, folder: Path) -> None:
    """Print a line for each runtime."""
    raw = store.onnx_path(model)
    merged = folder / "merged.onnx"
    merged.write_bytes(nms_graph.merge_detector(raw.read_bytes()))
    print(f"{model}, core {core}: picture in, detections out; {runs} runs each in turns of {BLOCK}; ms")
    print(f"{'runtime':<14}{'NumPy p50':>10}{'p99':>8}{'graph p50':>11}{'p99':>8}{'ratio':>8}  difference")
    with ExitStack() as opened:
        workers: dict[tuple[str, str], Pipe] = {}
        said: dict[tuple[str, str], Any] = {}
        taken: dict[tuple[str, str], list[int]] = {}
        for key in ((runtime, way) for runtime in runtimes for way in WAYS):
            path = str(merged if key[1] == "graph" else raw)
            order = {"runtime": key[0], "way": key[1], "path": path, "core": core}
            pipe = Pipe(
                " ".join(key),
                [sys.executable, __file__, "--worker", json.dumps(order)],
                "leave its runtime out with --runtimes",
            )
            opened.callback(pipe.close)
            workers[key], said[key], taken[key] = pipe, np.array(pipe.open()["found"]), []
        for turn in range(-1, -(-runs // BLOCK)):  # the first warms up
            for key, pipe in workers.items():
                ns = pipe.block(BLOCK)["ns"]
                taken[key] += ns if turn >= 0 else []
    for runtime in runtimes:
        before, after = (Spread.of(taken[runtime, way]) for way in WAYS)
        apart = np.abs(said[runtime, "NumPy"] - said[runtime, "graph"]).max()
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
        work(json.loads(asked.worker))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(asked.model, asked.runtimes, asked.runs, asked.core, Path(scratch))
