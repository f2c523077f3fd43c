"""The system calls behind a Video4Linux camera, and the kernel's structures that `videodev2` lacks. Opens devices."""

import ctypes
import fcntl
import mmap
import os
import select
from typing import Any, Final, Protocol, TypeAlias

import videodev2 as v4l2

from lalelu.clock import now_ns

Structure: TypeAlias = Any  # a ctypes structure (or c_int), which the kernel reads and fills in place
Memory: TypeAlias = mmap.mmap

LOST_EVENTS: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL


class _Size(ctypes.Union):
    _fields_ = [
        ("discrete", v4l2.v4l2_frmsize_discrete),
        ("stepwise", v4l2.v4l2_frmsize_stepwise),
    ]


class FrameSize(ctypes.Structure):
    """struct v4l2_frmsizeenum: which member of `size` holds depends on `type`."""

    index: int
    pixel_format: int
    type: int
    size: Any
    _fields_ = [
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("size", _Size),
        ("reserved", ctypes.c_uint32 * 2),
    ]


class _Interval(ctypes.Union):
    _fields_ = [
        ("discrete", v4l2.v4l2_fract),
        ("stepwise", v4l2.v4l2_frmival_stepwise),
    ]


class FrameInterval(ctypes.Structure):
    """struct v4l2_frmivalenum: which member of `interval` (seconds, fractions) holds depends on `type`."""

    index: int
    pixel_format: int
    width: int
    height: int
    type: int
    interval: Any
    _fields_ = [
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("interval", _Interval),
        ("reserved", ctypes.c_uint32 * 2),
    ]


def _number(signed: int) -> int:
    """Return a request as the kernel's headers write it; `videodev2` counts it as signed."""
    return signed & 0xFFFFFFFF


def _read_write(number: int, structure: type[ctypes.Structure]) -> int:
    """Return the request _IOWR('V', number, structure) of the kernel's headers."""
    return 3 << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | number


QUERYCAP: Final = _number(v4l2.VIDIOC_QUERYCAP)
ENUM_FMT: Final = _number(v4l2.VIDIOC_ENUM_FMT)
S_FMT: Final = _number(v4l2.VIDIOC_S_FMT)
REQBUFS: Final = _number(v4l2.VIDIOC_REQBUFS)
QUERYBUF: Final = _number(v4l2.VIDIOC_QUERYBUF)
QBUF: Final = _number(v4l2.VIDIOC_QBUF)
DQBUF: Final = _number(v4l2.VIDIOC_DQBUF)
STREAMON: Final = _number(v4l2.VIDIOC_STREAMON)
STREAMOFF: Final = _number(v4l2.VIDIOC_STREAMOFF)
S_PARM: Final = _number(v4l2.VIDIOC_S_PARM)
G_CTRL: Final = _number(v4l2.VIDIOC_G_CTRL)
S_CTRL: Final = _number(v4l2.VIDIOC_S_CTRL)
QUERYCTRL: Final = _number(v4l2.VIDIOC_QUERYCTRL)
ENUM_FRAMESIZES: Final = _read_write(74, FrameSize)
ENUM_FRAMEINTERVALS: Final = _read_write(75, FrameInterval)


class SystemCalls(Protocol):
    """What a camera asks of the operating system. Every call raises OSError as the kernel does."""

    def open(self, path: str) -> int:
        """Open a device for reading and writing, without blocking, and return its handle."""

    def ioctl(self, handle: int, request: int, structure: Structure) -> None:
        """Send a request; `structure` is read and filled in place."""

    def mmap(self, handle: int, length: int, offset: int) -> Memory:
        """Return a buffer of the device as memory."""

    def poll(self, handle: int, timeout_ms: int) -> int:
        """Wait until a buffer is filled or something is wrong, and return the events; 0 = nothing came in time."""

    def close(self, handle: int) -> None:
        """Close the handle."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC, on which drivers stamp."""


class Linux:
    """The system calls themselves."""

    def open(self, path: str) -> int:
        """Open a device for reading and writing, without blocking, and return its handle."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ioctl(self, handle: int, request: int, structure: Structure) -> None:
        """Send a request, again where a signal came between."""
        while True:
            try:
                fcntl.ioctl(handle, request, structure)
            except InterruptedError:
                continue
            return

    def mmap(self, handle: int, length: int, offset: int) -> Memory:
        """Return a buffer of the device as memory, which the driver writes."""
        return mmap.mmap(handle, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def poll(self, handle: int, timeout_ms: int) -> int:
        """Wait until a buffer is filled or something is wrong, and return the events."""
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        ready = poller.poll(timeout_ms)
        return ready[0][1] if ready else 0

    def close(self, handle: int) -> None:
        """Close the handle."""
        os.close(handle)

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""
        return now_ns()
