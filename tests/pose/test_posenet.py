"""People put together by PoseNet's tensors, beside the same thing written out step by step."""

import math

import numpy as np
import pytest
from posed_people import person

from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.pose.crop import Crop, whole
from lalelu.pose.estimator_multi import MultiPoseEstimator
from lalelu.pose.multipose import FAINT, MOST_PEOPLE
from lalelu.pose.people import ENTRY_FRAMES
from lalelu.pose.port import TensorSpec
from lalelu.pose.posenet import EDGES, OUTPUTS, REFINED, ROOT_SCORE, SAME_PX, STRIDE, PoseNet
from lalelu.pose.runtimes.scripted import ScriptedRuntime
from lalelu.skeleton import COCO17
from lalelu.types import Frame

CELLS = 25
SIDE = (CELLS - 1) * STRIDE + 1
CROP = Crop(0.6, 0.5, 1.1)
K = len(COCO17)


def cell(at):
    return tuple(min(max(round(part / STRIDE), 0), CELLS - 1) for part in at)


def moved(numbers, where, channel):
    half = numbers.shape[2] // 2
    return float(numbers[where][channel]), float(numbers[where][half + channel])


def roots(scores):
    """The peaks, the highest first."""
    queue = []
    for y, x, k in np.ndindex(scores.shape):
        around = [
            scores[v, u, k]
            for v in range(max(y - 1, 0), min(y + 2, CELLS))
            for u in range(max(x - 1, 0), min(x + 2, CELLS))
        ]
        if scores[y, x, k] >= ROOT_SCORE and scores[y, x, k] >= max(around):
            queue.append((y, x, k))
    return sorted(queue, key=lambda root: -scores[root])


def reference(heatmaps, offsets, forward, backward):
    """The people of the tensors (cells, cells, channels): a list of (17 of (y, x, score), own score), in px."""
    scores = 1 / (1 + np.exp(-heatmaps.astype(np.float64)))
    people = []
    for y, x, k in roots(scores):
        dy, dx = moved(offsets, (y, x), k)
        root = (y * STRIDE + dy, x * STRIDE + dx)
        if any(math.dist(root, other[k][:2]) <= SAME_PX for other, _ in people):
            continue
        found = {k: (*root, scores[y, x, k])}
        for edge, towards in [(e, True) for e in reversed(range(len(EDGES)))] + [
            (e, False) for e in range(len(EDGES))
        ]:
            near, far = (COCO17.index(name) for name in EDGES[edge])
            source, target = (far, near) if towards else (near, far)
            if source not in found or target in found:
                continue
            at = found[source][:2]
            way = moved(backward if towards else forward, cell(at), edge)
            at = (at[0] + way[0], at[1] + way[1])
            for _ in range(REFINED):
                where = cell(at)
                way = moved(offsets, where, target)
                at = (where[0] * STRIDE + way[0], where[1] * STRIDE + way[1])
            found[target] = (*at, scores[cell(at)][target])
        pose = [found[index] for index in range(K)]
        own = sum(
            pose[index][2]
            for index in range(K)
            if all(math.dist(pose[index][:2], other[index][:2]) > SAME_PX for other, _ in people)
        )
        people.append((pose, own / K))
        if len(people) == MOST_PEOPLE:
            break
    return [(pose, score) for pose, score in people if score >= FAINT]


def tensors_of(*people):
    """What the network would answer if it saw `people` ((17, 2) px) perfectly: each cell tells of whom is nearest."""
    rows, columns = np.mgrid[:CELLS, :CELLS]
    cells = np.stack((rows, columns), axis=-1) * STRIDE
    heatmaps = np.zeros((CELLS, CELLS, K), np.float32)
    offsets = np.zeros((CELLS, CELLS, 2 * K), np.float32)
    ways = {False: np.zeros((CELLS, CELLS, 2 * len(EDGES)), np.float32)}
    ways[True] = np.zeros_like(ways[False])
    at = np.stack([xy[:, ::-1] for xy in people])  # (P, 17, y x)

    def nearest(k):
        apart = np.linalg.norm(cells[:, :, None] - at[:, k], axis=-1)
        return apart.argmin(axis=-1), apart.min(axis=-1)

    for k in range(K):
        who, apart = nearest(k)
        heatmaps[..., k] = np.maximum(4.0 - 0.02 * apart**2, -8.0)
        offsets[..., k], offsets[..., K + k] = np.moveaxis(at[who, k] - cells, -1, 0)
    for edge, ends in enumerate(EDGES):
        near, far = (COCO17.index(name) for name in ends)
        for outwards, source, target in ((True, near, far), (False, far, near)):
            who, _ = nearest(source)
            way = at[who, target] - at[who, source]
            ways[outwards][..., edge], ways[outwards][..., len(EDGES) + edge] = np.moveaxis(way, -1, 0)
    return heatmaps, offsets, ways[True], ways[False]


def compared(tensors):
    """The decoder's people and the reference's, in px of the network's picture."""
    found = PoseNet().people([array[None] for array in tensors], CROP)
    scale = CROP.side / SIDE
    corner = (CROP.x - 0.5 * CROP.side, CROP.y - 0.5 * CROP.side)
    places = [(np.reshape(each.places, (K, 2)) - corner) / scale for each in found]
    return found, places, reference(*tensors)


@pytest.mark.parametrize("seed", range(6))
def test_any_tensors_give_the_people_that_the_method_written_out_gives(seed):
    rng = np.random.default_rng(seed)
    heatmaps = rng.normal(-3.0, 1.6, (CELLS, CELLS, K)).astype(np.float32)
    offsets = rng.normal(0.0, 12.0, (CELLS, CELLS, 2 * K)).astype(np.float32)
    ways = [rng.normal(0.0, 60.0, (CELLS, CELLS, 2 * len(EDGES))).astype(np.float32) for _ in range(2)]
    found, places, expected = compared((heatmaps, offsets, *ways))
    assert len(expected) > 1
    assert len(found) == len(expected)
    for each, xy, (pose, score) in zip(found, places, expected, strict=True):
        np.testing.assert_allclose(xy, [(x, y) for y, x, _ in pose], atol=1e-6)
        assert each.scores == pytest.approx([seen for _, _, seen in pose])
        assert each.score == pytest.approx(score)


def test_two_people_are_put_together_each_of_their_own_keypoints():
    both = [person(0.25, 0.3, 0.1) * SIDE, person(0.7, 0.35, 0.12) * SIDE]
    found, places, expected = compared(tensors_of(*both))
    assert len(found) == len(expected) == 2
    for xy in both:
        nearest = min(places, key=lambda place: np.abs(place - xy).max())
        np.testing.assert_allclose(nearest, xy, atol=0.01)
    assert all(0.5 < each.score <= 1.0 for each in found)


def test_an_empty_picture_has_nobody_and_undefined_numbers_stay_out():
    heatmaps, *others = tensors_of(person(0.5, 0.3, 0.12) * SIDE)
    assert (
        PoseNet().people([np.full_like(heatmaps, -9.0)[None], *(each[None] for each in others)], CROP) == []
    )
    heatmaps[:3] = np.nan
    others[0][:, :4] = np.inf
    (seen,) = PoseNet().people([array[None] for array in (heatmaps, *others)], CROP)
    assert np.isfinite((*seen.places, *seen.scores, seen.score, *seen.box)).all()


def test_players_keep_their_numbers_with_posenet_too():
    square = whole(640 / 480)
    near, far = person(0.4, 0.3, 0.14), person(1.0, 0.35, 0.12)

    def px(xy):
        return (xy - (square.x - 0.5 * square.side, square.y - 0.5 * square.side)) * SIDE / square.side

    script = [[array[None] for array in tensors_of(px(near), px(far))]]
    picture = TensorSpec("bgr", (1, SIDE, SIDE, 3), np.dtype(np.uint8))
    runtime = ScriptedRuntime(script, inputs=(picture,), names=OUTPUTS)
    made = MultiPoseEstimator(runtime, PoseNet(), rotate=0, mirror=False, player=Config().player, limit=6)
    made.open()
    for seq in range(ENTRY_FRAMES + 1):
        made.prepare(Frame(seq, seq * 10_000_000, seq * 10_000_000, 0, np.zeros((480, 640, 3), np.uint8)))
        made.infer()
        poses = made.poses()
    assert [pose.player for pose in poses] == [0, 1]
    for xy in (near, far):
        assert min(np.abs(pose.xy - xy).max() for pose in poses) < 0.01


def test_a_network_of_another_family_is_refused():
    runtime = ScriptedRuntime([[np.zeros((1, 6, 56), np.float32)]])
    made = MultiPoseEstimator(runtime, PoseNet(), rotate=0, mirror=False, player=Config().player, limit=6)
    with pytest.raises(UsageError, match="a PoseNet takes one"):
        made.open()
