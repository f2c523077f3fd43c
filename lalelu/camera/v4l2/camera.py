"""Drive one camera through Video4Linux's memory-mapped buffers. Opens a device."""

import statistics
import time
from dataclasses import dataclass
from typing import Final

import cv2
import videodev2 as v4l2

from lalelu.camera.pace import Pace
from lalelu.camera.port import CameraFacts
from lalelu.camera.v4l2 import controls, formats, stamps
from lalelu.camera.v4l2.device import Capability, Device, Filled, Layout, letters
from lalelu.camera.v4l2.formats import Decoder, Picture, Scale
from lalelu.camera.v4l2.options import FormatName, V4L2Options
from lalelu.camera.v4l2.system import Linux, SystemCalls
from lalelu.errors import LostError, SlowCameraError, UsageError
from lalelu.types import Frame

SILENCE_NS: Final = 1_000_000_000  # without a frame for so long, a camera is lost: 20 frames at 20 fps
START_NS: Final = 2_000_000_000  # ... that has just been started: some need a second for their first frame
DECODED_OF: Final = 4  # every so manieth of the first frames is decoded, too
RATE_TOLERANCE: Final = (
    0.01  # of the rate that was asked for: drivers count in steps of 100 ns, and 29.97 is 30
)
KEEPS_RATE: Final = 0.9  # of the granted rate: below, the start says so
# Below, the first start is refused: the light that makes an automatic exposure take two periods halves the rate.
HAS_RATE: Final = 0.6

_PIXEL_FORMATS: Final[dict[FormatName, int]] = {
    "MJPG": v4l2.V4L2_PIX_FMT_MJPEG,
    "YUYV": v4l2.V4L2_PIX_FMT_YUYV,
    "GREY": v4l2.V4L2_PIX_FMT_GREY,
    "NV12": v4l2.V4L2_PIX_FMT_NV12,
}
_SCALES: Final[dict[str, Scale]] = {"1": 1, "2": 2, "4": 4}


@dataclass(frozen=True, slots=True)
class _Probed:
    """What a stream's first frames show."""

    fps: float
    flags: int
    lag_ns: int  # from the driver's stamp to the arrival, the least
    decode_ms: float  # processor time of one picture, median


class V4L2Camera:
    """`v4l2:/dev/video0`: the newest picture, timed in mid-exposure by the driver's own stamp.

    Whatever is wrong with a picture (the driver's error flag, a cut-off JPEG) makes it a skipped one.
    """

    Options: type[V4L2Options] = V4L2Options

    def __init__(self, options: V4L2Options, calls: SystemCalls | None = None) -> None:
        self._options = options
        self._calls: SystemCalls = Linux() if calls is None else calls
        self._name = f"camera v4l2:{options.target}"
        self._device = Device(options.target, self._calls)
        self._decode: Decoder
        self._buffers = 0
        self._fresh_ns = 0  # a frame stamped longer ago has a successor, were there a buffer for it
        self._counter = stamps.Counter()
        self._opened_before = False

    def open(self) -> CameraFacts:
        """Open, set, read back and measure.

        Raises MissingError where the device is not there or in use, UsageError for what it does not do as asked,
        LostError where no frame comes.
        """
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # nothing is written from the loop
        try:
            return self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> CameraFacts:
        options, device = self._options, self._device
        device.open()
        able = self._capability()
        layout = self._set_layout()
        granted_fps = self._set_rate(layout)
        exposure_ms = controls.apply(device, options, self._name)
        if exposure_ms is not None and exposure_ms > (1 + RATE_TOLERANCE) * 1000.0 / granted_fps:
            raise UsageError(
                f"{self._name}: an exposure of {exposure_ms:g} ms is longer than a frame at {granted_fps:g} fps; "
                f"set exposure_ms to at most {1000.0 / granted_fps:.3g}"
            )
        scale = _SCALES.get(options.scale) or formats.scale_for(layout.height)
        if options.format != "MJPG":
            scale = 1
        stride = layout.stride or formats.least_stride(options.format, layout.width)
        self._decode = formats.decoder_for(options.format, layout.width, layout.height, stride, scale)
        self._buffers = device.start(options.buffers)
        probed = self._probe()
        note = self._judge_rate(probed.fps, granted_fps, exposure_ms)
        moment = stamps.moment_of(probed.flags, probed.lag_ns, able.driver, options.stamp)
        if options.stamp not in ("auto", moment):
            raise UsageError(
                f"{self._name}: stamp is {options.stamp}, but the driver's stamps are not on the monotonic clock; "
                "leave stamp out"
            )
        stamping = stamps.Stamping(moment, exposure_ms, options.readout_ms)
        period_ns = round(1e9 / probed.fps)
        self._counter.start(stamping, period_ns)
        self._fresh_ns = probed.lag_ns + period_ns
        self._opened_before = True
        return CameraFacts(
            source=f"{able.card} ({options.target}, {able.driver}, {options.format}){note}",
            width=-(-layout.width // scale),
            height=-(-layout.height // scale),
            fps=probed.fps,
            exposure_ms=exposure_ms,
            clock=stamping.words,
            busy_ms=probed.decode_ms,
            grey=options.format == "GREY",
            readout_ms=options.readout_ms,
            live=True,
            asked_fps=granted_fps,
        )

    def _capability(self) -> Capability:
        able = self._device.capability()
        if able.captures and able.streams:
            return able
        if able.captures_planes and not able.captures:
            what = "gives pictures in several planes, which lalelu does not read; use opencv: for it"
        elif able.captures:
            what = "does not stream through memory; use opencv: for it"
        else:
            what = "takes no pictures; `lalelu devices` lists the nodes that do"
        raise UsageError(f"{self._name} ({able.card}) {what}")

    def _set_layout(self) -> Layout:
        """Ask for format and size in one, as the kernel wants it, and check what was granted."""
        options, device = self._options, self._device
        wanted = _PIXEL_FORMATS[options.format]
        got = device.set_layout(wanted, options.width, options.height)
        if got.pixel_format != wanted:
            offered = ", ".join(letters(each) for each in device.formats()) or "none by name"
            raise UsageError(
                f"{self._name}: format {options.format} was asked for, the camera gives {letters(got.pixel_format)}; "
                f"it offers {offered}"
            )
        if (got.width, got.height) != (options.width, options.height):
            offered = ", ".join(device.sizes(wanted)) or f"{got.width}x{got.height}"
            raise UsageError(
                f"{self._name}: size {options.size} was asked for, the camera gives {got.width}x{got.height}; "
                f"in {options.format} it offers {offered}"
            )
        if 0 < got.stride < formats.least_stride(options.format, got.width):
            raise UsageError(
                f"{self._name}: the driver says that a row of {got.width} px in {options.format} has {got.stride} "
                "bytes, which cannot be; choose another format"
            )
        return got

    def _set_rate(self, layout: Layout) -> float:
        """Ask for the rate and return it; a camera that has no such setting is only measured."""
        asked = self._options.fps
        got = self._device.set_rate(asked)
        if got is None:
            return asked
        if abs(got - asked) > RATE_TOLERANCE * asked:
            offered = ", ".join(self._device.rates(layout)) or f"{got:g}"
            raise UsageError(
                f"{self._name}: fps {asked:g} was asked for, the camera gives {got:g}; "
                f"at {layout.width}x{layout.height} in {self._options.format} it offers {offered}"
            )
        return got

    def _probe(self) -> _Probed:
        """Time the first frames, and the decoding of some."""
        decode_ns = [0]
        lags_ns: list[int] = []
        pace = Pace(self._calls.now_ns(), again=self._opened_before)
        while True:
            filled, arrived_ns = self._wait_for_one()
            if len(lags_ns) % DECODED_OF == 0:
                began_ns = time.thread_time_ns()
                self._decode(self._device.bytes_of(filled))
                decode_ns.append(time.thread_time_ns() - began_ns)
            self._device.give(filled.index)
            lags_ns.append(arrived_ns - filled.stamp_ns)
            ours = stamps.on_our_clock(filled.flags, lags_ns[-1])
            if pace.take(arrived_ns, filled.stamp_ns if ours else arrived_ns):
                break
        return _Probed(
            pace.fps, filled.flags, min(lags_ns), statistics.median(decode_ns[1:] or decode_ns) * 1e-6
        )

    def _judge_rate(self, measured: float, granted: float, exposure_ms: float | None) -> str:
        """Return what people should know about the rate. Raises SlowCameraError where it is no such rate at all."""
        if measured >= KEEPS_RATE * granted:
            return ""
        remedy = (
            f"its automatic exposure may be longer than a frame: set exposure_ms below {1000.0 / granted:.3g}"
            if exposure_ms is None
            else "its bus may be too slow: choose format=MJPG, a smaller size, or another USB port"
        )
        what = f"delivers {measured:.3g} of {granted:g} fps; {remedy}"
        # A camera that comes back to a darker room while playing goes on as it can.
        if measured < HAS_RATE * granted and not self._opened_before:
            raise SlowCameraError(f"{self._name} {what}, or ask for fps={measured:.0f}")
        return f"; it {what}"

    def read(self) -> Frame:
        """Wait for the next whole picture and decode it. Raises LostError when the camera has gone."""
        deadline_ns = self._calls.now_ns() + SILENCE_NS
        while True:
            filled, arrived_ns = self._wait_for_newest(deadline_ns)
            picture = self._decode_and_give_back(filled)
            if picture is not None:
                skipped = self._counter.count(filled.sequence, filled.stamp_ns, arrived_ns)
                return Frame(self._counter.seq, self._counter.captured_ns, arrived_ns, skipped, picture)

    def _wait_for_newest(self, deadline_ns: int) -> tuple[Filled, int]:
        """Return the newest whole buffer and when it was seen to be complete; the others are given back.

        Where the driver has filled every buffer and had none left for newer frames, one of those is awaited.
        """
        device = self._device
        while True:
            self._wait(deadline_ns)
            newest: Filled | None = None
            arrived_ns = taken = 0
            while taken < self._buffers and (filled := device.take()) is not None:
                taken += 1
                if filled.damaged:
                    device.give(filled.index)
                    continue
                arrived_ns = self._calls.now_ns()
                if newest is not None:
                    device.give(newest.index)
                newest = filled
            if newest is None:
                continue
            if taken < self._buffers or 0 <= arrived_ns - newest.stamp_ns <= self._fresh_ns:
                return newest, arrived_ns
            device.give(newest.index)

    def _wait_for_one(self) -> tuple[Filled, int]:
        """Return the oldest filled buffer and its arrival."""
        began_ns = self._calls.now_ns()
        while True:
            self._wait(began_ns + START_NS, START_NS)
            filled = self._device.take()
            if filled is not None:
                return filled, self._calls.now_ns()

    def _wait(self, deadline_ns: int, patience_ns: int = SILENCE_NS) -> None:
        left_ns = deadline_ns - self._calls.now_ns()
        if left_ns <= 0 or not self._device.wait(left_ns):
            raise LostError(
                f"{self._name} has sent no whole frame for {patience_ns * 1e-9:g} s; was it unplugged?"
            )

    def _decode_and_give_back(self, filled: Filled) -> Picture | None:
        picture = self._decode(self._device.bytes_of(filled))
        self._device.give(filled.index)
        return picture

    def close(self) -> None:
        """Stop the stream and release the device."""
        self._device.close()
