"""Keypoints by name: the skeleton's, virtual ones, the kit's own, and what cannot be one."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.errors import UsageError
from lalelu.gesture.keypoints import Keypoints, expand
from lalelu.skeleton import COCO17, SKELETONS, VIRTUAL, having, mirrored

MANY = settings(deadline=None, derandomize=True)  # the same examples in every run

LEFT_WRIST, RIGHT_WRIST, LEFT_ELBOW = (
    COCO17.index(name) for name in ("left_wrist", "right_wrist", "left_elbow")
)
SHOWN = [[0.01 * i, 1.0 - 0.02 * i] for i in range(17)]
SURE = [0.9] * 17


def seen(name, *, own=None, xy=SHOWN, score=SURE, min_score=0.15):
    return Keypoints(COCO17, own or {}, [name]).points(xy, score, min_score)[name]


def refused(name, own=None, skeleton=COCO17):
    with pytest.raises(UsageError) as caught:
        expand(name, skeleton, own or {})
    return str(caught.value)


def test_a_name_of_the_skeleton_is_its_keypoint():
    assert seen("left_wrist") == tuple(SHOWN[LEFT_WRIST])
    assert expand("left_wrist", COCO17, {}) == {LEFT_WRIST: 1.0}


def test_the_middle_of_the_hips_lies_between_them():
    left, right = SHOWN[COCO17.index("left_hip")], SHOWN[COCO17.index("right_hip")]
    assert seen("mid_hip") == pytest.approx([(a + b) / 2 for a, b in zip(left, right, strict=True)])


def test_a_hand_lies_beyond_the_wrist_on_the_line_of_the_forearm():
    xy = [list(point) for point in SHOWN]
    xy[LEFT_ELBOW], xy[LEFT_WRIST] = [0.5, 0.5], [0.5, 0.6]
    assert seen("left_hand", xy=xy) == pytest.approx((0.5, 0.633))


@pytest.mark.parametrize("name", VIRTUAL)
def test_every_virtual_keypoint_has_weights_of_sum_1(name):
    (first, *_) = having([name])
    assert math.fsum(expand(name, SKELETONS[first], {}).values()) == pytest.approx(1.0)


def test_a_keypoint_of_other_networks_is_told_with_those_that_are_there_and_the_skeletons_that_have_it():
    with pytest.raises(UsageError, match="of which 'right_toe' is made") as told:
        expand("right_toe", COCO17, {})
    assert "not one of this network's (nose, left_eye" in str(told.value)
    assert "those of the skeleton blazepose33 show it" in str(told.value)


def test_the_names_of_every_skeleton_are_mirrored_within_it():
    for skeleton in SKELETONS.values():
        assert {mirrored(name) for name in skeleton} == set(skeleton)
        assert len(set(skeleton)) == len(skeleton)


def test_the_kits_weights_count_by_their_share_of_the_sum():
    assert expand("mine", COCO17, {"mine": {"left_wrist": 3.0, "right_wrist": 1.0}}) == {
        LEFT_WRIST: 0.75,
        RIGHT_WRIST: 0.25,
    }


def test_a_keypoint_may_be_made_of_virtual_ones_and_of_the_kits_own():
    own = {"belly": {"mid_hip": 2.0, "chest": 1.0}, "chest": {"mid_shoulder": 1.0, "nose": 1.0}}
    weights = {COCO17[index]: weight for index, weight in expand("belly", COCO17, own).items()}
    assert weights == pytest.approx(
        {"left_hip": 1 / 3, "right_hip": 1 / 3, "left_shoulder": 1 / 12, "right_shoulder": 1 / 12}
        | {"nose": 1 / 6}
    )


def test_the_kits_own_hand_wins_over_the_virtual_one():
    own = {"left_hand": {"left_wrist": 1.5, "left_elbow": -0.5}}
    assert expand("left_hand", COCO17, own) == {LEFT_WRIST: 1.5, LEFT_ELBOW: -0.5}


def test_what_has_no_weight_in_the_end_is_not_needed():
    own = {"mine": {"mid_wrist": 2.0, "left_wrist": -1.0}}
    assert expand("mine", COCO17, own) == {RIGHT_WRIST: 1.0}
    assert expand("mine", COCO17, {"mine": {"left_wrist": 1.0, "nose": 0.0}}) == {LEFT_WRIST: 1.0}


@pytest.mark.parametrize("name", ["left_wrist", "left_hand"])
@pytest.mark.parametrize("score", [0.14, 0.0, math.nan])
def test_a_keypoint_is_not_known_when_one_that_it_is_made_of_is_scored_too_low(name, score):
    scores = SURE.copy()
    scores[LEFT_WRIST] = score
    assert seen(name, score=scores) is None


@pytest.mark.parametrize("name", ["left_wrist", "left_hand"])
def test_score_0_is_not_known_even_where_nothing_is_asked_of_it(name):
    scores = SURE.copy()
    scores[LEFT_WRIST] = 0.0
    assert seen(name, score=scores, min_score=0.0) is None
    scores[LEFT_WRIST] = 0.01
    assert seen(name, score=scores, min_score=0.0) is not None


@pytest.mark.parametrize("name", ["left_wrist", "left_hand"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_place_that_is_no_number_is_not_known(name, value):
    xy = [list(point) for point in SHOWN]
    xy[LEFT_WRIST][1] = value
    assert seen(name, xy=xy) is None


def test_the_score_of_a_mean_is_the_least_of_its_parts():
    scores = SURE.copy()
    scores[LEFT_ELBOW], scores[LEFT_WRIST] = 0.3, 0.7
    keypoints = Keypoints(COCO17, {}, ["left_hand", "left_wrist"])
    assert (keypoints.score_of("left_hand", scores), keypoints.score_of("left_wrist", scores)) == (0.3, 0.7)


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    assert refused("left_wirst").endswith('did you mean "left_wrist"?')
    assert "'left_wirst' is not known" in refused("left_wirst")
    assert refused("bely", {"belly": {"mid_hip": 1.0}}).endswith('did you mean "belly"?')


def test_an_unknown_part_is_refused_with_the_keypoint_that_is_made_of_it():
    sentence = refused("paw", {"paw": {"left_wirst": 1.0}})
    assert "'left_wirst', of which 'paw' is made, is not known" in sentence


def test_a_virtual_keypoint_is_refused_where_the_skeleton_lacks_a_part():
    assert "'left_ear', of which 'head' is made" in refused(
        "head", skeleton=("nose", "left_eye", "right_eye")
    )


@pytest.mark.parametrize(
    ("own", "circle"),
    [
        ({"a": {"a": 1.0}}, "a of a"),
        ({"a": {"nose": 1.0, "b": 1.0}, "b": {"c": 1.0}, "c": {"a": 1.0}}, "a of b of c of a"),
        ({"a": {"b": 1.0}, "b": {"b": 1.0, "nose": 1.0}}, "b of b"),
    ],
)
def test_a_keypoint_that_is_made_of_itself_is_refused(own, circle):
    assert f"is made of itself ({circle})" in refused("a", own)


@pytest.mark.parametrize("weights", [(1.0, -1.0), (0.0, 0.0), (1.0, -0.95)])
def test_weights_that_cancel_each_other_are_refused(weights):
    own = {"mine": dict(zip(("left_wrist", "right_wrist"), weights, strict=True))}
    assert "'mine' add up to" in refused("mine", own)


def test_a_name_that_the_skeleton_has_already_is_refused():
    assert "give the kit's own another name" in refused("nose", {"nose": {"left_eye": 1.0}})


NAMES = st.sampled_from([*COCO17, *VIRTUAL, "a", "b", "c", "left_wirst"])
OWN = st.dictionaries(
    st.sampled_from(["a", "b", "c", "left_hand", "nose"]),
    st.dictionaries(NAMES, st.floats(-10.0, 10.0), min_size=1, max_size=4),
)


@MANY
@given(NAMES, OWN)
def test_every_name_is_either_a_mean_that_moves_with_the_player_or_refused(name, own):
    try:
        weights = expand(name, COCO17, own)
    except UsageError:
        return
    assert math.fsum(weights.values()) == pytest.approx(1.0, abs=1e-4)
    here = seen(name, own=own)
    moved = seen(name, own=own, xy=[[x + 0.25, y] for x, y in SHOWN])
    assert (moved[0] - here[0], moved[1] - here[1]) == pytest.approx((0.25, 0.0), abs=1e-4)
