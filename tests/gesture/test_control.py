"""A measure of the body sets a target."""

from itertools import pairwise

import numpy as np
import pytest
from drummer import stamps
from hypothesis import given, settings
from hypothesis import strategies as st
from onlooker import NOISE, acts, body, dropped, glide, sights

from lalelu.config.gestures import ControlGesture
from lalelu.gesture.act import Sight, Value
from lalelu.gesture.control import STEPS, ControlPlayer

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

HEIGHT = {
    "gesture": "control",
    "by": {"y": "left_wrist"},
    "between": [-0.5, 0.5],
    "to": {"controller": 11},
}


def control(**more) -> ControlPlayer:
    return ControlPlayer(ControlGesture.model_validate(HEIGHT | more))


def raised(t, *places, seconds=0.3, **more):
    path = glide(t, [(begin, 0.0, y) for begin, y in places], seconds=seconds)
    return sights(t, {"left_wrist": path}, **more)


def values(gesture, film):
    return [(at, act.value) for at, act in acts(gesture, film) if isinstance(act, Value)]


@pytest.mark.parametrize("fps", [24, 30, 60, 100, 200])
def test_a_hand_that_goes_up_raises_the_value_from_0_to_1(fps):
    told = values(control(), raised(stamps(4.0, fps), (0.0, -0.7), (1.0, 0.7)))
    assert told[0] == (0.0, 0.0)
    assert told[-1][1] == 1.0
    heights = [value for _, value in told]
    assert heights == sorted(heights)
    middle = next(at for at, value in told if value > 0.5)
    assert 1.15 <= middle < 1.25 + 1.0 / fps


def test_ends_that_are_exchanged_turn_the_value_round():
    film = raised(stamps(3.0), (0.0, -0.25), (1.0, 0.25), sd=NOISE)
    rising, falling = values(control(), film), values(control(between=[0.5, -0.5]), film)
    assert [at for at, _ in falling] == [at for at, _ in rising]
    assert [1.0 - value for _, value in falling] == pytest.approx([value for _, value in rising], abs=1e-4)


def test_a_value_that_does_not_change_is_told_once():
    assert values(control(), raised(stamps(3.0), (0.0, 0.0))) == [(0.0, pytest.approx(0.5, abs=1 / STEPS))]


def test_every_value_is_one_that_midi_can_tell_from_the_last():
    told = [value for _, value in values(control(), raised(stamps(4.0), (0.0, -0.6), (1.0, 0.6), sd=NOISE))]
    steps = [value * STEPS for value in told]
    assert steps == pytest.approx([round(step) for step in steps], abs=1e-6)
    assert all(abs(after - before) > 0.5 for before, after in pairwise(steps))


@pytest.mark.parametrize("fps", [24, 30, 60, 100, 200])
def test_a_hand_at_rest_shakes_the_value_by_two_steps_of_127_at_most(fps):
    told = values(control(), raised(stamps(20.0, fps), (0.0, 0.0), sd=NOISE, seed=fps))
    assert np.std([value for at, value in told if at > 1.0]) < 2 / 127


def test_the_value_stays_while_the_hand_is_not_known():
    film = raised(stamps(3.0), (0.0, 0.2), hidden={"left_wrist": range(100, 200)})
    assert [at for at, _ in values(control(), film)] == [0.0]


def test_a_hand_that_comes_back_elsewhere_sets_the_value_at_once():
    film = raised(stamps(3.0), (0.0, -0.5), (1.2, 0.5), hidden={"left_wrist": range(100, 200)})
    assert values(control(), film) == [(0.0, 0.0), (2.0, 1.0)]


def test_dropped_frames_leave_the_value_on_its_way():
    film = raised(stamps(4.0, 60), (0.0, -0.5), (1.0, 0.5), seconds=1.0)
    whole, holed = values(control(), film), dict(values(control(), dropped(film, 0.3)))
    shared = [(value, holed[at]) for at, value in whole if at in holed]
    assert len(shared) > 30
    assert [a for a, _ in shared] == pytest.approx([b for _, b in shared], abs=0.04)


def test_after_a_rest_the_value_is_told_anew():
    gesture = control()
    film = raised(stamps(2.0), (0.0, 0.2))
    assert len(values(gesture, film[:100])) == 1
    assert list(gesture.rest(film[99].captured_ns)) == []
    assert len(values(gesture, film[100:])) == 1


@MANY
@given(st.lists(st.tuples(st.integers(1, 10**10), st.none() | st.floats(-1e3, 1e3)), max_size=60))
def test_whatever_is_shown_the_value_lies_between_0_and_1(frames):
    gesture = control(min_cutoff_hz=0.1, beta=50.0)
    now_ns = 0
    for gap_ns, y in frames:
        now_ns += gap_ns
        told = gesture.step(Sight(now_ns, {"left_wrist": None if y is None else (0.0, y)}, body()))
        assert len(told) <= (0 if y is None else 1)
        assert all(isinstance(act, Value) and 0.0 <= act.value <= 1.0 for act in told)
