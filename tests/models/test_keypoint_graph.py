import numpy as np
import onnxruntime
import pytest

from lalelu.models.keypoint_graph import FAINT, REACH, REFINES, heatmap_keypoints, movenet_keypoints
from lalelu.models.onnx_export import to_onnx
from lalelu.pose.crop import Crop
from lalelu.pose.movenet import MoveNetSinglePose

COUNT, ROWS, COLUMNS = 5, 16, 12
PLACE = np.array([0.3, -0.1, 0.6, 0.8], np.float32)  # left, top, width, height


def run(graph, said):
    session = onnxruntime.InferenceSession(to_onnx(graph, "small"), providers=["CPUExecutionProvider"])
    (found,) = session.run(["keypoints"], {"said": said, "taken": PLACE})
    return found


def bells(rng):
    """Maps with a bell curve each, anywhere, also at an edge: the middles, in cells from the first one's middle."""
    middles = rng.uniform((0, 0), (COLUMNS - 1, ROWS - 1), (COUNT, 2))
    middles[0], middles[1] = (0.2, 3.4), (COLUMNS - 1.1, ROWS - 1.3)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    far = [(x - middle[0]) ** 2 + (y - middle[1]) ** 2 for middle in middles]
    return middles, np.stack([0.9 * np.exp(-each / 8) for each in far]).astype(np.float32)


def reference(maps, refine):
    """Place by place, as the words say it: x, y in cells from the first one's middle, score."""
    found = []
    for one in maps:
        row, column = np.unravel_index(one.argmax(), one.shape)
        framed = np.pad(one, REACH)  # so that every cell has neighbours
        near = framed[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1]
        shift = [0.0, 0.0]
        for axis, (at, size) in enumerate(((column, one.shape[1]), (row, one.shape[0]))):
            line = one[row] if axis == 0 else one[:, column]
            behind, ahead = line[max(at - 1, 0)], line[min(at + 1, size - 1)]
            if refine == "quarter" and 0 < at < size - 1:
                shift[axis] = 0.25 * np.sign(ahead - behind)
            elif refine == "parabola":
                a, b, c = (np.log(max(n, FAINT)) for n in (behind, line[at], ahead))
                shift[axis] = np.clip(0.5 * (a - c) / min(a - 2 * b + c, -FAINT), -0.5, 0.5)
            elif refine == "centroid":
                steps = np.arange(-REACH, REACH + 1)
                mass = np.maximum(near, 0).sum(axis=axis)
                shift[axis] = (mass * steps).sum() / max(np.maximum(near, 0).sum(), 1e-6)
        found.append((column + shift[0], row + shift[1], np.clip(one.max(), 0, 1)))
    return np.array(found)


def placed(found, half=0.5):
    shares = (found[:, :2] + half) / (COLUMNS, ROWS)
    return np.column_stack([PLACE[:2] + shares * PLACE[2:], found[:, 2]])


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("refine", REFINES)
@pytest.mark.parametrize("seed", range(3))
def test_the_peaks_lie_where_the_plain_reference_finds_them(refine, channels_last, seed):
    rng = np.random.default_rng(seed)
    _, maps = bells(rng)
    maps += rng.normal(0, 0.01, maps.shape).astype(np.float32)
    said = (maps.transpose(1, 2, 0) if channels_last else maps)[None]
    found = run(heatmap_keypoints(said.shape, channels_last=channels_last, refine=refine), said)
    np.testing.assert_allclose(found, placed(reference(maps, refine)), atol=1e-5)


def test_the_parabola_finds_a_bell_curves_middle():
    middles, maps = bells(np.random.default_rng(8))
    assert (middles[2:] > 1).all()
    assert (middles[2:] < (COLUMNS - 2, ROWS - 2)).all()
    said = maps[None]
    found = run(heatmap_keypoints(said.shape, channels_last=False, refine="parabola"), said)
    expected = placed(np.column_stack([middles, maps.max(axis=(1, 2))]))
    np.testing.assert_allclose(found[2:], expected[2:], atol=1e-4)


def test_a_cell_may_stand_for_its_corner():
    _, maps = bells(np.random.default_rng(1))
    graph = heatmap_keypoints(maps[None].shape, channels_last=False, refine="none", cells_at="corner")
    np.testing.assert_allclose(run(graph, maps[None]), placed(reference(maps, "none"), half=0.0), atol=1e-6)


@pytest.mark.parametrize("refine", REFINES)
@pytest.mark.parametrize("level", [0.0, -1.0, 2.0])
def test_a_flat_map_gives_a_place_in_the_picture_and_a_score_in_range(refine, level):
    said = np.full((1, COUNT, ROWS, COLUMNS), level, np.float32)
    found = run(heatmap_keypoints(said.shape, channels_last=False, refine=refine), said)
    assert np.isfinite(found).all()
    assert (found[:, :2] >= PLACE[:2]).all()
    assert (found[:, :2] <= PLACE[:2] + PLACE[2:]).all()
    np.testing.assert_array_equal(found[:, 2], np.clip(level, 0, 1))


def test_what_movenet_says_is_placed_as_its_decoder_does():
    said = np.random.default_rng(3).random((1, 1, 17, 3), np.float32)
    crop = Crop(0.7, 0.4, 0.6)
    global_place = np.array([crop.x - 0.3, crop.y - 0.3, 0.6, 0.6], np.float32)
    session = onnxruntime.InferenceSession(
        to_onnx(movenet_keypoints(said.shape), "small"), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["keypoints"], {"said": said, "taken": global_place})
    places, scores = MoveNetSinglePose().decode(said, crop)
    np.testing.assert_allclose(found[:, :2].reshape(-1), places, atol=1e-6)
    np.testing.assert_array_equal(found[:, 2], np.array(scores, np.float32))
