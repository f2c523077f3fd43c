import math
from dataclasses import replace

import numpy as np
import pytest
from drummer import HIHAT, KIT, SNARE, hits, poses, seconds, stamps, still, strokes
from hypothesis import given
from hypothesis import strategies as st
from test_takes import EVERYWHERE

from lalelu.analysis.scoring import score
from lalelu.config.kit import KitConfig
from lalelu.gesture.detector import Detector
from lalelu.gesture.prediction import foresee
from lalelu.hits import read_hits
from lalelu.performance import hit_records
from lalelu.skeleton import COCO17
from lalelu.take import read_take
from lalelu.types import Hit, Release

LEADS = [10, 20, 30, 40]


def film(hz=2.0, height=0.6, *, fps=100.0, count=8, phase=0.37, **more):
    t = stamps(1.5 + count / hz, fps, phase)
    right, truth = strokes(t, SNARE, hz=hz, height=height, count=count)
    return poses(t, still(t, HIHAT), right, **more), truth


def led(shown, lead_ms, kit=KIT, **more):
    detector = Detector(kit, skeleton=COCO17, lead_ms=lead_ms, **more)
    found = [event for pose in shown for event in detector.step(pose) if isinstance(event, Hit)]
    detector.finish()
    return found


def seen_from(height_at, *, peak, height, within_s=0.05, noise=0.0, fps=100):
    """What is foreseen of a limb at the height `height_at(t)` by frames until now, t = 0."""
    times = np.arange(-20, 1) / fps
    shake = np.random.default_rng(1).normal(0.0, noise, len(times)) if noise else np.zeros(len(times))
    samples = [
        (round(t * 1e9), 0.0, height_at(t) + error) for t, error in zip(times.tolist(), shake, strict=True)
    ]
    return foresee(samples, peak=peak, height=height, noise=max(noise, 0.003), within_s=within_s)


def swung(rest_s, hz, height, **more):
    """What is foreseen of a half sinusoid that ends in `rest_s`."""
    w = 2.0 * math.pi * hz
    return seen_from(
        lambda t: -0.5 * height * math.cos(w * (t - rest_s)),
        peak=0.5 * height * w,
        height=0.5 * height,
        **more,
    )


# -- the fit --


@given(st.floats(45.0, 70.0), st.floats(0.005, 0.03))
def test_even_braking_as_expected_is_foreseen_to_the_millisecond(braking, rest_s):
    peak = 0.09 * braking
    end = seen_from(lambda t: 0.5 * braking * (t - rest_s) ** 2 - 1.0, peak=peak, height=0.1 * peak)
    assert end is not None
    assert end.in_s == pytest.approx(rest_s, abs=1e-3)
    assert end.y == pytest.approx(-1.0, abs=1e-3)


@given(st.floats(1.5, 2.0), st.floats(0.3, 0.8), st.floats(0.005, 0.03))
def test_where_an_end_of_half_a_sinusoid_is_foreseen_it_is_near(hz, height, rest_s):
    end = swung(rest_s, hz, height)
    assert end is None or end.in_s == pytest.approx(rest_s, abs=0.01)
    assert end is None or end.y == pytest.approx(-0.5 * height, abs=0.04 * height)


def test_the_end_of_a_usual_stroke_is_foreseen():
    assert swung(0.02, 2.0, 0.6) is not None


def test_an_end_that_is_further_than_was_asked_for_is_not_told():
    assert swung(0.03, 2.0, 0.6, within_s=0.04) is not None
    assert swung(0.03, 2.0, 0.6, within_s=0.02) is None


def test_a_fall_that_still_has_its_speed_has_no_end_yet():
    assert seen_from(lambda t: -4.0 * t, peak=4.0, height=0.4) is None


def test_a_fall_that_is_lost_in_noise_has_no_end():
    assert swung(0.03, 2.0, 0.6) is not None
    assert swung(0.03, 2.0, 0.6, noise=0.035) is None


def test_a_limb_that_was_just_found_has_no_end():
    assert foresee([(0, 0.0, 0.0)], peak=4.0, height=0.4, noise=0.01, within_s=0.05) is None


# -- strokes --


@pytest.mark.parametrize("lead_ms", [20, 40])
@pytest.mark.parametrize("fps", [90, 100, 200])
@pytest.mark.parametrize(("hz", "height"), [(1.5, 1.2), (2.0, 0.8), (3.0, 0.4)])
def test_every_stroke_sounds_once_and_most_are_known_before_their_ends(lead_ms, fps, hz, height):
    shown, truth = film(hz, height, fps=fps, sd=0.002)
    found = led(shown, lead_ms)
    assert seconds(found, "right_wrist") == pytest.approx(truth, abs=0.025)
    assert {hit.pad for hit in found} == {"snare"}
    plain = hits(shown)
    assert all(hit.captured_ns <= sure.captured_ns for hit, sure in zip(found, plain, strict=True))
    assert sum(hit.captured_ns < hit.struck_ns for hit in found) >= len(truth) / 2


@pytest.mark.parametrize("lead_ms", LEADS)
def test_a_network_s_noise_does_not_make_a_predicted_stroke_sound_twice(lead_ms):
    shown, truth = film(2.0, 0.7, sd=0.012, seed=1, count=20)
    assert seconds(led(shown, lead_ms), "right_wrist") == pytest.approx(truth, abs=0.045)


def test_a_lead_of_zero_changes_nothing():
    shown, _ = film(3.0, 0.4, sd=0.01)
    assert led(shown, 0) == hits(shown)


def test_a_stroke_at_ten_a_second_that_cannot_be_foreseen_is_found_when_it_has_ended():
    shown, truth = film(7.0, 0.3, fps=100.0, count=10)
    assert seconds(led(shown, 40), "right_wrist") == pytest.approx(truth, abs=0.02)


def test_a_hand_that_pauses_in_its_fall_sounds_once():
    """Half the way down, a rest of 60 ms, the other half: the first end is foreseen, the real one is not told again."""
    t = stamps(3.0)
    right = still(t, SNARE)
    first, second = np.clip((t - 1.0) / 0.12, 0, 1), np.clip((t - 1.18) / 0.12, 0, 1)
    back = np.clip((t - 1.3) / 0.2, 0, 1)
    right[:, 1] += 0.5 - 0.125 * ((1 - np.cos(np.pi * first)) + (1 - np.cos(np.pi * second)))
    right[:, 1] += 0.125 * 2 * (1 - np.cos(np.pi * back))
    shown = poses(t, still(t, HIHAT), right)
    assert len(led(shown, 30)) == 1


def test_a_hand_that_is_only_lifted_never_sounds():
    t = stamps(4.0)
    right = still(t, SNARE)
    right[:, 1] += 0.8 * np.clip((t - 1.0) / 0.15, 0.0, 1.0)
    assert led(poses(t, still(t, HIHAT), right, sd=0.003), 40) == []


def test_a_stroke_whose_foreseen_end_reaches_no_pad_is_left_to_its_real_end():
    shown, truth = film(2.0, 0.6)
    low = KitConfig.model_validate(
        {"name": "low", "pads": {"low": {"note": 38, "zone": {"box": [-1.0, -3.0, 1.0, -1.52]}}}}
    )  # its upper edge is a reach of 0.35 below the lowest point, but for 0.02
    assert led(shown, 40, low) == []
    nearer = low.model_copy(
        update={
            "pads": {
                "low": low.pads["low"].model_copy(
                    update={
                        "zone": low.pads["low"].zone.model_copy(update={"box": (-1.0, -3.0, 1.0, -1.499)})
                    }
                )
            }
        }
    )
    assert seconds(led(shown, 40, nearer), "right_wrist") == pytest.approx(truth, abs=0.015)


def put_down(seconds=3.0, fps=100.0):
    """Poses of a hand that falls like a stroke's and then stays where it is, twice."""
    t = stamps(seconds, fps, 0.37)
    cycles = np.clip((t - 1.0) * 2.0, 0.0, 1.0)  # one stroke's up and down ...
    right = still(t, SNARE)
    right[:, 1] += 0.35 * (1.0 - np.cos(2.0 * np.pi * cycles))  # ... without a rise behind it
    return poses(t, still(t, HIHAT), right)


def releases(shown, *, chokes):
    """The hits, and what is ended again."""
    detector = Detector(KIT, skeleton=COCO17, lead_ms=40, chokes=chokes)
    found = [event for pose in shown for event in detector.step(pose)]
    return [e for e in found if isinstance(e, Hit)], [e for e in found if isinstance(e, Release)]


def test_a_predicted_stroke_that_does_not_happen_is_choked_where_that_is_asked_for():
    (hit,), ended = releases(put_down(), chokes=True)
    (release,) = ended
    assert (release.pad, release.at_ns, release.player) == (hit.pad, hit.struck_ns, hit.player)
    assert 60e6 < release.captured_ns - hit.struck_ns <= 75e6
    assert releases(put_down(), chokes=False) == ([hit], [])


def test_a_refused_stroke_that_does_not_happen_chokes_no_earlier_one():
    t = stamps(4.0, 100.0, 0.37)
    right = still(t, SNARE)
    whole = np.clip((t - 1.0) * 2.0, 0.0, 1.5)  # a hard stroke that happens ...
    half = np.clip(
        (t - 2.5) * 2.0, 0.0, 0.5
    )  # ... and, from where it has left the hand, one that is put down
    right[:, 1] += 0.5 * (1.0 - np.cos(2.0 * np.pi * whole)) - 0.3 * (1.0 - np.cos(2.0 * np.pi * half))
    pads = {name: pad.model_dump() | {"threshold": 5.0} for name, pad in KIT.pads.items()}
    kit = KitConfig.model_validate(KIT.model_dump() | {"pads": pads})
    told = []
    detector = Detector(kit, skeleton=COCO17, lead_ms=40, chokes=True, explain=told.append)
    found = [event for pose in poses(t, still(t, HIHAT), right) for event in detector.step(pose)]
    assert [type(event) for event in found] == [Hit]
    assert [verdict.rule for verdict in told][:2] == [None, "pad_threshold"]


def test_predicted_strokes_that_happen_are_not_choked():
    shown, truth = film(hz=2.0, height=0.6)
    sounded, ended = releases(shown, chokes=True)
    assert (len(sounded), ended) == (len(truth), [])


def test_every_predicted_stroke_has_one_verdict_and_its_real_end_none():
    told = []
    shown, truth = film(2.0, 0.6)
    found = led(shown, 40, explain=told.append)
    assert [(verdict.rule, verdict.lowest_ns) for verdict in told] == [(None, hit.struck_ns) for hit in found]
    assert len(found) == len(truth)


@pytest.mark.parametrize("cut", [0.02, 0.04, 0.06])
def test_a_keypoint_that_is_lost_after_its_stroke_was_foreseen_makes_no_second_one(cut):
    shown, truth = film(2.0, 0.6)
    index = COCO17.index("right_wrist")

    def lose(pose):
        score = pose.score.copy()
        rest = min((time - pose.captured_ns * 1e-9 for time in truth), key=abs)
        if -0.03 < rest < cut:
            score[index] = 0.0
        return replace(pose, score=score)

    assert len(led([lose(pose) for pose in shown], 40)) <= len(truth)


# -- a real drummer --


@pytest.mark.parametrize("name", ["airdrum_fast_mocap", "airdrum_regular_mocap"])
def test_an_air_drummer_s_strokes_are_foreseen_at_a_small_price(shared_dir, name):
    path = shared_dir / "takes" / f"{name}.take.gz"
    if not path.exists():
        pytest.skip(f"the recording {path.name} is not here")
    shown = [pose for frame in read_take(path).frames for pose in frame.poses]
    found = hit_records(led(shown, 20, EVERYWHERE), [EVERYWHERE], origin_ns=shown[0].captured_ns)
    result = score(found, read_hits(path.with_name(f"{name}.truth.jsonl")))
    assert result.found - result.matched <= 2  # of 83 and 42 strokes
    assert result.true - result.matched <= 1
    assert result.doubles == 0
    assert result.error_ms is not None
    assert abs(result.error_ms.mean) < 5.0
    assert result.error_ms.sd < 12.0
    assert result.decision_ms is not None
    assert result.decision_ms.p50 <= -20.0
