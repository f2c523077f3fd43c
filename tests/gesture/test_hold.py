"""A pose that is held tells lalelu something once, however the keypoints shake, and never by mere playing."""

import numpy as np
import pytest
from drummer import noise, stamps
from hypothesis import given, settings
from hypothesis import strategies as st
from onlooker import NOISE, START_NS, acts, body, dropped, glide, sights

from lalelu.config.gestures import Hold
from lalelu.gesture.act import Sight, Taps, Tell
from lalelu.gesture.hold import HoldPlayer

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

RATES = [24, 30, 60, 100, 200]
WRISTS = ("left_wrist", "right_wrist")
ABOVE = {"half_plane": [0.0, 0.5, 90]}
BOTH_HANDS = {
    "gesture": "hold",
    "where": [{"limb": limb, "zone": ABOVE} for limb in WRISTS],
    "hold_ms": 1000,
    "command": "standby",
}
DOWN, UP = -0.8, 0.8
ONE_SECOND_LATE = 1.35  # the arms are there after some 0.25 of 0.3 s


def hold(mirror_at=None, **more) -> HoldPlayer:
    return HoldPlayer(Hold.model_validate(BOTH_HANDS | more), mirror_at)


def hands(t, *heights, seconds=0.3, **more):
    """Film both wrists at (begin s, height)."""
    places = [(begin, 0.4, y) for begin, y in heights]
    right = glide(t, places, seconds=seconds)
    return sights(t, {"left_wrist": right * [-1.0, 1.0], "right_wrist": right}, **more)


def told(gesture, film) -> list[float]:
    return [at for at, act in acts(gesture, film) if isinstance(act, Tell)]


@pytest.mark.parametrize("fps", RATES)
def test_a_pose_that_is_held_is_told_once(fps):
    film = hands(stamps(8.0, fps), (0.0, DOWN), (1.0, UP), sd=NOISE, seed=fps)
    ((at, act),) = acts(hold(), film)
    assert act == Tell("standby", START_NS + round(at * 1e9))
    assert 2.0 < at < 1.0 + ONE_SECOND_LATE


@pytest.mark.parametrize("fps", RATES)
def test_it_is_told_again_when_the_pose_was_left_and_taken_up_anew(fps):
    film = hands(stamps(8.0, fps), (0.0, DOWN), (1.0, UP), (4.0, DOWN), (5.0, UP), sd=NOISE, seed=fps)
    assert told(hold(), film) == pytest.approx([2.2, 6.2], abs=0.2)


def test_a_pose_that_is_left_too_soon_is_not_told():
    film = hands(stamps(5.0), (0.0, DOWN), (1.0, UP), (2.0, DOWN), sd=NOISE)
    assert told(hold(), film) == []


@pytest.mark.parametrize(
    ("options", "act"),
    [
        ({"command": "next_kit"}, ("next_kit", None)),
        ({"command": None, "kit": "latin"}, ("kit", "latin")),
    ],
)
def test_it_may_be_a_kit_that_is_told(options, act):
    ((_, tell),) = acts(hold(**options), hands(stamps(4.0), (0.0, DOWN), (1.0, UP)))
    assert (tell.command, tell.kit) == act


def test_one_hand_is_not_enough_where_both_are_asked_for():
    t = stamps(5.0)
    up = glide(t, [(0.0, 0.4, DOWN), (1.0, 0.4, UP)])
    film = sights(t, {"left_wrist": up, "right_wrist": np.tile([0.4, DOWN], (len(t), 1))}, sd=NOISE)
    assert told(hold(), film) == []


@pytest.mark.parametrize("fps", RATES)
def test_a_keypoint_that_flickers_delays_little(fps):
    film = hands(stamps(6.0, fps), (0.0, DOWN), (1.0, UP), sd=NOISE)
    for number, sight in enumerate(film):
        if number % 7 == 3:
            sight.points["left_wrist"] = None
        if number % 25 == 12:
            sight.points["right_wrist"] = (0.4, DOWN)
    (at,) = told(hold(), film)
    assert 2.0 < at < 1.0 + ONE_SECOND_LATE + 0.5


@pytest.mark.parametrize("fps", RATES)
def test_dropped_frames_delay_nothing(fps):
    film = dropped(hands(stamps(6.0, fps), (0.0, DOWN), (1.0, UP), sd=NOISE), 0.15, seed=fps)
    (at,) = told(hold(), film)
    assert 2.0 < at < 1.0 + ONE_SECOND_LATE + 0.1


@pytest.mark.parametrize("fps", RATES)
def test_a_hand_that_shakes_at_the_border_is_told_once(fps):
    for seed in range(4):
        film = hands(stamps(20.0, fps), (0.0, DOWN), (1.0, 0.52), sd=NOISE, seed=seed)
        assert len(told(hold(), film)) == 1


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("hz", [2.0, 3.0, 5.0, 7.0])
def test_hands_that_strike_through_the_zone_hold_nothing(hz, fps):
    t = stamps(20.0, fps)
    path = np.stack([np.full(len(t), 0.4), 0.5 + 0.3 * np.sin(2.0 * np.pi * hz * t)], axis=1)
    path[t < 1.0] = [0.4, DOWN]
    film = sights(t, {"left_wrist": path, "right_wrist": path}, sd=NOISE)
    assert told(hold(), film) == []


def test_a_pose_that_the_player_comes_with_must_be_left_first():
    film = hands(stamps(8.0), (0.0, UP), (3.0, DOWN), (4.0, UP), sd=NOISE)
    assert told(hold(), film) == pytest.approx([5.2], abs=0.2)


@pytest.mark.parametrize(("gone", "times"), [(0.5, [2.2]), (0.8, [2.2]), (1.3, [2.2, 5.3])])
def test_hands_that_cannot_be_seen_for_a_second_have_left(gone, times):
    hidden = {limb: range(300, 300 + round(100 * gone)) for limb in WRISTS}
    film = hands(stamps(7.0), (0.0, DOWN), (1.0, UP), sd=NOISE, hidden=hidden)
    assert told(hold(), film) == pytest.approx(times, abs=0.2)


def test_after_a_rest_the_pose_must_be_left_first():
    gesture = hold()
    film = hands(stamps(12.0), (0.0, DOWN), (1.0, UP), (8.0, DOWN), (9.0, UP), sd=NOISE)
    assert len(told(gesture, film[:300])) == 1
    assert list(gesture.rest(film[300].captured_ns)) == []
    assert told(gesture, film[300:]) == pytest.approx([10.2], abs=0.2)


TAPS = {"where": [{"limb": "left_wrist", "zone": ABOVE}], "command": "tap_tempo"}


@pytest.mark.parametrize("fps", RATES)
def test_taps_last_as_long_as_the_pose_is_held(fps):
    film = hands(stamps(8.0, fps), (0.0, DOWN), (1.0, UP), (4.0, DOWN), sd=NOISE, seed=fps)
    (begin, first), (end, last) = acts(hold(**TAPS), film)
    assert (first, last) == (Taps(active=True, but=frozenset({"left_wrist"})), Taps(active=False))
    assert 2.0 < begin < 1.0 + ONE_SECOND_LATE
    assert 4.1 < end < 4.5


def test_taps_go_on_while_the_keypoint_flickers():
    film = hands(stamps(8.0), (0.0, DOWN), (1.0, UP), (6.0, DOWN), sd=NOISE)
    for start in (300, 350, 400, 450):
        for sight in film[start : start + 12]:
            sight.points["left_wrist"] = None
    assert [act.active for _, act in acts(hold(**TAPS), film)] == [True, False]


def test_a_rest_ends_the_taps():
    gesture = hold(**TAPS)
    film = hands(stamps(3.0), (0.0, DOWN), (1.0, UP))
    assert len(acts(gesture, film)) == 1
    assert list(gesture.rest(film[-1].captured_ns)) == [Taps(active=False)]
    assert list(gesture.rest(film[-1].captured_ns)) == []


CROSSED = {"where": [{"by": {"distance": list(WRISTS)}, "between": [0.0, 0.3]}]}


@pytest.mark.parametrize("ends", [(0.0, 0.3), (0.3, 0.0)])
def test_a_measure_may_be_the_pose(ends):
    t = stamps(6.0)
    right = glide(t, [(0.0, 0.6, 0.0), (1.0, 0.08, 0.0)])
    film = sights(t, {"left_wrist": right * [-1.0, 1.0], "right_wrist": right}, sd=NOISE)
    gesture = hold(where=[{"by": {"distance": list(WRISTS)}, "between": ends}])
    assert gesture.limbs == WRISTS
    assert told(gesture, film) == pytest.approx([2.2], abs=0.2)


@pytest.mark.parametrize(("drift", "times"), [(0.07, 1), (0.12, 0)])
def test_what_is_met_has_a_margin(drift, times):
    t = stamps(6.0)
    path = np.tile([0.0, 0.25], (len(t), 1))
    path[t < 0.5] = [0.0, 1.0]  # not in the range at first
    path[t > 0.8] = [0.0, 0.3 + drift]
    where = [{"by": {"y": "left_wrist"}, "between": [0.0, 0.3]}]
    assert len(told(hold(where=where), sights(t, {"left_wrist": path}))) == times


def test_a_straight_arm_shakes_within_its_margin():
    t = stamps(12.0)
    turn = np.radians(glide(t, [(0.0, 90.0, 0.0), (1.0, 168.0, 0.0)])[:, 0])
    elbow = np.tile([-0.5, -0.7], (len(t), 1))
    limbs = {
        "left_shoulder": elbow + np.array([0.0, 0.7]),
        "left_elbow": elbow,
        "left_wrist": elbow + 0.7 * np.stack([np.sin(turn), np.cos(turn)], axis=1),
    }
    where = [{"by": {"angle": list(limbs)}, "between": [165, 180]}]
    assert told(hold(where=where), sights(t, limbs, sd=NOISE)) == pytest.approx([2.3], abs=0.4)


def test_a_zone_in_the_picture_changes_sides_for_a_left_handed_player():
    where = [{"limb": "right_wrist", "zone": {"frame": "image", "box": [0.3, 0.0, 0.5, 1.0]}}]
    t = stamps(4.0)
    path = glide(t, [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0)])
    film = {handed: sights(t, {"right_wrist": path}, sd=NOISE, handed=handed) for handed in (1.0, -1.0)}
    assert len(told(hold(where=where), film[1.0])) == 1
    assert len(told(hold(where=where), film[-1.0])) == 0
    assert told(hold(0.6, where=where), film[-1.0]) == told(hold(where=where), film[1.0])


def test_it_is_watched_even_while_nothing_may_sound():
    assert hold().commands
    assert hold().limbs == WRISTS


POINT = st.none() | st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.5))


@MANY
@given(
    st.lists(st.tuples(st.integers(1, 3 * 10**8), POINT, POINT), max_size=80),
    st.sampled_from([{}, TAPS, CROSSED]),
    st.integers(100, 1000),
)
def test_whatever_is_shown_it_waits_and_taps_begin_before_they_end(frames, options, hold_ms):
    gesture = hold(**options | {"hold_ms": hold_ms})
    now_ns = last_ns = START_NS
    active = False
    for gap_ns, left, right in frames:
        now_ns += gap_ns
        for act in gesture.step(Sight(now_ns, dict(zip(WRISTS, (left, right), strict=True)), body())):
            if isinstance(act, Taps):
                assert act.active != active
                active = act.active
            if not isinstance(act, Taps) or act.active:
                assert now_ns - last_ns >= hold_ms * 1_000_000
                last_ns = now_ns
    assert list(gesture.rest(now_ns)) == ([Taps(active=False)] if active else [])


def test_noise_alone_holds_nothing_and_ends_nothing():
    t = stamps(30.0)
    shaken = {limb: np.tile([0.4, 0.44], (len(t), 1)) for limb in WRISTS}
    shaken["right_wrist"] = shaken["right_wrist"] + noise((len(t), 2), NOISE, 7)
    assert told(hold(), sights(t, shaken, sd=NOISE)) == []
