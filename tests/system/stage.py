"""A stage for the whole instrument: a recorded player, a small kit, cameras that come and go, a command line."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from lalelu import cli
from lalelu.camera.port import CameraFacts
from lalelu.channel import RingReader
from lalelu.config.loader import load_config
from lalelu.config.schema import Config, PlayerSection
from lalelu.errors import EndOfStreamError, LostError, MissingError, SlowCameraError
from lalelu.ledger.schema import EVENT_DTYPE, FRAME_DTYPE
from lalelu.pose.crop import whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.registry import AdapterOptions
from lalelu.session import HIT, POSE_HEAD, Plan, Recording, create_session
from lalelu.skeleton import COCO17
from lalelu.take import TakeFrame, TakeHeader, TakeWriter
from lalelu.types import Frame, Pose
from lalelu.voice.outputs.memory import MemoryOutput

FPS = 100.0
PERIOD_NS = 10_000_000
TRANSFER_NS = 1_000_000  # from the capture to the arrival
START_NS = 1_000_000_000  # the stage camera's first capture
SHOULDERS = (0.6, 0.3)  # image heights
WIDTH = 0.16  # of the shoulders, image heights: the kit's unit

KIT = """\
name: stage
note_ms: {note_ms}
pads:
  left: {{note: 38, zone: {{box: [-1.2, -1.4, -0.1, -0.4]}}}}
  right: {{note: [45, 48], channel: 3, zone: {{box: [0.1, -1.4, 1.2, -0.4]}}}}
"""


def poses(seconds=1.5, start_ns=0, hz=3.0):
    """A player whose hands go up and down in turns `hz` times a second, to the pads of KIT."""
    film = []
    for seq in range(round(seconds * FPS)):
        time_s = seq / FPS
        body = {
            "left_shoulder": (-0.5, 0.0),
            "right_shoulder": (0.5, 0.0),
            "left_hip": (-0.35, -1.4),
            "right_hip": (0.35, -1.4),
            "left_wrist": (-0.6, -0.6 + 0.4 * np.cos(2 * np.pi * hz * time_s)),
            "right_wrist": (0.6, -0.6 - 0.4 * np.cos(2 * np.pi * hz * time_s)),
        }
        xy = np.tile(np.array(SHOULDERS, np.float32), (len(COCO17), 1))
        score = np.zeros(len(COCO17), np.float32)
        for limb, (right, up) in body.items():
            # the player faces us: his right is the picture's left
            xy[COCO17.index(limb)] = (SHOULDERS[0] - WIDTH * right, SHOULDERS[1] - WIDTH * up)
            score[COCO17.index(limb)] = 0.8
        film.append(Pose(seq, start_ns + seq * PERIOD_NS, 0, np.round(xy, 5), score))
    return film


def write_take(path, seconds=1.5):
    """Record the player into a take."""
    with TakeWriter(path, TakeHeader("a stage", FPS, 640, 480)) as take:
        for pose in poses(seconds):
            take.write(TakeFrame(pose.seq, pose.captured_ns, (pose,)))
    return path


def write_config(folder, note_ms=80, page="null"):
    """Write a configuration with the stage's kit, without real time; camera and outputs come from the caller.

    The page is at the address `page`.
    """
    (folder / "stage.yaml").write_text(KIT.format(note_ms=note_ms))
    config = folder / "lalelu.yaml"
    config.write_text(f"kit: stage.yaml\nrealtime: {{core: none, priority: 0}}\npage: {{at: {page}}}\n")
    return config


class StageCamera:
    """`stage:`: a camera that films nothing, as fast as it is read, with stamps of FPS."""

    class Options(AdapterOptions):
        """When it is unplugged, how often it is then not found again, and whether a SIGTERM comes meanwhile.

        `absent`: how often it is not found at first. `live`: it passes for a real camera, and films in the dark.
        """

        frames: int = 150
        absent: int = 0
        unplug_after: int | None = None
        away: int = 0
        terminates: bool = False
        slow: bool = False  # it is there, but too slow, for as long as it would be absent
        live: bool = False

    def __init__(self, options=None):
        self.options = options or self.Options()
        self.opened = 0
        self.now_ns = 0  # when the last frame arrived
        self._there = True
        self._open = False
        self._away = self.options.absent
        self._next = 0
        self._image = np.zeros((48, 64, 3), np.uint8)

    def open(self):
        if self._away > 0:
            self._away -= 1
            if self.options.terminates:
                signal.raise_signal(signal.SIGTERM)
            error = SlowCameraError if self.options.slow else MissingError
            raise error("the stage's camera is not there; plug it in")
        assert not self._open, "close() comes before another open()"
        self.opened += 1
        self._there = self._open = True
        return CameraFacts("a stage", 64, 48, FPS, None, "the stage's own", live=self.options.live)

    def read(self):
        if self._next == self.options.unplug_after and self._there and self.opened == 1:
            self._there, self._away = False, self.options.away
            raise LostError("the stage's camera has gone; was it unplugged?")
        if self._next >= self.options.frames:
            raise EndOfStreamError("the stage has closed")
        captured_ns = START_NS + self._next * PERIOD_NS
        self.now_ns = captured_ns + TRANSFER_NS
        frame = Frame(self._next, captured_ns, self.now_ns, self._next % 2, self._image)
        self._next += 1
        return frame

    def close(self):
        self._open = False


class FragileOutput:
    """`fragile:?after=N`: a MIDI output that is lost after N messages."""

    class Options(AdapterOptions):
        """How many messages it takes."""

        after: int = 0

    def __init__(self, options):
        self._memory = MemoryOutput()
        self._memory.fail_after(options.after)

    def open(self):
        return self._memory.open()

    def send(self, message, at_ns):
        self._memory.send(message, at_ns)

    def close(self):
        self._memory.close()


def network(film, aspect=64 / 48):
    """A MoveNet estimator on a scripted runtime that sees `film`, one pose a frame, over and over."""
    square = whole(aspect)
    left, top = square.x - square.side / 2, square.y - square.side / 2
    script = []
    for pose in film:
        output = np.stack(
            ((pose.xy[:, 1] - top) / square.side, (pose.xy[:, 0] - left) / square.side, pose.score), axis=-1
        )
        script.append([output.reshape(1, 1, len(COCO17), 3).astype(np.float32)])
    runtime = ScriptedRuntime(script)
    estimator = SinglePoseEstimator(
        runtime, MoveNetSinglePose(), crop_mode="whole", rotate=0, mirror=False, player=PlayerSection()
    )
    return estimator, runtime


def stage_plan(folder, uri="sim:", *, note_ms=80, take=True, seconds=None, once=False, **sections):
    """A plan for the stage's kit and the camera `uri`; `sections` stand in the configuration instead of the stage's."""
    loaded = load_config(write_config(folder, note_ms))
    plain = loaded.config.model_dump(mode="json")
    sections = {"camera": {}, **sections}
    sections["camera"] = {**sections["camera"], "uri": uri}
    config = Config.model_validate({**plain, **sections})
    recording = Recording(take=folder / "out.take.gz" if take else None)
    return Plan(config, loaded.kits, recording, core=None, seconds=seconds, once=once)


@contextlib.contextmanager
def session_of(plan, folder):
    """A session that this process leads, in `folder`, and the eventfd that wakes its voice."""
    session, lock = create_session(plan, {"XDG_RUNTIME_DIR": str(folder)}, keypoints=len(COCO17))
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        with lock:
            yield session, bell
    finally:
        os.close(bell)
        session.remove()


def rows_of(session, ring="frames"):
    """What stands in a session's `frames` or `events.WRITER`, as an array."""
    dtype = FRAME_DTYPE if ring == "frames" else EVENT_DTYPE
    return np.frombuffer(b"".join(RingReader(session / ring).read(0).records), dtype)


def orders_of(session):
    """What the engine has told the voice: (seq, captured_ns, struck_ns, strength, kind, player, limb, pad) each."""
    return [HIT.unpack(record) for record in RingReader(session / "hits").read(0).records]


def poses_of(session):
    """The poses in a session's ring."""
    kept = []
    for record in RingReader(session / "poses").read(0).records:
        seq, captured_ns, player, via, count = POSE_HEAD.unpack_from(record)
        numbers = np.frombuffer(record, "<f4", 3 * count, POSE_HEAD.size)
        xy = numbers[: 2 * count].reshape(count, 2)
        kept.append(Pose(seq, captured_ns, player, xy, numbers[2 * count :], ("net", "flow")[via]))
    return kept


@dataclass(frozen=True)
class Told:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


def lalelu(*arguments):
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as exc:  # argparse has refused the command line
            code = exc.code
    return Told(code, out.getvalue(), err.getvalue())


def start(*arguments, environment=None, folder=None, new_session=False):
    """Start one command as a process of its own."""
    project = Path(cli.__file__).parents[1]
    given = {**os.environ, "PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1", **(environment or {})}
    return subprocess.Popen(
        [sys.executable, "-m", "lalelu", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=given,
        cwd=folder,
        start_new_session=new_session,
    )


def finish(process, seconds=60):
    """Wait for a process's end."""
    out, err = process.communicate(timeout=seconds)
    return Told(process.returncode, out, err)


def notes_of(midi):
    """The (channel, note, velocity) of a MIDI file's note-ons, in order, once it is sure that each one ends."""
    sounding, played = [], []
    for message in mido.MidiFile(midi):
        if message.type == "note_on" and message.velocity:
            sounding.append((message.channel, message.note))
            played.append((message.channel + 1, message.note, message.velocity))
        elif message.type in ("note_on", "note_off"):
            sounding.remove((message.channel, message.note))
    assert sounding == [], f"notes left hanging: {sounding}"
    return played


def ledger_notes(ledger):
    """The (channel, note, velocity) of a ledger's notes, in order."""
    return [(int(row["channel"]), int(row["note"]), int(row["velocity"])) for row in ledger.notes]
