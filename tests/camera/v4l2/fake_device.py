"""A Video4Linux camera that answers system calls: real structures, real memory, a clock of its own.

It exposes a frame a period, whatever anybody does, and fills the buffers that it has been given. Time passes only in
`poll` and `work`. Verbs make trouble.
"""

import ctypes
import errno
import mmap
import os
import select
from collections import deque
from fractions import Fraction

import videodev2 as v4l2

from lalelu.camera.v4l2 import system
from lalelu.camera.v4l2.system import FrameInterval, FrameSize

ENDLESS = 1 << 62
MS = 1_000_000
FORMATS = {
    "MJPG": v4l2.V4L2_PIX_FMT_MJPEG,
    "YUYV": v4l2.V4L2_PIX_FMT_YUYV,
    "GREY": v4l2.V4L2_PIX_FMT_GREY,
    "NV12": v4l2.V4L2_PIX_FMT_NV12,
}
BYTES_A_PIXEL = {"MJPG": 2.0, "YUYV": 2.0, "GREY": 1.0, "NV12": 1.5}
PACKET = 0x3000  # bytes by which buffers lie apart in the device's address space


def refusal(number):
    return OSError(number, os.strerror(number))


class Control:
    def __init__(self, least, most, value):
        self.least, self.most, self.value = least, most, value
        self.keeps = None  # this, whatever it is set to


class FakeDevice:
    """Every handle leads to this one camera. `payload(seq)` returns a frame's bytes."""

    path = "/dev/video0"

    def __init__(self, payload=lambda seq: bytes([seq % 256]) * (640 * 480), *, driver="fakecam"):
        self.payload = payload
        self.driver = driver
        self.now = 5_000_000_000_000
        self.capabilities = v4l2.V4L2_CAP_VIDEO_CAPTURE | v4l2.V4L2_CAP_STREAMING
        self.sizes = [(320, 240), (640, 480), (1280, 720)]
        self.rates = [30, 60, 100]
        self.formats = list(FORMATS)
        self.padding = 0  # bytes after each row
        self.transfer_ns = 4 * MS  # from the last row's readout to the buffer
        self.readout_ns = 0
        self.exposure_ns = 5 * MS  # what the automatic exposure has come to
        self.first_sequence = 0
        self.clock = "monotonic"  # or unknown, copy
        self.stamp_source = "eof"  # or soe, packet (flagged soe)
        self.zero_sequence = False
        self.controls = {
            v4l2.V4L2_CID_EXPOSURE_AUTO: Control(0, 3, v4l2.V4L2_EXPOSURE_APERTURE_PRIORITY),
            v4l2.V4L2_CID_EXPOSURE_ABSOLUTE: Control(1, 10_000, 157),
            v4l2.V4L2_CID_EXPOSURE_AUTO_PRIORITY: Control(0, 1, 1),
            v4l2.V4L2_CID_GAIN: Control(0, 255, 16),
        }
        self.fails = {}  # request -> errno
        self.asked = []  # requests, in order
        self.handles = set()
        self.memory = []  # every buffer ever mapped
        self.exposed_ns = {}  # middle of the middle row's exposure, by frame
        self.most_buffers = 32
        self._next_handle = 100
        self._there = True
        self._leaves_at = self._freezes_at = ENDLESS
        self._missing = set()
        self._flagged = set()
        self._keeps_fps = None
        self._layout = ("MJPG", 640, 480)
        self._fps = Fraction(30)
        self._stop_stream()

    # ---- trouble

    def absent(self):
        self._there = False

    def unplug_after(self, frames):
        """Leave once so many more frames have been taken."""
        self._leaves_at = self._taken + frames

    def plug_in(self):
        self._there = True
        self._leaves_at = self._freezes_at = ENDLESS
        self._stop_stream()
        self.handles.clear()

    def freeze_after(self, frames):
        """Fill no buffer any more once so many more frames have been made."""
        self._freezes_at = self._frame + frames

    def drop(self, *ahead):
        """Lose the frames that are so many ahead of the next: nobody gets them."""
        self._missing |= {self._frame + each for each in ahead}

    def flag_error(self, *ahead):
        """Flag the frames that are so many ahead of the next as damaged."""
        self._flagged |= {self._frame + each for each in ahead}

    def corrupt(self, *ahead, damage=lambda data: data[: len(data) // 2]):
        """Damage the bytes of the frames that are so many ahead of the next."""
        whole, damaged = self.payload, {self._frame + each for each in ahead}
        self.payload = lambda frame: damage(whole(frame)) if frame in damaged else whole(frame)

    def stretch_exposure(self, factor):
        """Let the automatic exposure take so many periods, as in the dark."""
        self._stretch = factor

    def keep_fps(self, fps):
        """Grant this rate, whatever is asked for."""
        self._keeps_fps = Fraction(fps)

    def fail(self, request, number):
        """Refuse a request."""
        self.fails[request] = number

    def work(self, ms):
        """Let time pass, as while somebody computes."""
        self._pass_until(self.now + round(ms * MS))

    # ---- the system calls

    def now_ns(self):
        return self.now

    def open(self, path):
        if path != self.path or not self._there:
            raise refusal(errno.ENOENT)
        if "open" in self.fails:
            raise refusal(self.fails["open"])
        self._next_handle += 1
        self.handles.add(self._next_handle)
        return self._next_handle

    def close(self, handle):
        self.handles.remove(handle)
        if not self.handles:
            self._stop_stream()

    def mmap(self, handle, length, offset):
        assert handle in self.handles
        assert length == self._length()
        memory = mmap.mmap(-1, length)
        assert len(self._mapped) == offset // PACKET
        self._mapped.append(memory)
        self.memory.append(memory)
        return memory

    def poll(self, handle, timeout_ms):
        assert handle in self.handles
        until = self.now + timeout_ms * MS
        while True:
            if not self._there:
                return select.POLLERR | select.POLLHUP
            if not self._streaming:
                return select.POLLERR
            if self._done:
                return select.POLLIN
            if self._due() > until:
                self.now = until
                return 0
            self._pass_until(self._due())

    def ioctl(self, handle, request, structure):
        assert handle in self.handles
        self.asked.append(request)
        if not self._there:
            raise refusal(errno.ENODEV)
        if request in self.fails:
            raise refusal(self.fails[request])
        ANSWERS[request](self, structure)

    # ---- what it answers

    def _querycap(self, answer):
        answer.driver[: len(self.driver)] = self.driver.encode()
        answer.card[:8] = b"Fake cam"
        answer.capabilities = v4l2.V4L2_CAP_DEVICE_CAPS | v4l2.V4L2_CAP_VIDEO_CAPTURE | 0x4000000
        answer.device_caps = self.capabilities

    def _enum_fmt(self, answer):
        if answer.index >= len(self.formats):
            raise refusal(errno.EINVAL)
        answer.pixelformat = FORMATS[self.formats[answer.index]]

    def _enum_framesizes(self, answer):
        assert ctypes.sizeof(FrameSize) == 44
        if answer.index >= len(self.sizes):
            raise refusal(errno.EINVAL)
        answer.type = v4l2.V4L2_FRMSIZE_TYPE_DISCRETE
        answer.size.discrete.width, answer.size.discrete.height = self.sizes[answer.index]

    def _enum_frameintervals(self, answer):
        assert ctypes.sizeof(FrameInterval) == 52
        if answer.index >= len(self.rates):
            raise refusal(errno.EINVAL)
        answer.type = v4l2.V4L2_FRMIVAL_TYPE_DISCRETE
        answer.interval.discrete.numerator = 1
        answer.interval.discrete.denominator = self.rates[answer.index]

    def _s_fmt(self, form):
        pix = form.fmt.pix
        name = next((each for each in self.formats if FORMATS[each] == pix.pixelformat), self.formats[0])
        size = min(self.sizes, key=lambda each: abs(each[0] - pix.width) + abs(each[1] - pix.height))
        self._layout = (name, *size)
        pix.pixelformat = FORMATS[name]
        pix.width, pix.height = size
        pix.bytesperline = self.stride()
        pix.sizeimage = self._length()

    def _s_parm(self, wish):
        frame = wish.parm.capture.timeperframe
        asked = Fraction(frame.denominator, frame.numerator)
        self._fps = self._keeps_fps or min(map(Fraction, self.rates), key=lambda each: abs(each - asked))
        frame.numerator, frame.denominator = self._fps.denominator, self._fps.numerator
        wish.parm.capture.capability = v4l2.V4L2_CAP_TIMEPERFRAME

    def _queryctrl(self, answer):
        control = self.controls.get(answer.id)
        if control is None:
            raise refusal(errno.EINVAL)
        answer.minimum, answer.maximum = control.least, control.most

    def _g_ctrl(self, answer):
        if answer.id not in self.controls:
            raise refusal(errno.EINVAL)
        answer.value = self.controls[answer.id].value

    def _s_ctrl(self, wish):
        control = self.controls.get(wish.id)
        if control is None:
            raise refusal(errno.EINVAL)
        control.value = wish.value if control.keeps is None else control.keeps
        if wish.id == v4l2.V4L2_CID_EXPOSURE_ABSOLUTE:
            self.exposure_ns = control.value * 100_000

    def _reqbufs(self, request):
        request.count = min(request.count, self.most_buffers)
        self._count = request.count

    def _querybuf(self, buffer):
        assert buffer.index < self._count
        buffer.length = self._length()
        buffer.m.offset = buffer.index * PACKET

    def _qbuf(self, buffer):
        assert buffer.index not in self._queued, "a buffer is handed over once"
        assert buffer.index not in [done[0] for done in self._done], "a filled buffer is first taken"
        self._queued.append(buffer.index)

    def _dqbuf(self, buffer):
        if not self._done:
            raise refusal(errno.EAGAIN)
        index, frame, used = self._done.popleft()
        buffer.index, buffer.bytesused = index, used
        buffer.sequence = 0 if self.zero_sequence else (self.first_sequence + frame) % (1 << 32)
        stamp_ns = self.stamp_ns(frame)
        buffer.timestamp.tv_sec, rest_ns = divmod(stamp_ns, 1_000_000_000)
        buffer.timestamp.tv_usec = rest_ns // 1000
        flags = {"monotonic": v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, "copy": 0x4000, "unknown": 0}[
            self.clock
        ]
        if self.stamp_source != "eof":
            flags |= v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
        if frame in self._flagged:
            flags |= v4l2.V4L2_BUF_FLAG_ERROR
        buffer.flags = flags
        self._taken += 1
        if self._taken >= self._leaves_at:
            self._there = False

    def _streamon(self, _type):
        assert self._queued, "buffers come before the stream"
        self._streaming = True
        self._start_ns = self.now

    def _streamoff(self, _type):
        self._streaming = False
        self._queued.clear()
        self._done.clear()

    # ---- the camera itself

    def stride(self):
        name, width, _ = self._layout
        return 0 if name == "MJPG" else (2 if name == "YUYV" else 1) * width + self.padding

    def period_ns(self):
        return round(1e9 / self._fps * self._stretch)

    def stamp_ns(self, frame):
        """What the driver says of a frame, in the clock that it uses."""
        begins = self._begins(frame)
        if self.clock != "monotonic":
            return 1_000_000 * frame
        ends = begins + self.exposure_ns + self.readout_ns
        return {"soe": begins, "packet": begins + self.exposure_ns, "eof": ends}[self.stamp_source]

    def _length(self):
        name, width, height = self._layout
        return int(BYTES_A_PIXEL[name] * (width + self.padding) * height)

    def _begins(self, frame):
        return self._start_ns + frame * self.period_ns()

    def _due(self):
        if self._frame >= self._freezes_at:
            return ENDLESS
        return self._begins(self._frame) + self.exposure_ns + self.readout_ns + self.transfer_ns

    def _pass_until(self, until):
        while self._streaming and self._due() <= until:
            frame, self._frame = self._frame, self._frame + 1
            middle = self._begins(frame) + (self.exposure_ns + self.readout_ns) // 2
            self.exposed_ns[frame] = middle
            if frame in self._missing or not self._queued:
                continue
            index = self._queued.popleft()
            data = self.payload(frame)[: self._length()]
            self._mapped[index][: len(data)] = data
            self._done.append((index, frame, len(data)))
        self.now = max(self.now, until)

    def _stop_stream(self):
        self._streaming = False
        self._queued = deque()
        self._done = deque()  # index, frame, bytes
        self._mapped = []
        self._count = self._frame = self._taken = self._start_ns = 0
        self._stretch = getattr(self, "_stretch", 1)


ANSWERS = {
    system.QUERYCAP: FakeDevice._querycap,
    system.ENUM_FMT: FakeDevice._enum_fmt,
    system.ENUM_FRAMESIZES: FakeDevice._enum_framesizes,
    system.ENUM_FRAMEINTERVALS: FakeDevice._enum_frameintervals,
    system.S_FMT: FakeDevice._s_fmt,
    system.S_PARM: FakeDevice._s_parm,
    system.QUERYCTRL: FakeDevice._queryctrl,
    system.G_CTRL: FakeDevice._g_ctrl,
    system.S_CTRL: FakeDevice._s_ctrl,
    system.REQBUFS: FakeDevice._reqbufs,
    system.QUERYBUF: FakeDevice._querybuf,
    system.QBUF: FakeDevice._qbuf,
    system.DQBUF: FakeDevice._dqbuf,
    system.STREAMON: FakeDevice._streamon,
    system.STREAMOFF: FakeDevice._streamoff,
}
