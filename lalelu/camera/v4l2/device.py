"""One Video4Linux device by its ioctls, as the kernel's "Video for Linux API" describes them. Opens a device."""

import ctypes
import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import videodev2 as v4l2
from numpy.typing import NDArray

from lalelu.camera.v4l2 import system
from lalelu.camera.v4l2.holders import Holder
from lalelu.camera.v4l2.system import FrameInterval, FrameSize, Memory, Structure, SystemCalls
from lalelu.errors import LostError, MissingError, UsageError

CAPTURE: Final = v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE
MOST_OFFERS: Final = 64  # a driver that lists more is not believed to come to an end

MOST_BUFFERS: Final = 32  # VIDEO_MAX_FRAME: the kernel gives no more

_UNPLUGGED: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.EBADF})
# A stream that fails so is dead, whatever becomes of the device; a control that fails so was only refused.
_BROKEN: Final = _UNPLUGGED | {errno.EIO, errno.EPROTO, errno.EPIPE, errno.ETIMEDOUT}
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class Capability:
    """Who the device says it is, and what this very node can do."""

    driver: str
    card: str  # the camera's name
    captures: bool  # pictures in one plane, which is what lalelu reads
    captures_planes: bool  # pictures in several planes
    streams: bool  # by buffers in memory


@dataclass(frozen=True, slots=True)
class Layout:
    """The picture format that a device has taken."""

    pixel_format: int  # four letters as one number
    width: int  # px
    height: int  # px
    stride: int  # bytes from row to row; 0 = not said


@dataclass(frozen=True, slots=True)
class Filled:
    """One buffer that the driver has given back."""

    index: int
    used: int  # bytes
    flags: int
    sequence: int
    stamp_ns: int  # of the clock that the flags name

    @property
    def damaged(self) -> bool:
        """Whether the driver says that the picture may be corrupted."""
        return bool(self.flags & v4l2.V4L2_BUF_FLAG_ERROR)


@dataclass(frozen=True, slots=True)
class Control:
    """One of the kernel's controls, and what to call it in a sentence."""

    number: int
    name: str


def ask_capability(calls: SystemCalls, handle: int) -> Capability:
    """Ask an opened node what it is. Raises OSError."""
    answer = v4l2.v4l2_capability()
    calls.ioctl(handle, system.QUERYCAP, answer)
    able = answer.capabilities
    if able & v4l2.V4L2_CAP_DEVICE_CAPS:
        able = answer.device_caps
    return Capability(
        driver=_text(answer.driver),
        card=_text(answer.card),
        captures=bool(able & v4l2.V4L2_CAP_VIDEO_CAPTURE),
        captures_planes=bool(able & v4l2.V4L2_CAP_VIDEO_CAPTURE_MPLANE),
        streams=bool(able & v4l2.V4L2_CAP_STREAMING),
    )


def letters(pixel_format: int) -> str:
    """Return a pixel format's four letters, as in YUYV."""
    return (pixel_format & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").strip()


def _text(characters: Structure) -> str:
    return bytes(characters).partition(b"\0")[0].decode("utf-8", errors="replace")


class Device:
    """One opened camera node. OSError never leaves it: it becomes ours, with the device's name."""

    def __init__(self, path: str, calls: SystemCalls) -> None:
        self._path = path
        self._holder = Holder(path)
        self._calls = calls
        self._handle = -1
        self._memory: list[Memory] = []
        self._views: list[NDArray[np.uint8]] = []
        self._filled = v4l2.v4l2_buffer()
        self._empty = v4l2.v4l2_buffer()
        self._streaming = False

    def open(self) -> None:
        """Open the node. Raises MissingError where that is not possible."""
        try:
            self._handle = self._calls.open(self._path)
        except OSError as exc:
            raise MissingError(f"camera {self._path} {_why_not_open(exc, self._holder)}") from exc

    @contextmanager
    def _doing(self, what: str, lost: frozenset[int] = _BROKEN) -> Iterator[None]:
        """Translate what the kernel refuses inside the block; `lost` are the numbers that mean LostError."""
        try:
            yield
        except OSError as exc:
            if exc.errno in lost:
                raise LostError(
                    f"camera {self._path} does not {what} any more ({exc.strerror}); was it unplugged?"
                ) from exc
            if exc.errno == errno.EBUSY:
                raise MissingError(
                    f"camera {self._path} is in use by {self._holder.name()} (asked to {what}); end that one"
                ) from exc
            if exc.errno == errno.ENOSPC:
                raise UsageError(
                    f"camera {self._path} cannot {what}: its USB bus has not enough bandwidth left; choose "
                    "format=MJPG, a smaller size or fewer fps, or plug the camera in elsewhere"
                ) from exc
            raise UsageError(f"camera {self._path} cannot {what}: {exc.strerror}") from exc

    def capability(self) -> Capability:
        """Return what the node says it can do. Raises UsageError where it is no Video4Linux device."""
        try:
            return ask_capability(self._calls, self._handle)
        except OSError as exc:
            if exc.errno in (errno.ENOTTY, errno.EINVAL):
                raise UsageError(
                    f"{self._path} is no Video4Linux camera; `lalelu devices` lists those that are there"
                ) from exc
            with self._doing("say what it is"):
                raise

    def formats(self) -> list[int]:
        """Return the pixel formats on offer."""
        found = []
        for index in range(MOST_OFFERS):
            answer = v4l2.v4l2_fmtdesc(index=index, type=CAPTURE)
            if not self._offers(system.ENUM_FMT, answer):
                break
            found.append(int(answer.pixelformat))
        return found

    def sizes(self, pixel_format: int) -> list[str]:
        """Return the sizes (px) on offer in a format, in words."""
        found = []
        for index in range(MOST_OFFERS):
            answer = FrameSize(index=index, pixel_format=pixel_format)
            if not self._offers(system.ENUM_FRAMESIZES, answer):
                break
            if answer.type != v4l2.V4L2_FRMSIZE_TYPE_DISCRETE:
                span = answer.size.stepwise
                found.append(f"{span.min_width}x{span.min_height} to {span.max_width}x{span.max_height}")
                break
            found.append(f"{answer.size.discrete.width}x{answer.size.discrete.height}")
        return found

    def rates(self, layout: Layout) -> list[str]:
        """Return the frames per second on offer in a layout, in words."""
        found = []
        for index in range(MOST_OFFERS):
            answer = FrameInterval(
                index=index, pixel_format=layout.pixel_format, width=layout.width, height=layout.height
            )
            if not self._offers(system.ENUM_FRAMEINTERVALS, answer):
                break
            if answer.type != v4l2.V4L2_FRMIVAL_TYPE_DISCRETE:
                span = answer.interval.stepwise
                found.append(f"{_rate(span.max) or 0:g} to {_rate(span.min) or 0:g}")
                break
            found.append(f"{_rate(answer.interval.discrete) or 0:g}")
        return found

    def _offers(self, request: int, answer: Structure) -> bool:
        try:
            self._calls.ioctl(self._handle, request, answer)
        except OSError as exc:
            if exc.errno in (errno.EINVAL, errno.ENOTTY):  # the list's end, or no list
                return False
            with self._doing("list what it offers"):
                raise
        return True

    def set_layout(self, pixel_format: int, width: int, height: int) -> Layout:
        """Ask for a format and size and return what the device has taken."""
        form = v4l2.v4l2_format(type=CAPTURE)
        pix = form.fmt.pix
        pix.pixelformat, pix.width, pix.height = pixel_format, width, height
        pix.field = v4l2.V4L2_FIELD_NONE
        with self._doing("set a picture format"):
            self._calls.ioctl(self._handle, system.S_FMT, form)
        return Layout(int(pix.pixelformat), int(pix.width), int(pix.height), int(pix.bytesperline))

    def set_rate(self, fps: float) -> float | None:
        """Ask for frames per second and return what the device has taken; None where it has no such setting."""
        interval = 1 / Fraction(fps).limit_denominator(1001)
        wish = v4l2.v4l2_streamparm(type=CAPTURE)
        frame = wish.parm.capture.timeperframe
        frame.numerator, frame.denominator = interval.numerator, interval.denominator
        try:
            self._calls.ioctl(self._handle, system.S_PARM, wish)
        except OSError as exc:
            if exc.errno in (errno.ENOTTY, errno.EINVAL):
                return None
            with self._doing(f"set {fps:g} fps"):
                raise
        if not wish.parm.capture.capability & v4l2.V4L2_CAP_TIMEPERFRAME:
            return None
        return _rate(frame)

    def control_range(self, control: Control) -> tuple[int, int] | None:
        """Return the least and greatest value of a control, or None where the device does not have it."""
        answer = v4l2.v4l2_queryctrl(id=control.number)
        if not self._offers(system.QUERYCTRL, answer) or answer.flags & v4l2.V4L2_CTRL_FLAG_DISABLED:
            return None
        return int(answer.minimum), int(answer.maximum)

    def get(self, control: Control) -> int:
        """Return a control's value."""
        answer = v4l2.v4l2_control(id=control.number)
        with self._doing(f"read its {control.name}", _UNPLUGGED):
            self._calls.ioctl(self._handle, system.G_CTRL, answer)
        return int(answer.value)

    def set(self, control: Control, value: int) -> None:
        """Set a control; what the device makes of it must be read back."""
        with self._doing(f"set its {control.name} to {value}", _UNPLUGGED):
            wish = v4l2.v4l2_control(id=control.number, value=value)
            self._calls.ioctl(self._handle, system.S_CTRL, wish)

    def start(self, count: int) -> int:
        """Map buffers, hand them all to the driver and start the stream; returns how many there are."""
        request = v4l2.v4l2_requestbuffers(count=count, type=CAPTURE, memory=v4l2.V4L2_MEMORY_MMAP)
        with self._doing(f"give {count} buffers"):
            self._calls.ioctl(self._handle, system.REQBUFS, request)
            if not 2 <= request.count <= MOST_BUFFERS:
                raise UsageError(
                    f"camera {self._path} gives {request.count} buffers for {count}; it must give at least 2"
                )
            for index in range(request.count):
                buffer = v4l2.v4l2_buffer(index=index, type=CAPTURE, memory=v4l2.V4L2_MEMORY_MMAP)
                self._calls.ioctl(self._handle, system.QUERYBUF, buffer)
                if buffer.length == 0:
                    raise UsageError(f"camera {self._path} gives buffers without room, which hold no picture")
                memory = self._calls.mmap(self._handle, int(buffer.length), int(buffer.m.offset))
                self._memory.append(memory)
                self._views.append(np.frombuffer(memory, np.uint8))
        for index in range(len(self._views)):
            self.give(index)
        with self._doing("start its stream"):
            self._calls.ioctl(self._handle, system.STREAMON, ctypes.c_int(CAPTURE))
        self._streaming = True
        return len(self._views)

    def give(self, index: int) -> None:
        """Hand a buffer to the driver, to be filled."""
        buffer = self._empty
        buffer.index, buffer.type, buffer.memory = index, CAPTURE, v4l2.V4L2_MEMORY_MMAP
        buffer.flags = 0
        with self._doing("take a buffer"):
            self._calls.ioctl(self._handle, system.QBUF, buffer)

    def take(self) -> Filled | None:
        """Return the oldest buffer that is filled, or None where none is. Raises LostError."""
        buffer = self._filled
        buffer.type, buffer.memory = CAPTURE, v4l2.V4L2_MEMORY_MMAP
        try:
            self._calls.ioctl(self._handle, system.DQBUF, buffer)
        except OSError as exc:
            if exc.errno == errno.EAGAIN:
                return None
            with self._doing("deliver a frame"):
                raise
        if buffer.index >= len(self._views):
            raise LostError(f"camera {self._path} returned a buffer that it never had ({buffer.index})")
        stamp = buffer.timestamp
        return Filled(
            buffer.index,
            min(buffer.bytesused, self._views[buffer.index].size),
            buffer.flags,
            buffer.sequence,
            stamp.tv_sec * 1_000_000_000 + stamp.tv_usec * 1000,
        )

    def bytes_of(self, filled: Filled) -> NDArray[np.uint8]:
        """Return a buffer's content, in the driver's memory: valid until it is given back."""
        return self._views[filled.index][: filled.used]

    def wait(self, timeout_ns: int) -> bool:
        """Wait for a filled buffer; False when none came in time. Raises LostError when the device has gone."""
        with self._doing("deliver a frame"):
            events = self._calls.poll(self._handle, max(0, -(-timeout_ns // 1_000_000)))
        if events & system.LOST_EVENTS:
            raise LostError(f"camera {self._path} delivers no more frames; was it unplugged?")
        return events != 0

    def close(self) -> None:
        """Stop the stream, unmap and close; safe to call twice, and on a device that has gone."""
        if self._handle < 0:
            return
        if self._streaming:
            with suppress(OSError):
                self._calls.ioctl(self._handle, system.STREAMOFF, ctypes.c_int(CAPTURE))
            self._streaming = False
        self._views.clear()
        for memory in self._memory:
            with suppress(BufferError):  # still looked at: unmapped when that is let go
                memory.close()
        self._memory.clear()
        with suppress(OSError):
            self._calls.close(self._handle)
        self._handle = -1


def _rate(interval: Structure) -> float | None:
    if interval.numerator == 0 or interval.denominator == 0:
        return None
    return float(interval.denominator / interval.numerator)


def _why_not_open(exc: OSError, holder: Holder) -> str:
    if exc.errno in _ABSENT:
        return "is not there; `lalelu devices` lists the cameras, and camera.uri: sim: plays without one"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return "may not be opened by you; join the group video, and log in again"
    if exc.errno == errno.EBUSY:
        return f"is in use by {holder.name()}; end that one"
    return f"cannot be opened: {exc.strerror}"
