"""Decoding against OpenCV's own conversion, from a picture in which every place differs."""

import cv2
import numpy as np
import pytest

from lalelu.camera.v4l2 import formats
from lalelu.camera.v4l2.formats import decoder_for, scale_for

WIDTH, HEIGHT = 96, 64


def picture(height=HEIGHT, width=WIDTH):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    bgr = np.dstack((x / width * 250, y / height * 250, (x + 2 * y) / (width + 2 * height) * 250))
    bgr[height // 4 : height // 2, width // 3 : width // 2] = (30, 60, 220)  # a red sleeve
    return bgr.astype(np.uint8)


def planes():
    """The picture as grey and the two colours at half the size."""
    grey, blue, red = np.split(cv2.cvtColor(picture(), cv2.COLOR_BGR2YUV_I420).ravel(), [6144, 7680])
    return (
        grey.reshape(HEIGHT, WIDTH),
        blue.reshape(HEIGHT // 2, WIDTH // 2),
        red.reshape(HEIGHT // 2, WIDTH // 2),
    )


def yuyv():
    grey, blue, red = planes()
    out = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    out[:, :, 0] = grey
    out[:, 0::2, 1], out[:, 1::2, 1] = np.repeat(blue, 2, axis=0), np.repeat(red, 2, axis=0)
    return out


def nv12():
    grey, blue, red = planes()
    return np.vstack((grey, np.dstack((blue, red)).reshape(HEIGHT // 2, WIDTH)))


def jpeg(image=None):
    return cv2.imencode(".jpg", picture() if image is None else image, [cv2.IMWRITE_JPEG_QUALITY, 90])[
        1
    ].ravel()


def padded(rows, padding):
    """The bytes of rows that lie further apart than they are long; nothing follows the last."""
    rows = rows.reshape(rows.shape[0], -1)
    wide = np.full((rows.shape[0], rows.shape[1] + padding), 77, np.uint8)
    wide[:, : rows.shape[1]] = rows
    return wide.ravel()[: wide.size - padding]


def close_to(one, other):
    """Colours are shared by two or four pixels, so edges differ."""
    return np.abs(one.astype(int) - other.astype(int)).mean() < 3.0


@pytest.mark.parametrize("padding", [0, 32])
def test_yuyv_is_what_opencv_makes_of_it_whatever_lies_between_the_rows(padding):
    shown = decoder_for("YUYV", WIDTH, HEIGHT, 2 * WIDTH + padding, 1)(padded(yuyv(), padding))
    np.testing.assert_array_equal(shown, cv2.cvtColor(yuyv(), cv2.COLOR_YUV2BGR_YUYV))
    assert close_to(shown, picture())


@pytest.mark.parametrize("padding", [0, 32])
def test_nv12_is_what_opencv_makes_of_it_whatever_lies_between_the_rows(padding):
    shown = decoder_for("NV12", WIDTH, HEIGHT, WIDTH + padding, 1)(padded(nv12(), padding))
    np.testing.assert_array_equal(shown, cv2.cvtColor(nv12(), cv2.COLOR_YUV2BGR_NV12))
    assert close_to(shown, picture())


@pytest.mark.parametrize("padding", [0, 32])
def test_grey_is_as_the_camera_sent_it(padding):
    grey = planes()[0]
    shown = decoder_for("GREY", WIDTH, HEIGHT, WIDTH + padding, 1)(padded(grey, padding))
    np.testing.assert_array_equal(shown, grey)


def test_a_whole_jpeg_is_what_opencv_makes_of_it():
    shown = decoder_for("MJPG", WIDTH, HEIGHT, 0, 1)(jpeg())
    np.testing.assert_array_equal(shown, cv2.imdecode(jpeg(), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(192, 256), (194, 262)])
def test_a_jpeg_at_reduced_scale_is_the_picture_averaged(scale, size):
    image = picture(*size)
    shown = decoder_for("MJPG", size[1], size[0], 0, scale)(jpeg(image))
    small = cv2.resize(image, (-(-size[1] // scale), -(-size[0] // scale)), interpolation=cv2.INTER_AREA)
    assert shown.shape == small.shape
    assert close_to(shown, small)


def without_huffman_tables(data):
    """What many cameras send: the tables are the standard's, and left out."""
    data, out, at = data.tobytes(), b"\xff\xd8", 2
    while data[at + 1] != 0xDA:  # until the picture's data begin
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        out += b"" if data[at + 1] == 0xC4 else data[at : at + length]
        at += length
    return np.frombuffer(out + data[at:], np.uint8)


def test_a_jpeg_without_its_huffman_tables_is_decoded_with_the_usual_ones():
    short = without_huffman_tables(jpeg())
    assert short.size < jpeg().size - 300
    decode = decoder_for("MJPG", WIDTH, HEIGHT, 0, 1)
    np.testing.assert_array_equal(decode(short), decode(jpeg()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: data.size // 2],
        lambda data: data[:0],
        lambda data: data[:3],
        np.zeros_like,
        lambda data: np.concatenate((data[:2], np.zeros(500, np.uint8))),
        lambda data: jpeg(picture(48, 64)),
    ],
    ids=["cut off", "empty", "two bytes", "zeros", "zeros after the start", "another size"],
)
def test_what_is_no_whole_jpeg_is_no_picture(damage):
    assert decoder_for("MJPG", WIDTH, HEIGHT, 0, 1)(damage(jpeg())) is None


def test_zeros_after_a_jpeg_do_no_harm():
    decode = decoder_for("MJPG", WIDTH, HEIGHT, 0, 1)
    np.testing.assert_array_equal(decode(np.concatenate((jpeg(), np.zeros(999, np.uint8)))), decode(jpeg()))


@pytest.mark.parametrize(("name", "rows"), [("YUYV", yuyv()), ("NV12", nv12()), ("GREY", planes()[0])])
def test_a_buffer_one_byte_short_is_no_picture(name, rows):
    decode = decoder_for(name, WIDTH, HEIGHT, formats.least_stride(name, WIDTH) + 8, 1)
    assert decode(padded(rows, 8)) is not None
    assert decode(padded(rows, 8)[:-1]) is None


@pytest.mark.parametrize(("name", "rows"), [("YUYV", yuyv()), ("NV12", nv12()), ("GREY", planes()[0])])
def test_the_picture_is_a_copy_in_one_buffer_that_is_used_again(name, rows):
    decode = decoder_for(name, WIDTH, HEIGHT, formats.least_stride(name, WIDTH), 1)
    data = rows.ravel().copy()
    first = decode(data)
    seen = first.copy()
    data[:] = 0  # the driver has its buffer back
    np.testing.assert_array_equal(first, seen)
    assert decode(data) is first


@pytest.mark.parametrize(("height", "scale"), [(240, 1), (480, 1), (719, 1), (720, 2), (1080, 2), (1440, 4)])
def test_a_jpeg_is_reduced_only_where_enough_lines_remain(height, scale):
    assert scale_for(height) == scale
