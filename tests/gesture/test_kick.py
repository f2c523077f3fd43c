"""A stomp sounds once, when the foot lands; whatever else feet do is silent."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from drummer import stamps
from feet import acts, ease, put_down, sights, stomps
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lalelu.config.gestures import Kick
from lalelu.gesture.act import Miss, Sight, Sound
from lalelu.gesture.kick import KickPlayer

ANKLE = "right_ankle"
KICK = Kick(gesture="kick", pad="bass")
NETWORK_NOISE = 0.01  # body units: MoveNet's ankles on a rendered player, see tests of the simulated drummer
MANY = settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])


def sounds(film: list[Sight], kick: Kick = KICK) -> list[Sound]:
    found = [act for _, act in acts(KickPlayer(kick), film)]
    assert all(isinstance(act, Sound) for act in found)
    return [act for act in found if isinstance(act, Sound)]


def errors_ms(found: list[Sound], truth: list[float]) -> np.ndarray:
    """How late each landing is placed; every true one must have been found, and nothing else."""
    struck = np.array([sound.struck_ns * 1e-9 for sound in found])
    assert len(struck) == len(truth), (struck, truth)
    return (struck - np.array(truth)) * 1e3


@pytest.mark.parametrize("fps", [60.0, 100.0, 200.0])
@pytest.mark.parametrize("mm", [50.0, 80.0, 120.0])
@pytest.mark.parametrize("hz", [1.0, 2.0, 4.0])
def test_every_stomp_sounds_once_when_the_foot_lands(fps: float, mm: float, hz: float) -> None:
    t = stamps(1.0 + 9.5 / hz, fps, 0.37)
    height, truth = stomps(t, hz=hz, mm=mm)
    found = sounds(sights(t, ANKLE, height))
    assert np.abs(errors_ms(found, truth)).max() < 8.0
    assert {(sound.pad, sound.limb) for sound in found} == {("bass", ANKLE)}


@pytest.mark.parametrize("mm", [80.0, 120.0])
def test_every_stomp_is_found_with_a_network_s_noise(mm: float) -> None:
    errors = []
    for seed in range(5):
        t = stamps(6.0, 100.0, 0.21 * seed)
        height, truth = stomps(t, hz=2.0, mm=mm)
        errors.append(errors_ms(sounds(sights(t, ANKLE, height, sd=NETWORK_NOISE, seed=seed)), truth))
    assert np.std(np.concatenate(errors)) < 8.0


def test_a_landing_is_placed_between_the_frames() -> None:
    errors = []
    for phase in np.arange(0.0, 1.0, 0.1):
        t = stamps(6.0, 100.0, phase)
        height, truth = stomps(t, hz=2.0, mm=80.0)
        errors.append(errors_ms(sounds(sights(t, ANKLE, height)), truth))
    assert np.std(np.concatenate(errors)) < 1.0  # on frames: 2.9


def test_a_landing_is_known_soon_after_it() -> None:
    t = stamps(6.0, 100.0, 0.37)
    height, truth = stomps(t, hz=2.0, mm=80.0)
    known = [now_ns * 1e-9 for now_ns, _ in acts(KickPlayer(KICK), sights(t, ANKLE, height))]
    assert max(now - land for now, land in zip(known, truth, strict=True)) <= 0.040


def test_a_higher_stomp_is_faster() -> None:
    t = stamps(6.0, 100.0)
    soft, hard = (sounds(sights(t, ANKLE, stomps(t, hz=2.0, mm=mm)[0])) for mm in (50.0, 120.0))
    speeds = [(a.speed, b.speed) for a, b in zip(soft, hard, strict=True)]
    assert all(a is not None and b is not None and b > 1.5 * a for a, b in speeds)


def test_a_knee_that_bounces_softly_sounds_at_every_bounce_always_as_early() -> None:
    t = stamps(5.0, 100.0, 0.2)
    hz, mm = 3.0, 120.0
    height = mm / 380 * 0.5 * (1.0 - np.cos(2.0 * np.pi * hz * np.clip(t - 1.0, 0.0, 8.5 / hz)))
    knee = KICK.model_copy(update={"limb": "right_knee"})
    found = sounds(sights(t, "right_knee", height), knee)
    errors = errors_ms(found, [1.0 + k / hz for k in range(1, 9)])
    assert np.std(errors) < 2.0
    assert -30.0 < np.mean(errors) < 0.0  # what slows down softly has no moment of landing: it sounds early


@pytest.mark.parametrize(("mm", "down_s"), [(50.0, 0.4), (120.0, 0.6), (400.0, 0.9)])
def test_a_foot_that_is_put_down_or_a_leg_that_is_uncrossed_is_silent(mm: float, down_s: float) -> None:
    t = stamps(31.0, 100.0, 0.3)
    height = np.zeros(len(t))
    for k in range(10):
        height += put_down(t, mm=mm, at=1.0 + 3.0 * k, up_s=0.5, down_s=down_s)
    assert sounds(sights(t, ANKLE, height)) == []
    assert len(sounds(sights(t, ANKLE, height, sd=NETWORK_NOISE))) <= 1  # noise may make one look fast


def test_a_foot_that_goes_aside_is_silent() -> None:
    t = stamps(8.0, 100.0, 0.3)
    height, truth = stomps(t, hz=1.0, mm=60.0, count=5)
    across = np.zeros(len(t))
    for k, land in enumerate(truth):
        across += (-0.35, 0.35)[k % 2] * ease((t - land + 0.15) / 0.15)
    assert len(sounds(sights(t, ANKLE, height))) == 5
    assert sounds(sights(t, ANKLE, height, across=across)) == []


def test_shoulders_that_nod_lean_and_get_up_play_nothing() -> None:
    t = stamps(12.0, 100.0)
    still = np.zeros(len(t))
    nod = 0.02 * np.sin(2.0 * np.pi * 2.0 * t)  # 4 cm up and down, twice a second
    up = 0.2 * (ease((t - 4.0) / 0.7) - ease((t - 8.0) / 0.7))
    assert sounds(sights(t, ANKLE, still, shoulders=nod + up)) == []
    height, truth = stomps(t, hz=2.0, mm=80.0)
    assert np.abs(errors_ms(sounds(sights(t, ANKLE, height, shoulders=nod)), truth)).max() < 8.0


def test_a_resting_foot_is_silent_whatever_the_noise() -> None:
    for fps in (30.0, 100.0):
        t = stamps(60.0, fps)
        for sd in (0.01, 0.02, 0.03):
            film = sights(t, ANKLE, np.zeros(len(t)), sd=sd, seed=7)
            assert len(sounds(film)) <= 1, (fps, sd)


def test_a_foot_that_lands_and_stays_sounds_once() -> None:
    t = stamps(10.0, 100.0)
    height, truth = stomps(t, hz=1.0, mm=80.0, count=1)
    sag = -0.05 * ease((t - truth[0] - 0.2) / 0.3)  # the heel sinks afterwards
    assert len(sounds(sights(t, ANKLE, height + sag))) == 1


def test_within_the_mask_time_nothing_sounds() -> None:
    t = stamps(6.0, 100.0)
    height, truth = stomps(t, hz=4.0, mm=80.0)
    slow = KICK.model_copy(update={"mask_ms": 400})
    found = sounds(sights(t, ANKLE, height), slow)
    assert np.diff([sound.struck_ns for sound in found]).min() >= 400_000_000
    assert len(found) == len(truth) / 2


def test_a_keypoint_on_the_other_foot_for_a_moment_plays_nothing() -> None:
    t = stamps(6.0, 100.0)
    film = sights(t, ANKLE, np.zeros(len(t)), sd=0.005)
    for k in (200, 201, 300, 400, 401, 402):
        x, y = film[k].points[ANKLE] or (0.0, 0.0)
        film[k] = replace(film[k], points={ANKLE: (x + 0.7, y + 0.4)})
    assert sounds(film) == []


def test_a_foot_unseen_while_it_came_down_plays_nothing() -> None:
    t = stamps(4.0, 100.0)
    height = 0.3 * (1.0 - (t > 2.0))  # up, and then down, without anything between
    film = [
        replace(sight, points={ANKLE: None}) if 1.8 < time < 2.2 else sight
        for time, sight in zip(t, sights(t, ANKLE, height), strict=True)
    ]
    assert sounds(film) == []


def test_stomps_survive_dropped_frames() -> None:
    t = stamps(8.0, 100.0)
    t = t[np.random.default_rng(3).uniform(size=len(t)) > 0.15]
    height, truth = stomps(t, hz=2.0, mm=80.0)
    assert np.abs(errors_ms(sounds(sights(t, ANKLE, height)), truth)).max() < 10.0


def test_after_a_rest_the_past_is_forgotten() -> None:
    t = stamps(4.0, 100.0)
    height, truth = stomps(t, hz=1.0, mm=80.0, count=2)
    film = sights(t, ANKLE, height)
    player = KickPlayer(KICK)
    falling = [k for k, time in enumerate(t) if time < truth[0] - 0.01]
    assert acts(player, film[: len(falling)]) == []
    assert player.rest(film[len(falling)].captured_ns) == ()
    after = [act for _, act in acts(player, film[len(falling) :])]
    assert len(after) == 1  # only the second one


@st.composite
def performances(draw: st.DrawFn) -> dict[str, float]:
    return {
        "fps": draw(st.floats(24.0, 200.0)),
        "phase": draw(st.floats(0.0, 1.0)),
        "hz": draw(st.floats(0.8, 8.0)),
        "mm": draw(st.floats(20.0, 150.0)),
        "sd": draw(st.floats(0.0, 0.05)),
        "seed": draw(st.integers(0, 1000)),
        "lost": draw(st.floats(0.0, 0.4)),
    }


def film_of(how: dict[str, float], start_ns: int = 0) -> list[Sight]:
    rng = np.random.default_rng(int(how["seed"]))
    t = stamps(4.0, how["fps"], how["phase"])
    height, _ = stomps(t, hz=how["hz"], mm=how["mm"], begin=0.5, count=int(3.0 * how["hz"]))
    film = sights(t, ANKLE, height, sd=how["sd"], seed=int(how["seed"]), start_ns=start_ns)
    return [
        replace(sight, points={ANKLE: None}) if lost else sight
        for sight, lost in zip(film, rng.uniform(size=len(t)) < how["lost"], strict=True)
    ]


@MANY
@given(performances())
def test_two_sounds_are_never_nearer_than_the_mask_time(how: dict[str, float]) -> None:
    film = film_of(how)
    told = acts(KickPlayer(KICK), film)
    struck = [act.struck_ns for _, act in told if isinstance(act, Sound)]
    assert all(b - a >= KICK.mask_ms * 1_000_000 for a, b in pairwise(struck))
    assert all(act.struck_ns < now_ns for now_ns, act in told if isinstance(act, Sound))


@MANY
@given(performances(), st.integers(0, 10**18))
def test_another_clock_changes_nothing_but_the_stamps(how: dict[str, float], start_ns: int) -> None:
    first, later = sounds(film_of(how)), sounds(film_of(how, start_ns))
    assert [replace(sound, struck_ns=sound.struck_ns + start_ns) for sound in first] == later


def rejected(film: list[Sight], kick: Kick = KICK) -> list[Miss]:
    player = KickPlayer(kick)
    player.watch()
    return [act for _, act in acts(player, film) if isinstance(act, Miss)]


def lifted(mm: float, down_s: float) -> list[Sight]:
    t = stamps(4.0, 100.0, 0.37)
    return sights(t, ANKLE, put_down(t, mm=mm, at=1.0, up_s=0.4, down_s=down_s))


@pytest.mark.parametrize(
    ("film", "kick", "rule", "why"),
    [
        (lifted(100.0, 1.0), KICK, "too_slow", "min_speed"),
        (lifted(100.0, 0.35), KICK.model_copy(update={"min_speed": 0.5}), "soft_end", "softly"),
        (
            sights(t := stamps(3.0, 100.0, 0.37), ANKLE, stomps(t, hz=1.0, mm=60.0, count=1)[0]),
            KICK.model_copy(update={"min_height": 0.5}),
            "too_short_fall",
            "needs 0.5 (the kick's min_height)",
        ),
        (
            sights(
                t := stamps(4.0, 100.0, 0.37),
                ANKLE,
                stomps(t, hz=1.0, mm=80.0, count=1)[0],
                across=1.5 * np.clip((t - 1.8) / 0.4, 0.0, 1.0),
            ),
            KICK,
            "sideways",
            "a step",
        ),
    ],
)
def test_a_fall_that_is_no_stomp_is_told_once_with_its_reason(
    film: list[Sight], kick: Kick, rule: str, why: str
) -> None:
    assert sounds(film, kick) == []
    (told,) = rejected(film, kick)
    assert (told.pad, told.limb, told.rule) == ("bass", ANKLE, rule)
    assert why in told.why


def test_a_stomp_too_soon_after_another_is_told_as_masked() -> None:
    t = stamps(4.0, 100.0, 0.37)
    height, truth = stomps(t, hz=4.0, mm=80.0, count=4)
    kick = KICK.model_copy(update={"mask_ms": 300})
    assert len(sounds(sights(t, ANKLE, height), kick)) == 2
    told = rejected(sights(t, ANKLE, height), kick)
    assert [miss.rule for miss in told] == ["masked", "masked"]
    assert all("deaf for 300 (the kick's mask_ms)" in miss.why for miss in told)
    late_s = [miss.lowest_ns * 1e-9 - truth[place] for miss, place in zip(told, (1, 3), strict=True)]
    assert all(-0.02 < late < 0.1 for late in late_s)


@pytest.mark.parametrize("hz", [1.0, 2.0, 4.0])
def test_stomps_that_sound_and_feet_that_rest_have_nothing_to_tell(hz: float) -> None:
    t = stamps(1.0 + 9.5 / hz, 100.0, 0.37)
    film = sights(t, ANKLE, stomps(t, hz=hz, mm=100.0)[0], sd=NETWORK_NOISE, seed=3)
    player = KickPlayer(KICK)
    player.watch()
    heard = [act for _, act in acts(player, film)]
    assert [act for act in heard if isinstance(act, Sound)] == sounds(film)  # watching changes nothing
    assert [act for act in heard if isinstance(act, Miss)] == []
