import math

import cv2
import numpy as np
import pytest
from posed_people import person

from lalelu.pose.flow import ANCHOR_TAU_S, BLEND_SPEED, KNOWN, Flow
from lalelu.pose.orientation import Orientation
from lalelu.skeleton import COCO17

WIDTH, HEIGHT = 640, 480
PERIOD_NS = 10_000_000
LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")
NOSE = COCO17.index("nose")
SIZE = 0.15  # shoulder width, image heights
BODY = person(0.66, 0.25, SIZE)
SURE = np.full(17, 0.9, np.float32)


def texture(seed, height, width, grain=2.5):
    """Smooth noise: everywhere something to follow."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (height, width, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), grain)
    noise -= noise.min()
    return np.rint(noise / noise.max() * 255).astype(np.uint8)


ROOM = texture(0, HEIGHT + 200, WIDTH + 200)
HANDS = texture(1, 64, 64), texture(2, 64, 64)


def moved(dx, dy):
    """Everything shifted by so many px."""
    shift = np.array([[1.0, 0.0, dx - 100], [0.0, 1.0, dy - 100]])
    return cv2.warpAffine(ROOM, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)


def hands(*places, room=None):
    """A still room with hands around `places` (px), the last in front; each hand is a textured disc."""
    picture = moved(0, 0) if room is None else room
    for (x, y), hand in zip(places, HANDS, strict=False):
        shift = np.array([[1.0, 0.0, x - 32.0], [0.0, 1.0, y - 32.0]])
        disc = np.zeros((64, 64), np.float32)
        cv2.circle(disc, (32, 32), 26, 1.0, -1, cv2.LINE_AA)
        share = cv2.warpAffine(disc, shift, (WIDTH, HEIGHT))[..., None]
        drawn = cv2.warpAffine(hand, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        picture = np.rint(picture * (1.0 - share) + drawn * share).astype(np.uint8)
    return picture


def body(left=None, right=None):
    """BODY with its wrists at these places in px."""
    xy = BODY.copy()
    for index, place in ((LEFT, left), (RIGHT, right)):
        if place is not None:
            xy[index] = np.array(place) / HEIGHT
    return xy


class Followed:
    """A flow with its frame counter."""

    def __init__(self, picture, xy, orientation=Orientation(), scores=SURE):  # noqa: B008 - a frozen value
        self.flow = Flow(orientation)
        self.seq = 0
        self.flow.look(0, 0, picture)
        self.flow.take(0, xy, scores)
        self.flow.settle(picture)

    def step(self, picture, result=None, *, frames=1, scores=SURE):
        """The keypoints in px and the scores in the next picture; `result` = (frame, keypoints) arrives with it."""
        self.seq += frames
        self.flow.look(self.seq, self.seq * PERIOD_NS, picture)
        if result is not None:
            self.flow.take(*result, scores)
        xy, found = self.flow.settle(picture)
        return xy * HEIGHT, found


def test_every_keypoint_follows_a_moving_picture_to_a_tenth_of_a_pixel():
    followed = Followed(moved(0, 0), BODY)
    for step in range(1, 11):
        shift = np.array([3.3 * step, -1.7 * step])
        xy, scores = followed.step(moved(*shift))
        inside = (xy > 30).all(axis=1) & (xy < (WIDTH - 30, HEIGHT - 30)).all(axis=1)
        assert np.abs((xy - BODY * HEIGHT - shift)[inside]).max() < 0.1 * step**0.5
        assert inside.sum() > 10
        np.testing.assert_allclose(scores, 0.9, atol=1e-5)


def test_a_hand_that_speeds_up_to_a_fast_stroke_is_not_lost():
    start, drop = np.array([200.0, 100.0]), 0.5 * 200e2  # px/s^2: 18 px a frame at last
    followed = Followed(hands(start), body(right=start))
    for step in range(1, 13):
        at = np.add(start, (0.0, drop * (step * 0.01) ** 2))
        xy, _ = followed.step(hands(at))
        assert np.hypot(*(xy[RIGHT] - at)) < 0.7


def test_a_grey_camera_is_followed_as_well():
    followed = Followed(cv2.cvtColor(moved(0, 0), cv2.COLOR_BGR2GRAY), BODY)
    for step in range(1, 6):
        xy, _ = followed.step(cv2.cvtColor(moved(2.5 * step, step), cv2.COLOR_BGR2GRAY))
    np.testing.assert_allclose(xy[RIGHT] - BODY[RIGHT] * HEIGHT, (12.5, 5.0), atol=0.15)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_keypoints_are_the_upright_pictures_however_the_camera_hangs(rotate, mirror):
    def as_filmed(upright):
        picture = upright[:, ::-1] if mirror else upright
        return np.ascontiguousarray(np.rot90(picture, rotate // 90))  # anticlockwise: the camera undoes it

    followed = Followed(as_filmed(moved(0, 0)), BODY, Orientation(rotate, mirror))
    for step in range(1, 6):
        xy, _ = followed.step(as_filmed(moved(3.0 * step, -step)))
    for limb in (LEFT, RIGHT, NOSE):
        np.testing.assert_allclose(xy[limb] - BODY[limb] * HEIGHT, (15.0, -5.0), atol=0.2)


def test_a_frame_that_was_dropped_is_a_longer_step():
    followed = Followed(moved(0, 0), BODY)
    for step in range(1, 5):
        followed.step(moved(0, 6.0 * step))
    xy, _ = followed.step(moved(0, 6.0 * 7), frames=3)
    np.testing.assert_allclose(xy[RIGHT] - BODY[RIGHT] * HEIGHT, (0.0, 42.0), atol=0.3)


def test_a_covered_hand_goes_on_as_it_moved_and_scores_less():
    start = np.array([200.0, 150.0])
    followed = Followed(hands(start), body(right=start))
    for step in range(1, 6):
        _, scores = followed.step(hands(np.add(start, (5.0 * step, 0.0))))
    assert scores[RIGHT] == pytest.approx(0.9, abs=1e-5)
    covered = hands(np.add(start, (25.0, 0.0)))
    covered[80:220, 140:300] = 128
    xy, scores = followed.step(covered)
    assert 28.0 < xy[RIGHT, 0] - start[0] < 31.0
    assert scores[RIGHT] < 0.7
    for _ in range(3):
        xy, scores = followed.step(covered)
    assert scores[RIGHT] < 0.3
    assert scores[LEFT] == pytest.approx(0.9, abs=1e-5)


def test_a_covered_hand_goes_with_its_forearm():
    reach = 1.2 * SIZE  # longer arms, so that what covers the hand leaves them
    seen = BODY.copy()
    seen[RIGHT] = seen[COCO17.index("right_elbow")] + (0.0, reach)
    followed = Followed(moved(0, 0), seen)
    place = 0.0
    for step in range(1, 9):
        place += 6.0 - 1.5 * step  # down, and up again
        picture = moved(0, place)
        x, y = np.rint(seen[RIGHT] * HEIGHT + (0.0, place)).astype(int)
        picture[y - 16 : y + 40, x - 30 : x + 30] = 128
        xy, scores = followed.step(picture)
        assert abs(xy[RIGHT, 1] - seen[RIGHT, 1] * HEIGHT - place) < 4.0
    assert scores[RIGHT] > 0.3


def test_the_score_returns_with_the_networks_next_result():
    start = np.array([200.0, 150.0])
    followed = Followed(hands(start), body(right=start))
    blank = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    followed.step(blank)
    picture = hands(start)
    _, scores = followed.step(picture, (2, body(right=start)))
    assert scores[RIGHT] == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize("speed", [5.0, 6.0, 8.0])
def test_wrists_that_cross_do_not_exchange(speed):
    left, right = np.array([260.0, 200.0]), np.array([360.0, 200.0])
    scores = SURE.copy()
    scores[[COCO17.index("left_elbow"), COCO17.index("right_elbow")]] = KNOWN / 2  # these hands have no arms
    followed = Followed(hands(left, right), body(left, right), scores=scores)
    gone, pace = 0.0, 0.0
    while gone < 100.0:
        pace = min(pace + 1.5, speed)  # px a frame
        gone += pace
        way = np.array([gone, 0.0])
        xy, scores = followed.step(hands(left + way, right - way))
    # each is where the other one was, and the network has not said a word
    assert np.hypot(*(xy[RIGHT] - right + way)) < 15.0
    assert np.hypot(*(xy[LEFT] - left - way)) < 25.0  # behind: it went on as it moved, not with the other one
    assert scores[LEFT] < 0.5


def test_an_old_result_is_carried_to_the_newest_frame():
    start = np.array([200.0, 100.0])
    off = np.array([0.0, 6.0])  # px: so far from the hand's middle does the network see it at first
    followed = Followed(hands(start), body(right=start + off))
    for step in range(1, 43):
        way = np.array([0.0, 5.0 * step])
        result = (step - 3, body(right=start + way - (0.0, 15.0))) if step % 3 == 0 else None
        xy, _ = followed.step(hands(start + way), result)
    assert np.hypot(*(xy[RIGHT] - start - way)) < 0.5


def test_a_correction_is_no_jump():
    picture = moved(0, 0)
    followed = Followed(picture, BODY)
    seen = BODY.copy()
    seen[RIGHT, 1] += 0.15 * SIZE
    before = BODY[RIGHT, 1]
    steps = []
    for seq in range(1, 80):
        xy, _ = followed.step(picture, (seq, seen))
        steps.append(xy[RIGHT, 1] / HEIGHT - before)
        before = xy[RIGHT, 1] / HEIGHT
    assert max(steps) <= BLEND_SPEED * SIZE * 0.01 * 1.01
    assert sum(steps) == pytest.approx(0.15 * SIZE, rel=0.02)


def test_a_keypoint_far_from_where_the_network_sees_it_goes_there_at_once():
    picture = moved(0, 0)
    followed = Followed(picture, BODY)
    followed.step(picture)
    seen = BODY.copy()
    seen[RIGHT] += 0.5 * SIZE
    xy, _ = followed.step(picture, (1, seen))
    np.testing.assert_allclose(xy[RIGHT], seen[RIGHT] * HEIGHT, atol=0.1)


def test_an_unsure_result_moves_a_keypoint_less_than_a_sure_one():
    picture = moved(0, 0)
    seen = BODY.copy()
    seen[RIGHT, 0] += 0.03 * SIZE
    unsure = SURE.copy()
    unsure[RIGHT] = 0.3
    ways = []
    for scores in (SURE, unsure):
        followed = Followed(picture, BODY)
        for _ in range(10):
            result = (1, seen) if followed.seq == 1 else None
            xy, _ = followed.step(picture, result, scores=scores)
        ways.append((xy[RIGHT, 0] / HEIGHT - BODY[RIGHT, 0]) / (0.03 * SIZE))
    share = 1.0 - math.exp(-0.01 / ANCHOR_TAU_S)
    assert ways[0] == pytest.approx(share, abs=0.1 * share + 0.1)
    assert 0.0 < ways[1] < 0.4 * share


def test_keypoints_that_the_network_does_not_know_move_with_the_shoulders():
    unknown = SURE.copy()
    knees = [COCO17.index("left_knee"), COCO17.index("right_knee")]
    unknown[knees] = KNOWN / 2
    followed = Followed(moved(0, 0), BODY, scores=unknown)
    xy, scores = followed.step(moved(4.0, 2.0))
    np.testing.assert_allclose(xy[knees] - BODY[knees] * HEIGHT, [(4.0, 2.0)] * 2, atol=0.1)
    np.testing.assert_allclose(scores[knees], KNOWN / 2, atol=1e-6)


def test_a_player_who_was_lost_begins_where_the_network_sees_them_again():
    followed = Followed(moved(0, 0), BODY)
    followed.step(moved(3, 0))
    followed.flow.forget()
    assert not followed.flow.active
    assert followed.flow.wrists() is None
    picture = moved(50, 0)
    xy, _ = followed.step(picture, (2, BODY + 0.1))
    np.testing.assert_allclose(xy, (BODY + 0.1) * HEIGHT, atol=0.1)
    xy, _ = followed.step(moved(53, 0))
    np.testing.assert_allclose(xy[RIGHT] - (BODY[RIGHT] + 0.1) * HEIGHT, (3.0, 0.0), atol=0.1)


def test_a_camera_that_changes_its_size_loses_the_player():
    followed = Followed(moved(0, 0), BODY)
    followed.flow.look(1, PERIOD_NS, np.ascontiguousarray(moved(0, 0)[:240, :320]))
    assert not followed.flow.active


def test_keypoints_beyond_the_pictures_edge_are_carried_without_an_error():
    xy = BODY.copy()
    xy[RIGHT] = (-0.1, 1.2)
    followed = Followed(moved(0, 0), xy)
    for step in range(1, 4):
        found, scores = followed.step(moved(step, 0))
    assert np.isfinite(found).all()
    assert scores[RIGHT] < 0.7


def test_wrists_are_told_only_while_both_are_certain():
    followed = Followed(moved(0, 0), BODY)
    followed.step(moved(2, 0))
    wrists = followed.flow.wrists()
    expected = [*BODY[LEFT], *BODY[RIGHT]]
    np.testing.assert_allclose(np.array(wrists) - expected, np.array([2, 0, 2, 0]) / HEIGHT, atol=1e-3)
    for _ in range(3):
        followed.step(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    assert followed.flow.wrists() is None
