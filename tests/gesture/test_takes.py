"""Real drummers: F1 by limb against the strokes of a motion capture, or as tagged by the player."""

import pytest
from drummer import KIT

from lalelu.analysis.scoring import Score, score
from lalelu.config.kit import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.hits import HitRecord, read_hits
from lalelu.take import read_take
from lalelu.types import Hit

# All of the room in front of the player: where pads lie is another test's matter.
EVERYWHERE = KitConfig.model_validate(
    {"name": "everywhere", "pads": {"all": {"note": 38, "zone": {"box": [-2.0, -1.2, 2.0, 0.5]}}}}
)


def play(folder, name: str, window_ms: float) -> Score:
    path = folder / "takes" / f"{name}.take.gz"
    if not path.exists():
        pytest.skip(f"the recording {path.name} is not here")
    take = read_take(path)
    detector = Detector(EVERYWHERE, skeleton=take.header.keypoints)
    start_ns = take.frames[0].captured_ns
    found = [
        HitRecord(
            (event.struck_ns - start_ns) * 1e-9,
            event.limb,
            decided_s=(event.captured_ns - start_ns) * 1e-9,
        )
        for frame in take.frames
        for pose in frame.poses
        for event in detector.step(pose)
        if isinstance(event, Hit)
    ]
    return score(found, read_hits(folder / "takes" / f"{name}.truth.jsonl"), window_ms=window_ms)


@pytest.mark.parametrize(
    ("name", "least_f1", "most_sd_ms", "most_lag_ms"),
    [  # a plain detector (parabola over 4 frames, fires below 35 % of the peak speed) has F1 0.79, 0.63, 0.92, 0.89
        ("airdrum_fast_camera_full", 0.96, 12.0, 50.0),
        ("airdrum_regular_camera_full", 0.93, 16.0, 50.0),
        ("airdrum_fast_mocap", 0.98, 2.0, 26.0),
        ("airdrum_regular_mocap", 0.98, 2.0, 26.0),
    ],
)
def test_an_air_drummer_s_strokes_are_found(shared_dir, name, least_f1, most_sd_ms, most_lag_ms):
    result = play(shared_dir, name, 50.0)
    assert result.f1 >= least_f1
    assert result.doubles == 0
    assert result.error_ms is not None
    assert abs(result.error_ms.mean) < 8.0
    assert result.error_ms.sd < most_sd_ms
    assert result.decision_ms is not None
    assert result.decision_ms.p50 <= most_lag_ms


@pytest.mark.parametrize(
    ("name", "least_f1"), [("hand_24_right", 0.7), ("hand_33_right", 0.6), ("hand_45_right", 0.5)]
)
def test_most_of_a_fist_s_tagged_hits_are_found(shared_dir, name, least_f1):
    result = play(shared_dir, name, 100.0)
    assert result.f1 >= least_f1
    assert result.doubles == 0


def test_the_defaults_are_those_that_were_measured():
    strike = KIT.strike
    assert (strike.min_speed, strike.min_height, strike.mask_ms) == (1.3, 0.1, 80)
