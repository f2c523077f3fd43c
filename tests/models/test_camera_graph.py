import cv2
import numpy as np
import onnxruntime
import pytest

from lalelu.bench.merge_worker import encoded
from lalelu.errors import UsageError
from lalelu.models.camera_graph import Camera, Picture, camera_graph
from lalelu.models.onnx_export import to_onnx
from lalelu.pose.crop import Crop, whole
from lalelu.pose.orientation import Orientation
from lalelu.pose.sampling import Sampler

WIDTH, HEIGHT, SIDE = 128, 96, 40  # 3.2 camera pixels a network's, so that the whole picture is halved once
NOISE = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
CROPS = {
    "whole": None,
    "inside": Crop(0.6, 0.5, 0.7),
    "smaller than the network's picture": Crop(0.7, 0.4, 0.21),
    "beyond two edges": Crop(0.1, 0.9, 0.8),
    "far outside": Crop(3.0, -2.0, 0.5),
    "a tie in rounding": Crop(0.5, 0.5, 33 / HEIGHT),
}
ORIENTATIONS = [Orientation(rotate, mirror) for rotate in (0, 90, 180, 270) for mirror in (False, True)]


def run(camera, picture, frame, crop):
    """The picture and the place, as ONNX Runtime computes the graph."""
    data = to_onnx(camera_graph(camera, picture), "camera")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    given = {"frame": frame, "crop": np.array(crop, np.float32)}
    made, taken = session.run(["picture", "taken"], given)
    return made, taken


def sampled(frame, crop, side, orientation, bgr=True):
    """The same by the sampler: the picture, and left, top, width and height."""
    out = np.zeros((side, side, 3), np.uint8)
    x, y, size = Sampler(side, orientation, bgr=bgr).sample(frame, crop, out)
    return out, (x - size / 2, y - size / 2, size, size)


def aspect(orientation, width=WIDTH, height=HEIGHT):
    upright = orientation.upright_size(width, height)
    return upright[0] / upright[1]


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
@pytest.mark.parametrize("crop", CROPS)
def test_the_graph_cuts_scales_and_turns_as_the_sampler_does_to_the_last_bit(orientation, crop):
    square = CROPS[crop] or whole(aspect(orientation))
    expected, place = sampled(NOISE, square, SIDE, orientation)
    assert crop == "far outside" or np.ptp(expected) > 100
    made, taken = run(Camera(WIDTH, HEIGHT, "BGR", orientation), Picture((SIDE, SIDE)), NOISE, square)
    np.testing.assert_array_equal(made[0], expected)
    np.testing.assert_allclose(taken, place, atol=1e-5)


@pytest.mark.parametrize("order", ["bgr", "rgb"])
@pytest.mark.parametrize("pixel_format", ["BGR", "RGB", "GREY"])
def test_colours_come_in_the_networks_order(pixel_format, order):
    frame = encoded(NOISE, pixel_format)
    seen = frame if pixel_format == "GREY" else NOISE
    expected, _ = sampled(seen, CROPS["inside"], SIDE, Orientation(), bgr=order == "bgr")
    camera = Camera(WIDTH, HEIGHT, pixel_format)
    made, _ = run(camera, Picture((SIDE, SIDE), order), frame, CROPS["inside"])
    np.testing.assert_array_equal(made[0], expected)


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize(
    ("pixel_format", "code"), [("YUYV", cv2.COLOR_YUV2BGR_YUYV), ("NV12", cv2.COLOR_YUV2BGR_NV12)]
)
def test_luma_and_chroma_become_colours_to_a_few_levels(pixel_format, code, crop):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    soft = np.stack([x * 1.2 + 40, y * 1.5 + 50, 200 - x], -1).astype(np.uint8)
    frame = encoded(soft, pixel_format)
    square = CROPS[crop] or whole(WIDTH / HEIGHT)
    expected, _ = sampled(cv2.cvtColor(frame, code), square, SIDE, Orientation())
    made, _ = run(Camera(WIDTH, HEIGHT, pixel_format), Picture((SIDE, SIDE)), frame, square)
    assert np.abs(made[0] - expected).max() < 4
    assert np.abs(made[0] - expected).mean() < 0.5
    reds, _ = run(Camera(WIDTH, HEIGHT, pixel_format), Picture((SIDE, SIDE), "rgb"), frame, square)
    np.testing.assert_allclose(reds, made[..., ::-1], atol=1e-3)


@pytest.mark.parametrize(
    "side", [12, 24]
)  # halved three times, of which two sums no longer fit one float; and twice
@pytest.mark.parametrize("crop", ["whole", "inside"])
def test_a_picture_halved_more_than_once_is_two_levels_off_at_most(side, crop):
    square = CROPS[crop] or whole(WIDTH / HEIGHT)
    expected, place = sampled(NOISE, square, side, Orientation())
    made, taken = run(Camera(WIDTH, HEIGHT), Picture((side, side)), NOISE, square)
    assert np.abs(made[0] - expected).max() <= 2
    assert np.abs(made[0] - expected).mean() < 0.5
    np.testing.assert_allclose(taken, place, atol=1e-5)


def test_a_picture_that_is_not_square_shows_the_middle_of_the_square():
    square = Crop(0.6, 0.5, 0.75)
    expected, place = sampled(NOISE, square, 36, Orientation())  # twice the size: 72 px are cut out
    made, taken = run(Camera(WIDTH, HEIGHT), Picture((36, 18)), NOISE, square)
    np.testing.assert_array_equal(made[0], expected[:, 9:27])
    np.testing.assert_allclose(taken, (place[0] + place[2] / 4, place[1], place[2] / 2, place[3]), atol=1e-5)


def test_numbers_and_layout_are_the_networks():
    camera, square = Camera(WIDTH, HEIGHT), CROPS["inside"]
    plain, _ = run(camera, Picture((SIDE, SIDE)), NOISE, square)
    scale = ((10.0, 20.0, 30.0), (0.5, 0.25, 0.125))
    scaled, _ = run(camera, Picture((SIDE, SIDE), scale=scale, channels_first=True), NOISE, square)
    expected = (plain - np.array(scale[0])) * np.array(scale[1])
    np.testing.assert_allclose(scaled, expected.transpose(0, 3, 1, 2), rtol=1e-6)
    for dtype in (np.int32, np.uint8):
        whole_numbers, _ = run(camera, Picture((SIDE, SIDE), dtype=np.dtype(dtype)), NOISE, square)
        assert whole_numbers.dtype == dtype
        np.testing.assert_array_equal(whole_numbers, plain)


@pytest.mark.parametrize(
    ("size", "pixel_format", "blocks"),
    [((641, 480), "YUYV", "2x1"), ((640, 481), "NV12", "2x2"), ((0, 480), "BGR", "1x1")],
)
def test_a_size_that_the_format_does_not_have_is_refused(size, pixel_format, blocks):
    with pytest.raises(
        UsageError, match=rf"{size[0]}x{size[1]}; {pixel_format} has one of whole {blocks} blocks"
    ):
        Camera(*size, pixel_format)
