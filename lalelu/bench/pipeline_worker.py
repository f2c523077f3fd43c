"""One runtime's pipelines in a process: every combination of flow and hands, in turns. Reads a film, runs a network.

`python -m lalelu.bench.pipeline_worker JSON` (the fields of Bench). Speaks as `lalelu.bench.pipe` says.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.pipeline import FPS
from lalelu.bench.worker import Variant
from lalelu.clock import now_ns
from lalelu.config.loader import load_kit
from lalelu.config.schema import PlayerSection, PoseSection
from lalelu.gesture.detector import Detector
from lalelu.pose.build import EVERY
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_flow import CarriedEstimator, InterleavedEstimator, LaggedNet
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.port import RUNTIMES, PoseEstimator, Runtime, RuntimeFacts
from lalelu.registry import load
from lalelu.skeleton import COCO17
from lalelu.types import Frame, Hit, Pose

Flow: TypeAlias = Literal["off", "interleaved", "carried"]
Hands: TypeAlias = Literal["track", "network"]

PIPELINES: Final[tuple[tuple[Flow, Hands], ...]] = tuple(
    (flow, hands) for flow in ("off", "interleaved", "carried") for hands in ("track", "network")
)
KIT: Final = "rock"  # its pads are where the simulated drummer strikes


class Shared:
    """A Runtime that several estimators open and one keeps open."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._facts: RuntimeFacts | None = None

    def open(self) -> RuntimeFacts:
        """Open it the first time, and tell its facts every time."""
        if self._facts is None:
            self._facts = self._runtime.open()
        return self._facts

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once."""
        return self._runtime.infer(*inputs)

    def close(self) -> None:
        """Do nothing: the process ends with it."""


class ClockedEstimator(SinglePoseEstimator):
    """A SinglePoseEstimator that keeps what each of its poses took, in `taken_ns`."""

    def __init__(self, runtime: Runtime, hands: Hands) -> None:
        super().__init__(
            runtime,
            MoveNetSinglePose(),
            crop_mode="follow",
            hands=hands,
            rotate=0,
            mirror=False,
            player=PlayerSection(),
        )
        self.taken_ns: list[int] = []
        self._spent_ns = 0

    def prepare(self, frame: Frame) -> None:
        """Fill the network's picture from the frame."""
        start_ns = now_ns()
        super().prepare(frame)
        self._spent_ns = now_ns() - start_ns

    def infer(self) -> None:
        """Run the network on what `prepare` made."""
        start_ns = now_ns()
        super().infer()
        self._spent_ns += now_ns() - start_ns

    def poses(self) -> Sequence[Pose]:
        """Return the player's pose in the frame last prepared."""
        start_ns = now_ns()
        found = super().poses()
        self.taken_ns.append(self._spent_ns + now_ns() - start_ns)
        return found


class Pipeline:
    """From frames to hits: an estimator with or without flow, and a detector."""

    def __init__(self, runtime: Runtime, flow: Flow, hands: Hands, pictures: NDArray[np.uint8]) -> None:
        self._net = ClockedEstimator(runtime, hands)
        self._beside = flow == "carried"
        self._estimator = _ESTIMATORS[flow](self._net)
        self._detector = Detector(load_kit(KIT, None), skeleton=COCO17)
        self._pictures = [*pictures, *pictures[-2:0:-1]]
        self._seq = 0
        self._net.open()

    def block(self, frames: int) -> dict[str, Any]:
        """Watch so many frames; return how long the loop and the network took for each (ns), and what was found."""
        loop_ns, net_ns, seen, hits = [], [], 0, 0
        for _ in range(frames):
            at_ns = self._seq * 1_000_000_000 // FPS
            frame = Frame(self._seq, at_ns, at_ns, 0, self._pictures[self._seq % len(self._pictures)])
            self._seq += 1
            self._net.taken_ns.clear()
            start_ns = now_ns()
            self._estimator.prepare(frame)
            self._estimator.infer()
            poses = self._estimator.poses()
            events = [event for pose in poses for event in self._detector.step(pose)]
            taken_ns = now_ns() - start_ns
            loop_ns.append(taken_ns - sum(self._net.taken_ns) if self._beside else taken_ns)
            net_ns += self._net.taken_ns
            seen += bool(poses)
            hits += sum(isinstance(event, Hit) for event in events)
        return {"loop_ns": loop_ns, "net_ns": net_ns, "seen": seen, "hits": hits}


def _carried(net: SinglePoseEstimator) -> PoseEstimator:
    return CarriedEstimator(LaggedNet(net, lag=PoseSection().lag), rotate=0, mirror=False)


def _interleaved(net: SinglePoseEstimator) -> PoseEstimator:
    return InterleavedEstimator(net, every=EVERY, rotate=0, mirror=False)


_ESTIMATORS: Final[dict[Flow, Callable[[SinglePoseEstimator], PoseEstimator]]] = {
    "off": lambda net: net,
    "interleaved": _interleaved,
    "carried": _carried,
}


def start(variant: Variant, film: str) -> tuple[dict[str, Any], Block]:
    """Go to the core, open the network and make the pipelines, for `serve`."""
    os.sched_setaffinity(0, variant.cores)
    # copy on write: some of OpenCV's functions refuse a picture that nobody may write to
    pictures = np.load(film, mmap_mode="c").view(np.ndarray)
    runtime = Shared(
        load("runtime", RUNTIMES, variant.runtime)(
            Path(variant.path), precision=variant.precision, threads=variant.threads
        )
    )
    pipelines = [Pipeline(runtime, flow, hands, pictures) for flow, hands in PIPELINES]
    facts = runtime.open()

    def block(runs: int) -> dict[str, Any]:
        return {"pipelines": [pipeline.block(runs) for pipeline in pipelines]}

    said = {
        "runtime": variant.runtime,
        "version": facts.version,
        "precision": facts.precision,
        "pipelines": PIPELINES,
    }
    return said, block


def main(text: str) -> None:
    """Serve what the JSON object `text` describes."""
    told = json.loads(text)
    variant = Variant(**told["variant"])
    serve_here(lambda: start(variant, told["film"]))


if __name__ == "__main__":
    main(sys.argv[1])
