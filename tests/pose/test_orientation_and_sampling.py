import cv2
import numpy as np
import pytest

from lalelu.pose.crop import Crop, whole
from lalelu.pose.orientation import Orientation, rolling_shutter
from lalelu.pose.sampling import Sampler

TURN_BACK = {0: None, 90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
EVERY_WAY = [(rotate, mirror) for rotate in (0, 90, 180, 270) for mirror in (False, True)]


def smooth_picture(height: int, width: int) -> np.ndarray:
    """A picture whose colour says where one is: blue = x, green = y, red = both; smooth, so that scaling keeps it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
    return np.dstack((x / width * 250, y / height * 250, (x + y) / (width + height) * 250)).astype(np.uint8)


def as_camera_sees(upright: np.ndarray, rotate: int, mirror: bool) -> np.ndarray:
    picture = upright[:, ::-1] if mirror else upright
    turn = TURN_BACK[rotate]
    return np.ascontiguousarray(picture if turn is None else cv2.rotate(picture, turn))


@pytest.mark.parametrize(("rotate", "mirror"), EVERY_WAY)
def test_upright_point_is_found_in_the_camera_picture(rotate, mirror):
    upright = np.zeros((40, 60), np.uint8)
    upright[7, 21] = 255
    camera = as_camera_sees(upright, rotate, mirror)
    height, width = camera.shape
    orientation = Orientation(rotate, mirror)
    assert orientation.upright_size(width, height) == (60, 40)
    x, y, _ = orientation.to_camera(width, height) @ (21.5, 7.5, 1.0)
    assert camera[int(y), int(x)] == 255


@pytest.mark.parametrize(("rotate", "mirror"), EVERY_WAY)
def test_a_point_lies_on_the_row_where_the_camera_shows_it(rotate, mirror):
    orientation = Orientation(rotate, mirror)
    upright_width, upright_height = 60, 40
    width, height = orientation.upright_size(upright_width, upright_height)
    for x, y in [(21.5, 7.5), (0.0, 0.0), (60.0, 40.0), (-12.0, 55.0)]:
        _, row, _ = orientation.to_camera(width, height) @ (x, y, 1.0)
        share = orientation.row_share(x / upright_height, y / upright_height, upright_width / upright_height)
        assert share == pytest.approx(row / height)


@pytest.mark.parametrize(("rotate", "late"), [(0, (0.2, 0.9)), (180, (0.2, 0.1)), (270, (1.2, 0.5))])
def test_a_rolling_shutter_shows_its_last_row_half_a_readout_after_the_middle_one(rotate, late):
    delay_ns = rolling_shutter(10.0, Orientation(rotate), 4 / 3)
    assert delay_ns(2 / 3, 0.5) == pytest.approx(0.0)
    assert delay_ns(*late) == pytest.approx(4e6)


def test_all_rows_at_once_need_no_correction():
    assert rolling_shutter(0.0, Orientation(90), 4 / 3) is None


@pytest.mark.parametrize(("rotate", "mirror"), EVERY_WAY)
@pytest.mark.parametrize(
    "crop", [Crop(0.7, 0.45, 0.5), Crop(0.3, 0.7, 1.0), whole(4 / 3), Crop(0.05, 0.9, 0.35)]
)
def test_sampled_square_shows_what_lies_there_however_the_camera_hangs(rotate, mirror, crop):
    upright = smooth_picture(480, 640)
    out = np.zeros((192, 192, 3), np.int32)
    taken = Sampler(192, Orientation(rotate, mirror)).sample(
        as_camera_sees(upright, rotate, mirror), crop, out
    )
    assert taken.side == pytest.approx(crop.side, abs=0.01)
    assert (taken.x, taken.y) == pytest.approx((crop.x, crop.y), abs=0.01)
    for u, v in [(20, 30), (96, 96), (170, 60), (50, 180), (100, 10)]:
        x = (taken.x + ((u + 0.5) / 192 - 0.5) * taken.side) * 480
        y = (taken.y + ((v + 0.5) / 192 - 0.5) * taken.side) * 480
        inside = 3 < x < 637 and 3 < y < 477
        outside = not (-3 < x < 643 and -3 < y < 483)
        if inside:
            expected = (x / 640 * 250, y / 480 * 250, (x + y) / 1120 * 250)
            assert out[v, u, ::-1] == pytest.approx(expected, abs=2.0)
        elif outside:
            assert out[v, u].tolist() == [0, 0, 0]


def test_old_picture_does_not_shine_through_where_the_square_leaves_the_frame():
    sampler, out = Sampler(64, Orientation()), np.zeros((64, 64, 3), np.uint8)
    picture = np.full((100, 100, 3), 200, np.uint8)
    sampler.sample(picture, Crop(0.5, 0.5, 1.2), out)
    sampler.sample(picture, Crop(1.1, 0.5, 1.2), out)
    assert out[:, 40:].max() == 0
    sampler.sample(picture, Crop(9.0, -9.0, 1.0), out)
    assert out.max() == 0


def test_grey_frames_give_three_equal_channels_like_grey_colour_frames():
    grey = smooth_picture(120, 160)[:, :, 2]
    sampler = Sampler(96, Orientation(90, True))
    one, other = np.zeros((96, 96, 3), np.int32), np.zeros((96, 96, 3), np.int32)
    sampler.sample(grey, Crop(0.4, 0.6, 0.8), one)
    sampler.sample(np.dstack((grey, grey, grey)), Crop(0.4, 0.6, 0.8), other)
    assert one.max() > 50
    np.testing.assert_array_equal(one, other)


def test_fine_stripes_average_to_grey_instead_of_flickering():
    stripes = np.zeros((480, 640, 3), np.uint8)
    stripes[:, ::2] = 200
    out = np.zeros((192, 192, 3), np.uint8)
    for shift in (0, 1, 2):
        Sampler(192, Orientation()).sample(stripes, Crop(0.6 + shift / 480, 0.5, 0.9), out)
        assert out.min() == out.max() == 100


@pytest.mark.parametrize(("rotate", "mirror"), EVERY_WAY)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_network_that_takes_blue_first_is_shown_the_same_picture_the_other_way_round(
    rotate, mirror, dtype, colours
):
    image = np.random.default_rng(1).integers(0, 256, (120, 160, *colours), np.uint8)
    rgb, bgr = np.zeros((96, 96, 3), dtype), np.zeros((96, 96, 3), dtype)
    for crop in (Crop(0.6, 0.5, 0.9), Crop(0.2, 0.4, 0.7), Crop(0.2, 0.4, 0.7)):
        taken = Sampler(96, Orientation(rotate, mirror)).sample(image, crop, rgb)
        assert Sampler(96, Orientation(rotate, mirror), bgr=True).sample(image, crop, bgr) == taken
        np.testing.assert_array_equal(bgr, rgb[..., ::-1])


def test_a_square_that_stands_still_shows_each_new_picture_and_another_size_of_picture():
    sampler, out = Sampler(64, Orientation(), bgr=True), np.zeros((64, 64, 3), np.uint8)
    for height, level in ((100, 50), (100, 80), (200, 110), (100, 140)):
        sampler.sample(np.full((height, height, 3), level, np.uint8), Crop(0.5, 0.5, 0.6), out)
        assert out.min() == out.max() == level
