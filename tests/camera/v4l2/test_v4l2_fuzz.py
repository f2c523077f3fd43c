"""Whatever stands in an address and whatever a device answers, a LaleluError is the worst that comes."""

import ctypes
from contextlib import suppress
from urllib.parse import quote

import pytest
from fake_device import ANSWERS, FakeDevice
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.camera.port import ADAPTERS
from lalelu.camera.v4l2 import system
from lalelu.camera.v4l2.camera import V4L2Camera
from lalelu.camera.v4l2.options import V4L2Options
from lalelu.errors import LaleluError, LostError
from lalelu.registry import from_uri

OPTIONS = [name for name in V4L2Options.model_fields if name != "target"]
values = st.one_of(
    st.text(max_size=12),
    st.integers(-(10**6), 10**6).map(str),
    st.floats().map(str),
    st.sampled_from(["640x480", "99x1", "MJPG", "auto", "soe", "4", "1e3", "", " 2 "]),
)


@given(st.text(max_size=12), st.dictionaries(st.sampled_from(OPTIONS), values, max_size=4))
def test_an_address_makes_a_camera_or_a_sentence(target, options):
    query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
    with suppress(LaleluError):
        assert isinstance(from_uri("camera", ADAPTERS, f"v4l2:{quote(target)}?{query}"), V4L2Camera)


class Liar(FakeDevice):
    """Answers rightly, then lets some bytes of some answers be others."""

    def __init__(self, lies):
        super().__init__(lambda frame: bytes([frame % 256]) * 3000)
        self.lies = lies  # request -> (how many right answers first, offset, bytes), or an error number

    def ioctl(self, handle, request, structure):
        super().ioctl(handle, request, structure)
        lie = self.lies.get(request)
        if isinstance(lie, int):
            raise OSError(lie, "a fuzzed refusal")
        if lie is None or self.asked.count(request) <= lie[0]:
            return
        _, offset, data = lie
        size = ctypes.sizeof(structure)
        offset %= size
        data = data[: size - offset]
        if request == system.QUERYBUF:  # memory that is not there cannot be mapped by a fake either
            return
        if request == system.DQBUF and offset < 4:  # which buffer: told apart below
            offset = 4
        ctypes.memmove(
            ctypes.addressof(structure) + offset, data[: size - offset], len(data[: size - offset])
        )


lies = st.dictionaries(
    st.sampled_from(sorted(ANSWERS)),
    st.one_of(
        st.integers(1, 133),
        st.tuples(st.integers(0, 40), st.integers(0, 220), st.binary(min_size=1, max_size=8)),
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(lies, st.sampled_from(["MJPG", "YUYV", "GREY", "NV12"]), st.booleans())
def test_a_device_that_answers_nonsense_plays_or_makes_a_sentence(told, name, by_hand):
    fake = Liar(told)
    fake.sizes = [(48, 40)]
    options = V4L2Options(size="48x40", format=name, exposure_ms=4.0 if by_hand else None)
    camera = V4L2Camera(options, fake)
    with suppress(LaleluError):
        camera.open()
        for _ in range(8):
            frame = camera.read()
            assert frame.image.shape[:2] == (40, 48)
            assert frame.skipped >= 0
    camera.close()
    assert fake.handles == set()
    assert all(memory.closed for memory in fake.memory)


def test_a_buffer_that_was_never_given_is_a_loss(monkeypatch):
    taken = ANSWERS[system.DQBUF]

    def another(device, buffer):
        taken(device, buffer)
        buffer.index = 77

    camera = V4L2Camera(V4L2Options(format="GREY"), FakeDevice())
    camera.open()
    monkeypatch.setitem(ANSWERS, system.DQBUF, another)
    with pytest.raises(LostError, match=r"returned a buffer that it never had \(77\)"):
        camera.read()
