"""Which networks a configuration may name, and which kits they can play."""

import pytest

from lalelu.config.kit import KitConfig
from lalelu.config.loader import check_file
from lalelu.config.schema import Config
from lalelu.errors import UsageError
from lalelu.models import catalogue
from lalelu.pose.build import build_estimator
from lalelu.skeleton import SKELETONS


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "pose: {model: blazepose-detector}",
            (
                "1:15: pose.model is blazepose-detector; it is a person detector's network, which does not play by "
                "itself; allowed are {}"
            ),
        ),
        (
            "pose: {model: heatmap}",
            "1:7: pose: model: heatmap is the network in this file; name an ONNX file",
        ),
        (
            "pose: {heatmap: {deviation: [0.2, 0, 0.2]}}",
            "1:29: pose.heatmap.deviation: a colour is divided by it; allowed are numbers above 0",
        ),
    ],
)
def test_a_model_that_cannot_be_played_is_told_with_its_place_and_rule(tmp_path, text, sentence):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    expected = sentence.format(", ".join(sorted(catalogue.playable())))
    assert [str(problem) for problem in check_file(path)] == [f"{path}:{expected}"]


def test_every_networks_keypoints_are_known():
    for row in catalogue.MODELS.values():
        assert row.skeleton is None or row.skeleton in SKELETONS
    for name in catalogue.played():
        assert Config.model_validate({"pose": {"model": name}}).pose.skeleton == catalogue.find(name).skeleton


def kit(**more):
    pads = {"snare": {"note": 38, "zone": {"box": [-1, -2, 1, 0]}, "limbs": ["head_top"]}}
    return KitConfig.model_validate({"name": "odd", "pads": pads, **more})


def test_a_kit_that_goes_by_keypoints_of_other_networks_is_refused_with_those_that_show_them():
    with pytest.raises(UsageError, match=r"goes by head_top, which pose.model thunder does not show") as told:
        build_estimator(Config.model_validate({"pose": {"model": "thunder"}}), [kit()])
    assert "it shows nose, left_eye," in str(told.value)
    assert str(told.value).endswith("choose pose.model: efficientpose")


def test_a_kit_goes_by_what_its_own_keypoints_are_made_of_only_where_it_uses_them():
    own = {"tip": {"head_top": 2.0, "upper_neck": -1.0}, "unused": {"nose": 1.0}}
    pads = {"snare": {"note": 38, "zone": {"box": [-1, -2, 1, 0]}, "limbs": ["tip", "left_hand"]}}
    assert kit(keypoints=own, pads=pads).needed == {"head_top", "upper_neck", "left_wrist", "left_elbow"}
