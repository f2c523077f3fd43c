"""The loop: newest frame, pose, events, notes, one row. The only place that marks diagnostic time."""

from typing import Protocol

from lalelu.camera.port import Camera
from lalelu.clock import now_ns
from lalelu.errors import LostError
from lalelu.gesture.detector import Detector
from lalelu.pose.port import PoseEstimator
from lalelu.types import Hit
from lalelu.wire import EngineRings


class NetworkLostError(LostError):
    """The network's device fails; looking for the camera would not help."""


class Stop(Protocol):
    """Something that can ask the loop to end."""

    requested: bool


def play(
    camera: Camera, estimator: PoseEstimator, detector: Detector, rings: EngineRings, stop: Stop
) -> None:
    """Play until `stop.requested`; every frame leaves a row.

    Raises LostError (the camera has gone), NetworkLostError (the network's device) and EndOfStreamError (a finite
    source has ended); notes that sound then are the caller's to end.
    """
    while not stop.requested:
        frame = camera.read()
        decoded_ns = now_ns()
        estimator.prepare(frame)
        prepared_ns = now_ns()
        try:
            estimator.infer()
        except LostError as exc:
            raise NetworkLostError(str(exc)) from exc
        inferred_ns = now_ns()
        poses = estimator.poses()
        posed_ns = now_ns()
        hits = [event for pose in poses for event in detector.step(pose) if isinstance(event, Hit)]
        detected_ns = now_ns()
        if hits:
            rings.play(hits)
        sent_ns = now_ns()

        for pose in poses:
            rings.pose(pose)
        rings.frame(
            frame.seq,
            frame.captured_ns,
            frame.arrived_ns,
            decoded_ns,
            prepared_ns,
            inferred_ns,
            posed_ns,
            detected_ns,
            sent_ns,
            frame.skipped,
            len(hits),
            len(poses),
        )
