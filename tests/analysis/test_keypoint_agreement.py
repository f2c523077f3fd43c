import numpy as np
import pytest

from lalelu.analysis.keypoint_agreement import (
    SIGMAS,
    agreement,
    broken,
    figures,
    oks,
    parse_limit,
    similarity,
)
from lalelu.errors import UsageError
from lalelu.skeleton import COCO17

WRIST = COCO17.index("left_wrist")
ANKLE = COCO17.index("right_ankle")
SIZE = np.array([100.0])


def people(count=1, score=0.9):
    found = np.zeros((count, 17, 3))
    found[..., 0] = np.arange(17) * 10.0
    found[..., 2] = score
    return found


def moved(found, joint, px, person=0):
    other = found.copy()
    other[person, joint, 0] += px
    return other


def scored(found, joint, score, person=0):
    other = found.copy()
    other[person, joint, 2] = score
    return other


def test_the_sigmas_are_cocos():
    assert SIGMAS[COCO17.index("nose")] == 0.026
    assert SIGMAS[WRIST] == SIGMAS[COCO17.index("right_wrist")] == 0.062
    assert SIGMAS[COCO17.index("left_hip")] == 0.107
    assert SIGMAS[ANKLE] == 0.089


def test_similarity_falls_to_e_to_minus_a_half_at_two_sigmas_of_the_size():
    distance = 2.0 * SIGMAS[None] * SIZE[:, None]
    np.testing.assert_allclose(similarity(distance, SIZE), np.exp(-0.5))
    np.testing.assert_array_equal(similarity(np.zeros((1, 17)), SIZE), np.ones((1, 17)))


def test_oks_is_the_mean_over_people_of_the_mean_over_their_labelled_joints():
    labels = people(3)
    labels[0, :, 2] = 0
    labels[0, WRIST, 2] = 2  # one joint, exactly found
    labels[1, :, 2] = 0
    labels[1, [WRIST, ANKLE], 2] = 1, 2  # one of two is two sigmas off
    labels[2, :, 2] = 0  # nobody labelled this one: not counted
    found = moved(people(3), WRIST, 2.0 * 0.062 * 100.0, person=1)
    assert oks(found, labels, np.full(3, 100.0)) == pytest.approx((1.0 + (1.0 + np.exp(-0.5)) / 2) / 2)


def test_the_same_keypoints_agree_in_everything():
    found = agreement(people(4), people(4), np.full(4, 100.0))
    assert (found.people, found.sure, found.lost, found.faded, found.lost_percent) == (4, 68, 0, 0, 0.0)
    assert (found.p50_px, found.p95_px, found.p99_px, found.max_px) == (0.0, 0.0, 0.0, 0.0)


def test_drift_is_in_px_over_the_joints_of_which_the_reference_is_sure():
    reference = people(score=0.1)
    reference[0, :5, 2] = 0.3
    other = reference.copy()
    other[0, :5, 1] += [1.0, 2.0, 3.0, 4.0, 5.0]
    other[0, 5:, 1] += 500.0  # where the reference only guesses
    found = agreement(reference, other, np.array([1000.0]))
    assert (found.sure, found.p50_px, found.max_px) == (5, 3.0, 5.0)
    assert found.p95_px == pytest.approx(4.8)
    assert found.p99_px == pytest.approx(4.96)


@pytest.mark.parametrize(
    ("score", "lost", "faded"),
    [(0.9, 0, 0), (0.3, 0, 0), (0.29, 0, 1), (0.15, 0, 1), (0.149, 1, 0), (0.0, 1, 0)],
)
def test_a_joint_fades_when_it_is_no_longer_sure_and_is_lost_when_no_kit_believes_it(score, lost, faded):
    found = agreement(people(), scored(people(), WRIST, score), SIZE)
    assert (found.lost, found.faded) == (lost, faded)
    assert found.lost_percent == pytest.approx(100.0 * lost / 17)
    assert found.wrists_lost_percent == 50.0 * lost


# exp(-d^2 / (2 (2 sigma size)^2)) = 0.5 at d = 2 sigma size sqrt(2 ln 2): 14.60 px for a wrist of a person of 100 px
@pytest.mark.parametrize(("px", "lost"), [(14.5, 0), (14.7, 1)])
def test_a_joint_is_lost_when_it_moved_beyond_cocos_loosest_match(px, lost):
    assert agreement(people(), moved(people(), WRIST, px), SIZE).lost == lost
    assert agreement(people(), moved(people(), WRIST, px), 2 * SIZE).lost == 0


def test_a_joint_that_the_reference_does_not_see_cannot_be_lost():
    reference = scored(people(), WRIST, 0.2)
    found = agreement(reference, moved(scored(people(), WRIST, 0.0), WRIST, 90.0), SIZE)
    assert (found.sure, found.lost, found.max_px) == (16, 0, 0.0)


def test_the_worst_joints_begin_with_both_wrists_even_when_they_suffered_nothing():
    other = moved(scored(people(), ANKLE, 0.0), COCO17.index("nose"), 3.0)
    names = [joint.name for joint in agreement(people(), other, SIZE).worst]
    assert names[:4] == ["left_wrist", "right_wrist", "right_ankle", "nose"]
    assert len(names) == len(set(names)) == 5


def test_nothing_sure_is_no_drift_and_no_figure():
    found = agreement(people(score=0.1), people(), SIZE)
    assert (found.sure, found.p99_px, found.lost_percent) == (0, None, 0.0)
    measured = figures(found, oks=None, time=1.0)
    assert (measured["lost"], measured["wrists"], measured["drift.p99"]) == (None, None, None)
    assert broken(measured, [parse_limit("lost=1%")]) == ["limit lost=1%: there is nothing to judge it by"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("drift.p99=2px", None),
        ("drift.p99=1.9px", "limit drift.p99=1.9px: it is 2 px"),
        ("drift.max=1", "limit drift.max=1: it is 2 px"),
        ("lost=5.9%", None),
        ("lost=5.8%", "limit lost=5.8%: it is 5.882 %"),
        ("unsure=11.8%", None),
        ("unsure=11.7%", "limit unsure=11.7%: it is 11.76 %"),
        ("wrists=0%", "limit wrists=0%: it is 50 %"),
        ("oks=0.7", None),
        ("oks=0.76", "limit oks=0.76: it is 0.75"),
        ("time=0.95", None),
        ("time=0.8", "limit time=0.8: it is 0.9"),
    ],
)
def test_a_limit_holds_or_says_what_was_measured(text, sentence):
    other = scored(scored(people(), WRIST, 0.0), ANKLE, 0.2)
    other[..., 1] += 2.0
    measured = figures(agreement(people(), other, np.array([1000.0])), oks=0.75, time=0.9)
    assert broken(measured, [parse_limit(text)]) == ([] if sentence is None else [sentence])


def test_an_oks_limit_without_labels_does_not_hold():
    measured = figures(agreement(people(), people(), SIZE), oks=None, time=None)
    assert broken(measured, [parse_limit("oks=0.1")]) == ["limit oks=0.1: give --people for it"]


@pytest.mark.parametrize(
    "text", ["drift=6px", "lost", "drift.p99=px", "lost=-1%", "oks=nan", "drift.p99=6mm"]
)
def test_a_limit_that_is_none_is_refused_in_words(text):
    with pytest.raises(UsageError, match="limit"):
        parse_limit(text)
