from dataclasses import replace

import numpy as np
import pytest
from drummer import HIHAT, KIT, SNARE, changed, hits, poses, stamps, still, strokes
from feet import FLOOR, UNIT, stomps
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.config.gestures import Kick
from lalelu.config.kit import PadSection
from lalelu.gesture.detector import Detector
from lalelu.gesture.verdict import Verdict
from lalelu.gesture.witness import SMALL, SURE_S
from lalelu.skeleton import COCO17
from lalelu.types import Hit

ANKLE = COCO17.index("right_ankle")
LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")


def explained(film, kit=KIT) -> tuple[list[Hit], list[Verdict]]:
    told: list[Verdict] = []
    detector = Detector(kit, skeleton=COCO17, explain=told.append)
    found = [event for pose in film for event in detector.step(pose) if isinstance(event, Hit)]
    detector.finish()
    return found, told


def verdicts(film, kit=KIT) -> list[Verdict]:
    return explained(film, kit)[1]


def rules(film, kit=KIT) -> list[str | None]:
    """The rules in the order of the movements."""
    return [v.rule for v in sorted(verdicts(film, kit), key=lambda v: (v.lowest_ns, v.limb))]


def playing(hz, height, *, place=SNARE, fps=100.0, count=4, **more):
    t = stamps(1.5 + count / hz, fps)
    right, truth = strokes(t, place, hz=hz, height=height, count=count)
    return poses(t, still(t, HIHAT), right, **more), truth


def falling(y_of_t, seconds=3.0, fps=100.0):
    """The right hand at the height y(t - 1 s) over the snare."""
    t = stamps(seconds, fps)
    right = still(t, SNARE)
    right[:, 1] += y_of_t(t - 1.0)
    return poses(t, still(t, HIHAT), right)


def with_strike(**options):
    return KIT.model_copy(update={"strike": KIT.strike.model_copy(update=options)})


def test_every_stroke_is_told_once_with_what_it_was_judged_by():
    film, truth = playing(2.0, 0.6)
    told = verdicts(film)
    assert [v.lowest_ns * 1e-9 for v in told] == pytest.approx(truth, abs=0.01)
    assert {(v.rule, v.limb, v.pad, v.player) for v in told} == {(None, "right_wrist", "snare", 0)}
    for v in told:
        assert v.measured.fall == pytest.approx(0.6, abs=0.05)
        assert v.measured.peak_speed == pytest.approx(np.pi * 2.0 * 0.6, rel=0.1)
        assert v.measured.fall >= v.measured.least_fall
        assert v.measured.mean_speed >= v.measured.least_mean_speed
        assert v.score == pytest.approx(0.7)
        assert (v.x, v.y) == pytest.approx(SNARE, abs=0.05)


def test_a_slow_movement_is_too_slow():
    film = falling(lambda t: 0.4 * (1.0 + np.cos(2 * np.pi * 0.4 * t)), seconds=6.0)
    told = verdicts(film)
    assert [v.rule for v in told] == ["too_slow", "too_slow"]
    assert told[-1].measured.peak_speed == pytest.approx(1.0, abs=0.05)
    assert told[-1].measured.fall == pytest.approx(0.8, abs=0.05)
    assert told[-1].why.startswith("peak speed 1.0")
    assert "strike.min_speed" in told[-1].why


def test_a_fast_twitch_of_a_few_centimetres_falls_too_short():
    film, _ = playing(7.0, 0.085)
    assert rules(film, with_strike(min_speed=0.8)) == ["too_short_fall"] * 4


def test_small_strokes_that_a_clear_picture_would_sound_are_noise_in_a_poor_one():
    clear, truth = playing(4.0, 0.16)
    assert rules(clear) == [None] * 4
    poor, _ = playing(4.0, 0.16, sd=0.04, seed=3)
    told = [
        v
        for v in verdicts(poor)
        if v.rule == "noise" and min(abs(v.lowest_ns * 1e-9 - time) for time in truth) < 0.03
    ]
    assert len(told) >= 2
    assert {v.why.split()[0] for v in told} == {"fell", "mean"}  # by their height, or by their speed
    for v in told:
        assert v.measured.noise > 0.02
        assert v.measured.fall < v.measured.least_fall or v.measured.mean_speed < v.measured.least_mean_speed


def test_a_jerk_too_fast_for_a_hand_is_too_sudden():
    film = falling(lambda t: -0.075 * (1.0 - np.cos(np.pi * 50.0 * np.clip(t, 0.0, 0.04))))
    (told,) = verdicts(film)
    assert told.rule == "too_sudden"
    assert told.measured.fall < told.measured.peak_speed / (10.0 * np.pi)


def test_a_hand_that_is_put_down_has_landed():
    film = falling(lambda t: 0.3 * (1.0 + np.cos(np.pi * np.clip(t / 0.3, 0.0, 1.0))))
    (told,) = verdicts(film)
    assert told.rule == "landing"
    assert told.pad == "snare"
    assert told.lowest_ns * 1e-9 == pytest.approx(1.3, abs=0.05)


def test_a_fall_that_creeps_to_its_end_has_braked():
    def path(t):
        fast = 0.25 * (1.0 + np.cos(np.pi * np.clip(t / 0.25, 0.0, 1.0)))
        creep = -0.3 * np.clip(t - 0.25, 0.0, 0.6)
        return fast + creep + 2.0 * np.clip(t - 0.85, 0.0, 0.2)

    assert rules(falling(path)) == ["braked"]


def test_a_second_stroke_within_the_mask_time_is_masked_and_says_how_long_after_the_first_one():
    film, _ = playing(4.0, 0.5)
    told = verdicts(film, with_strike(mask_ms=300))
    assert [v.rule for v in told] == [None, "masked", None, "masked"]
    assert told[1].why.startswith("250 ms after")
    assert "300" in told[1].why


def test_a_stroke_beside_all_pads_finds_no_pad():
    film, _ = playing(2.0, 0.5, place=(0.4, -0.4))
    told = verdicts(film)
    assert [(v.rule, v.pad) for v in told] == [("no_pad", None)] * 4


def test_a_wrist_that_the_network_puts_on_the_other_one_is_its_echo():
    film, _ = playing(2.0, 0.6, sd=0.005, count=8)

    def steal(pose):
        if 1.7 < pose.captured_ns * 1e-9 < 4.3:
            pose.xy[LEFT] = pose.xy[RIGHT]
        return pose

    told = verdicts(changed(film, steal))
    assert [v.rule for v in told if v.limb == "right_wrist"] == [None] * 8
    assert "echo_of_other_limb" in [v.rule for v in told if v.limb == "left_wrist"]


@pytest.mark.parametrize("score", [0.1, 0.0])
def test_a_keypoint_that_vanishes_in_a_fast_fall_is_lost(score):
    film, truth = playing(1.5, 0.8, count=3)

    def hide(pose):
        if truth[1] - 0.1 < pose.captured_ns * 1e-9 < truth[1] + 0.4:
            pose.score[RIGHT] = score
        return pose

    told = sorted(verdicts(changed(film, hide)), key=lambda v: v.lowest_ns)
    assert [v.rule for v in told] == [None, "lost", None]
    assert f"score {score:.2f}" in told[1].why


def test_strokes_that_the_network_hardly_sees_are_lost_one_by_one():
    film, truth = playing(2.0, 0.6, count=6)

    def dim(pose):
        pose.score[RIGHT] = 0.1
        return pose

    told = verdicts(changed(film, dim))
    assert [v.rule for v in told] == ["lost"] * 6
    assert [v.lowest_ns * 1e-9 for v in told] == pytest.approx(truth, abs=0.03)


def test_a_player_who_is_gone_in_the_middle_of_a_fall_is_lost():
    film, truth = playing(1.5, 0.8, count=3)
    gone = [p for p in film if not truth[1] - 0.1 < p.captured_ns * 1e-9 < truth[1] + 0.4]
    told = verdicts(gone)
    assert [v.rule for v in told] == [None, "lost", None]
    assert "missing" in told[1].why


def test_a_keypoint_that_jumps_away_in_a_fall_is_unsteady():
    film, truth = playing(1.5, 0.8, count=3)

    def jump(pose):
        if truth[1] - 0.1 < pose.captured_ns * 1e-9 < truth[1] + 0.2:
            pose.xy[RIGHT] += np.float32([0.3, -0.2])
        return pose

    assert "unsteady" in rules(changed(film, jump))


def test_a_hand_at_rest_makes_no_candidate():
    t = stamps(30.0)
    film = poses(t, still(t, HIHAT), still(t, SNARE), sd=0.008, seed=3)
    assert verdicts(film) == []


def test_smaller_movements_than_a_candidate_are_not_told():
    film, _ = playing(2.0, 0.8 * SMALL)
    assert verdicts(film) == []


def test_a_movement_that_ends_just_before_the_film_does_is_told():
    film = falling(lambda t: 0.4 * np.abs(np.cos(np.pi * np.clip(t * 0.6, 0.0, 1.0))), seconds=2.2)
    assert rules(film) == ["too_slow"]


def test_a_verdict_is_told_soon_after_the_movement():
    film = falling(lambda t: 0.4 * (1.0 + np.cos(2 * np.pi * 0.4 * t)), seconds=6.0)
    told_at: list[tuple[int, Verdict]] = []
    now = [0]
    detector = Detector(KIT, skeleton=COCO17, explain=lambda v: told_at.append((now[0], v)))
    for pose in film:
        now[0] = pose.captured_ns
        detector.step(pose)
    assert len(told_at) == 2
    assert all(0 <= at_ns - v.lowest_ns <= (SURE_S + 0.02) * 1e9 for at_ns, v in told_at)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hz=st.floats(0.5, 12.0),
    height=st.floats(0.03, 1.0),
    sd=st.floats(0.0, 0.08),
    weak=st.sets(st.integers(0, 400), max_size=60),
)
def test_the_hits_among_the_verdicts_are_the_hits_and_asking_changes_none(seed, hz, height, sd, weak):
    film, _ = playing(hz, height, sd=sd, seed=seed, count=8)

    def weaken(pose):
        if pose.seq in weak:
            pose.score[RIGHT] = 0.1 * (pose.seq % 2)
        return pose

    film = changed(film, weaken)
    found, told = explained(film)
    assert found == hits(film)
    of_hits = [(v.seq, v.captured_ns, v.lowest_ns, v.player, v.limb, v.pad) for v in told if v.rule is None]
    assert of_hits == [(h.seq, h.captured_ns, h.struck_ns, h.player, h.limb, h.pad) for h in found]
    assert all("{" not in v.why for v in told)


def test_two_players_are_told_apart():
    film, _ = playing(2.0, 0.6, count=2)
    both = [moved for pose in film for moved in (pose, replace(pose, player=5))]
    assert [v.player for v in verdicts(both)] == [0, 5, 0, 5]


def test_a_stomp_that_does_not_sound_is_told_with_its_gesture_and_rule():
    kit = KIT.model_copy(
        update={
            "pads": {**KIT.pads, "bass": PadSection(note=36)},
            "gestures": {"stomp": Kick(gesture="kick", pad="bass", limb="right_ankle", min_speed=20.0)},
        }
    )
    t = stamps(4.0, 100.0)
    height, truth = stomps(t, hz=1.0, mm=100.0, count=2)
    film = []
    for pose, up in zip(poses(t, still(t, HIHAT), still(t, SNARE)), height, strict=True):
        xy, score = pose.xy.copy(), pose.score.copy()
        xy[ANKLE], score[ANKLE] = (0.7, FLOOR - UNIT * up), 0.9
        film.append(replace(pose, xy=xy, score=score))
    found, told = explained(film, kit)
    assert found == []
    assert [(v.limb, v.pad, v.rule) for v in told] == [("right_ankle", "bass", "too_slow")] * 2
    assert all(v.why.startswith("the gesture stomp: peak speed ") for v in told)
    assert [v.lowest_ns * 1e-9 for v in told] == pytest.approx(truth, abs=0.1)
