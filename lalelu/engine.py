"""The loop: newest frame, pose, events, notes, one row. The only place that marks diagnostic time."""

from collections.abc import Callable
from typing import Protocol

from lalelu.camera.port import Camera
from lalelu.clock import now_ns
from lalelu.desk.recorder import Recorder
from lalelu.gesture.detector import Detector
from lalelu.pose.port import PoseEstimator
from lalelu.types import Hit
from lalelu.voice.voice import Voice


class Stop(Protocol):
    """Something that can ask the loop to end."""

    requested: bool


def play(
    camera: Camera,
    estimator: PoseEstimator,
    detector: Detector,
    voice: Voice,
    recorder: Recorder,
    stop: Stop,
    on_hit: Callable[[Hit], None],
) -> None:
    """Play until `stop.requested`; every frame leaves a row, every note another.

    Raises LostError (the camera has gone), PortLostError (a MIDI output has) and EndOfStreamError (a finite
    source has ended); notes that sound then are the caller's to end.
    """
    while not stop.requested:
        frame = camera.read()
        decoded_ns = now_ns()
        estimator.prepare(frame)
        prepared_ns = now_ns()
        estimator.infer()
        inferred_ns = now_ns()
        poses = estimator.poses()
        posed_ns = now_ns()
        hits = [event for pose in poses for event in detector.step(pose) if isinstance(event, Hit)]
        detected_ns = now_ns()
        notes = [note for hit in hits for note in voice.play(hit)]
        sent_ns = now_ns()

        recorder.frame(
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
        for pose in poses:
            recorder.pose(pose)
        for note in notes:
            recorder.note(note)
        for hit in hits:
            on_hit(hit)
        voice.tick()  # last: it raises what was lost, and the rows are kept by then
