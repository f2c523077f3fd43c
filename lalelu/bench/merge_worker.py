"""A contestant with a camera's frames in memory: each becomes keypoints, in one call or in three steps. Reads files.

`python -m lalelu.bench.merge_worker JSON` (the fields of Pipeline). It speaks as `lalelu.bench.pipe` says,
and tells the keypoints of every frame when it is ready.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.bench.pipe import Block, serve_here
from lalelu.clock import now_ns
from lalelu.models.camera_graph import CROP, FRAME, Camera, PixelFormat
from lalelu.models.keypoint_graph import KEYPOINTS
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator import use_one_thread
from lalelu.pose.movenet import MoveNetSinglePose, keypoints_at
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import RUNTIMES, Runtime, RuntimeFacts
from lalelu.pose.sampling import Sampler
from lalelu.registry import load

Image: TypeAlias = NDArray[np.uint8]
Found: TypeAlias = NDArray[np.float32]  # (K, 3): x, y (image heights), score

# How the frames' bytes become BGR on the unmerged side, as cameras' drivers do it; the others are taken as they are.
_TO_BGR: Final = {
    "RGB": cv2.COLOR_RGB2BGR,
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
}
CLOSE: Final = 0.75  # image heights: the square around a player who fills the picture's height


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What one worker runs, and where."""

    name: str
    runtime: str  # a name in RUNTIMES
    precision: Literal["f32", "bf16"]
    path: str  # the model file
    is_merged: bool
    frames: str  # a file of NumPy's with BGR pictures, (N, H, W, 3)
    format: PixelFormat
    core: int


def crops(aspect: float) -> tuple[Crop, ...]:
    """Return the squares that each frame is looked at in: everything, and close to its middle."""
    return whole(aspect), Crop(0.5 * aspect, 0.5, CLOSE)


def fitted(picture: Image, width: int, height: int) -> Image:
    """Return a picture stretched to a camera's size."""
    return _bytes(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def encoded(picture: Image, pixel_format: PixelFormat) -> Image:
    """Return a BGR picture as a camera of `pixel_format` delivers it."""
    match pixel_format:
        case "BGR":
            return picture
        case "RGB":
            return np.ascontiguousarray(picture[..., ::-1])
        case "GREY":
            return _bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
        case "YUYV":
            return _bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_YUYV))
    height, width = picture.shape[:2]
    planes = _bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)).reshape(-1)
    chroma = planes[height * width :].reshape(2, -1).T.reshape(height // 2, width)
    return np.concatenate([planes[: height * width].reshape(height, width), chroma])


def _bytes(array: NDArray[Any]) -> Image:
    return array.astype(np.uint8, copy=False)


class Merged:
    """One call a frame."""

    def __init__(self, runtime: Runtime, camera: Camera) -> None:
        self._runtime = runtime
        self.frame: Image = np.zeros(camera.shape, np.uint8)
        self._crop = np.zeros(3, np.float32)

    def open(self) -> RuntimeFacts:
        """Load the model."""
        facts = self._runtime.open()
        given: dict[str, NDArray[Any]] = {FRAME: self.frame, CROP: self._crop}
        self._inputs = tuple(given[spec.name] for spec in facts.inputs)
        self._at = [spec.name for spec in facts.outputs].index(KEYPOINTS)
        return facts

    def see(self, crop: Crop) -> Found:
        """Return the keypoints of `frame`."""
        self._crop[:] = crop
        found: Found = self._runtime.infer(*self._inputs)[self._at]
        return found


class Unmerged:
    """Colours, square, network and places one after the other, as the estimator does it."""

    def __init__(self, runtime: Runtime, camera: Camera) -> None:
        self._runtime = runtime
        self._decoder = MoveNetSinglePose()
        self._convert = _TO_BGR.get(camera.format)
        self.frame: Image = np.zeros(camera.shape, np.uint8)
        self._bgr: Image = np.zeros((camera.height, camera.width, 3), np.uint8)
        self._orientation = camera.orientation

    def open(self) -> RuntimeFacts:
        """Load the model."""
        facts = self._runtime.open()
        self._at = keypoints_at(facts)
        bgr = self._decoder.takes_bgr(facts)
        self._sampler = Sampler(self._decoder.input_side(facts), self._orientation, bgr=bgr)
        self._input = np.zeros(facts.inputs[0].shape, facts.inputs[0].dtype)
        return facts

    def see(self, crop: Crop) -> Found:
        """Return the keypoints of `frame`."""
        image = self.frame
        if self._convert is not None:
            image = _bytes(cv2.cvtColor(image, self._convert, dst=self._bgr))
        taken = self._sampler.sample(image, crop, self._input[0])
        places, scores = self._decoder.decode(self._runtime.infer(self._input)[self._at], taken)
        found: Found = np.empty((len(scores), 3), np.float32)
        found[:, :2] = np.array(places).reshape(-1, 2)
        found[:, 2] = scores
        return found


def open_pipeline(pipeline: Pipeline) -> tuple[dict[str, Any], Callable[[int], list[int]]]:
    """Return what there is to say about the opened pipeline, and the function that runs a block (ns each)."""
    use_one_thread()
    pictures = np.load(pipeline.frames)
    _, height, width, _ = pictures.shape
    camera = Camera(width, height, pipeline.format, Orientation())
    runtime: Runtime = load("runtime", RUNTIMES, pipeline.runtime)(
        Path(pipeline.path), precision=pipeline.precision, threads=1
    )
    sight = (Merged if pipeline.is_merged else Unmerged)(runtime, camera)
    facts = sight.open()
    shown = [
        (encoded(picture, pipeline.format), crop) for picture in pictures for crop in crops(width / height)
    ]
    keypoints = []
    for frame, crop in shown:
        np.copyto(sight.frame, frame)
        keypoints.append(sight.see(crop).tolist())

    def block(runs: int) -> list[int]:
        taken: list[int] = []
        for run in range(runs):
            frame, crop = shown[run % len(shown)]
            np.copyto(sight.frame, frame)
            start_ns = now_ns()
            sight.see(crop)
            taken.append(now_ns() - start_ns)
        return taken

    return {"version": facts.version, "precision": facts.precision, "keypoints": keypoints}, block


def start(pipeline: Pipeline) -> tuple[dict[str, Any], Block]:
    """Go to the core and open the pipeline, for `serve`."""
    os.sched_setaffinity(0, {pipeline.core})
    said, block = open_pipeline(pipeline)

    def answer(runs: int) -> dict[str, Any]:
        return {"ns": block(runs)}

    return said, answer


if __name__ == "__main__":
    serve_here(lambda: start(Pipeline(**json.loads(sys.argv[1]))))
