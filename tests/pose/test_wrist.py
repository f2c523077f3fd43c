import numpy as np
import pytest

from lalelu.pose.wrist import ACCELERATION, ALONG, Wrist, by_forearm

UNIT = 80.0  # px
STEP_S = 0.01
POINTS = 8


def step(wrist, motion, own, arm=None):
    return wrist.step(motion, own, arm, unit=UNIT, step_s=STEP_S)


def playing(count=30):
    """A wrist at 3 px a frame, all of its points seen."""
    wrist = Wrist(POINTS)
    for _ in range(count):
        step(wrist, (0.0, 3.0), [(0.0, 3.0)] * POINTS)
    return wrist


def test_a_forearm_that_turns_about_its_elbow_tells_how_the_wrist_moves():
    elbow, wrist = np.array([100.0, 50.0]), np.array([130.0, 90.0])
    c, s = np.cos(0.05), np.sin(0.05)
    turn = np.array([[c, -s], [s, c]])
    shift = np.array([2.0, -1.0])

    def moved(place):
        return tuple(turn @ (place - elbow) + elbow + shift - place)

    found = by_forearm(moved(elbow), moved(elbow + ALONG * (wrist - elbow)))
    assert found == pytest.approx(moved(wrist), abs=1e-9)


def test_a_wrist_whose_points_are_all_seen_moves_with_them_at_once():
    wrist = playing()
    assert step(wrist, (0.0, 3.0), [(0.5, 4.0)] * POINTS) == pytest.approx((0.5, 4.0), abs=0.05)


def test_a_wrist_moves_by_the_median_of_its_points():
    own = [(0.0, 3.0)] * 5 + [(0.0, 0.0)] * 3
    assert step(playing(), (0.0, 3.0), own) == pytest.approx((0.0, 3.0))


def test_a_covered_wrist_brakes_with_its_forearm():
    wrist, motion = playing(), (0.0, 3.0)
    for seen in (2.0, 1.0, 0.0, -1.0, -2.0):
        motion = step(wrist, motion, [], (0.0, seen))
        assert motion[1] == pytest.approx(seen, abs=0.6)


def test_a_wrist_that_is_not_seen_at_all_slows_down():
    wrist, motion = playing(), (0.0, 3.0)
    for _ in range(10):
        motion = step(wrist, motion, [])
    assert motion == pytest.approx((0.0, 3.0 * np.exp(-1.0)))


def test_a_few_points_that_stand_still_at_once_do_not_stop_a_moving_hand():
    stuck = step(playing(), (0.0, 8.0), [(0.0, 0.0)] * 2)
    assert stuck[1] > 6.0
    likely = ACCELERATION * UNIT * STEP_S**2  # px: so much a hand may change its motion
    braked = step(playing(), (0.0, 8.0), [(0.0, 8.0 - likely)] * POINTS)
    assert braked[1] == pytest.approx(8.0 - likely, abs=0.1)


def test_the_fewer_points_are_seen_the_less_they_count():
    ways = [step(playing(), (0.0, 3.0), [(0.0, 2.0)] * count)[1] for count in (8, 4, 2, 1)]
    assert ways == sorted(ways)
    assert ways[0] < 2.05 < 2.2 < ways[-1]
