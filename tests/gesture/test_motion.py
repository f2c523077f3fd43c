import numpy as np
import pytest
from drummer import MM, noise, stamps, still, strokes

from lalelu.gesture.motion import LEAST_NOISE, MOST_NOISE, QUIETEST, Motion

REST = (0.4, -1.2)


def follow(t, path):
    """A motion that has followed a limb without a gap."""
    motion = Motion()
    for time_s, (x, y) in zip((t * 1e9).round().astype(int).tolist(), path.tolist(), strict=True):
        if motion.predict(time_s):
            motion.correct(time_s, x, y)
        else:
            motion.start(time_s, x, y)
    return motion


@pytest.mark.parametrize("fps", [24.0, 60.0, 100.0, 200.0])
@pytest.mark.parametrize("sd", [0.006, 0.012, 0.02, 0.03])
def test_the_noise_of_a_resting_hand_is_measured_at_any_frame_rate(sd, fps):
    t = stamps(10.0, fps)
    motion = follow(t, still(t, REST) + noise((len(t), 2), sd, 1))
    assert motion.measured_noise == pytest.approx(sd, rel=0.3)
    assert motion.noise == max(LEAST_NOISE, motion.measured_noise)


def test_frames_at_uneven_times_make_a_resting_hand_no_noisier():
    t = stamps(10.0) + np.random.default_rng(3).uniform(-0.004, 0.004, 1000)
    assert follow(t, still(t, REST) + noise((len(t), 2), 0.015, 2)).measured_noise == pytest.approx(
        0.015, rel=0.3
    )


@pytest.mark.parametrize(
    ("hz", "mm", "fps"), [(2, 400, 100), (10, 120, 100), (8, 60, 100), (5, 80, 24), (4, 300, 30)]
)
@pytest.mark.parametrize("tilt", [0.0, 30.0])
def test_what_the_filter_cannot_follow_is_not_taken_for_noise(hz, mm, fps, tilt):
    t = stamps(10.0, fps, 0.37)
    path, _ = strokes(t, REST, hz=hz, height=mm * MM, count=10 * hz)
    path[:, 0] += np.tan(np.radians(tilt)) * (path[:, 1] - REST[1])
    assert follow(t, path).measured_noise == pytest.approx(QUIETEST)
    shaken = follow(t, path + noise((len(t), 2), 0.012, 4))
    assert shaken.measured_noise == pytest.approx(0.012, rel=0.4)


def test_a_hand_that_shakes_beyond_measure_is_not_believed_to():
    t = stamps(10.0)
    assert follow(t, still(t, REST) + noise((len(t), 2), 0.2, 5)).noise == pytest.approx(MOST_NOISE)
