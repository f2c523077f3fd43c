"""How a camera starts: what is asked, what is granted, what is refused with which words."""

import errno

import cv2
import pytest
import videodev2 as v4l2
from fake_device import MS, FakeDevice
from test_v4l2_formats import jpeg, picture

from lalelu.camera.port import ADAPTERS
from lalelu.camera.v4l2 import system
from lalelu.camera.v4l2.camera import V4L2Camera
from lalelu.errors import LostError, MissingError, UsageError
from lalelu.registry import from_uri

EXPOSURE = v4l2.V4L2_CID_EXPOSURE_ABSOLUTE
MODE = v4l2.V4L2_CID_EXPOSURE_AUTO
SLOWS = v4l2.V4L2_CID_EXPOSURE_AUTO_PRIORITY
GAIN = v4l2.V4L2_CID_GAIN


def camera_of(fake, options="?format=GREY"):
    parsed = from_uri("camera", ADAPTERS, f"v4l2:{options}")
    assert isinstance(parsed, V4L2Camera)
    return V4L2Camera(parsed._options, fake)


def start(fake, options="?format=GREY"):
    camera = camera_of(fake, options)
    facts = camera.open()
    camera.close()
    return facts


def refusal(fake, options="?format=GREY", error=UsageError):
    with pytest.raises(error) as raised:
        camera_of(fake, options).open()
    assert fake.handles == set(), "what was opened is closed"
    assert all(memory.closed for memory in fake.memory)
    return str(raised.value)


def test_the_questions_come_in_the_order_that_drivers_want():
    fake = FakeDevice()
    start(fake, "?format=GREY&exposure_ms=4&gain=20")
    first = list(dict.fromkeys(fake.asked))
    order = ("QUERYCAP", "S_FMT", "S_PARM", "QUERYCTRL", "S_CTRL", "G_CTRL", "REQBUFS", "QUERYBUF", "QBUF")
    assert first == [getattr(system, name) for name in (*order, "STREAMON", "DQBUF", "STREAMOFF")]


def test_facts_are_what_the_camera_delivers():
    facts = start(FakeDevice(), "?format=GREY&size=320x240&fps=60&exposure_ms=4&readout_ms=2")
    assert facts.source == "Fake cam (/dev/video0, fakecam, GREY)"
    assert (facts.width, facts.height, facts.exposure_ms) == (320, 240, 4.0)
    assert facts.fps == pytest.approx(60.0, rel=1e-4)
    assert facts.clock == "the driver's stamp of the frame's end, -3.00 ms to mid-exposure (exposure 4 ms)"


def test_closing_leaves_the_device_free():
    fake = FakeDevice()
    camera = camera_of(fake)
    camera.close()
    camera.open()
    camera.close()
    camera.close()
    assert fake.handles == set()
    assert [memory.closed for memory in fake.memory] == [True] * 4
    assert fake.asked[-1] == system.STREAMOFF


@pytest.mark.parametrize(
    ("options", "scale", "size"),
    [
        ("?size=640x480", 1, (640, 480)),
        ("?size=1280x720", 2, (640, 360)),
        ("?size=1280x720&scale=1", 1, (1280, 720)),
        ("?size=640x480&scale=2", 2, (320, 240)),
        ("?size=640x480&scale=4", 4, (160, 120)),
    ],
)
def test_the_size_that_is_told_is_that_of_the_pictures(options, scale, size):
    width, height = size[0] * scale, size[1] * scale
    data = jpeg(picture(height, width)).tobytes()
    camera = camera_of(FakeDevice(lambda _frame: data), options)
    facts = camera.open()
    assert (facts.width, facts.height) == size
    assert camera.read().image.shape == (size[1], size[0], 3)
    camera.close()


def test_a_format_that_is_not_there_is_refused_with_those_that_are():
    fake = FakeDevice()
    fake.formats = ["YUYV", "GREY"]
    assert "format MJPG was asked for, the camera gives YUYV; it offers YUYV, GREY" in refusal(fake, "")


def test_a_size_that_is_not_there_is_refused_with_those_that_are():
    said = refusal(FakeDevice(), "?format=GREY&size=800x600")
    assert "size 800x600 was asked for, the camera gives 640x480; in GREY it offers 320x240, 640x480" in said


def test_a_rate_that_is_not_there_is_refused_with_those_that_are():
    fake = FakeDevice()
    fake.keep_fps(30)
    said = refusal(fake)
    assert "fps 100 was asked for, the camera gives 30; at 640x480 in GREY it offers 30, 60, 100" in said


def test_a_camera_without_a_setting_for_its_rate_is_measured():
    fake = FakeDevice()
    fake.fail(system.S_PARM, errno.ENOTTY)
    assert start(fake, "?format=GREY&fps=30").fps == pytest.approx(30.0, rel=1e-4)


def test_exposure_and_gain_are_set_by_hand_and_read_back():
    fake = FakeDevice()
    assert start(fake, "?format=GREY&exposure_ms=4.2&gain=99").exposure_ms == pytest.approx(4.2)
    kept = {number: fake.controls[number].value for number in (MODE, EXPOSURE, SLOWS, GAIN)}
    assert kept == {MODE: v4l2.V4L2_EXPOSURE_MANUAL, EXPOSURE: 42, SLOWS: 0, GAIN: 99}


def test_automatic_exposure_is_left_alone_but_may_not_slow_the_camera_down():
    fake = FakeDevice()
    facts = start(fake)
    assert facts.exposure_ms is None
    assert "the exposure is not known" in facts.clock
    assert fake.controls[MODE].value == v4l2.V4L2_EXPOSURE_APERTURE_PRIORITY
    assert fake.controls[SLOWS].value == 0


def test_an_exposure_that_was_set_by_hand_before_is_known():
    fake = FakeDevice()
    fake.controls[MODE].value, fake.controls[EXPOSURE].value = v4l2.V4L2_EXPOSURE_MANUAL, 50
    assert start(fake).exposure_ms == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("control", "keeps", "options", "said"),
    [
        (EXPOSURE, 157, "&exposure_ms=4", "exposure_ms 4 was asked for, the camera keeps 15.7: ask for that"),
        (MODE, 3, "&exposure_ms=4", "keeps its automatic exposure; leave exposure_ms out"),
        (GAIN, 16, "&gain=40", "gain 40 was asked for, the camera keeps 16: ask for that"),
    ],
)
def test_what_a_camera_does_not_keep_is_refused(control, keeps, options, said):
    fake = FakeDevice()
    fake.controls[control].keeps = keeps
    assert said in refusal(fake, f"?format=GREY{options}")


@pytest.mark.parametrize(
    ("control", "options", "said"),
    [
        (EXPOSURE, "&exposure_ms=4", "has no exposure (exposure_time_absolute); leave exposure_ms out"),
        (GAIN, "&gain=4", "has no gain; leave gain out"),
    ],
)
def test_a_control_that_a_camera_lacks_is_refused(control, options, said):
    fake = FakeDevice()
    del fake.controls[control]
    assert said in refusal(fake, f"?format=GREY{options}")


def test_a_camera_without_any_control_plays():
    fake = FakeDevice()
    fake.controls.clear()
    assert start(fake).exposure_ms is None


def test_a_value_beyond_a_controls_range_is_refused_with_the_range():
    assert "gain is 999; the camera takes 0 to 255" in refusal(FakeDevice(), "?format=GREY&gain=999")


def test_an_exposure_longer_than_a_frame_is_refused():
    assert "longer than a frame at 100 fps" in refusal_of("v4l2:?exposure_ms=12")
    fake = FakeDevice()
    fake.controls[MODE].value = v4l2.V4L2_EXPOSURE_MANUAL  # 15.7 ms, from before
    assert "15.7 ms is longer than a frame at 100 fps; set exposure_ms to at most 10" in refusal(fake)


def refusal_of(uri):
    with pytest.raises(UsageError) as raised:
        from_uri("camera", ADAPTERS, uri)
    return str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("front?", "write the device's path, as in v4l2:/dev/video0"),
        ("?format=H264", "format is 'H264'"),
        ("?size=0640x480", "size is '0640x480'"),
        ("?format=YUYV&size=641x480", "make it even"),
        ("?format=GREY&scale=2", "scale 2 is for MJPG"),
        ("?bufers=3", 'did you mean "buffers"?'),
        ("?buffers=1", "buffers is '1'"),
        ("?fps=nan", "fps is 'nan'"),
        ("?readout_ms=60", "readout_ms is '60'"),
    ],
)
def test_an_address_that_cannot_be_is_refused(options, said):
    assert said in refusal_of(f"v4l2:{options}")


def test_the_dark_that_halves_the_rate_is_refused_with_the_remedy():
    fake = FakeDevice()
    fake.stretch_exposure(2)
    said = refusal(fake)
    assert "delivers 50 of 100 fps; its automatic exposure may be longer than a frame" in said
    assert "set exposure_ms below 10, or ask for fps=50" in said


def test_a_bus_that_halves_the_rate_is_not_blamed_on_the_exposure():
    fake = FakeDevice()
    fake.stretch_exposure(2)
    assert "its bus may be too slow" in refusal(fake, "?format=GREY&exposure_ms=4")


def test_a_rate_that_is_somewhat_low_is_played_and_told():
    fake = FakeDevice()
    fake.stretch_exposure(1.25)
    facts = start(fake)
    assert facts.fps == pytest.approx(80.0, rel=1e-4)
    assert facts.source.endswith("; it delivers 80 of 100 fps; its automatic exposure may be longer than a frame: "
                                 "set exposure_ms below 10")  # fmt: skip


def test_a_silent_camera_is_lost_within_two_seconds():
    fake = FakeDevice()
    fake.freeze_after(0)
    began_ns = fake.now
    assert "has sent no whole frame for 2 s" in refusal(fake, error=LostError)
    assert fake.now - began_ns == 2000 * MS


@pytest.mark.parametrize(
    ("request_name", "number", "error", "said"),
    [
        ("open", errno.EACCES, MissingError, "join the group video"),
        ("open", errno.EBUSY, MissingError, "in use by another program"),
        ("S_FMT", errno.EBUSY, MissingError, "in use by another program"),
        ("REQBUFS", errno.EBUSY, MissingError, "in use by another program"),
        ("REQBUFS", errno.ENOMEM, UsageError, "cannot give 4 buffers: Cannot allocate memory"),
        ("STREAMON", errno.ENOSPC, UsageError, "bus has not enough bandwidth"),
        ("STREAMON", errno.ENODEV, LostError, "was it unplugged?"),
        ("DQBUF", errno.EIO, LostError, "was it unplugged?"),
        ("S_FMT", errno.EINVAL, UsageError, "cannot set a picture format: Invalid argument"),
        ("QUERYCAP", errno.ENOTTY, UsageError, "is no Video4Linux camera"),
        ("ENUM_FMT", errno.EPERM, None, ""),
    ],
)
def test_what_the_kernel_refuses_is_told_with_the_remedy(request_name, number, error, said):
    fake = FakeDevice()
    fake.fail(getattr(system, request_name, request_name), number)
    if error is None:
        start(fake)
    else:
        assert said in refusal(fake, error=error)


def test_a_camera_that_is_not_there_is_missing():
    fake = FakeDevice()
    fake.absent()
    assert "is not there" in refusal(fake, error=MissingError)


@pytest.mark.parametrize(
    ("able", "said"),
    [
        (v4l2.V4L2_CAP_STREAMING | v4l2.V4L2_CAP_VIDEO_CAPTURE_MPLANE, "several planes"),
        (v4l2.V4L2_CAP_VIDEO_CAPTURE, "does not stream"),
        (v4l2.V4L2_CAP_STREAMING, "takes no pictures"),
    ],
)
def test_a_node_that_gives_no_pictures_is_refused(able, said):
    fake = FakeDevice()
    fake.capabilities = able
    assert said in refusal(fake)


def test_a_driver_that_gives_one_buffer_is_refused():
    fake = FakeDevice()
    fake.most_buffers = 1
    assert "gives 1 buffers for 4; it must give at least 2" in refusal(fake)


def test_opencvs_threads_are_none_of_ours():
    start(FakeDevice())
    assert cv2.getNumThreads() == 1
