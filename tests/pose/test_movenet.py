import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posed_people import movenet_output, person

from lalelu.errors import UsageError
from lalelu.pose.crop import Crop
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.port import RuntimeFacts, TensorSpec

CROP = Crop(0.7, 0.4, 0.5)


def decode(output):
    places, scores = MoveNetSinglePose().decode(output, CROP)
    return np.array(places).reshape(17, 2), np.array(scores)


def facts(input_shape, output_shape, name="in"):
    return RuntimeFacts(
        "x", "1", "CPU", "f32", 1, 0.0, 0.0,
        (TensorSpec(name, input_shape, np.dtype(np.int32)),),
        (TensorSpec("out", output_shape, np.dtype(np.float32)),),
    )  # fmt: skip


def test_keypoints_come_back_in_image_heights():
    xy = person(0.65, 0.3, 0.1)
    decoded, score = decode(movenet_output(xy, CROP))
    np.testing.assert_allclose(decoded, xy, atol=1e-6)
    np.testing.assert_allclose(score, 0.8, atol=1e-6)


@given(
    arrays(
        np.float32,
        (1, 1, 17, 3),
        elements=st.floats(width=32, min_value=-1e6, max_value=1e6) | st.just(np.nan) | st.just(np.inf),
    )
)
def test_whatever_the_network_says_the_pose_is_finite_and_scores_lie_in_0_to_1(output):
    xy, score = decode(output)
    assert np.isfinite(xy).all()
    assert ((score >= 0) & (score <= 1)).all()
    assert (score[~np.isfinite(output[0, 0]).all(axis=1)] == 0).all()


def test_one_undefined_keypoint_leaves_the_others_where_they_are():
    xy = person(0.65, 0.3, 0.1)
    output = movenet_output(xy, CROP)
    output[0, 0, 3, 1] = np.nan
    output[0, 0, 4, 2] = 1.5
    decoded, score = decode(output)
    others = [k for k in range(17) if k != 3]
    np.testing.assert_allclose(decoded[others], xy[others], atol=1e-6)
    assert decoded[3] == pytest.approx((CROP.x, CROP.y))
    assert (score[3], score[4], score[5]) == pytest.approx((0.0, 1.0, 0.8))


def test_the_inputs_name_says_the_order_of_colours():
    shapes = (1, 192, 192, 3), (1, 1, 17, 3)
    assert MoveNetSinglePose().takes_bgr(facts(*shapes, name="bgr"))
    assert not MoveNetSinglePose().takes_bgr(facts(*shapes, name="input"))


def test_single_pose_models_are_taken_and_others_refused_in_words():
    decoder = MoveNetSinglePose()
    assert decoder.input_side(facts((1, 192, 192, 3), (1, 1, 17, 3))) == 192
    for shapes in [
        ((1, 192, 256, 3), (1, 1, 17, 3)),
        ((1, 256, 256, 3), (1, 6, 56)),
        ((1, 3), (1, 1, 17, 3)),
    ]:
        with pytest.raises(UsageError, match="choose lightning or thunder"):
            decoder.input_side(facts(*shapes))
