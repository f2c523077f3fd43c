import numpy as np
import pytest
from gesture.drummer import KIT, SNARE, poses, stamps, still, strokes
from test_renewed import renew

from lalelu.config.kit import KitConfig, LearnedSection
from lalelu.errors import UsageError
from lalelu.gesture.band import Band
from lalelu.gesture.detector import Detector
from lalelu.gesture.learned import FALL, FEATURES, trees_of
from lalelu.gesture.trees import DEPTH, LEAVES, NODES, Ensemble, Node, Trees, decoded
from lalelu.skeleton import COCO17
from lalelu.types import Hit


def stump(feature, threshold, low=-1.0, high=1.0):
    """A text of one tree that asks for one feature."""
    return Ensemble.of(0.0, [{0: Node(0.0, feature, threshold, 1, 2), 1: Node(low), 2: Node(high)}]).text


def kit_with(text):
    learned = LearnedSection(file="x.onnx", sha256="0" * 64, trees=text)
    return KIT.model_copy(update={"detector": "learned", "learned": learned})


def play(kit, height):
    t = stamps(5.0)
    path, truth = strokes(t, SNARE, hz=2.5, height=height)
    detector = Detector(kit, skeleton=COCO17)
    film = poses(t, still(t, (0.6, -1.6)), path, sd=0.003)
    found = [event for pose in film for event in detector.step(pose)]
    return [event for event in found if isinstance(event, Hit)], truth


def test_every_row_goes_its_own_way_through_the_trees():
    rng = np.random.default_rng(2)
    feature = rng.integers(0, 7, (9, NODES))
    threshold = rng.normal(size=(9, NODES)).astype(np.float32)
    leaf = rng.normal(size=(9, LEAVES)).astype(np.float32)
    trees = Trees(decoded(Ensemble(0.25, feature, threshold, leaf).text))
    for row in rng.normal(size=(40, 7)).astype(np.float32):
        expected = 0.25
        for tree in range(9):
            place = 0
            for _ in range(DEPTH):
                place = 2 * place + 1 + int(row[feature[tree, place]] > threshold[tree, place])
            expected += leaf[tree, place - NODES]
        assert trees.score(row) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("text", ["*", "AAAA", stump(1, 2.0)[:-8], stump(1, np.nan)])
def test_a_text_that_holds_no_trees_is_refused(text):
    with pytest.raises(ValueError, match=r"base64|size|trees"):
        trees_of(decoded(text))


def test_trees_that_ask_for_more_than_there_is_are_refused():
    trees_of(decoded(stump(FEATURES - 1, 0.0)))
    with pytest.raises(ValueError, match="features"):
        trees_of(decoded(stump(FEATURES, 0.0)))


def test_the_trees_decide_what_is_a_stroke_and_its_time_and_pad_are_as_ever():
    kit = kit_with(stump(FALL, 0.5))
    assert play(kit, 0.3)[0] == []
    found, truth = play(kit, 0.8)
    assert [hit.pad for hit in found] == ["snare"] * len(truth)
    by_model = play(KIT, 0.8)[0]
    assert np.array([hit.struck_ns for hit in found]) * 1e-9 == pytest.approx(np.array(truth), abs=0.005)
    assert [hit.strength for hit in found] == pytest.approx([hit.strength for hit in by_model], abs=0.02)


def test_a_learned_detector_is_taken_over_while_playing_and_goes_on_when_it_is_the_same():
    t = stamps(5.0)
    path, truth = strokes(t, SNARE, hz=2.5, height=0.8)
    film = poses(t, still(t, (0.6, -1.6)), path, sd=0.003)
    band, found = Band([KIT], skeleton=COCO17), []
    deaf, hears = kit_with(stump(FALL, 2.0)), kit_with(stump(FALL, 0.5))
    for seq, pose in enumerate(film):
        found += band.frame(seq, pose.captured_ns, [pose])
        if seq == 100 or seq >= 320:  # at last with every frame
            renew(band, [deaf if seq == 100 else hears], seq)
    struck = [hit.struck_ns * 1e-9 for hit in found if isinstance(hit, Hit)]
    assert struck == pytest.approx([at_s for at_s in truth if at_s > 3.2], abs=0.005)


def test_a_lead_is_refused_because_nothing_is_foreseen():
    with pytest.raises(UsageError, match="lead_ms is 20"):
        Detector(kit_with(stump(FALL, 0.5)), skeleton=COCO17, lead_ms=20.0)


def test_a_kit_that_asks_for_a_learned_detector_names_its_file():
    plain = KIT.model_dump(mode="json")
    with pytest.raises(ValueError, match="tune --learn"):
        KitConfig.model_validate({**plain, "detector": "learned"})
