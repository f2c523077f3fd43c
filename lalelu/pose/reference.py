"""Compare poses with recorded reference keypoints of the same film. Reads files, runs a network."""

import json
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.config.schema import PlayerSection
from lalelu.errors import UsageError
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.runtimes.openvino import OpenVINORuntime
from lalelu.types import Frame

# Above the 0.3 from which MoveNet's users count a keypoint as found: between the two scores remain sightings of
# one hidden ankle, outside the square that follows the torso.
CONFIDENT: Final = 0.4
FRAME_NS: Final = 33_333_333  # a film at 30 fps


def distances(
    film: Path,
    keypoints: Path,
    model: Path,
    *,
    crop_mode: Literal["follow", "whole"] = "follow",
    precision: Literal["auto", "f32", "bf16"] = "auto",
) -> NDArray[np.float64]:
    """Return (frames, 17) distances in px to the reference; NaN where the keypoint is not confident or not seen.

    `keypoints` is a JSON list with one object a frame: `{"nose": {"x": ..., "y": ...}, ...}` in px.
    Raises UsageError when film and keypoints do not fit together, MissingError for an unusable model.
    """
    reference = json.loads(keypoints.read_text())
    estimator = SinglePoseEstimator(
        OpenVINORuntime(model, precision=precision, threads=1),
        MoveNetSinglePose(),
        crop_mode=crop_mode,
        rotate=0,
        mirror=False,
        player=PlayerSection(),
    )
    estimator.open()
    reader = cv2.VideoCapture(str(film))
    found = np.full((len(reference), len(estimator.skeleton)), np.nan)
    try:
        for index, expected in enumerate(reference):
            ok, image = reader.read()
            if not ok:
                raise UsageError(f"{film} ends after {index} frames; {keypoints} has {len(reference)}")
            picture = image.astype(np.uint8, copy=False)
            estimator.prepare(Frame(index, index * FRAME_NS, index * FRAME_NS, 0, picture))
            estimator.infer()
            for pose in estimator.poses():
                wanted = [(expected[name]["x"], expected[name]["y"]) for name in estimator.skeleton]
                apart = np.linalg.norm(pose.xy * image.shape[0] - np.array(wanted), axis=1)
                found[index] = np.where(pose.score >= CONFIDENT, apart, np.nan)
    finally:
        reader.release()
        estimator.close()
    return found


def summary(found: NDArray[np.float64]) -> dict[str, float]:
    """Return median, p95 and worst distance (px), the count, and the share of keypoints that were confident."""
    known = found[np.isfinite(found)]
    if known.size == 0:
        raise UsageError("no confident keypoint was found in the film; is there a person in it?")
    return {
        "median_px": round(float(np.median(known)), 2),
        "p95_px": round(float(np.percentile(known, 95)), 2),
        "max_px": round(float(known.max()), 2),
        "keypoints": int(known.size),
        "confident": round(known.size / found.size, 3),
    }
