"""OpenCVCamera on a fake of OpenCV's capture object, and where no camera is, on the real one."""

import cv2
import numpy as np
import pytest

from lalelu.camera import opencv
from lalelu.camera.opencv import OpenCVCamera
from lalelu.camera.pace import AGAIN_FRAMES, PROBE_FRAMES, SETTLING_FRAMES
from lalelu.camera.port import ADAPTERS
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import from_uri

FIRST = SETTLING_FRAMES + PROBE_FRAMES  # frames that are timed at the start
PERIOD_NS = 10_000_000
TRANSFER_NS = 4_000_000  # from the driver's stamp to the frame in our hands
SETTINGS = {
    cv2.CAP_PROP_BUFFERSIZE: "buffers",
    cv2.CAP_PROP_FOURCC: "format",
    cv2.CAP_PROP_FRAME_WIDTH: "width",
    cv2.CAP_PROP_FRAME_HEIGHT: "height",
    cv2.CAP_PROP_FPS: "fps",
    cv2.CAP_PROP_AUTO_EXPOSURE: "auto_exposure",
    cv2.CAP_PROP_EXPOSURE: "exposure",
}


class FakeCapture:
    """A camera of 100 fps as cv2.VideoCapture shows it; time passes only while it is waited for."""

    def __init__(self):
        self.now_ns = 5_000_000_000_000
        self.asked = []  # (what, value), in order
        self.released = 0
        self.values = {"width": 640.0, "height": 480.0, "exposure": 157.0}
        self.stamp = lambda now_ns: (now_ns - TRANSFER_NS) * 1e-6  # CAP_PROP_POS_MSEC
        self._there = True
        self._left = None  # frames until it is unplugged
        self._keeps = {}
        self._missed = 0
        self._damaged = False
        self._grabbed = 0

    def absent(self):
        self._there = False

    def unplug_after(self, frames):
        self._left = frames

    def plug_in(self):
        self._left = None

    def keeps(self, **values):
        """Ignore what is asked for these settings, as drivers do."""
        self._keeps = values

    def miss(self, frames):
        """Let so many frames pass before the next one that is grabbed."""
        self._missed = frames

    def damage(self):
        self._damaged = True

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self._there

    def getBackendName(self):  # noqa: N802 - OpenCV's name
        return "FAKE"

    def set(self, prop, value):
        name = SETTINGS[prop]
        self.asked.append((name, value))
        self.values[name] = self._keeps.get(name, value)
        return name not in self._keeps

    def get(self, prop):
        return self.stamp(self.now_ns) if prop == cv2.CAP_PROP_POS_MSEC else self.values[SETTINGS[prop]]

    def grab(self):
        self.now_ns += PERIOD_NS * (1 + self._missed)
        self._missed = 0
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return False
        self._grabbed += 1
        return True

    def retrieve(self):
        shape = (int(self.values["height"]), int(self.values["width"]), 3)
        return (False, None) if self._damaged else (True, np.full(shape, self._grabbed % 256, np.uint8))

    def release(self):
        self.released += 1


@pytest.fixture
def capture(monkeypatch):
    fake = FakeCapture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda _index: fake)
    monkeypatch.setattr(opencv, "now_ns", lambda: fake.now_ns)
    return fake


def camera_of(options=""):
    camera = from_uri("camera", ADAPTERS, f"opencv:0{options}")
    assert isinstance(camera, OpenCVCamera)
    return camera


def opened(options=""):
    camera = camera_of(options)
    camera.open()
    return camera


def test_format_comes_before_size_and_size_before_rate(capture):
    opened("?size=320x240&fps=60&format=YUYV")
    assert capture.asked == [
        ("buffers", 2),
        ("format", cv2.VideoWriter.fourcc(*"YUYV")),
        ("width", 320),
        ("height", 240),
        ("fps", 60.0),
    ]


def test_any_format_leaves_the_cameras_own(capture):
    opened("?format=any")
    assert [name for name, _ in capture.asked] == ["buffers", "width", "height", "fps"]


def test_facts_are_what_the_camera_delivers_not_what_was_asked(capture):
    facts = camera_of("?size=1280x720&fps=30&exposure=50").open()
    assert (facts.source, facts.width, facts.height) == ("opencv:0 (FAKE)", 1280, 720)
    assert facts.fps == pytest.approx(100.0)
    assert facts.exposure_ms == 5.0


def test_another_size_is_refused_with_the_one_to_ask_for(capture):
    capture.keeps(width=800.0, height=600.0)
    with pytest.raises(UsageError, match="640x480 was asked for, the camera gives 800x600: ask for that"):
        camera_of().open()
    assert capture.released == 1


def test_manual_exposure_is_set_and_read_back(capture):
    opened("?exposure=40")
    assert capture.asked[-2:] == [("auto_exposure", 1), ("exposure", 40.0)]


def test_an_exposure_that_the_camera_does_not_take_is_refused(capture):
    capture.keeps(exposure=157.0)
    with pytest.raises(UsageError, match="exposure 40 was asked for, the camera keeps 157"):
        camera_of("?exposure=40").open()
    assert capture.released == 1


def test_a_drivers_stamp_on_our_clock_is_taken(capture):
    frame = opened().read()
    assert frame.arrived_ns == capture.now_ns
    assert frame.captured_ns == pytest.approx(capture.now_ns - TRANSFER_NS, abs=1000)


def test_half_of_a_known_exposure_is_taken_off_the_stamp(capture):
    frame = opened("?exposure=50").read()
    assert frame.captured_ns == pytest.approx(capture.now_ns - TRANSFER_NS - 2_500_000, abs=1000)


@pytest.mark.parametrize(
    "stamp",
    [lambda now_ns: 0.0, lambda now_ns: 1.7e12, lambda now_ns: (now_ns + 1_000_000) * 1e-6],
    ids=["none", "wall clock", "ahead of us"],
)
def test_a_stamp_of_another_clock_is_not_taken_but_the_arrival(capture, stamp):
    capture.stamp = stamp
    frame = opened().read()
    assert frame.captured_ns == frame.arrived_ns == capture.now_ns


def test_frames_are_numbered_and_those_that_nobody_took_are_counted(capture):
    camera = opened()
    seen = []
    for missed in (0, 0, 3, 0, 1):
        capture.miss(missed)
        frame = camera.read()
        seen.append((frame.seq, frame.skipped))
    assert seen == [(0, 0), (1, 0), (5, 3), (6, 0), (8, 1)]


def test_stamps_grow_even_where_the_driver_repeats_one(capture):
    camera = opened()
    at_ns = capture.now_ns
    capture.stamp = lambda _now_ns: at_ns * 1e-6
    first, second = camera.read(), camera.read()
    assert second.captured_ns == first.captured_ns + 1
    assert (second.seq, second.skipped) == (1, 0)


def test_an_unplugged_camera_is_lost(capture):
    camera = opened()
    capture.unplug_after(3)
    assert [camera.read().seq for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LostError, match="opencv:0 delivers no more frames"):
        camera.read()


def test_a_camera_that_delivers_nothing_at_start_is_lost_and_released(capture):
    capture.unplug_after(FIRST - 1)
    with pytest.raises(LostError, match="opencv:0 delivered no frame at start"):
        camera_of().open()
    assert capture.released == 1


def test_a_frame_that_cannot_be_decoded_is_a_loss(capture):
    camera = opened()
    capture.damage()
    with pytest.raises(LostError, match="cannot be decoded"):
        camera.read()


def test_a_camera_plugged_in_again_goes_on_counting_and_charges_nobody_with_its_absence(capture):
    camera = opened()
    capture.unplug_after(2)
    before = [camera.read() for _ in range(2)]
    with pytest.raises(LostError):
        camera.read()
    camera.close()
    capture.now_ns += 60_000_000_000
    capture.plug_in()
    camera.open()
    assert capture._grabbed == FIRST + 2 + SETTLING_FRAMES + AGAIN_FRAMES  # playing waits for fewer
    after = camera.read()
    assert (after.seq, after.skipped) == (before[-1].seq + 1, 0)
    assert after.captured_ns > before[-1].captured_ns


def test_the_image_is_the_frame_last_grabbed(capture):
    camera = opened("?size=320x240")
    images = [camera.read().image for _ in range(2)]
    assert [image.shape for image in images] == [(240, 320, 3)] * 2
    assert [int(image[0, 0, 0]) for image in images] == [FIRST + 1, FIRST + 2]


def test_closing_twice_and_before_opening_is_safe(capture):
    camera = camera_of()
    camera.close()
    camera.open()
    camera.close()
    camera.close()
    assert capture.released == 1


def test_a_camera_that_is_not_there_is_missing(capture):
    capture.absent()
    with pytest.raises(MissingError, match="opencv:0 is not there or in use"):
        camera_of().open()


def test_opencv_itself_finds_no_tenth_camera(capfd):
    with pytest.raises(MissingError, match=r"opencv:9 is not there.*lalelu devices"):
        from_uri("camera", ADAPTERS, "opencv:9").open()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("target", ["", "front", "-1"])
def test_what_is_no_index_is_refused(target):
    with pytest.raises(UsageError, match="names no index"):
        from_uri("camera", ADAPTERS, f"opencv:{target}").open()
