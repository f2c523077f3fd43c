"""The simulated camera: a drummer filmed in another process, paced by the clock. Starts a process."""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import asdict
from typing import IO, Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from lalelu.camera.port import CameraFacts
from lalelu.camera.simulated.faults import Fault, fault_in
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.groove import Groove, TruthHit
from lalelu.camera.simulated.process import command
from lalelu.camera.simulated.ring import Ring, allocate, ring_bytes
from lalelu.camera.simulated.scene import LookName
from lalelu.clock import now_ns, sleep_until
from lalelu.errors import EndOfStreamError, LostError, MissingError, UsageError
from lalelu.registry import AdapterOptions
from lalelu.session import runtime_directory
from lalelu.types import Frame

_POLL_S: Final = 0.0005  # between two looks for a frame that is due but not yet rendered
_START_S: Final = 30.0  # the film's process must have rendered by then, on the slowest machine
_END_S: Final = 2.0  # for the film's process to go


class SimulatedCameraOptions(AdapterOptions):
    """What stands behind `sim:`, as in `sim:?groove=rock&bpm=120&look=stage`."""

    groove: Groove = "rock"
    bpm: Annotated[float, Field(ge=40.0, le=220.0)] = 120.0  # beats a minute
    fps: Annotated[float, Field(ge=24.0, le=200.0)] = 100.0  # frames a second of the player's time
    exposure_ms: Annotated[float, Field(ge=0.1, le=40.0)] = 5.0
    transfer_ms: Annotated[float, Field(ge=0.0, le=100.0)] = 8.0  # from the exposure's end to memory
    speed: Annotated[float, Field(ge=0.02, le=1.0)] = 1.0  # below 1 the whole world is slower
    size: str = "640x480"  # px, WIDTHxHEIGHT
    look: LookName = "day"  # clothes, skin and room
    distance: Annotated[float, Field(ge=1.4, le=6.0)] = 2.2  # m, camera to player
    angle: Annotated[float, Field(ge=-60.0, le=60.0)] = 0.0  # degrees, camera towards the player's left
    height: Annotated[float, Field(ge=0.3, le=2.5)] = 1.3  # m, camera above the floor
    light: Annotated[float, Field(ge=0.05, le=1.5)] = 1.0  # 1 = a bright room
    noise: Annotated[float, Field(ge=0.0, le=20.0)] = 2.0  # grey levels, SD at light 1
    seconds: Annotated[float, Field(gt=0.0, le=86_400.0)] | None = (
        None  # of the player's time; none = endless
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0  # another seed, another performance
    slots: Annotated[int, Field(ge=8, le=1024)] = 64  # frames rendered ahead; 0.9 MB each in the engine
    core: Annotated[int, Field(ge=0, le=1023)] | None = None  # where the film's process runs; none = anywhere
    faults: str | None = None  # a file with one word, a Fault such as black: what is wrong now

    @field_validator("target")
    @classmethod
    def _no_target(cls, value: str) -> str:
        if value:
            raise ValueError("nothing may stand between sim: and its options, as in sim:?bpm=120")
        return value

    @field_validator("size")
    @classmethod
    def _size(cls, value: str) -> str:
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
        if not match or not (160 <= int(match[1]) <= 1920 and 120 <= int(match[2]) <= 1080):
            raise ValueError("write WIDTHxHEIGHT in pixels, 160x120 to 1920x1080, as in 640x480")
        return value

    @model_validator(mode="after")
    def _exposure_within_a_frame(self) -> Self:
        if self.exposure_ms > 1000.0 / self.fps:
            raise ValueError(
                f"exposure_ms {self.exposure_ms:g} is longer than a frame at {self.fps:g} fps; "
                f"at most {1000.0 / self.fps:.3g} ms fit"
            )
        return self

    @property
    def film(self) -> FilmSettings:
        """What the film's process needs to know."""
        width, height = map(int, self.size.split("x"))
        return FilmSettings(
            groove=self.groove,
            bpm=self.bpm,
            fps=self.fps,
            exposure_ms=self.exposure_ms,
            width=width,
            height=height,
            look=self.look,
            distance=self.distance,
            angle=self.angle,
            camera_height=self.height,
            light=self.light,
            noise=self.noise,
            seed=self.seed,
        )


class SimulatedCamera:
    """Film a drummer and deliver the frames at their time, as a camera would.

    Frame `seq` is captured at start + seq / (fps * speed) and due half an exposure and `transfer_ms` later.
    The start is the moment of the first `read()`, once half of the ring is rendered. `faults` shows in the picture
    once what was rendered ahead is over (`slots`); after SLOW frames have numbers of their own, not the film's.
    """

    Options: type[AdapterOptions] = SimulatedCameraOptions

    def __init__(self, options: SimulatedCameraOptions) -> None:
        self.options = options
        self._settings = options.film
        self._period_ns = 1e9 / (options.fps * options.speed)
        self._lag_ns = round(options.exposure_ms * 1e6 / options.speed / 2 + options.transfer_ms * 1e6)
        self._end = None if options.seconds is None else max(1, round(options.seconds * options.fps))
        self._film: Film | None = None  # for rendering again, here
        self._child: subprocess.Popen[bytes] | None = None
        self._ring: Ring | None = None
        self._complaints: IO[bytes] | None = None
        self._cores: set[int] = set()  # where the film's process may run
        self._start_ns: int | None = None
        self._next = 0  # the oldest frame not yet delivered or skipped
        self._withheld = 0  # frames that a slow camera never took
        self.late_frames = 0  # frames that the renderer had not ready when they were due

    def open(self) -> CameraFacts:
        """Start the film's process; it renders ahead while the caller does other things.

        Raises MissingError where memory for the ring is missing or it is unplugged, UsageError for a core that is not
        there.
        """
        self.close()
        options, settings = self.options, self._settings
        if fault_in(options.faults) == Fault.UNPLUGGED:
            raise MissingError(f"sim: is unplugged; write none into {options.faults}")
        if options.core is not None and options.core >= (os.cpu_count() or 1):
            raise UsageError(
                f"sim: core is {options.core}; this machine has cores 0..{(os.cpu_count() or 1) - 1}; "
                "name one of them or leave core out"
            )
        # When the film begins anew, the caller may have a core for itself alone.
        self._cores = self._cores or os.sched_getaffinity(0)
        folder = runtime_directory(os.environ)
        shape = (options.slots, settings.width, settings.height)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A file without a name: nothing stays behind, however this process ends.
            with tempfile.TemporaryFile(dir=folder) as file:
                allocate(file.fileno(), *shape)
                self._ring = Ring(file.fileno(), *shape)
                self._complaints = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in close()
                self._child = subprocess.Popen(
                    command(
                        file.fileno(),
                        options.slots,
                        self._end,
                        self._cores if options.core is None else {options.core},
                        asdict(settings),
                        options.faults,
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._complaints,
                    pass_fds=[file.fileno()],
                )
        except OSError as exc:
            self.close()
            raise MissingError(
                f"sim: needs {ring_bytes(*shape) / 1e6:.0f} MB of memory in {folder} and its own process, "
                f"and got: {exc.strerror or exc}; free some, ask for fewer slots (now {options.slots}), "
                "or set XDG_RUNTIME_DIR to another folder"
            ) from exc
        self._start_ns = None
        self._next = self._withheld = 0
        self.late_frames = 0
        return CameraFacts(
            source=f"simulated drummer (groove {options.groove}, {options.bpm:g} bpm, look {options.look}, "
            f"seed {options.seed})",
            width=settings.width,
            height=settings.height,
            fps=options.fps * options.speed,
            exposure_ms=options.exposure_ms / options.speed,
            clock="computed: the film's start and the frame number; middle of the exposure",
            live=options.faults is not None,  # it may be covered or stand still, as a real one may
        )

    def read(self) -> Frame:
        """Sleep until a frame not yet read is due and return the newest one; its image lies in the ring.

        Raises EndOfStreamError after the film's last frame, LostError when the film's process has died.
        """
        ring = self._ring
        if ring is None:
            raise LostError("sim: was read before it was opened; call open() first")
        if ring.fault == Fault.UNPLUGGED:
            raise LostError(f"sim: was unplugged; write none into {self.options.faults}")
        if ring.fault == Fault.SLOW and self._start_ns is not None:
            self._next += 1
            self._withheld += 1
        if self._end is not None and self._next >= self._end:
            raise EndOfStreamError(f"sim: the film of {self._end} frames is over")
        self._check_child()
        # Whatever was delivered before is given back now, and may be painted over.
        ring.release_before(self._next)
        if self._start_ns is None:
            self._start_ns = self._begin(ring)
        seq = max(self._next, self._due_at(now_ns()))
        if seq == self._next:
            if ring.holds(seq):
                # Rendered ahead, as it should be. All is made ready before the sleep: a camera's driver, too,
                # has its work behind it when it wakes the reader.
                self.late_frames += ring.ready_ns(seq) > self._due_ns(seq)
                frame = self._deliver(ring, seq)
                sleep_until(frame.arrived_ns)
                return frame
            sleep_until(self._due_ns(seq))
        # A full ring: the reader paused for longer than it lasts, and the renderer skips with the reader.
        outrun = ring.next <= seq and ring.next - self._next >= ring.slots - 1
        if outrun:
            ring.release_before(seq)
        else:
            seq = max(self._next, min(seq, ring.next - 1))  # a late renderer's older frame goes first
        self._await(ring, seq)
        if not outrun:
            self.late_frames += sum(
                ring.ready_ns(passed) > self._due_ns(passed) for passed in range(self._next, seq + 1)
            )
        return self._deliver(ring, seq)

    def _deliver(self, ring: Ring, seq: int) -> Frame:
        """Return frame `seq`, which is in the ring, and hold it until the next read."""
        skipped = seq - self._next
        self._next = seq + 1
        ring.release_before(seq)
        return Frame(
            seq=seq - self._withheld,
            captured_ns=self._captured_ns(seq),
            arrived_ns=max(self._due_ns(seq), ring.ready_ns(seq)),
            skipped=skipped,
            image=ring.image(seq),
        )

    def close(self) -> None:
        """End the film's process and give back the ring; a borrowed image stays readable."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(_END_S)
            self._child = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None
        self._ring = None

    @property
    def period_ns(self) -> float:
        """The time from one frame's capture to the next one's."""
        return self._period_ns

    @property
    def lag_ns(self) -> int:
        """The time from a frame's capture to its arrival, when it is rendered in time."""
        return self._lag_ns

    def truth(self, until_ns: int | None = None) -> tuple[TruthHit, ...]:
        """Return what was really played from frame 0 up to the last delivered frame, by time.

        Times are on the camera's clock, from frame 0's `captured_ns` (with `speed` below 1 they are stretched
        as the frames are). `until_ns` (same clock) asks for another end.
        """
        speed = self.options.speed
        end_ns = (self._next - 1) * self._period_ns if until_ns is None else until_ns
        hits = self._offline().truth(0.0, end_ns * speed * 1e-9)
        return tuple(
            TruthHit(round(hit.time_ns / speed), hit.limb, hit.pad, hit.player, hit.velocity) for hit in hits
        )

    def render(self, seq: int) -> NDArray[np.uint8]:
        """Render frame `seq` again, here and now: (H, W, 3) BGR, the very bytes that were delivered."""
        image = np.empty((self._settings.height, self._settings.width, 3), np.uint8)
        self._offline().render(seq, image)
        return image

    def keypoints(self, seq: int) -> NDArray[np.float32]:
        """Return the exact keypoints (17, 2) of frame `seq`, image heights, at its mid-exposure."""
        return self._offline().keypoints(seq)

    def _offline(self) -> Film:
        if self._film is None:
            self._film = Film(self._settings)
        return self._film

    def _captured_ns(self, seq: int) -> int:
        assert self._start_ns is not None  # set by the first read, before any frame
        return self._start_ns + round(seq * self._period_ns)

    def _due_ns(self, seq: int) -> int:
        return self._captured_ns(seq) + self._lag_ns

    def _due_at(self, time_ns: int) -> int:
        """Return the newest frame due at `time_ns`, within the film; -1 before the first."""
        assert self._start_ns is not None  # set by the first read, before any frame
        seq = int((time_ns - self._start_ns - self._lag_ns) // self._period_ns)
        while self._due_ns(seq + 1) <= time_ns:  # rounding
            seq += 1
        return seq if self._end is None else min(seq, self._end - 1)

    def _begin(self, ring: Ring) -> int:
        """Wait until the film is well ahead, and return the moment at which it starts."""
        enough = ring.slots // 2 if self._end is None else min(ring.slots // 2, self._end)
        give_up = time.monotonic() + _START_S
        while ring.next < enough:
            self._check_child()
            if time.monotonic() > give_up:
                raise LostError(
                    f"sim: the film's process rendered {ring.next} of {enough} frames in {_START_S:.0f} s; "
                    "the machine is too busy: free a core or ask for a smaller size"
                )
            time.sleep(_POLL_S)
        return now_ns()

    def _await(self, ring: Ring, seq: int) -> None:
        while not ring.holds(seq):
            self._check_child()
            time.sleep(_POLL_S)

    def _check_child(self) -> None:
        status = None if self._child is None else self._child.poll()
        if status is None or status == 0:  # 0: the whole film is rendered
            return
        last = "it said nothing"
        if self._complaints is not None:
            self._complaints.seek(0)
            lines = self._complaints.read().decode(errors="replace").strip().splitlines()
            last = lines[-1] if lines else last
        raise LostError(
            f"sim: the film's process has ended with status {status} ({last}); open the camera again"
        )
