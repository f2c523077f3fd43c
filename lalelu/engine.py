"""The loop: newest frame, pose, events, notes, one row. The only place that marks diagnostic time."""

from collections.abc import Sequence
from typing import Protocol

from lalelu.camera.port import Camera
from lalelu.clock import now_ns
from lalelu.errors import LostError
from lalelu.gesture.band import Band
from lalelu.ledger.schema import VIA
from lalelu.pose.port import PoseEstimator
from lalelu.types import Command, Event, Frame, Hit
from lalelu.wire import EngineRings


class NetworkLostError(LostError):
    """The network's device fails; looking for the camera would not help."""


class Stop(Protocol):
    """Something that can ask the loop to end."""

    requested: bool


class Cues(Protocol):
    """What the desk asks for between two frames, and who is told what the players have commanded."""

    @property
    def waiting(self) -> bool:
        """Whether something is asked for."""

    def take(self, band: Band, frame: Frame) -> Sequence[Event]:
        """Have `band` do what is asked for, after `frame`; return what follows from it."""

    def tell(self, command: Command, band: Band) -> None:
        """Tell people of a command that `band` has obeyed."""


class Sight(Protocol):
    """Whether the camera sees anything; see camera.sight."""

    blind: bool

    def look(self, frame: Frame) -> bool:
        """Look at a frame, if it is time; whether the camera has become blind with it."""


class View(Protocol):
    """Who looks at the picture while it is played; see GlimpseWriter."""

    def show(self, frame: Frame) -> None:
        """Show a frame to whoever looks, if it is time."""


class Usage(Protocol):
    """What the thread costs and what is done to it; see ThreadUsage."""

    def begin(self) -> None:
        """Begin to count: a frame has been waited for and is there."""

    def end(self) -> Sequence[int]:
        """Return the rest of the row: the frame's work is done."""


def play(
    camera: Camera,
    estimator: PoseEstimator,
    band: Band,
    rings: EngineRings,
    stop: Stop,
    cues: Cues,
    usage: Usage,
    sight: Sight,
    view: View,
) -> None:
    """Play until `stop.requested`; every frame leaves a row. A blind camera's frames count as empty.

    Raises LostError (the camera has gone), NetworkLostError (the network's device) and EndOfStreamError (a finite
    source has ended); notes that sound then are the caller's to end.
    """
    while not stop.requested:
        frame = camera.read()
        decoded_ns = now_ns()
        usage.begin()
        estimator.prepare(frame)
        prepared_ns = now_ns()
        try:
            estimator.infer()
        except LostError as exc:
            raise NetworkLostError(str(exc)) from exc
        inferred_ns = now_ns()
        poses = estimator.poses()
        if sight.blind:
            poses = ()
        posed_ns = now_ns()
        events = band.frame(frame.seq, frame.captured_ns, poses)
        detected_ns = now_ns()
        if events:
            rings.send(events)
        sent_ns = now_ns()
        used = usage.end()

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
            sum(isinstance(event, Hit) for event in events),
            len(poses),
            VIA.index(poses[0].via) if poses else 0,
            used,
        )
        _tell(events, cues, band)
        view.show(frame)
        if sight.look(frame):
            rings.send(band.rest(frame.seq, frame.captured_ns))
        if cues.waiting:
            asked = cues.take(band, frame)
            if asked:
                rings.send(asked)
                _tell(asked, cues, band)


def _tell(events: Sequence[Event], cues: Cues, band: Band) -> None:
    for event in events:
        if isinstance(event, Command) and event.name != "tap":
            cues.tell(event, band)
