"""Reading from a camera: the newest picture, its time, and every trouble on the way."""

import numpy as np
import pytest
from fake_device import MS, FakeDevice
from test_v4l2_formats import jpeg, picture
from test_v4l2_start import camera_of

from lalelu.errors import LostError

GREY = "?format=GREY&exposure_ms=5"


def opened(fake, options=GREY):
    camera = camera_of(fake, options)
    camera.open()
    return camera


def numbers(camera, fake, work_ms):
    """Read, with so long a work after each; (seq, skipped, the frame by its picture)."""
    seen = []
    for ms in work_ms:
        frame = camera.read()
        seen.append((frame.seq, frame.skipped, int(frame.image[0, 0])))
        fake.work(ms)
    return seen


def test_the_newest_picture_is_read_and_the_older_ones_are_counted():
    fake = FakeDevice()
    seen = numbers(opened(fake), fake, (1, 8, 25, 8, 1))
    first = seen[0][2]
    assert seen == [
        (0, 0, first),
        (1, 0, first + 1),
        (2, 0, first + 2),
        (4, 1, first + 4),
        (5, 0, first + 5),
    ]


@pytest.mark.parametrize("buffers", [2, 4, 16])
def test_after_a_long_pause_no_stale_picture_is_read(buffers):
    fake = FakeDevice()
    camera = opened(fake, f"{GREY}&buffers={buffers}")
    camera.read()
    fake.work(500)
    frame = camera.read()
    assert frame.arrived_ns - frame.captured_ns < 20 * MS
    assert (frame.seq, frame.skipped) == (frame.skipped + 1, frame.skipped)
    assert frame.skipped in (49, 50)


def test_buffers_that_ran_out_just_now_hold_the_newest_picture():
    fake = FakeDevice()
    camera = opened(fake, f"{GREY}&buffers=2")
    camera.read()
    fake.work(23)  # two frames, and the third is not complete yet
    began_ns = fake.now
    assert camera.read().skipped == 1
    assert fake.now == began_ns


@pytest.mark.parametrize(
    ("clock", "source"), [("monotonic", s) for s in ("soe", "eof")] + [("unknown", "eof")]
)
@pytest.mark.parametrize(("exposure_ms", "readout_ms"), [(5, 0), (2, 7), (9, 4)])
def test_a_frames_time_is_the_middle_of_the_middle_rows_exposure(clock, source, exposure_ms, readout_ms):
    fake = FakeDevice()
    fake.clock, fake.stamp_source, fake.readout_ns = clock, source, readout_ms * MS
    fake.transfer_ns = 0 if clock == "unknown" else 3 * MS  # what arrival cannot know
    camera = opened(fake, f"?format=GREY&exposure_ms={exposure_ms}&readout_ms={readout_ms}")
    for _ in range(5):
        frame = camera.read()
        exposed_ns = fake.exposed_ns[int(frame.image[0, 0])]
        assert frame.captured_ns == pytest.approx(exposed_ns, abs=1 * MS if clock == "unknown" else 1000)
        assert frame.arrived_ns == fake.now


@pytest.mark.parametrize(("driver", "options"), [("uvcvideo", ""), ("another", "&stamp=packet")])
def test_a_usb_cameras_stamp_is_that_of_its_first_packet(driver, options):
    fake = FakeDevice(driver=driver)
    fake.stamp_source, fake.readout_ns = "packet", 6 * MS
    frame = opened(fake, f"{GREY}&readout_ms=6{options}").read()
    assert frame.captured_ns == pytest.approx(fake.exposed_ns[int(frame.image[0, 0])], abs=1000)


def test_a_stamp_that_is_asked_for_but_not_there_is_refused():
    fake = FakeDevice()
    fake.clock = "copy"
    with pytest.raises(Exception, match="not on the monotonic clock; leave stamp out"):
        opened(fake, f"{GREY}&stamp=soe")


def test_lost_frames_are_gaps_that_are_counted():
    fake = FakeDevice()
    camera = opened(fake)
    camera.read()
    fake.drop(1, 2, 4)
    assert [(frame.seq, frame.skipped) for frame in (camera.read() for _ in range(3))] == [
        (1, 0),
        (4, 2),
        (6, 1),
    ]


def test_a_picture_that_the_driver_calls_damaged_is_skipped():
    fake = FakeDevice()
    camera = opened(fake)
    fake.flag_error(2)
    seen = numbers(camera, fake, (0, 0, 0))
    first = seen[0][2]
    assert seen == [(0, 0, first), (1, 0, first + 1), (3, 1, first + 3)]


def test_a_damaged_picture_does_not_hide_the_whole_one_before_it():
    fake = FakeDevice()
    camera = opened(fake)
    camera.read()
    fake.flag_error(1)
    fake.work(23)  # a whole one and a damaged one wait
    assert camera.read().skipped == 0


def test_a_jpeg_that_is_cut_off_is_skipped():
    data = jpeg(picture(480, 640)).tobytes()
    fake = FakeDevice(lambda _frame: data)
    camera = opened(fake, "?exposure_ms=5")
    camera.read()
    fake.corrupt(1, 2)
    assert [(frame.seq, frame.skipped) for frame in (camera.read() for _ in range(2))] == [(1, 0), (4, 2)]


def test_a_driver_that_numbers_all_frames_0_is_counted_by_its_stamps():
    fake = FakeDevice()
    fake.zero_sequence = True
    camera = opened(fake)
    camera.read()
    fake.drop(1, 2)
    assert [(frame.seq, frame.skipped) for frame in (camera.read() for _ in range(3))] == [
        (1, 0),
        (4, 2),
        (5, 0),
    ]


def test_a_sequence_that_wraps_is_counted_on():
    fake = FakeDevice()
    fake.first_sequence = (1 << 32) - 37
    camera = opened(fake)
    assert [camera.read().seq for _ in range(6)] == list(range(6))


def test_an_unplugged_camera_is_lost_and_left_clean():
    fake = FakeDevice()
    camera = opened(fake)
    fake.unplug_after(3)
    seen = [camera.read().seq for _ in range(2)]
    assert seen == [0, 1]
    with pytest.raises(LostError, match="was it unplugged"):
        camera.read()
    camera.close()
    assert fake.handles == set()
    assert all(memory.closed for memory in fake.memory)


def test_a_camera_that_falls_silent_is_lost_after_a_second():
    fake = FakeDevice()
    camera = opened(fake)
    fake.freeze_after(2)
    camera.read()
    camera.read()
    began_ns = fake.now
    with pytest.raises(LostError, match="no whole frame for 1 s; was it unplugged"):
        camera.read()
    assert fake.now - began_ns == pytest.approx(1000 * MS, abs=MS)


def test_a_camera_that_sends_only_rubbish_is_lost_after_a_second():
    data = jpeg(picture(480, 640)).tobytes()
    fake = FakeDevice(lambda _frame: data)
    camera = opened(fake, "?exposure_ms=5")
    fake.corrupt(*range(1000))
    with pytest.raises(LostError, match="no whole frame for 1 s"):
        camera.read()


def test_a_camera_plugged_in_again_goes_on_counting_and_charges_nobody_with_its_absence():
    fake = FakeDevice()
    camera = opened(fake)
    before = camera.read()
    fake.unplug_after(0)
    fake.absent()
    with pytest.raises(LostError):
        camera.read()
    camera.close()
    fake.now += 60_000 * MS
    fake.plug_in()
    camera.open()
    after = camera.read()
    assert (after.seq, after.skipped) == (before.seq + 1, 0)
    assert after.captured_ns > before.captured_ns + 60_000 * MS


def test_a_camera_that_comes_back_to_a_darker_room_plays_on():
    fake = FakeDevice()
    camera = opened(fake, "?format=GREY")
    camera.close()
    fake.stretch_exposure(2)
    facts = camera.open()
    assert facts.fps == pytest.approx(50.0, rel=1e-4)
    assert "delivers 50 of 100 fps" in facts.source


def test_a_camera_that_comes_back_at_five_frames_a_second_is_played_again_soon():
    fake = FakeDevice()
    fake.rates = [5]
    camera = opened(fake, "?format=GREY&fps=5")
    camera.close()
    began_ns = fake.now
    facts = camera.open()
    camera.read()
    assert facts.fps == pytest.approx(5.0, rel=1e-4)
    assert fake.now - began_ns < 1_500 * MS  # and it is looked for every 250 ms


def test_the_picture_stays_until_the_next_read():
    fake = FakeDevice()
    camera = opened(fake)
    image = camera.read().image
    seen = image.copy()
    fake.work(300)  # every buffer is filled anew meanwhile
    np.testing.assert_array_equal(image, seen)


def test_rows_that_lie_apart_are_put_together():
    rows = np.arange(640 * 480, dtype=np.uint32).astype(np.uint8).reshape(480, 640)
    wide = np.zeros((480, 704), np.uint8)
    wide[:, :640] = rows
    fake = FakeDevice(lambda _frame: wide.tobytes())
    fake.padding = 64
    np.testing.assert_array_equal(opened(fake).read().image, rows)
