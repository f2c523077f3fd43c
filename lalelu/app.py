"""The composition root: configuration to adapters to one playing instrument. Opens everything it wires."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np

from lalelu import engine, realtime
from lalelu.camera import port as camera_port
from lalelu.camera.port import Camera, CameraFacts
from lalelu.camera.take import TakeCamera
from lalelu.clock import now_ns
from lalelu.config.loader import Loaded
from lalelu.desk.recorder import Recorder
from lalelu.errors import EndOfStreamError, LostError, MissingError, PortLostError
from lalelu.gesture.detector import Detector
from lalelu.ledger.files import new_header
from lalelu.pose.build import build_estimator
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import PoseEstimator, RuntimeFacts
from lalelu.realtime import Grant
from lalelu.registry import from_uri
from lalelu.types import Frame, Hit
from lalelu.voice import port as voice_port
from lalelu.voice.voice import Voice

RETRY_S = 1.0  # between two attempts to find a lost camera again
GRACE_S = 0.3  # a signal that the loop has not noticed by then interrupts whatever it waits for
REHEARSAL_FRAMES = 30  # loops on an empty picture before the first real one: caches, branch tables, clocks


class _InterruptedError(BaseException):
    """Raised by the alarm that follows an unnoticed stop signal; never leaves this module."""


class Stop:
    """SIGINT, SIGTERM, SIGHUP or the end of the asked time: the loop ends after the frame in hand."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def on_signals(self) -> Iterator[Self]:
        """Listen to the signals and the timer inside the block (main thread only)."""

        def stop_soon(_signum: int, _frame: FrameType | None) -> None:
            self.requested = True
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)

        def on_alarm(signum: int, frame: FrameType | None) -> None:
            if self.requested:
                raise _InterruptedError
            stop_soon(signum, frame)

        handlers = {signal.SIGINT: stop_soon, signal.SIGTERM: stop_soon, signal.SIGALRM: on_alarm}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to play on
            handlers[signal.SIGHUP] = stop_soon
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield self
        except _InterruptedError:
            pass  # the stop was asked for; what waited has been left
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    @staticmethod
    def heard() -> None:
        """Say that the loop has ended, so that nothing after it is interrupted."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def after(self, seconds: float) -> None:
        """Stop when `seconds` have passed; valid inside `on_signals`."""
        signal.setitimer(signal.ITIMER_REAL, seconds)


@dataclass(frozen=True, slots=True)
class Recording:
    """Where a performance is kept; None = not at all."""

    ledger: Path | None = None
    take: Path | None = None


class Instrument:
    """Camera, network, detector, voice and recorder as the configuration wires them.

    A context manager: opens in order, and on any way out ends every sounding note first, then closes the rest.
    `say` gets one line for people about everything opened.
    """

    def __init__(
        self,
        loaded: Loaded,
        recording: Recording,
        *,
        say: Callable[[str], None],
        on_hit: Callable[[Hit], None] = lambda _hit: None,
    ) -> None:
        config = loaded.config
        self._loaded = loaded
        self._recording = recording
        self._say = say
        self._on_hit = on_hit
        self.camera: Camera = from_uri("camera", camera_port.ADAPTERS, config.camera.uri)
        self._voice = Voice(
            [from_uri("MIDI output", voice_port.ADAPTERS, uri) for uri in config.midi.outputs],
            loaded.kit,
            now_ns=now_ns,
        )
        self._cores = realtime.allowed_cores()
        self._core = realtime.choose_core(config.realtime.core)
        self._closing = ExitStack()
        self.grants: Sequence[Grant] = ()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(realtime.end, self._cores)
            realtime.leave_core(self._core)
            opened.callback(self.camera.close)
            self.facts = self.camera.open()
            self._say(
                f"camera: {self.facts.source}, {self.facts.width}x{self.facts.height} at {self.facts.fps:.4g} fps"
            )
            estimator, runtime = self._open_estimator(opened)
            detector = Detector(
                self._loaded.kit, skeleton=estimator.skeleton, left_handed=self._loaded.config.left_handed
            )
            load = rehearse(estimator, self.facts)
            opened.callback(self._voice.close)
            for line in self._voice.open():
                self._say(f"MIDI: {line}")
            self._recorder = self._open_recorder(opened, estimator, runtime)
            opened.callback(self._voice.silence)
            self._estimator, self._detector, self._load = estimator, detector, load
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.close()

    def play(self, stop: Stop, *, once: bool) -> None:
        """Play until `stop` is requested or a finite source ends; the calling thread becomes the hot one.

        A camera that is lost is waited for, unless `once`: then LostError is raised. Notes are ended either way.
        """
        try:
            self._play(stop, once=once)
        finally:
            stop.heard()
            realtime.end(self._cores)  # before the closing, which may take its time

    def _play(self, stop: Stop, *, once: bool) -> None:
        self.grants = realtime.enter(self._loaded.config.realtime, self._core, self._load)
        for grant in self.grants:
            self._say(f"real time {grant}")
        self._recorder.amend({"requests": [asdict(grant) for grant in self.grants]})
        while not stop.requested:
            try:
                engine.play(
                    self.camera,
                    self._estimator,
                    self._detector,
                    self._voice,
                    self._recorder,
                    stop,
                    self._on_hit,
                )
            except EndOfStreamError as exc:
                self._recorder.event("end", str(exc))
                return
            except PortLostError as exc:
                self._note_loss(exc)
                if once or self._voice.silent:
                    raise
            except LostError as exc:
                self._note_loss(exc)
                with suppress(LostError):  # the loss of the camera is what is told
                    self._voice.silence()
                if once and not stop.requested:  # Ctrl-C reaches a simulated camera's process too
                    raise
                self._find_camera(stop)

    def _note_loss(self, loss: LostError) -> None:
        self._recorder.event("lost", str(loss))
        self._say(str(loss))

    def _find_camera(self, stop: Stop) -> None:
        while not stop.requested:
            self.camera.close()
            try:
                self.camera.open()
            except (MissingError, LostError):
                time.sleep(RETRY_S)
                continue
            self._recorder.event("found", "camera opened again")
            self._say("camera: found again")
            return

    def _open_estimator(self, opened: ExitStack) -> tuple[PoseEstimator, RuntimeFacts | None]:
        if isinstance(self.camera, TakeCamera):
            for problem in self.camera.problems:
                self._say(problem)
            self._say("poses: as recorded in the take, no network")
            return self.camera.estimator(), None
        estimator = build_estimator(self._loaded.config)
        opened.callback(estimator.close)
        facts = estimator.open()
        self._say(
            f"poses: {self._loaded.config.pose.model} on {facts.name} {facts.version}, "
            f"{facts.device} {facts.precision}, threads: {facts.threads}; first inference {facts.first_ms:.0f} ms; "
            f"hands {'tracked' if estimator.tracks_hands else 'as the network says'}"
        )
        return estimator, facts

    def _open_recorder(
        self, opened: ExitStack, estimator: PoseEstimator, runtime: RuntimeFacts | None
    ) -> Recorder:
        recorder = Recorder(
            self._recording.ledger,
            self._recording.take,
            self._header(runtime),
            skeleton=estimator.skeleton,
            take_header=self._take_header(),
        )
        opened.callback(self._close_recorder, recorder)
        recorder.open()
        return recorder

    def _close_recorder(self, recorder: Recorder) -> None:
        recorder.close()
        if recorder.problem:
            self._say(recorder.problem)

    def _take_header(self) -> dict[str, Any]:
        facts, config = self.facts, self._loaded.config
        header: dict[str, Any] = {"source": facts.source, "fps": facts.fps}
        if isinstance(self.camera, TakeCamera):
            return {**header, "width": facts.width, "height": facts.height}
        # keypoints are in the upright picture
        width, height = Orientation(config.camera.rotate).upright_size(facts.width, facts.height)
        return {**header, "width": width, "height": height, "model": config.pose.model}

    def _header(self, runtime: RuntimeFacts | None) -> dict[str, Any]:
        return new_header(
            self._loaded.effective,
            camera=asdict(self.facts),
            model="recorded" if runtime is None else self._loaded.config.pose.model,
            runtime={} if runtime is None else {key: str(value) for key, value in asdict(runtime).items()},
            packages=(
                "openvino",
                "onnxruntime",
                "tensorflow",
                "opencv-python-headless",
                "mido",
                "python-rtmidi",
            ),
        )


def rehearse(estimator: PoseEstimator, facts: CameraFacts) -> float:
    """Run the estimator on an empty picture and return the share of a frame period that it takes (median)."""
    image = np.zeros((facts.height, facts.width, 3), dtype=np.uint8)
    times = []
    for seq in range(-REHEARSAL_FRAMES, 0):
        frame = Frame(seq, 0, 0, 0, image)
        began_ns = time.thread_time_ns()  # what others take from us now, FIFO would not let them take
        estimator.prepare(frame)
        estimator.infer()
        estimator.poses()
        times.append(time.thread_time_ns() - began_ns)
    return float(np.median(times)) * 1e-9 * facts.fps


def say(line: str) -> None:
    """Print one line for people (stderr)."""
    print(line, file=sys.stderr, flush=True)
