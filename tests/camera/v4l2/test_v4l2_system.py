"""The requests and structures against the kernel's own numbers, and the real system calls on what is no camera."""

import ctypes
import os
import platform
import select
import termios

import pytest
import videodev2 as v4l2

from lalelu.camera.v4l2 import system
from lalelu.camera.v4l2.camera import V4L2Camera
from lalelu.camera.v4l2.options import V4L2Options
from lalelu.errors import MissingError, UsageError

# as a C compiler prints them from linux/videodev2.h on 64-bit Linux
REQUESTS = {
    "QUERYCAP": 0x80685600,
    "ENUM_FMT": 0xC0405602,
    "S_FMT": 0xC0D05605,
    "REQBUFS": 0xC0145608,
    "QUERYBUF": 0xC0585609,
    "QBUF": 0xC058560F,
    "DQBUF": 0xC0585611,
    "STREAMON": 0x40045612,
    "STREAMOFF": 0x40045613,
    "S_PARM": 0xC0CC5616,
    "G_CTRL": 0xC008561B,
    "S_CTRL": 0xC008561C,
    "QUERYCTRL": 0xC0445624,
    "ENUM_FRAMESIZES": 0xC02C564A,
    "ENUM_FRAMEINTERVALS": 0xC034564B,
}
BUFFER = {"flags": 12, "timestamp": 24, "sequence": 56, "memory": 60, "m": 64, "length": 72}

bits_64 = pytest.mark.skipif(
    ctypes.sizeof(ctypes.c_void_p) != 8, reason=f"{platform.machine()} is not 64-bit"
)


@bits_64
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_the_kernels_number_and_so_its_structure_the_right_size(name):
    assert getattr(system, name) == REQUESTS[name]


@bits_64
def test_the_fields_of_a_buffer_lie_where_the_kernel_writes_them():
    assert {name: getattr(v4l2.v4l2_buffer, name).offset for name in BUFFER} == BUFFER
    assert v4l2.v4l2_format.fmt.offset == 8
    assert v4l2.v4l2_streamparm.parm.offset + v4l2.v4l2_captureparm.timeperframe.offset == 12


def test_the_calls_reach_the_kernel(tmp_path):
    calls = system.Linux()
    reading, writing = os.pipe()
    assert calls.poll(reading, 0) == 0
    os.write(writing, b"four")
    assert calls.poll(reading, 1000) == select.POLLIN
    waiting = ctypes.c_int()
    calls.ioctl(reading, termios.FIONREAD, waiting)
    assert waiting.value == 4
    os.close(writing)
    os.read(reading, 4)
    assert calls.poll(reading, 1000) & system.LOST_EVENTS
    calls.close(reading)
    (tmp_path / "memory").write_bytes(bytes(4096) + b"here")
    handle = calls.open(str(tmp_path / "memory"))
    memory = calls.mmap(handle, 4, 4096)
    assert memory[:] == b"here"
    memory.close()
    calls.close(handle)


def test_a_device_that_is_not_there_is_missing():
    with pytest.raises(MissingError, match=r"/dev/video99 is not there; `lalelu devices`"):
        V4L2Camera(V4L2Options(target="/dev/video99")).open()


def test_a_file_is_no_camera(tmp_path):
    (tmp_path / "video0").write_bytes(b"no camera")
    with pytest.raises(UsageError, match="is no Video4Linux camera"):
        V4L2Camera(V4L2Options(target=str(tmp_path / "video0"))).open()


def test_a_folder_cannot_be_opened(tmp_path):
    with pytest.raises(MissingError, match="cannot be opened: Is a directory"):
        V4L2Camera(V4L2Options(target=str(tmp_path))).open()
