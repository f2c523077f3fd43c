"""Anchors and suppression, beside the plain loops that they stand for."""

import math

import numpy as np
import pytest

from lalelu.pose.anchors import HAND, LAYOUTS, PERSON, Layout, decoded, ssd_anchors, strongest

SMALL = Layout(32, ((8, 2), (16, 1)), 1)


def raw(layout: Layout, seed: int, mean: float = -3.0) -> np.ndarray:
    """What a detector might say: boxes of a fifth of the picture, wherever its anchors are."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0.0, 8.0, (1, layout.anchors, layout.numbers))
    numbers[..., 0] = rng.normal(mean, 3.0, layout.anchors)
    numbers[..., 3:5] = layout.side * rng.uniform(0.1, 0.3, (layout.anchors, 2))
    return numbers.astype(np.float32)


def overlap(a, b) -> float:
    width = min(a[3], b[3]) - max(a[1], b[1])
    height = min(a[4], b[4]) - max(a[2], b[2])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[3] - box[1]) * (box[4] - box[2]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def plainly(table, most, *, blend):
    """Suppression as it is told: sort, take the best, drop what overlaps it."""
    rest = sorted((row for row in table.tolist() if row[0] > 0.5), key=lambda row: -row[0])
    found = []
    while rest and len(found) < most:
        best = rest[0]
        same = [row for row in rest if row is best or overlap(best, row) > 0.3]
        rest = [row for row in rest if not any(row is other for other in same)]
        total = sum(row[0] for row in same)
        mean = [sum(row[0] * row[i] for row in same) / total for i in range(1, len(best))]
        found.append([best[0], *mean] if blend else best)
    return found


@pytest.mark.parametrize(("layout", "count", "numbers"), [(PERSON, 2254, 13), (HAND, 2944, 19)])
def test_layouts_have_as_many_anchors_and_numbers_as_the_networks(layout, count, numbers):
    assert (layout.anchors, layout.numbers) == (count, numbers)
    assert ssd_anchors(layout).shape == (count, 2)


def test_anchors_stand_in_the_middle_of_their_cells_row_by_row():
    anchors = ssd_anchors(SMALL)
    assert len(anchors) == 2 * 16 + 4
    assert anchors[:4].tolist() == [[0.125, 0.125], [0.125, 0.125], [0.375, 0.125], [0.375, 0.125]]
    assert anchors[32:].tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_numbers_are_pixels_from_the_anchor_and_the_score_is_a_logit():
    numbers = np.full((1, SMALL.anchors, SMALL.numbers), 0.0, np.float32)
    numbers[0, 34] = [0.0, 4.0, -4.0, 8.0, 16.0, 3.2, 6.4]  # the anchor at 0.25, 0.75
    row = decoded(numbers, SMALL, ssd_anchors(SMALL))[34]
    assert row == pytest.approx([0.5, 0.25, 0.375, 0.5, 0.875, 0.35, 0.95])


def test_logits_beyond_any_bound_are_certainty():
    numbers = raw(SMALL, 1)
    numbers[0, :2, 0] = 1e30, -1e30
    assert decoded(numbers, SMALL, ssd_anchors(SMALL))[:2, 0] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("blend", [True, False])
@pytest.mark.parametrize("layout", [SMALL, *LAYOUTS])
def test_suppression_finds_what_plain_loops_find(layout, blend):
    counts = set()
    for seed in range(8):
        table = decoded(raw(layout, seed, -4.0), layout, ssd_anchors(layout))
        expected = plainly(table, 4, blend=blend)
        found = strongest(table, 4, blend=blend)
        counts.add(len(expected))
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5)
        assert not found[len(expected) :].any()
    assert max(counts) > 1


def test_nothing_above_the_least_score_is_nothing():
    table = decoded(raw(SMALL, 2), SMALL, ssd_anchors(SMALL))
    table[:, 0] = 0.5
    assert not strongest(table, 4).any()


def test_a_detector_that_says_nothing_finite_finds_nothing():
    table = decoded(
        np.full((1, SMALL.anchors, SMALL.numbers), math.nan, np.float32), SMALL, ssd_anchors(SMALL)
    )
    assert not strongest(table, 4).any()


def test_boxes_without_an_area_are_things_of_their_own():
    table = np.zeros((2, SMALL.numbers), np.float32)
    table[:, 0] = 0.9, 0.8
    assert strongest(table, 4)[:, 0].tolist() == pytest.approx([0.9, 0.8, 0.0, 0.0])
