import math

import numpy as np
import pytest
from recorded import MS, PERIOD, START, longer, steady, timed_rows

from lalelu.analysis.cadence import expected_latency_ns, fit_cadence, latency_of_rows_ns
from lalelu.analysis.columns import Whole, columns_of
from lalelu.analysis.latency import summarize
from lalelu.ledger.schema import FRAME_DTYPE, NOTE_DTYPE


def fitted(rows, fps=math.nan):
    columns = columns_of(Whole(rows))
    return columns, fit_cadence(columns, fps)


def filmed(seconds: float, ppm: float, jitter_ms: float, seed: int = 1) -> np.ndarray:
    count = round(seconds * 100)
    rows = np.zeros(count, FRAME_DTYPE)
    rows["seq"] = np.arange(count)
    jitter = np.random.default_rng(seed).normal(0, jitter_ms * MS, count)
    rows["captured_ns"] = START + np.rint(np.arange(count) * PERIOD * (1 + ppm * 1e-6) + jitter).astype(
        np.int64
    )
    return timed_rows(rows, arrived=8 * MS, wait=MS // 10, running=5 * MS)


def without(rows: np.ndarray, lost: np.ndarray) -> np.ndarray:
    return np.delete(rows, lost)


@pytest.mark.parametrize("seconds", [20, 200])
@pytest.mark.parametrize("ppm", [-50.0, 0.0, 50.0])
def test_a_camera_that_drifts_is_told_within_5_ppm_though_frames_jitter_stall_and_are_missing(seconds, ppm):
    rows = filmed(seconds, ppm, jitter_ms=0.2)
    random = np.random.default_rng(2)
    rows["captured_ns"][random.integers(0, len(rows), len(rows) // 30)] += 6 * MS
    _, cadence = fitted(without(rows, random.integers(1, len(rows) - 1, 40)), fps=100.0)
    assert cadence.drift_ppm == pytest.approx(ppm, abs=5.0)
    assert cadence.worst_ms > 5.0


def test_jitter_is_the_distance_from_the_cameras_own_beat():
    _, cadence = fitted(filmed(130, 30.0, jitter_ms=0.2))
    assert cadence.jitter_ms == pytest.approx(0.2, rel=0.05)
    assert (cadence.nominal_fps, len(cadence.segments), cadence.lost) == (100.0, 1, 0)


def test_frames_that_never_came_are_counted_and_those_that_were_skipped_told_apart():
    rows = filmed(20, 0.0, 0.05)
    rows["skipped"][501] = 3  # of the five before it
    _, cadence = fitted(without(rows, np.arange(496, 501)))
    assert (cadence.missing, cadence.skipped, cadence.lost) == (5, 3, 2)
    assert np.flatnonzero(cadence.gaps).tolist() == [496]


def test_a_camera_that_is_opened_again_begins_a_segment_and_omits_nothing():
    first, again = filmed(20, 50.0, 0.1), filmed(20, 50.0, 0.1, seed=3)
    again["captured_ns"] += 60_000 * MS
    _, cadence = fitted(
        np.concatenate([first, timed_rows(again, arrived=8 * MS, wait=0, running=5 * MS)]), 100.0
    )
    assert [(segment.first, segment.last) for segment in cadence.segments] == [(0, 2000), (2000, 4000)]
    assert (cadence.missing, cadence.drift_ppm) == (0, pytest.approx(50.0, abs=5.0))


def test_a_stall_counts_for_every_frame_that_came_due_in_it():
    """The loop takes 47 ms for frame 500: the frames 501 to 503 find nobody, 504 waits, and all of them were late."""
    rows = steady(1000)
    rows["sent_ns"] = rows["decoded_ns"] + 5 * MS  # without noise
    longer(rows, 500, "work", 42)  # done 47.1 ms after its arrival
    longer(rows, 504, "wait", 7.1 - 0.1)  # waits until then, done at 52.1
    rows["skipped"][504] = 3
    columns, cadence = fitted(without(rows, np.arange(501, 504)))
    everything = expected_latency_ns(latency_of_rows_ns(columns, cadence), cadence) * 1e-6
    late = np.sort(everything[everything > 6])
    # done at 52.1: 501 came at 10, 502 at 20, 503 at 30 (and 504 at 40)
    assert late.tolist() == pytest.approx([12.1, 22.1, 32.1, 42.1, 47.1], abs=0.01)
    durations = summarize(without(rows, np.arange(501, 504)), np.zeros(0, NOTE_DTYPE)).durations
    assert (durations["frame"].count, durations["frame_all"].count) == (997, 1000)
    assert durations["frame_all"].mean > durations["frame"].mean


def test_a_pause_is_no_omission():
    rows = steady(1000)
    for name in ("captured_ns", "arrived_ns", "decoded_ns", "sent_ns"):
        rows[name][500:] += 10_000 * MS
    rows["seq"][500:] += 1000
    assert fitted(rows)[1].missing == 0


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_few_frames_have_a_cadence_or_none(count):
    columns, cadence = fitted(steady(count))
    assert len(expected_latency_ns(latency_of_rows_ns(columns, cadence), cadence)) == count
    assert math.isnan(cadence.period_ns) is (count < 2)
    assert len(cadence.error_ns) == count


def test_a_wandering_clock_is_followed_and_its_frames_are_not_called_late():
    """0.5 ppm more every minute: over an hour a straight line would be 50 ms off."""
    rows = filmed(600, 0.0, 0.05)
    time = np.arange(len(rows)) / 100
    rows["captured_ns"] += np.rint(0.5e-6 / 60 * time**2 / 2 * 1e9).astype(np.int64)
    assert fitted(rows)[1].worst_ms < 0.4
