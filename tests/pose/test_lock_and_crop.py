from itertools import pairwise

import numpy as np
import pytest
from posed_people import person

from lalelu.config.schema import PlayerSection
from lalelu.pose.body import Torso, torso_of
from lalelu.pose.crop import TORSO, WHOLE_BODY, CropFollower, around, whole
from lalelu.pose.lock import PlayerLock

FRAME_NS = 10_000_000
SURE = np.full(17, 0.8, np.float32)
ASPECT = 4 / 3


def torso(x=0.6, y=0.3, size=0.15, score=0.8):
    return Torso(x, y, size, score)


def test_player_turned_sideways_keeps_the_size():
    front = person(0.6, 0.3, 0.15)
    side = front.copy()
    side[:, 0] = 0.6 + 0.1 * (front[:, 0] - 0.6)
    assert torso_of(front, SURE).size == pytest.approx(0.15)
    assert torso_of(side, SURE).size == pytest.approx(0.15, rel=0.02)


def test_hidden_hips_are_not_used_for_the_size():
    xy = person(0.6, 0.3, 0.15, left_hip=(0.0, 9.0), right_hip=(0.0, 9.0))
    score = SURE.copy()
    score[11:13] = 0.1
    assert torso_of(xy, score).size == pytest.approx(0.15)


def test_player_is_taken_on_only_in_the_start_region():
    lock = PlayerLock(PlayerSection(region=(0.5, 0.2, 0.9, 0.6)))
    assert not lock.see(0, torso(x=0.3))
    assert not lock.locked
    assert lock.see(FRAME_NS, torso(x=0.6))
    assert lock.locked


def test_small_people_and_faint_ones_are_not_players():
    lock = PlayerLock(PlayerSection(min_size=0.1))
    assert not lock.see(0, torso(size=0.09))
    assert not lock.see(0, torso(score=0.2))
    assert lock.see(0, torso(size=0.11))


def test_player_may_leave_the_region_and_walk_through_the_picture():
    lock = PlayerLock(PlayerSection(region=(0.5, 0.2, 0.7, 0.6)))
    seen = [lock.see(n * FRAME_NS, torso(x=0.6 + 0.003 * n, size=0.15 * 1.004**n)) for n in range(150)]
    assert all(seen)


def test_somebody_walking_behind_does_not_take_over():
    lock = PlayerLock(PlayerSection())
    assert lock.see(0, torso())
    passer_by = torso(x=0.9, size=0.06)
    assert not any(lock.see(n * FRAME_NS, passer_by) for n in range(1, 50))
    assert lock.see(50 * FRAME_NS, torso(x=0.62))


def test_same_place_but_half_the_size_is_somebody_else():
    lock = PlayerLock(PlayerSection())
    lock.see(0, torso())
    assert not lock.see(FRAME_NS, torso(size=0.075))
    assert not lock.see(2 * FRAME_NS, torso(size=0.31))
    assert lock.see(3 * FRAME_NS, torso(size=0.14))


def test_player_lost_for_long_is_searched_in_the_start_region_again():
    lock = PlayerLock(PlayerSection(region=(0.5, 0.2, 0.7, 0.6), lost_ms=500))
    lock.see(0, torso())
    assert not lock.see(400_000_000, torso(x=1.2, size=0.05))
    assert lock.locked
    assert not lock.see(501_000_000, torso(x=1.2))
    assert not lock.locked
    assert lock.see(510_000_000, torso(x=0.55, size=0.1))


def test_crossing_arms_that_dim_the_shoulders_do_not_lose_the_player():
    lock = PlayerLock(PlayerSection())
    lock.see(0, torso())
    assert lock.see(FRAME_NS, torso(score=0.15))


def test_whole_square_holds_all_of_wide_and_of_tall_pictures():
    assert (whole(16 / 9).x, whole(16 / 9).y, whole(16 / 9).side) == pytest.approx((8 / 9, 0.5, 16 / 9))
    assert (whole(0.75).x, whole(0.75).y, whole(0.75).side) == pytest.approx((0.375, 0.5, 1.0))


def test_search_square_holds_the_region_and_is_never_larger_than_the_picture():
    narrow = around((0.8, 0.2, 1.0, 0.5), 16 / 9)
    assert (narrow.x, narrow.y, narrow.side) == pytest.approx((0.9, 0.35, 1.0))
    assert around((0.0, 0.0, 1.7, 1.0), 16 / 9) == whole(16 / 9)


def follow(follower, n, xy):
    return follower.follow(n * FRAME_NS, torso_of(xy, SURE), xy.reshape(-1).tolist(), SURE.tolist(), ASPECT)


def test_distant_player_fills_the_square():
    crop = follow(CropFollower(), 0, person(0.5, 0.4, 0.05))
    assert crop.side == pytest.approx(TORSO.base_side * 0.05, rel=0.05)


def test_square_stands_still_while_a_drummer_plays_and_sways():
    follower = CropFollower()
    rng = np.random.default_rng(3)
    crops = []
    for n in range(600):
        lift = 1.0 + 0.5 * np.sin(n * 0.2)
        sway = 0.1 * np.sin(n * 0.05)
        xy = person(0.66 + 0.15 * sway, 0.4, 0.15, left_wrist=(0.6, lift), right_wrist=(-0.6, 2.0 - lift))
        crops.append(follow(follower, n, xy + rng.normal(0, 0.003, xy.shape).astype(np.float32)))
    late = crops[100:]
    steps = [abs(b.x - a.x) + abs(b.y - a.y) + abs(b.side - a.side) for a, b in pairwise(late)]
    assert max(steps) < 0.5 / 480  # half a camera pixel
    assert np.mean([step > 0 for step in steps]) < 0.1


def test_square_follows_a_walking_player_without_jumps():
    follower = CropFollower()
    crops = [follow(follower, n, person(0.3 + 0.004 * n, 0.4, 0.1)) for n in range(150)]
    assert crops[-1].x == pytest.approx(0.3 + 0.004 * 149, abs=0.15)
    assert max(abs(b.x - a.x) for a, b in pairwise(crops)) < 0.006


def test_wrists_stretched_out_stay_inside_the_square():
    follower = CropFollower()
    for n in range(200):
        out = 1.0 + 0.7 * abs(np.sin(n * 0.06))
        xy = person(0.66, 0.4, 0.1, left_wrist=(out, 0.0), right_wrist=(-out, 0.3))
        crop = follow(follower, n, xy)
        if n > 60:
            assert np.abs(xy[9:11] - (crop.x, crop.y)).max() < 0.5 * crop.side - 0.015


def test_near_player_gets_no_more_than_the_whole_picture():
    assert follow(CropFollower(), 0, person(0.66, 0.4, 0.6)).side == pytest.approx(ASPECT)


def test_a_kit_for_feet_keeps_them_in_the_square():
    # a player on a stool: ankles 2.7 shoulder widths below the shoulders
    xy = person(0.66, 0.3, 0.12)
    torso, body = (follow(CropFollower(framing), 0, xy) for framing in (TORSO, WHOLE_BODY))
    ankles = 0.3 + 2.7 * 0.12
    assert torso.y + 0.5 * torso.side < ankles < body.y + 0.5 * body.side - 0.05
    assert body.y - 0.5 * body.side < 0.3 - 0.9 * 0.12  # and the head
