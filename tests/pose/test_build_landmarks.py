"""Which options go with BlazePose and with fingers, told before any model is fetched."""

import pytest

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import MissingError, UsageError
from lalelu.pose.build import build_estimator
from lalelu.pose.estimator_fingers import FingersEstimator
from lalelu.pose.estimator_landmarks import LandmarkEstimator
from lalelu.skeleton import BLAZEPOSE33, COCO17, FINGERS40


def config(**pose) -> Config:
    return Config.model_validate({"pose": pose})


def kit(limb: str) -> KitConfig:
    pad = {"note": 38, "zone": {"box": [-1.0, -1.0, 1.0, 0.0]}, "limbs": [limb]}
    return KitConfig.model_validate({"name": "mine", "pads": {"snare": pad}})


@pytest.mark.parametrize(
    ("pose", "sentence"),
    [
        (
            {"model": "blazepose-full", "flow": "carried"},
            "pose.flow is carried, which pose.model blazepose-full does",
        ),
        (
            {"model": "blazepose-lite", "hands": "track"},
            "pose.hands is track, which pose.model blazepose-lite does",
        ),
        (
            {"model": "blazepose-heavy", "runtime": "tensorflow"},
            "choose pose.runtime: openvino, onnxruntime or litert",
        ),
        ({"fingers": "lite", "flow": "interleaved"}, "pose.fingers is lite, but pose.flow is interleaved"),
        ({"fingers": "full", "model": "multipose"}, "pose.fingers is full, but pose.model is multipose"),
        ({"fingers": "lite", "model": "efficientpose"}, "a model that sees one player's wrists and elbows"),
    ],
)
def test_options_that_do_not_go_together_are_refused(pose, sentence):
    with pytest.raises(UsageError) as told:
        build_estimator(config(**pose))
    assert sentence in str(told.value)


def test_a_kit_for_fingers_asks_for_them():
    with pytest.raises(UsageError, match=r"goes by right_index_tip, .* choose pose\.fingers: lite"):
        build_estimator(config(model="lightning"), [kit("right_index_tip")])


def test_a_kit_for_heels_asks_for_a_model_that_has_them():
    with pytest.raises(
        UsageError, match=r"choose pose\.model: blazepose-lite or blazepose-full or blazepose-heavy"
    ):
        build_estimator(config(model="lightning"), [kit("right_heel")])


@pytest.mark.model
def test_heels_and_fingers_are_shown_by_who_has_them(expect):
    try:
        made = build_estimator(config(model="blazepose-lite"), [kit("right_heel")])
        fingered = build_estimator(config(model="lightning", fingers="lite"), [kit("right_index_tip")])
    except MissingError as exc:
        expect("model", str(exc))
    assert isinstance(made, LandmarkEstimator)
    assert made.skeleton == BLAZEPOSE33
    assert isinstance(fingered, FingersEstimator)
    assert fingered.skeleton == (*COCO17, *FINGERS40)
