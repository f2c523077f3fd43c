"""How long a camera's first frames are timed, in its own time."""

import pytest

from lalelu.camera.pace import PROBE_FRAMES, SETTLING_FRAMES, Pace

S = 1_000_000_000


def timed(fps, *, again, missing=(), first_s=0.0):
    """Return how long a stream of `fps` is timed (s), how many frames that takes, and the rate that is found."""
    pace, period_ns, count = Pace(0, again=again), round(S / fps), 0
    for frame in range(1, 1000):
        if frame not in missing:
            at_ns, count = round(first_s * S) + frame * period_ns, count + 1
            if pace.take(at_ns, at_ns):
                return at_ns / S, count, pace.fps
    raise AssertionError("it is timed for ever")


@pytest.mark.parametrize(("fps", "most_s"), [(3, 1.7), (5, 1.2), (10, 0.8), (30, 0.55), (100, 0.2)])
def test_a_camera_that_is_back_is_timed_for_a_moment_whatever_its_rate(fps, most_s):
    seconds, _, found = timed(fps, again=True)
    assert seconds <= most_s
    assert found == pytest.approx(fps, rel=1e-6)


@pytest.mark.parametrize("missing", [4, 5])
def test_a_missed_frame_does_not_change_a_low_rate(missing):
    assert timed(5, again=True, missing={missing})[2] == pytest.approx(5)


def test_a_camera_whose_first_frame_takes_long_is_timed_all_the_same():
    seconds, _, found = timed(30, again=True, first_s=1.5)
    assert seconds == pytest.approx(1.5 + 9 / 30, abs=0.01)
    assert found == pytest.approx(30)


def test_at_the_start_there_is_time_for_more_frames():
    assert timed(60, again=False)[1] == SETTLING_FRAMES + PROBE_FRAMES
    assert 2.0 <= timed(5, again=False)[0] <= 2.3
