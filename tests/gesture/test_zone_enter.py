"""A limb sounds a pad by entering a zone: once, at the moment at which it crosses the border."""

from itertools import pairwise

import numpy as np
import pytest
from drummer import stamps
from hypothesis import given, settings
from hypothesis import strategies as st
from onlooker import NOISE, START_NS, acts, body, dropped, glide, sights

from lalelu.config.gestures import ZoneEnter
from lalelu.gesture.act import Sight, Sound
from lalelu.gesture.zone_enter import ZoneEnterPlayer

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

RATES = [24, 30, 60, 100, 200]
BELL = {
    "gesture": "zone_enter",
    "limb": "right_wrist",
    "zone": {"box": [0.5, 0.2, 1.1, 0.8]},
    "pads": ["bell"],
}
BEGIN_S = 0.45  # a limb is followed by then
OUT, IN = (0.1, 0.5), (0.8, 0.5)
MASK_MS = 150


def bell(mirror_at=None, **more) -> ZoneEnterPlayer:
    return ZoneEnterPlayer(ZoneEnter.model_validate(BELL | more), mirror_at)


def visits(t, *places, seconds=0.3, **more):
    """Film a wrist at (begin s, (x, y))."""
    path = glide(t, [(begin, *place) for begin, place in places], seconds=seconds)
    return sights(t, {"right_wrist": path}, **more)


def sounds(gesture, film) -> list[Sound]:
    return [act for _, act in acts(gesture, film)]


def struck(gesture, film) -> list[float]:
    times = [(act.struck_ns - START_NS) * 1e-9 for act in sounds(gesture, film)]
    return [at for at in times if at > BEGIN_S]


def swings(t, hz: float, **more):
    """Film a wrist that swings into the zone and out again; return also when it comes in and how fast."""
    path = np.full((len(t), 2), 0.5)
    path[:, 0] = 0.4 - 0.35 * np.cos(2.0 * np.pi * hz * t)
    first = np.arccos((0.4 - 0.5) / 0.35) / (2.0 * np.pi * hz)
    truth = np.arange(first, t[-1] - 0.05, 1.0 / hz)
    speed = 0.35 * 2.0 * np.pi * hz * np.sin(2.0 * np.pi * hz * first)
    return sights(t, {"right_wrist": path}, **more), truth[truth > BEGIN_S], speed


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("hz", [0.5, 1.0, 2.0])
def test_every_entering_sounds_once_when_the_border_is_crossed(hz, fps):
    film, truth, speed = swings(stamps(12.0, fps, phase=0.3), hz, sd=NOISE, seed=fps)
    found = struck(bell(), film)
    errors = np.array(found) - truth
    assert np.max(np.abs(errors)) < 4 * NOISE / speed
    assert abs(np.mean(errors)) < NOISE / speed


@pytest.mark.parametrize("fps", RATES)
def test_without_noise_the_moment_lies_between_the_frames(fps):
    film, truth, _ = swings(stamps(12.0, fps, phase=0.3), 1.0)
    found = struck(bell(), film)
    assert found == pytest.approx(truth, abs=0.001)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("hz", [0.5, 1.0, 2.0])
def test_the_speed_is_the_limbs_at_the_border(hz, fps):
    film, _, speed = swings(stamps(12.0, fps, phase=0.3), hz, sd=NOISE, seed=fps)
    found = [sound.speed for sound in sounds(bell(), film)]
    assert np.mean(found) == pytest.approx(speed, rel=0.1, abs=0.4)
    assert np.std(found) < 0.6


def test_a_sound_names_its_pad_and_limb():
    (sound,) = sounds(bell(), visits(stamps(2.0), (0.0, OUT), (1.0, IN)))
    assert (sound.pad, sound.limb) == ("bell", "right_wrist")


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("x", [0.44, 0.48, 0.5, 0.52, 0.56])
def test_a_hand_that_rests_at_the_border_sounds_once_at_most(x, fps):
    for seed in range(4):
        film = visits(stamps(20.0, fps), (0.0, OUT), (1.0, (x, 0.5)), sd=NOISE, seed=seed)
        assert len(sounds(bell(), film)) <= 1


def test_it_must_go_out_by_the_margin_to_enter_again():
    stay, leave = (0.45, 0.5), (0.35, 0.5)
    film = visits(stamps(6.0), (0.0, OUT), (1.0, IN), (2.0, stay), (3.0, IN), (4.0, leave), (5.0, IN))
    assert struck(bell(), film) == pytest.approx([1.15, 5.1], abs=0.1)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize(("gone", "back"), [(0.9, 1.5), (1.08, 1.24)])
def test_a_limb_that_appears_in_the_zone_does_not_sound(fps, gone, back):
    t = stamps(3.0, fps)
    hidden = {"right_wrist": range(round(gone * fps), round(back * fps))}
    film = visits(t, (0.0, OUT), (1.0, IN), sd=NOISE, hidden=hidden)
    assert sounds(bell(), film) == []
    assert sounds(bell(), film[len(film) // 2 :]) == []


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_a_limb_that_is_not_known_for_a_moment_while_it_enters_sounds(frames):
    film = visits(
        stamps(2.0), (0.0, OUT), (1.0, IN), sd=NOISE, hidden={"right_wrist": range(112, 112 + frames)}
    )
    assert struck(bell(), film) == pytest.approx([1.16], abs=0.03)


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_a_keypoint_that_jumps_into_the_zone_does_not_sound(frames):
    film = visits(stamps(4.0), (0.0, OUT), (3.0, IN), sd=NOISE)
    for frame in range(150, 150 + frames):
        film[frame].points["right_wrist"] = IN
    assert struck(bell(), film) == pytest.approx([3.16], abs=0.03)


def test_a_limb_that_is_somewhere_else_for_good_has_not_entered():
    film = visits(stamps(3.0), (0.0, OUT), sd=NOISE)
    for sight in film[150:]:
        sight.points["right_wrist"] = IN
    assert sounds(bell(), film) == []


@pytest.mark.parametrize("fps", [60, 100, 200])
def test_dropped_frames_cost_no_sound(fps):
    film, truth, speed = swings(stamps(12.0, fps), 1.0, sd=NOISE)
    assert struck(bell(), dropped(film, 0.3, seed=fps)) == pytest.approx(truth, abs=4 * NOISE / speed)


def test_slower_than_the_least_speed_it_is_silent():
    film = visits(stamps(6.0), (0.0, OUT), (1.0, IN), (3.0, OUT), (5.0, IN), seconds=0.9, sd=NOISE)
    quick = visits(stamps(6.0), (0.0, OUT), (1.0, IN), (3.0, OUT), (5.0, IN), seconds=0.2, sd=NOISE)
    assert len(sounds(bell(min_speed=2.5), film)) == 0
    assert len(sounds(bell(min_speed=2.5), quick)) == 2


def test_after_a_sound_it_is_deaf_for_the_mask_time():
    film, truth, _ = swings(stamps(6.0, 200), 4.0)
    assert len(struck(bell(mask_ms=200), film)) == pytest.approx(len(truth), abs=2)
    times = struck(bell(mask_ms=400), film)
    assert len(times) >= 8
    assert all(after - before >= 0.4 for before, after in pairwise(times))


CHIMES = {
    "pads": ["low", "middle", "high"],
    "by": {"y": "right_wrist"},
    "between": [0.2, 0.8],
    "zone": {"half_plane": [0.5, 0.0, 0.0]},
}


@pytest.mark.parametrize(
    ("y", "pad"), [(-2.0, "low"), (0.3, "low"), (0.5, "middle"), (0.75, "high"), (2.0, "high")]
)
def test_where_it_is_entered_chooses_the_pad(y, pad):
    film = visits(stamps(2.0), (0.0, (0.1, y)), (1.0, (0.8, y)), sd=0.01)
    assert [sound.pad for sound in sounds(bell(**CHIMES), film)] == [pad]


def test_another_limb_may_choose_the_pad_and_may_be_unknown_for_a_moment_only():
    t = stamps(2.0)
    paths = {
        "right_wrist": glide(t, [(0.0, *OUT), (1.0, *IN)]),
        "left_wrist": np.tile([0.0, 0.75], (len(t), 1)),
    }
    by = {"by": {"y": "left_wrist"}}
    gesture = bell(**CHIMES | by)
    assert gesture.limbs == ("right_wrist", "left_wrist")
    told = {}
    for first in (150, 100, 50):
        film = sights(t, paths, hidden={"left_wrist": range(first, 150)})
        told[first] = [sound.pad for sound in sounds(bell(**CHIMES | by), film)]
    assert told == {150: ["high"], 100: ["high"], 50: []}


def test_a_zone_in_the_picture_stays_where_it_is():
    # Image x of the zone: 0.3..0.42, so body x 0.9..1.5 of a player whose shoulders are 0.2 apart around x = 0.6.
    picture = {"zone": {"frame": "image", "box": [0.3, 0.1, 0.42, 0.5]}}
    film = visits(stamps(2.0), (0.0, (0.5, 0.5)), (1.0, (1.3, 0.5)), sd=NOISE)
    (at,) = struck(bell(**picture), film)
    assert at == pytest.approx(1.15, abs=0.03)
    left_handed = visits(stamps(2.0), (0.0, (0.5, 0.5)), (1.0, (1.3, 0.5)), sd=NOISE, handed=-1.0)
    assert sounds(bell(**picture), left_handed) == []
    assert struck(bell(mirror_at=0.6, **picture), left_handed) == pytest.approx([at])


def test_a_player_who_walks_into_a_zone_of_the_picture_enters_it():
    picture = {"zone": {"frame": "image", "box": [0.0, 0.0, 0.4, 1.0]}}
    film = visits(stamps(3.0), (0.0, (0.5, 0.0)))
    for i, sight in enumerate(film):  # the wrist is at x = 0.8 first, and at 0.2 in the end
        sight.body = body(middle=(0.9 - 0.002 * i, 0.35))
    assert struck(bell(**picture), film) == pytest.approx([2.0], abs=0.02)


def test_a_rest_forgets_where_the_limb_was():
    gesture = bell()
    film = visits(stamps(3.0), (0.0, OUT), (1.0, IN))
    outside = next(i for i, sight in enumerate(film) if sight.points["right_wrist"][0] > 0.45)
    assert sounds(gesture, film[:outside]) == []
    assert list(gesture.rest(film[outside].captured_ns)) == []
    assert sounds(gesture, film[outside:]) == []


NUMBER = st.floats(-2.0, 2.0)
ZONES = [BELL["zone"], {"ellipse": [0.8, 0.5, 0.3, 0.2]}, {"half_plane": [0.5, 0.0, 30.0]}]
ZONES += [{"sector": [0.0, 0.0, 0.3, 1.2, 20.0, 160.0]}, {"frame": "image", "box": [0.3, 0.1, 0.5, 0.5]}]


@MANY
@given(
    st.lists(st.tuples(st.integers(1, 2 * 10**8), st.none() | st.tuples(NUMBER, NUMBER)), max_size=60),
    st.sampled_from(ZONES),
    st.integers(0, 60),
)
def test_whatever_is_shown_no_two_sounds_come_within_the_mask_time(frames, zone, rest_at):
    gesture = bell(zone=zone)
    now_ns = START_NS
    times = []
    for number, (gap_ns, point) in enumerate(frames):
        now_ns += gap_ns
        if number == rest_at:
            assert list(gesture.rest(now_ns)) == []
        for act in gesture.step(Sight(now_ns, {"right_wrist": point}, body())):
            assert isinstance(act, Sound)
            assert now_ns - 100_000_000 <= act.struck_ns <= now_ns
            assert act.speed is not None
            assert act.speed >= 0.0
            times.append(act.struck_ns)
    assert all(after - before >= MASK_MS * 1_000_000 for before, after in pairwise(times))
