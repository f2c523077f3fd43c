"""Look at the camera and the MIDI outputs that are configured. Opens devices, plays nothing."""

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lalelu.camera import port as camera_port
from lalelu.camera.port import Camera, CameraFacts
from lalelu.clock import now_ns
from lalelu.doctor.flicker import Light, look_at_light
from lalelu.errors import EndOfStreamError, LaleluError, LostError, MissingError
from lalelu.registry import from_uri, load, parse_uri
from lalelu.types import Frame
from lalelu.voice import port as voice_port
from lalelu.voice.outputs.jack import JackServer
from lalelu.voice.outputs.rtmidi import APIS, Api, ports, why_unavailable

LOOK_S: Final = 2.0  # how long the camera is watched
SETTLE: Final = 5  # frames before the counting: the first ones come late
STRIDE: Final = 8  # every so manieth row and column tells how bright a picture is, in some 20 us
# opening them changes nothing, and reads a serial line's rate back; a file would be written
LIVE_OUTPUTS: Final = frozenset({"virtual", "port", "serial", "synth"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a camera delivered while it was watched."""

    facts: CameraFacts
    asked_fps: float | None  # None: its address cannot ask
    fps: float  # delivered, with the frames that were skipped
    frames: int
    skipped: int
    gap_sd_ms: float  # of the time from one arrival to the next
    longest_gap_ms: float
    light: Light | None = None  # None: too few frames to tell


@dataclass(frozen=True, slots=True)
class CameraLook:
    """The camera of an address: what it delivered, or why it could not be looked at."""

    uri: str
    is_device: bool  # False: simulated, a film or a take
    delivery: Delivery | None
    problem: LaleluError | None = None


@dataclass(frozen=True, slots=True)
class OutputLook:
    """One MIDI output of the configuration."""

    uri: str
    opened: str | None  # what it says of itself; None: it was not opened
    problem: LaleluError | None = None


@dataclass(frozen=True, slots=True)
class BackEnd:
    """One way to MIDI ports."""

    api: Api
    unavailable: str | None  # the reason
    ports: tuple[str, ...] = ()
    period_ms: float | None = None  # JACK's: how far apart two notes may be moved


def look_at_camera(uri: str, seconds: float = LOOK_S) -> CameraLook:
    """Open the camera through its port, watch it and close it."""
    name, _, _ = parse_uri(uri)
    is_device = name not in {"sim", "video", "take"}
    try:
        camera: Camera = from_uri("camera", camera_port.ADAPTERS, uri)
        try:
            facts = camera.open()
            return CameraLook(uri, is_device, _watch(camera, facts, _asked_fps(uri), seconds))
        finally:
            camera.close()
    except LaleluError as exc:
        return CameraLook(uri, is_device, None, exc)


def _asked_fps(uri: str) -> float | None:
    name, target, options = parse_uri(uri)
    schema = load("camera", camera_port.ADAPTERS, name).Options
    fps = getattr(schema.model_validate({"target": target, **options}), "fps", None)
    return None if fps is None else float(fps)


def _watch(camera: Camera, facts: CameraFacts, asked_fps: float | None, seconds: float) -> Delivery:
    for _ in range(SETTLE):
        first = camera.read()
    end_ns = now_ns() + round(seconds * 1e9)
    arrived_ns = [first.arrived_ns]
    captured_ns, levels = [first.captured_ns], [_brightness(first)]
    last = first
    with suppress(EndOfStreamError):  # a short film
        while now_ns() < end_ns:
            last = camera.read()
            arrived_ns.append(last.arrived_ns)
            captured_ns.append(last.captured_ns)
            levels.append(_brightness(last))
    gaps_ms = [(later - earlier) * 1e-6 for earlier, later in pairwise(arrived_ns)]
    elapsed_s = (arrived_ns[-1] - arrived_ns[0]) * 1e-9
    if not gaps_ms or elapsed_s <= 0:
        raise LostError(
            f"camera {facts.source} delivered {len(arrived_ns)} frames; more are needed to measure it"
        )
    return Delivery(
        facts=facts,
        asked_fps=asked_fps,
        fps=(last.seq - first.seq) / elapsed_s,
        frames=len(gaps_ms),
        skipped=last.seq - first.seq - len(gaps_ms),
        gap_sd_ms=statistics.pstdev(gaps_ms),
        longest_gap_ms=max(gaps_ms),
        light=look_at_light(captured_ns, levels),
    )


def _brightness(frame: Frame) -> float:
    return float(frame.image[::STRIDE, ::STRIDE].mean())


def look_at_outputs(uris: Sequence[str]) -> tuple[OutputLook, ...]:
    """Open each output that is a port, and close it again; a file is not touched."""
    return tuple(_look_at_output(uri) for uri in uris)


def _look_at_output(uri: str) -> OutputLook:
    name, _, _ = parse_uri(uri)
    try:
        output: voice_port.MidiOutput = from_uri("MIDI output", voice_port.ADAPTERS, uri)
        if name not in LIVE_OUTPUTS:
            return OutputLook(uri, None)
        try:
            return OutputLook(uri, output.open())
        finally:
            output.close()
    except LaleluError as exc:
        return OutputLook(uri, None, exc)


def look_at_back_ends() -> tuple[BackEnd, ...]:
    """Ask ALSA's sequencer and JACK's server for their ports."""
    return tuple(_look_at_back_end(api) for api in APIS)


def _look_at_back_end(api: Api) -> BackEnd:
    reason = why_unavailable(api)
    if reason is not None:
        return BackEnd(api, reason)
    try:
        return BackEnd(api, None, ports(api), _jack_period_ms() if api == "jack" else None)
    except MissingError as exc:  # it went between the two questions
        return BackEnd(api, str(exc))


def _jack_period_ms() -> float:
    server = JackServer()
    try:
        return server.open("lalelu-doctor").period_ms
    finally:
        server.close()
