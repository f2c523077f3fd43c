"""The engine's own process: opens camera and network, warms up, becomes real-time and plays. Opens devices.

`python -m lalelu.instrument SESSION BELL`: the session's folder and the eventfd that wakes the voice. It plays from
the moment at which the leader's board says `go`, and says on its own board what it has opened and how it ended.
"""

import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from lalelu import engine
from lalelu.bulletin import Bulletin
from lalelu.camera import port as camera_port
from lalelu.camera.port import Camera, CameraFacts
from lalelu.camera.sight import Sight
from lalelu.camera.take import TakeCamera
from lalelu.channel import BoardReader
from lalelu.clock import now_ns
from lalelu.cues import DeskCues
from lalelu.engine import NetworkLostError
from lalelu.errors import EndOfStreamError, LaleluError, LostError, MissingError, SlowCameraError, UsageError
from lalelu.gesture.band import Band
from lalelu.glimpse import RING as PICTURE
from lalelu.glimpse import GlimpseWriter
from lalelu.offer import OfferReader
from lalelu.parent import end_with
from lalelu.pose.build import build_estimator
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.pose.port import PoseEstimator, RuntimeFacts
from lalelu.realtime import RealTime
from lalelu.realtime.usage import ThreadUsage
from lalelu.registry import from_uri
from lalelu.renewal import Renewal
from lalelu.session import Plan, Session
from lalelu.skeleton import name_of
from lalelu.stop import Stop
from lalelu.types import Frame
from lalelu.wire import EngineRings, EventRing

RETRY_S: Final = 0.25  # between two attempts to find a camera
LOOK_S: Final = 0.005  # between two looks for the leader's go
REHEARSAL_FRAMES: Final = (
    30  # loops on an empty picture before the first real one: caches, branch tables, clocks
)


class Instrument:
    """Camera, network and detectors as the plan wires them, playing into the session's rings.

    A context manager: opens in order, and on any way out ends every sounding note first, then closes the rest.
    """

    def __init__(self, session: Session, plan: Plan, board: Bulletin, *, bell: int) -> None:
        self._session = session
        self._plan = plan
        self._board = board
        self._bell = bell
        self._events = EventRing(session, "engine")
        self._cues = DeskCues(session, [kit.name for kit in plan.kits], board, self._events.write)
        section = plan.config.camera
        self.camera: Camera = from_uri(
            "camera", camera_port.ADAPTERS, section.uri, readout_ms=section.readout_ms
        )
        self._orientation = Orientation(section.rotate, section.mirror)
        self._realtime = RealTime(plan.config.realtime, plan.core)
        self._usage = ThreadUsage()
        self._finished = False  # a finite source has ended
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self.camera.close)
            self._facts = self._open_camera()
            facts = self._facts
            self._board.say(f"camera: {facts.source}, {facts.width}x{facts.height} at {facts.fps:.4g} fps")
            self._sight = Sight(facts, self._board.problem)
            self._estimator, runtime = self._open_estimator(opened)
            width, height = self._upright_size()
            self._band = self._make_band(width / height)
            self._load = rehearse(self._estimator, facts)
            self._rings = EngineRings(
                self._session,
                self._bell,
                kits=self._plan.kits,
                skeleton=self._estimator.skeleton,
                keeps_poses=True,
            )
            self._view = GlimpseWriter(self._session / PICTURE)
            self._cues.renew_by(
                Renewal(
                    OfferReader(self._session),
                    self._rings,
                    self._estimator.skeleton,
                    self._board,
                    self._events.write,
                )
            )
            opened.callback(self._end_notes)
            self._board.tell(
                state="warm",
                camera=asdict(facts),
                model="recorded" if runtime is None else self._plan.config.pose.model,
                runtime={}
                if runtime is None
                else {key: str(value) for key, value in asdict(runtime).items()},
                take=self._take_header(),
                load=round(self._load, 3),
                kit=self._plan.kits[0].name,
                kits=self._band.playing,
                standby=False,
                epoch=0,
            )
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.close()

    def play(self, stop: Stop) -> None:
        """Play until `stop` is requested or a finite source ends; the calling thread becomes the hot one.

        A camera that is lost is waited for, unless the plan says `once`: then LostError is raised. A network that
        is lost always ends the playing with LostError.
        """
        try:
            if stop.requested:  # before the first frame
                return
            grants = self._realtime.enter(self._load)
            for grant in grants:
                self._board.say(f"real time, engine: {grant}")
            self._usage.open()
            self._board.tell(
                state="playing",
                requests=[asdict(grant) for grant in grants],
                unavailable=self._usage.unavailable,
            )
            self._play(stop)
        finally:
            stop.heard()
            self._board.tell(state="ending")  # from here on, no frame is missed
            self._usage.close()
            self._realtime.end()  # before the closing, which may take its time
            if self._rings.unwritten:
                self._events.write(
                    "unwritten", f"{self._rings.unwritten} rows held a number too large for a row"
                )

    def _play(self, stop: Stop) -> None:
        while not stop.requested:
            try:
                engine.play(
                    self.camera,
                    self._estimator,
                    self._band,
                    self._rings,
                    stop,
                    self._cues,
                    self._usage,
                    self._sight,
                    self._view,
                )
            except EndOfStreamError as exc:
                self._events.write("end", str(exc))
                self._finished = True
                return
            except LostError as exc:
                self._rings.silence()
                self._band.rest(0, 0)  # what it ends is silent already
                self._sight.forget()
                self._events.write("lost", str(exc))
                if isinstance(exc, NetworkLostError) or (self._plan.once and not stop.requested):
                    self._board.say(str(exc))
                    raise
                self._tell_waiting(exc)
                self._board.say(str(exc))
                self._find_camera(stop)

    def _make_band(self, aspect: float) -> Band:
        config = self._plan.config
        return Band(
            self._plan.kits,
            skeleton=self._estimator.skeleton,
            player_kits=config.player_kits,
            left_handed=config.left_handed,
            row_delay_ns=rolling_shutter(self._readout_ms, self._orientation, aspect),
            lead_ms=config.timing.lead_ms,
            chokes=config.timing.choke,
            aspect=aspect,
        )

    def _end_notes(self) -> None:
        if self._finished:  # its last notes may sound to their ends
            self._rings.finish()
        else:
            self._rings.silence()

    def _open_camera(self) -> CameraFacts:
        waits = self._plan.config.camera.wait and not self._plan.once
        told = False
        while True:
            try:
                facts = self.camera.open()
            except (MissingError, LostError, SlowCameraError) as exc:
                if not waits:
                    raise
                self._tell_waiting(exc)
                if not told:
                    self._board.say(f"waiting for a camera: {exc}")
                told = True
                time.sleep(RETRY_S)
            else:
                self._board.tell(state="starting", problem=None)
                return facts

    def _find_camera(self, stop: Stop) -> None:
        while not stop.requested:
            self.camera.close()
            try:
                facts = self.camera.open()
                self._check_size(facts)
            except LaleluError as exc:
                # UsageError, too: what it took before it will take again once it is settled
                self._tell_waiting(exc)
                time.sleep(RETRY_S)
                continue
            self._events.write("found", "camera opened again")
            self._board.say("camera: found again")
            self._board.tell(state="playing", problem=None, camera=asdict(facts))
            return

    def _check_size(self, facts: CameraFacts) -> None:
        """Refuse a camera that comes back with other pictures. Raises UsageError."""
        had, has = ((each.width, each.height, each.grey) for each in (self._facts, facts))
        if had != has:
            sizes = [f"{width}x{height}{' grey' if grey else ''}" for width, height, grey in (had, has)]
            raise UsageError(
                f"the camera has come back with {sizes[1]} instead of {sizes[0]}; plug in the one that was there, or "
                "start lalelu again"
            )

    def _tell_waiting(self, problem: LaleluError) -> None:
        """Show what is waited for, before a line says it: the leader takes that line for the problem it knows."""
        self._board.tell(state="waiting", problem=str(problem), looked_ns=now_ns())

    def _open_estimator(self, opened: ExitStack) -> tuple[PoseEstimator, RuntimeFacts | None]:
        if isinstance(self.camera, TakeCamera):
            for problem in self.camera.problems:
                self._board.say(problem)
            self._board.say("poses: as recorded in the take, no network")
            return self.camera.estimator(), None
        config = self._plan.config
        estimator = build_estimator(config, self._plan.kits, self._session.folder)
        opened.callback(estimator.close)
        facts = estimator.open()
        self._board.say(
            f"poses: {config.pose.model} on {facts.name} {facts.version}, "
            f"{facts.device} {facts.precision}, threads: {facts.threads}; first inference {facts.first_ms:.0f} ms; "
            f"hands {'tracked' if estimator.tracks_hands else 'as the network says'}, flow {config.pose.flow}"
        )
        return estimator, facts

    @property
    def _readout_ms(self) -> float:
        if isinstance(self.camera, TakeCamera):
            return self._facts.readout_ms
        return self._facts.readout_ms or self._plan.config.camera.readout_ms

    def _upright_size(self) -> tuple[int, int]:
        if isinstance(self.camera, TakeCamera):  # its keypoints are upright
            return self._facts.width, self._facts.height
        return self._orientation.upright_size(self._facts.width, self._facts.height)

    def _take_header(self) -> dict[str, Any]:
        facts, config = self._facts, self._plan.config
        width, height = self._upright_size()
        header: dict[str, Any] = {"source": facts.source, "fps": facts.fps, "width": width, "height": height}
        header["skeleton"] = name_of(self._estimator.skeleton)
        if not isinstance(self.camera, TakeCamera):
            header["model"] = config.pose.model
        return header | ({"readout_ms": self._readout_ms} if self._readout_ms else {})


def rehearse(estimator: PoseEstimator, facts: CameraFacts) -> float:
    """Run the estimator on an empty picture and return the share of a frame period that it and the camera take."""
    image = np.zeros((facts.height, facts.width) if facts.grey else (facts.height, facts.width, 3), np.uint8)
    times = []
    for seq in range(-REHEARSAL_FRAMES, 0):
        frame = Frame(seq, 0, 0, 0, image)
        began_ns = time.thread_time_ns()  # what others take from us now, FIFO would not let them take
        estimator.prepare(frame)
        estimator.infer()
        estimator.poses()
        times.append(time.thread_time_ns() - began_ns)
    return (float(np.median(times)) * 1e-9 + facts.busy_ms * 1e-3) * facts.fps


def run(session: Session, plan: Plan, board: Bulletin, stop: Stop, *, bell: int) -> None:
    """Open everything, wait for the leader's go, and play. Raises what the parts raise."""
    with Instrument(session, plan, board, bell=bell) as instrument:
        lead = BoardReader(session / "lead")
        while not (stop.requested or lead.value().get("go")):
            time.sleep(LOOK_S)
        if plan.seconds is not None and not stop.requested:
            stop.after(plan.seconds)
        instrument.play(stop)


def main(arguments: Sequence[str]) -> int:
    """Run the session's engine; what it could not do is on its board."""
    session = Session(Path(arguments[0]))
    if not end_with(session.leader, signal.SIGTERM):  # a leader that dies takes us along
        return 0
    board = Bulletin(session / "engine")
    stop = Stop()
    try:
        with stop.on_signals():
            run(session, session.plan, board, stop, bell=int(arguments[1]))
    except LaleluError as exc:
        board.tell(state="failed", error=str(exc), exit_code=exc.exit_code)
        return exc.exit_code
    board.tell(state="ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
