import numpy as np
import pytest
from recorded import MS, PERIOD, START, Recorded, looks, steady, timed_rows

from lalelu.analysis.diagnosis import diagnose
from lalelu.ledger.reader import LedgerEvent
from lalelu.ledger.schema import FRAME_DTYPE


def run_of(seconds: int, slow, *, running_ms=5.0, slower_ms=1.4, piece="running", seed=1) -> np.ndarray:
    """Frames whose `piece` takes longer where `slow` (of seconds) says so."""
    count = seconds * 100
    random = np.random.default_rng(seed)
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    rows["captured_ns"] = START + np.arange(count) * PERIOD
    noise = random.normal(0, 0.1, count)
    more = np.where(slow(np.arange(count) / 100), slower_ms, 0.0)
    pieces = {"wait": 0.1, "running": running_ms, "queued": 0.0, "off": 0.02}
    taken = {
        name: np.rint(
            (ms + (more if name == piece else 0) + (noise if name == "running" else 0)) * MS
        ).astype(np.int64)
        for name, ms in pieces.items()
    }
    return timed_rows(rows, arrived=8 * MS, **taken)


def between(begin, end):
    return lambda time_s: (time_s >= begin) & (time_s < end)


def phases_of(rows, samples=None, **more):
    return diagnose(
        Recorded(rows, samples=looks(len(rows) / 100) if samples is None else samples, **more)
    ).phases


def test_a_run_in_which_nothing_changes_is_one_phase():
    (phase,) = phases_of(run_of(120, between(0, 0)))
    assert (phase.number, phase.first_s, phase.last_s, phase.frames) == (1, 0, 120, 12_000)
    assert phase.p50_ms == pytest.approx(5.12, abs=0.02)


def test_a_core_that_slows_down_explains_its_phase():
    slow = between(41, 63)
    samples = looks(120, frequency_khz=lambda t: np.where(slow(t), 2_900_000, 3_600_000))
    expected_ms = 5.0 * (3.6 / 2.9 - 1)
    before, phase, after = phases_of(run_of(120, slow, slower_ms=expected_ms), samples)
    assert (before.last_s, phase.first_s, phase.last_s, after.last_s) == (41, 41, 63, 120)
    assert phase.change_ms == pytest.approx(expected_ms, abs=0.05)
    (explanation,) = phase.explanations
    assert (explanation.name, explanation.model) == ("frequency", "accounts")
    assert explanation.text == "the core's frequency fell from 3.60 to 2.90 GHz"
    assert explanation.share == pytest.approx(1.0, abs=0.05)
    assert phase.unexplained < 0.05
    assert after.change_ms == pytest.approx(-expected_ms, abs=0.05)
    assert after.explanations[0].text == "the core's frequency rose from 2.90 to 3.60 GHz"


def test_what_a_cause_does_not_account_for_stays_unexplained():
    slow = between(41, 63)
    samples = looks(120, frequency_khz=lambda t: np.where(slow(t), 3_240_000, 3_600_000))  # 0.56 ms of 1.4
    phase = phases_of(run_of(120, slow), samples)[1]
    assert phase.explanations[0].share == pytest.approx(0.556 / 1.4, abs=0.03)
    assert phase.unexplained == pytest.approx(1 - 0.556 / 1.4, abs=0.03)


@pytest.mark.parametrize(
    ("piece", "samples", "name", "model"),
    [
        ("queued", {}, "queued", "accounts"),
        (
            "off",
            {"stolen_ms": lambda t: 100 + (140 * np.clip(t - 41, 0, 22)).astype(int)},
            "stolen",
            "accounts",
        ),
        (
            "running",
            {"softirqs": lambda t: (10 * t + 900 * np.clip(t - 41, 0, 22)).astype(int)},
            "softirqs",
            "follows",
        ),
        (
            "running",
            {"competitor_ms": lambda t: np.where(between(41, 63)(t), 700, 10)},
            "competitor",
            "follows",
        ),
    ],
)
def test_what_changed_with_a_phase_is_named(piece, samples, name, model):
    told = looks(120, **samples)
    told["competitor"] = b"stress-ng"
    phase = phases_of(run_of(120, between(41, 63), piece=piece), told)[1]
    assert (phase.explanations[0].name, phase.explanations[0].model) == (name, model)
    assert phase.explanations[0].share > 0.85
    assert ("stress-ng" in phase.explanations[0].text) is (name in {"queued", "competitor"})


def test_a_phase_without_a_reason_is_said_to_be_unexplained():
    phase = phases_of(run_of(120, between(41, 63)))[1]
    assert (phase.explanations, phase.unexplained) == ((), 1.0)


def test_events_around_a_boundary_are_told():
    events = (
        LedgerEvent(START + 40_500 * MS, "reload", "kit latin"),
        LedgerEvent(START + 90_000 * MS, "reload", "kit rock"),
    )
    phases = phases_of(run_of(120, between(41, 63)), events=events)
    assert [phase.events for phase in phases] == [(), ("reload: kit latin",), ()]


def test_a_slow_beginning_is_the_warm_up():
    warm, rest = phases_of(run_of(120, between(0, 12)))
    assert (warm.number, warm.warm_up, rest.number, rest.warm_up) == (0, True, 1, False)
    assert warm.last_s == 12


def test_a_change_that_nobody_can_feel_makes_no_phase():
    assert len(phases_of(run_of(120, between(41, 63), slower_ms=0.05))) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 150])
def test_short_runs_have_one_phase_or_none(count):
    assert len(phases_of(steady(count))) == min(count, 1)
