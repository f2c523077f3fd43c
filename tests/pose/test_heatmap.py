"""Maps of keypoints, drawn where people are, and what is made of them."""

import numpy as np
import pytest
from posed_people import person

from lalelu.config.schema import Config, PlayerSection
from lalelu.errors import UsageError
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.heatmap import EFFICIENTPOSE, HeatmapPose
from lalelu.pose.port import TensorSpec
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.skeleton import COCO17, MPII16
from lalelu.types import Frame

SPREAD = 2.0  # cells: one standard deviation of a training map's bell
BYTE = np.dtype(np.uint8)
CROP = Crop(0.7, 0.5, 0.8)
IMAGE = np.zeros((480, 640, 3), np.uint8)


def maps_of(xy, crop, size, *, corner=False):
    """(1, K, h, w) bells at places in image heights, seen in the middle of the square `crop`."""
    height, width = size
    cell = crop.side / max(size)
    at = (xy - (crop.x, crop.y)) / cell + (0.5 * width, 0.5 * height) - (0.0 if corner else 0.5)
    rows, columns = np.mgrid[:height, :width]
    apart = (columns - at[:, 0, None, None]) ** 2 + (rows - at[:, 1, None, None]) ** 2
    return (0.9 * np.exp(-apart / (2 * SPREAD**2))).astype(np.float32)[None]


def spots(count, seed=1):
    return np.random.default_rng(seed).uniform((0.45, 0.25), (0.95, 0.75), (count, 2))


@pytest.mark.parametrize("last", [True, False], ids=["maps last", "maps first"])
@pytest.mark.parametrize("cells_at", ["centre", "corner"])
def test_a_keypoint_is_found_between_the_cells(last, cells_at):
    xy = spots(17)
    maps = maps_of(xy, CROP, (64, 64), corner=cells_at == "corner")
    found, scores = HeatmapPose("coco17", cells_at=cells_at).decode(
        maps.transpose(0, 2, 3, 1) if last else maps, CROP
    )
    cell = CROP.side / 64
    assert np.abs(np.reshape(found, (17, 2)) - xy).max() < 0.02 * cell
    assert min(scores) > 0.75


def test_the_maps_of_efficientpose_go_to_their_names():
    xy = spots(16)
    places, _ = HeatmapPose("mpii16", maps=EFFICIENTPOSE).decode(maps_of(xy, CROP, (46, 46)), CROP)
    for name, place in zip(MPII16, np.reshape(places, (16, 2)), strict=True):
        np.testing.assert_allclose(place, xy[EFFICIENTPOSE.index(name)], atol=1e-3)


def test_a_peak_at_the_edge_stays_there_and_an_undefined_map_lies_at_the_centre_with_score_0():
    maps = np.zeros((1, 17, 8, 8), np.float32)
    maps[0, 3, 0, 7] = 0.5
    maps[0, 4] = np.nan
    maps[0, 5, 2, 2] = np.inf
    places, scores = HeatmapPose("coco17").decode(maps, CROP)
    xy = np.reshape(places, (17, 2))
    assert np.isfinite(places).all()
    assert max(scores) <= 1.0
    np.testing.assert_allclose(xy[3], (CROP.x + 3.5 * 0.1, CROP.y - 3.5 * 0.1), atol=0.0501)
    np.testing.assert_allclose(xy[[4, 5]], [(CROP.x, CROP.y)] * 2)
    assert [scores[4], scores[5]] == [0.0, 0.0]


def an_estimator(maps, picture, **options):
    runtime = ScriptedRuntime([[maps]], inputs=(TensorSpec("bgr", picture, BYTE),))
    settings = {"crop_mode": "whole", "rotate": 0, "mirror": False, "player": PlayerSection(), **options}
    made = SinglePoseEstimator(runtime, HeatmapPose("coco17"), **settings)
    made.open()
    return made, runtime


def step(made, seq, image=IMAGE):
    made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, image))
    made.infer()
    return made.poses()


@pytest.mark.parametrize("size", [(256, 192), (192, 256), (256, 256)], ids=["upright", "lying", "square"])
def test_a_picture_that_is_no_square_shows_the_whole_player(size):
    aspect = 640 / 480
    everything = whole(aspect)
    seen = everything._replace(side=everything.side * max(size) / min(size))
    xy = person(0.6, 0.3, 0.12)
    maps = maps_of(xy, seen, (size[0] // 4, size[1] // 4))
    made, runtime = an_estimator(maps, (1, *size, 3))
    image = IMAGE.copy()
    image[:, :4], image[:, -4:] = (255, 0, 0), (0, 0, 255)
    (pose,) = step(made, 0, image)
    assert made.crop.side == pytest.approx(seen.side, rel=0.01)
    np.testing.assert_allclose(pose.xy, xy, atol=0.01)
    (picture,) = runtime.last_inputs
    assert picture.shape == (1, *size, 3)
    assert picture[0, :, :, 0].max() > 100  # both ends of the camera's picture are in it
    assert picture[0, :, :, 2].max() > 100


def test_the_square_follows_a_player_whose_network_has_other_keypoints():
    named = dict(zip(COCO17, person(0.6, 0.3, 0.1), strict=True))
    xy = np.array([named.get(name, (0.6, 0.3)) for name in EFFICIENTPOSE])
    runtime = ScriptedRuntime(
        [[maps_of(xy, whole(640 / 480), (46, 46))]], inputs=(TensorSpec("bgr", (1, 368, 368, 3), BYTE),)
    )
    made = SinglePoseEstimator(
        runtime,
        HeatmapPose("mpii16", maps=EFFICIENTPOSE),
        crop_mode="follow",
        rotate=0,
        mirror=False,
        player=PlayerSection(),
    )
    made.open()
    (pose,) = step(made, 0)
    assert made.skeleton == MPII16
    np.testing.assert_allclose(pose.xy[MPII16.index("left_wrist")], named["left_wrist"], atol=0.01)
    made.prepare(Frame(1, 10_000_000, 10_000_000, 0, IMAGE))
    assert made.crop.side < 0.6


@pytest.mark.parametrize(
    ("picture", "maps", "sentence"),
    [
        (
            (1, 64, 64, 3),
            (1, 16, 16, 16),
            r"gives \[\(1, 16, 16, 16\)\]; a heatmap network for these 17 keypoints",
        ),
        ((1, 64, 64, 1), (1, 17, 16, 16), r"takes \[\(1, 64, 64, 1\)\]; a heatmap network takes one"),
    ],
)
def test_another_networks_tensors_are_refused(picture, maps, sentence):
    with pytest.raises(UsageError, match=sentence):
        an_estimator(np.zeros(maps, np.float32), picture)


def test_the_configuration_tells_whose_keypoints_the_model_gives():
    assert Config.model_validate({"pose": {"model": "efficientpose"}}).pose.skeleton == "mpii16"
    own = {"model": "heatmap", "heatmap": {"file": "mine.onnx", "skeleton": "mpii16"}}
    assert Config.model_validate({"pose": own}).pose.skeleton == "mpii16"
    assert Config().pose.skeleton == "coco17"
