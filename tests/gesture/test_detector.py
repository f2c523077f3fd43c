from dataclasses import replace

import numpy as np
import pytest
from drummer import HIHAT, KIT, MM, SNARE, changed, hits, poses, seconds, stamps, still, strokes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lalelu.config.kit import KitConfig
from lalelu.errors import UsageError
from lalelu.gesture.detector import Detector
from lalelu.skeleton import COCO17, mirrored
from lalelu.types import Hit, Pose

LEFT, RIGHT = COCO17.index("left_wrist"), COCO17.index("right_wrist")
FEW = settings(max_examples=8, deadline=None)
FAST_ENOUGH = [
    (hz, mm) for hz in (1.5, 2, 3, 4, 5) for mm in (80, 150, 250, 400) if np.pi * hz * mm * MM > 1.7
]  # peak speed clearly above the least one


def film(hz=2.0, mm=250, *, fps=100.0, phase=0.0, count=6, **more):
    t = stamps(1.5 + count / hz, fps, phase)
    right, truth = strokes(t, SNARE, hz=hz, height=mm * MM, count=count)
    return poses(t, still(t, HIHAT), right, **more), truth


@pytest.mark.parametrize("fps", [30, 60, 100, 120, 200])
@pytest.mark.parametrize(("hz", "mm"), FAST_ENOUGH)
def test_every_stroke_sounds_once(fps, hz, mm):
    if fps == 30 and hz == 5:
        hz = 4  # six frames a stroke are too few
    shown, truth = film(hz, mm, fps=fps, phase=0.37, sd=0.003)
    found = hits(shown)
    assert [hit.limb for hit in found] == ["right_wrist"] * len(truth)
    assert [hit.pad for hit in found] == ["snare"] * len(truth)
    assert seconds(found, "right_wrist") == pytest.approx(truth, abs=0.012)


@pytest.mark.parametrize("fps", [60, 100, 120])
@pytest.mark.parametrize(("hz", "mm"), [(1.5, 300), (2, 250), (3, 150), (4, 150), (5, 150)])
def test_a_network_s_noise_neither_hides_strokes_nor_adds_any(fps, hz, mm):
    shown, truth = film(hz, mm, fps=fps, sd=0.012, seed=1)
    found = seconds(hits(shown), "right_wrist")
    assert len(found) == len(truth)
    assert found == pytest.approx(truth, abs=0.04)


def test_decides_soon_after_the_stroke():
    shown, truth = film(3.0, 250, sd=0.003, count=10)
    late = [hit.captured_ns * 1e-9 - time for hit, time in zip(hits(shown), truth, strict=True)]
    assert max(late) <= 0.03


def test_a_hand_at_rest_on_a_pad_never_sounds():
    t = stamps(60.0)
    assert hits(poses(t, still(t, HIHAT), still(t, SNARE), sd=0.015, seed=3)) == []


def test_lifting_a_hand_never_sounds():
    t = stamps(4.0)
    right = still(t, SNARE)
    right[:, 1] += 0.8 * np.clip((t - 1.0) / 0.15, 0.0, 1.0)
    assert hits(poses(t, still(t, HIHAT), right, sd=0.003)) == []


def test_slow_lowering_never_sounds():
    t = stamps(5.0)
    right = still(t, SNARE)
    right[:, 1] += 0.4 * (1.0 + np.cos(2 * np.pi * 0.4 * t))  # peak speed 1.0 body units a second
    assert hits(poses(t, still(t, HIHAT), right, sd=0.003)) == []


def test_hands_that_drop_onto_the_thighs_never_sound():
    t = stamps(4.0)
    right = still(t, (-0.25, -1.7))
    right[:, 1] += 0.6 * (1.0 + np.cos(np.pi * np.clip((t - 1.0) / 0.25, 0.0, 1.0)))
    assert hits(poses(t, still(t, HIHAT), right, sd=0.003)) == []


def test_a_hand_that_is_put_down_on_a_pad_does_not_sound():
    t = stamps(4.0)
    right = still(t, SNARE)
    right[:, 1] += 0.3 * (1.0 + np.cos(np.pi * np.clip((t - 1.0) / 0.3, 0.0, 1.0)))
    assert hits(poses(t, still(t, HIHAT), right, sd=0.003)) == []


def test_both_hands_play_together():
    t = stamps(5.0)
    left, left_truth = strokes(t, HIHAT, hz=4.0, height=120 * MM, count=12)
    right, right_truth = strokes(t, SNARE, hz=2.0, height=250 * MM, count=6)
    found = hits(poses(t, left, right, sd=0.003))
    assert seconds(found, "left_wrist") == pytest.approx(left_truth, abs=0.01)
    assert seconds(found, "right_wrist") == pytest.approx(right_truth, abs=0.01)
    assert {(hit.limb, hit.pad) for hit in found} == {("left_wrist", "hihat"), ("right_wrist", "snare")}


def test_a_wrist_that_the_network_puts_on_the_other_one_does_not_play_along():
    shown, truth = film(2.0, 250, sd=0.005, count=10)

    def steal(pose: Pose) -> Pose:
        if 1.7 < pose.captured_ns * 1e-9 < 4.3:
            pose.xy[LEFT] = pose.xy[RIGHT]
        return pose

    found = hits(changed(shown, steal))
    assert seconds(found, "left_wrist") == []
    assert seconds(found, "right_wrist") == pytest.approx(truth, abs=0.015)


def test_wrists_that_the_network_exchanges_for_a_moment_are_given_back():
    t = stamps(6.0)
    left, left_truth = strokes(t, (0.75, -1.0), hz=2.0, height=0.6, count=8)
    right, right_truth = strokes(t, SNARE, hz=2.0, height=0.6, begin=1.2, count=8)
    kit = KitConfig.model_validate(
        {"name": "wide", "pads": {"all": {"note": 38, "zone": {"box": [-1.0, -1.4, 1.0, 0.0]}}}}
    )

    def swap(pose: Pose) -> Pose:
        if pose.seq % 50 < 12:
            pose.xy[[LEFT, RIGHT]] = pose.xy[[RIGHT, LEFT]]
        return pose

    found = hits(
        [*poses(t, left, right, sd=0.003)[:51], *changed(poses(t, left, right, sd=0.003)[51:], swap)], kit
    )
    assert seconds(found, "left_wrist") == pytest.approx(left_truth, abs=0.015)
    assert seconds(found, "right_wrist") == pytest.approx(right_truth, abs=0.015)


def test_single_wild_keypoints_neither_sound_nor_silence():
    shown, truth = film(2.0, 250, sd=0.003, count=10)

    def fling(pose: Pose) -> Pose:
        if pose.seq % 23 == 0:
            pose.xy[RIGHT] += np.float32([0.1, -0.2])
        return pose

    assert seconds(hits(changed(shown, fling)), "right_wrist") == pytest.approx(truth, abs=0.02)


def test_hips_out_of_the_picture_change_nothing():
    with_hips, truth = film(2.0, 250)
    without, _ = film(2.0, 250, hips=False)
    assert hits(without) == hits(with_hips)
    assert len(truth) == len(hits(without))


def test_a_player_turned_by_forty_degrees_still_hits_the_pad():
    shown, truth = film(2.0, 250)
    narrow = float(np.cos(np.radians(40)))

    def turn(pose: Pose) -> Pose:
        pose.xy[:, 0] = 0.6 + narrow * (pose.xy[:, 0] - 0.6)
        return pose

    found = hits(changed(shown, turn))
    assert [hit.pad for hit in found] == ["snare"] * len(truth)


@FEW
@given(start_ns=st.integers(-(10**15), 10**17))
def test_shifting_all_stamps_changes_nothing_else(start_ns):
    shown, _ = film(2.5, 200, sd=0.01, seed=5)
    moved = [replace(pose, captured_ns=pose.captured_ns + start_ns) for pose in shown]
    back = [
        replace(hit, captured_ns=hit.captured_ns - start_ns, struck_ns=hit.struck_ns - start_ns)
        for hit in hits(moved)
    ]
    assert back == hits(shown)


@FEW
@given(
    size=st.floats(0.05, 0.4),
    x=st.floats(-0.2, 1.5),
    y=st.floats(0.0, 0.7),
    hz=st.sampled_from([1.7, 2.5, 4.0]),
)
def test_a_player_nearer_or_elsewhere_plays_the_same(size, x, y, hz):
    here, _ = film(hz, 200)
    there, _ = film(hz, 200, size=size, place=(x, y))
    one, other = hits(here), hits(there)
    assert [(hit.limb, hit.pad, hit.seq) for hit in one] == [(hit.limb, hit.pad, hit.seq) for hit in other]
    assert [hit.struck_ns for hit in one] == pytest.approx([hit.struck_ns for hit in other], abs=2e5)
    assert [hit.strength for hit in one] == pytest.approx([hit.strength for hit in other], abs=0.01)


@FEW
@given(hz=st.sampled_from([1.7, 2.5, 4.0]), mm=st.integers(180, 400))
def test_a_mirrored_picture_swaps_the_hands_of_a_left_handed_kit(hz, mm):
    shown, _ = film(hz, mm)
    sides = [COCO17.index(mirrored(name)) for name in COCO17]

    def mirror(pose: Pose) -> Pose:
        xy = pose.xy[sides]
        xy[:, 0] = 1.2 - xy[:, 0]
        return replace(pose, xy=xy, score=pose.score[sides])

    one = [(mirrored(hit.limb), hit.pad, hit.seq) for hit in hits(shown)]
    other = [(hit.limb, hit.pad, hit.seq) for hit in hits(changed(shown, mirror), left_handed=True)]
    assert one == other != []


@FEW
@given(seed=st.integers(0, 10**6), hz=st.floats(0.5, 12.0), mask_ms=st.integers(10, 500))
def test_a_limb_never_sounds_twice_within_the_mask(seed, hz, mask_ms):
    kit = KIT.model_copy(update={"strike": KIT.strike.model_copy(update={"mask_ms": mask_ms})})
    shown, _ = film(hz, 300, sd=0.08, seed=seed, count=10)
    for limb in ("left_wrist", "right_wrist"):
        struck = [hit.struck_ns for hit in hits(shown, kit) if hit.limb == limb]
        assert all(gap >= mask_ms * 1_000_000 for gap in np.diff(struck))


def test_strength_grows_with_speed_and_stays_in_range():
    strengths = []
    for mm in (80, 120, 200, 300, 400, 600, 1200):
        shown, truth = film(3.0, mm, count=4)
        found = hits(shown)
        assert len(found) == len(truth)
        strengths.append(float(np.mean([hit.strength for hit in found])))
    assert strengths == sorted(strengths)
    assert 0.0 < strengths[0] < 0.5 * strengths[3] < strengths[-1] == 1.0


@FEW
@given(dropped=st.sets(st.integers(110, 380), max_size=25))
def test_dropped_frames_move_a_hit_by_less_than_a_period(dropped):
    shown, truth = film(2.0, 300)
    isolated = {seq for seq in dropped if seq - 1 not in dropped and seq + 1 not in dropped}
    found = hits([pose for pose in shown if pose.seq not in isolated])
    assert seconds(found, "right_wrist") == pytest.approx(truth, abs=0.0099)


def test_unknown_keypoints_never_raise_and_never_sound():
    t = stamps(3.0)
    right, _ = strokes(t, SNARE, hz=2.0, height=0.6)
    shown = poses(t, still(t, HIHAT), right, score=0.0)
    assert hits(shown) == []
    wild = changed(shown, lambda pose: replace(pose, xy=np.full_like(pose.xy, np.nan), score=pose.score + 1))
    assert hits(wild) == []
    huge = changed(shown, lambda pose: replace(pose, xy=pose.xy * np.float32(1e30), score=pose.score + 1))
    assert isinstance(hits(huge), list)


def test_a_wrist_out_of_sight_for_a_while_plays_again():
    shown, truth = film(2.0, 250, count=8)

    def hide(pose: Pose) -> Pose:
        if 2.1 < pose.captured_ns * 1e-9 < 3.15:
            pose.score[RIGHT] = 0.0
        return pose

    found = seconds(hits(changed(shown, hide)), "right_wrist")
    assert found == pytest.approx([time for time in truth if not 2.1 < time < 3.2], abs=0.02)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
@given(data=st.data())
def test_odd_poses_never_raise(data):
    odd = st.one_of(st.floats(-3.0, 3.0), st.sampled_from([0.0, 1e9, -1e9, float("inf"), float("nan")]))
    detector = Detector(KIT, skeleton=COCO17)
    for seq in range(20):
        xy = np.array(data.draw(st.lists(odd, min_size=34, max_size=34)), dtype=np.float32).reshape(17, 2)
        score = np.array(data.draw(st.lists(odd, min_size=17, max_size=17)), dtype=np.float32)
        stamp = data.draw(st.integers(-5, 100)) * 10_000_000
        for event in detector.step(Pose(seq, stamp, data.draw(st.integers(0, 12)), xy, score)):
            assert isinstance(event, Hit)
            assert 0.0 <= event.strength <= 1.0


def test_players_do_not_disturb_each_other():
    shown, truth = film(2.0, 250)
    other, other_truth = film(3.0, 250)
    detector = Detector(KIT, skeleton=COCO17)
    found: dict[int, list[float]] = {0: [], 1: []}
    for one, two in zip(shown, other, strict=False):
        for pose in (one, replace(two, player=1)):
            for event in detector.step(pose):
                assert isinstance(event, Hit)
                found[event.player].append(event.struck_ns * 1e-9)
    assert found[0] == pytest.approx([time for time in truth if time < 3.4], abs=0.01)
    assert found[1] == pytest.approx(other_truth, abs=0.01)


def test_a_kit_with_a_limb_that_the_skeleton_lacks_is_refused():
    with pytest.raises(UsageError, match="right_wrist"):
        Detector(KIT, skeleton=tuple(name for name in COCO17 if name != "right_wrist"))
