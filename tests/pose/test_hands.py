import numpy as np
import pytest

from lalelu.errors import UsageError
from lalelu.models.heads import LEAST
from lalelu.pose.crop import Crop
from lalelu.pose.hands import HandTracker, Heads, heads_of
from lalelu.skeleton import COCO17

LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")
CELLS = 48
CROP = Crop(0.5, 0.5, 0.96)  # a cell is 0.02 image heights
UNIT = 0.2  # shoulder width, image heights
FRAME_NS = 10_000_000


def shares(place):
    """Of a cell and its two neighbours, so that their centre is at `place` (cells); the middle one has 1."""
    off = place - int(place) - 0.5
    return 0.5 - off, 1.0, 0.5 + off


class Scene:
    """Heads of one frame, made of peaks, whose hills are centred exactly."""

    def __init__(self):
        self.heatmaps = np.zeros((CELLS, CELLS, 2), np.float32)
        self.expected = np.ones((CELLS, CELLS, 2), np.float32)
        self.offsets = np.zeros((CELLS, CELLS, 4), np.float32)

    def peak(self, wrist, x, y, height):
        """A hill of 3 x 3 cells with its centre at (x, y), image heights; their offsets point there, too."""
        column = (x - (CROP.x - CROP.side / 2)) / CROP.side * CELLS
        row = (y - (CROP.y - CROP.side / 2)) / CROP.side * CELLS
        side = (LEFT, RIGHT).index(wrist)
        for i, down in zip(range(int(row) - 1, int(row) + 2), shares(row), strict=True):
            for j, along in zip(range(int(column) - 1, int(column) + 2), shares(column), strict=True):
                self.heatmaps[i, j, side] = height * np.sqrt(down * along)
                self.offsets[i, j, 2 * side : 2 * side + 2] = row - i, column - j
        return self

    def heads(self):
        return Heads.of([self.heatmaps, self.heatmaps * self.expected, self.offsets, self.is_peak()])

    def is_peak(self):
        """As the network's graph finds them: the local maxima of the heatmaps over 3 x 3 cells, if high enough."""
        framed = np.pad(self.heatmaps, ((1, 1), (1, 1), (0, 0)), constant_values=-1)
        around = np.max([framed[i : i + CELLS, j : j + CELLS] for i in range(3) for j in range(3)], axis=0)
        return (self.heatmaps >= around) & (self.heatmaps >= LEAST)


def follow(tracker, index, scene):
    places, scores = [0.5] * 34, [0.3] * 17
    tracker.follow(index * FRAME_NS, scene.heads(), CROP, UNIT, places, scores)
    return np.array(places).reshape(17, 2), np.array(scores)


def test_a_wrist_is_placed_at_the_centre_of_the_hill_around_its_peak():
    xy, score = follow(HandTracker(), 0, Scene().peak(LEFT, 0.713, 0.401, 0.8).peak(RIGHT, 0.287, 0.395, 0.6))
    assert xy[LEFT] == pytest.approx((0.713, 0.401), abs=1e-5)
    assert xy[RIGHT] == pytest.approx((0.287, 0.395), abs=1e-5)
    assert score[[LEFT, RIGHT]] == pytest.approx((0.8, 0.6))


def test_only_the_wrists_are_touched():
    xy, score = follow(HandTracker(), 0, Scene().peak(LEFT, 0.7, 0.4, 0.8).peak(RIGHT, 0.3, 0.4, 0.6))
    others = [k for k in range(17) if k not in (LEFT, RIGHT)]
    assert (xy[others] == 0.5).all()
    assert (score[others] == 0.3).all()


def test_a_wrist_does_not_jump_to_the_other_one_where_its_own_peak_is_weaker():
    tracker = HandTracker()
    follow(tracker, 0, Scene().peak(LEFT, 0.7, 0.4, 0.8).peak(RIGHT, 0.5, 0.4, 0.8))
    crossing = Scene().peak(LEFT, 0.5, 0.4, 0.6).peak(LEFT, 0.7, 0.41, 0.3).peak(RIGHT, 0.5, 0.4, 0.7)
    xy, _ = follow(tracker, 1, crossing)
    assert xy[LEFT] == pytest.approx((0.7, 0.41), abs=1e-5)
    assert xy[RIGHT] == pytest.approx((0.5, 0.4), abs=1e-5)


def test_two_hands_that_cross_keep_their_own_paths():
    """Each heatmap shows both hands, the wrong one a little higher: a network that takes left for right."""
    tracker = HandTracker()
    paths = []
    for index in range(21):
        left, right = 0.7 - 0.02 * index, 0.3 + 0.02 * index
        scene = Scene()
        for wrist, own, other in ((LEFT, left, right), (RIGHT, right, left)):
            scene.peak(wrist, other, 0.35 if other == right else 0.55, 0.6 if index else 0.1)
            scene.peak(wrist, own, 0.35 if own == right else 0.55, 0.5)
        xy, _ = follow(tracker, index, scene)
        paths.append((float(xy[LEFT, 0]), float(xy[RIGHT, 0])))
    assert paths[-1] == pytest.approx((0.3, 0.7), abs=1e-5)


def test_a_hand_held_in_the_wrong_place_is_found_again_where_it_is_clearly_seen():
    tracker = HandTracker()
    follow(tracker, 0, Scene().peak(LEFT, 0.7, 0.7, 0.4).peak(RIGHT, 0.3, 0.4, 0.8))
    seen = Scene().peak(LEFT, 0.7, 0.7, 0.05).peak(LEFT, 0.7, 0.3, 0.9).peak(RIGHT, 0.3, 0.4, 0.8)
    xy, _ = follow(tracker, 1, seen)
    assert xy[LEFT] == pytest.approx((0.7, 0.3), abs=1e-5)


def test_after_a_pause_a_hand_may_have_gone_further():
    near_or_high = Scene().peak(LEFT, 0.7, 0.45, 0.3).peak(LEFT, 0.7, 0.62, 0.5).peak(RIGHT, 0.3, 0.4, 0.8)
    places = []
    for gap in (1, 30):
        tracker = HandTracker()
        follow(tracker, 0, Scene().peak(LEFT, 0.7, 0.4, 0.8).peak(RIGHT, 0.3, 0.4, 0.8))
        xy, _ = follow(tracker, gap, near_or_high)
        places.append(round(float(xy[LEFT, 1]), 3))
    assert places == [0.45, 0.62]


@pytest.mark.parametrize("height", [0.0, np.nan])
def test_without_a_peak_the_wrists_stay_as_the_network_says(height):
    xy, score = follow(HandTracker(), 0, Scene().peak(LEFT, 0.7, 0.4, height).peak(RIGHT, 0.3, 0.4, 0.8))
    assert (xy == 0.5).all()
    assert (score == 0.3).all()


def test_a_model_without_heads_is_refused_with_the_remedy():
    assert heads_of(["output_0", "offsets", "heatmaps", "weighted", "is_peak"]) == (2, 3, 1, 4)
    for lacking in (["output_0"], ["output_0", "offsets", "heatmaps", "weighted", "peaks"]):
        with pytest.raises(UsageError, match=r"pose\.hands: auto"):
            heads_of(lacking)


def centred(scene, wrist, row, column):
    """The reference: the mean of the middles of the 5 x 5 cells, weighted by their heights squared."""
    side = (LEFT, RIGHT).index(wrist)
    rows, columns = slice(max(row - 2, 0), row + 3), slice(max(column - 2, 0), column + 3)
    weights = scene.heatmaps[rows, columns, side].astype(np.float64) ** 2
    i, j = np.mgrid[0:CELLS, 0:CELLS][:, rows, columns]
    cell = CROP.side / CELLS
    x, y = (np.sum(weights * (along + 0.5)) / weights.sum() * cell for along in (j, i))
    return CROP.x - CROP.side / 2 + x, CROP.y - CROP.side / 2 + y


@pytest.mark.parametrize("seed", range(4))
def test_the_centre_is_that_of_the_cells_around_also_at_the_edges(seed):
    random = np.random.default_rng(seed)
    scene = Scene()
    scene.heatmaps[:] = random.uniform(0, 0.5, scene.heatmaps.shape)
    scene.offsets[:] = random.normal(0, 1, scene.offsets.shape)
    edges = [(0, 0), (47, 47), (0, 20), (31, 47)]
    left, right = edges[seed], tuple(random.integers(3, 44, 2))
    scene.heatmaps[(*left, 0)] = scene.heatmaps[(*right, 1)] = 0.9
    scene.expected[:] = 0.1
    scene.expected[(*left, 0)] = scene.expected[(*right, 1)] = 1.0
    xy, score = follow(HandTracker(), 0, scene)
    assert xy[LEFT] == pytest.approx(centred(scene, LEFT, *left), abs=1e-9)
    assert xy[RIGHT] == pytest.approx(centred(scene, RIGHT, *right), abs=1e-9)
    assert score[[LEFT, RIGHT]] == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize("wrist", [LEFT, RIGHT])
def test_a_hand_that_moves_evenly_is_seen_to_move_evenly_from_cell_to_cell(wrist):
    """The hill is as wide as the network's own, 1.5 cells; where it is cut off, it is low."""
    middles = CROP.y - CROP.side / 2 + (np.arange(CELLS) + 0.5) * CROP.side / CELLS
    cell, tracker, seen = CROP.side / CELLS, HandTracker(), []
    true = 0.4 + 0.1 * cell * np.arange(21)
    for index, y in enumerate(true):
        scene = Scene().peak(LEFT, 0.7, 0.4, 0.1).peak(RIGHT, 0.3, 0.4, 0.1)
        x = 0.7 if wrist == LEFT else 0.3
        far = (middles[:, None] - y) ** 2 + (middles[None, :] - x) ** 2
        scene.heatmaps[:, :, (LEFT, RIGHT).index(wrist)] = 0.8 * np.exp(-0.5 * far / (1.5 * cell) ** 2)
        xy, _ = follow(tracker, index, scene)
        seen.append(xy[wrist, 1])
    assert np.abs(np.array(seen) - true).max() < 0.15 * cell


def test_the_heads_show_what_is_written_to_the_networks_arrays_later():
    scene = Scene()
    arrays = [np.zeros((CELLS, CELLS, n), np.float32) for n in (2, 2, 4)] + [
        np.zeros((CELLS, CELLS, 2), bool)
    ]
    heads = Heads.of(arrays)
    scene.peak(LEFT, 0.713, 0.401, 0.8).peak(RIGHT, 0.287, 0.395, 0.6)
    for array, said in zip(
        arrays, (scene.heatmaps, scene.heatmaps, scene.offsets, scene.is_peak()), strict=True
    ):
        array[:] = said
    places, scores = [0.5] * 34, [0.3] * 17
    HandTracker().follow(0, heads, CROP, UNIT, places, scores)
    assert places[2 * LEFT : 2 * LEFT + 2] == pytest.approx((0.713, 0.401), abs=1e-5)
