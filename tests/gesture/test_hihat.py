"""The pedal of air: how open the hi-hat is, which pad sounds, and when the foot closes it."""

from collections.abc import Sequence

import numpy as np
import pytest
from drummer import MM, stamps
from feet import acts, ease, fall_s, sights, stomps
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lalelu.config.gestures import HiHat
from lalelu.gesture.act import Act, Sight, Sound, StandIn, Value
from lalelu.gesture.hihat import HiHatPlayer

ANKLE = "left_ankle"
PEDAL = HiHat(gesture="hihat", pad="closed", open_pad="open", chick_pad="chick")
NETWORK_NOISE = 0.01  # body units
MANY = settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])


def opened(
    t: np.ndarray, *, mm: float, closes: Sequence[float], open_s: float = 1.0, soft: bool = False
) -> np.ndarray:
    """A foot that is up for `open_s` before each of `closes`, and lands there quickly or softly."""
    height = np.zeros(len(t))
    for close in closes:
        fall = 0.5 if soft else fall_s(mm, 1.0)
        down = np.clip((t - close + fall) / fall, 0.0, 1.0)
        height += (
            mm * MM * np.minimum(ease((t - close + open_s) / 0.25), 1.0 - (ease(down) if soft else down**1.6))
        )
    return height


def play(film: list[Sight], pedal: HiHat = PEDAL) -> list[tuple[float, Act]]:
    return [(now_ns * 1e-9, act) for now_ns, act in acts(HiHatPlayer(pedal), film)]


def chicks(told: list[tuple[float, Act]]) -> list[float]:
    return [act.struck_ns * 1e-9 for _, act in told if isinstance(act, Sound)]


def swaps(told: list[tuple[float, Act]]) -> list[str | None]:
    assert {act.pad for _, act in told if isinstance(act, StandIn)} <= {"closed"}
    return [act.other for _, act in told if isinstance(act, StandIn)]


def values(told: list[tuple[float, Act]]) -> list[float]:
    return [act.value for _, act in told if isinstance(act, Value)]


CLOSES = [3.0, 5.0, 7.0, 9.0]


@pytest.mark.parametrize("fps", [30.0, 60.0, 100.0, 200.0])
@pytest.mark.parametrize("sd", [0.0, NETWORK_NOISE])
def test_a_pedal_that_is_stamped_down_opens_closes_and_chicks(fps: float, sd: float) -> None:
    t = stamps(10.0, fps, 0.3)
    told = play(sights(t, ANKLE, opened(t, mm=80.0, closes=CLOSES), sd=sd))
    assert swaps(told) == ["open", None] * 4
    found = chicks(told)
    if fps > 30.0 or sd == 0.0:  # a noisy fall of three frames may stay silent
        assert len(found) == 4
    assert all(min(abs(at - close) for close in CLOSES) < 0.025 for at in found)
    assert {(act.pad, act.limb) for _, act in told if isinstance(act, Sound)} == {("chick", ANKLE)}


def test_strokes_sound_open_while_the_pedal_is_up() -> None:
    t = stamps(10.0, 100.0)
    told = play(sights(t, ANKLE, opened(t, mm=80.0, closes=CLOSES)))
    times = [time for time, act in told if isinstance(act, StandIn)]
    for opens, shuts, close in zip(times[::2], times[1::2], CLOSES, strict=True):
        assert close - 1.0 < opens < close - 0.75
        assert abs(shuts - close) < 0.04


def test_a_pedal_let_down_softly_closes_in_silence() -> None:
    t = stamps(10.0, 100.0)
    told = play(sights(t, ANKLE, opened(t, mm=80.0, closes=CLOSES, soft=True)))
    assert swaps(told) == ["open", None] * 4
    assert chicks(told) == []


def test_openness_follows_the_foot_between_closed_and_wide_open() -> None:
    t = stamps(12.0, 100.0)
    height = PEDAL.height * 1.2 * (ease((t - 2.0) / 3.0) - ease((t - 7.0) / 3.0))
    upright = PEDAL.model_copy(update={"invert": False})
    told = [
        (time, act.value) for time, act in play(sights(t, ANKLE, height), upright) if isinstance(act, Value)
    ]
    assert told[0][1] == 0.0
    assert max(value for _, value in told) == 1.0
    rising = [value for time, value in told if time < 6.0]
    assert rising == sorted(rising)
    assert told[-1][1] < 0.05
    inverted = values(play(sights(t, ANKLE, height)))
    assert inverted == pytest.approx([1.0 - value for _, value in told])


def test_a_foot_at_rest_sets_nothing_anew() -> None:
    t = stamps(20.0, 100.0)
    told = play(sights(t, ANKLE, np.zeros(len(t)), sd=0.005))
    assert swaps(told) == []
    assert chicks(told) == []
    assert len(values(told)) < 20


@pytest.mark.parametrize("sd", [0.0, 0.01, 0.02])
def test_a_pedal_that_wobbles_half_open_does_not_chick(sd: float) -> None:
    t = stamps(20.0, 100.0)
    height = 0.4 * PEDAL.height * ease(t - 1.0) + 0.15 * PEDAL.height * np.sin(2 * np.pi * 1.3 * t) * (
        t > 2.0
    )
    assert chicks(play(sights(t, ANKLE, height, sd=sd, seed=3))) == []


def test_a_foot_that_stamps_without_having_opened_the_hihat_does_not_chick() -> None:
    t = stamps(8.0, 100.0)
    height, _ = stomps(t, hz=1.0, mm=0.45 * PEDAL.height / MM, count=6)
    assert chicks(play(sights(t, ANKLE, height))) == []


def test_a_hihat_that_stays_open_for_eight_bars_stays_open() -> None:
    t = stamps(20.0, 60.0)
    told = play(sights(t, ANKLE, opened(t, mm=80.0, closes=[18.0], open_s=16.0), sd=NETWORK_NOISE))
    assert swaps(told) == ["open", None]
    assert len(chicks(told)) == 1


def test_a_player_who_goes_elsewhere_finds_his_pedal_closed_there() -> None:
    t = stamps(20.0, 100.0)
    height = 0.6 * ease((t - 3.0) / 1.0) + opened(t, mm=80.0, closes=[12.0])
    told = play(sights(t, ANKLE, height))
    assert len([at for at in chicks(told) if abs(at - 12.0) < 0.02]) == 1
    assert swaps(told)[-2:] == ["open", None]


def test_without_a_target_or_a_chick_only_the_pads_change() -> None:
    t = stamps(10.0, 100.0)
    plain = PEDAL.model_copy(update={"to": None, "chick_pad": None})
    told = play(sights(t, ANKLE, opened(t, mm=80.0, closes=CLOSES)), plain)
    assert [type(act) for _, act in told] == [StandIn] * 8


def test_a_rest_closes_the_hihat_and_the_next_frame_begins_anew() -> None:
    t = stamps(6.0, 100.0)
    film = sights(t, ANKLE, opened(t, mm=80.0, closes=[5.0], open_s=3.0))
    player = HiHatPlayer(PEDAL)
    acts(player, film[:400])
    assert player.rest(film[400].captured_ns) == (StandIn("closed", None),)
    told = [act for _, act in acts(player, film[400:])]
    assert told[0] == Value(1.0)  # the foot that is up counts as down until it has shown its floor
    assert [act for act in told if isinstance(act, Sound | StandIn)] == []


@MANY
@given(
    st.floats(24.0, 200.0),
    st.floats(0.0, 0.05),
    st.floats(20.0, 150.0),
    st.floats(0.5, 6.0),
    st.integers(0, 1000),
)
def test_pads_take_turns_and_chicks_keep_their_distance(
    fps: float, sd: float, mm: float, hz: float, seed: int
) -> None:
    t = stamps(5.0, fps)
    t = t[np.random.default_rng(seed).uniform(size=len(t)) > 0.2]
    height, _ = stomps(t, hz=hz, mm=mm, count=int(4.0 * hz))
    told = play(sights(t, ANKLE, height, sd=sd, seed=seed))
    assert swaps(told) == ["open" if k % 2 == 0 else None for k in range(len(swaps(told)))]
    assert np.all(np.diff(chicks(told)) >= 0.12 - 1e-9)
    assert all(0.0 <= value <= 1.0 for value in values(told))
