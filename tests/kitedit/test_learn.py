"""The strokes are those that lalelu's own recorded takes hold."""

import json
from pathlib import Path

import pytest

from lalelu.config.edit import edited
from lalelu.config.loader import load_kit
from lalelu.config.positions import read_document
from lalelu.errors import UsageError
from lalelu.gesture.band import Band
from lalelu.kitedit.learn import Touch, learn
from lalelu.skeleton import SKELETONS
from lalelu.take import read_take

GOLDEN = Path(__file__).parents[1] / "golden"
KIT = load_kit(str(GOLDEN / "kit.yaml"), None)
NEAR = [Touch(0.9, 0.3, 4.0), Touch(1.0, 0.35, 5.0), Touch(1.05, 0.28, 6.0)]


def strokes(kit):
    """Every stroke of a take, by the pad that it hits with `kit`."""
    take = read_take(GOLDEN / "rock_100.take.gz")
    found = {}

    def explain(verdict):
        if verdict.rule is None and verdict.measured is not None:
            touch = Touch(verdict.x, verdict.y, verdict.measured.peak_speed)
            found.setdefault(verdict.pad, []).append(touch)

    band = Band((kit,), skeleton=SKELETONS[take.header.skeleton], explain=explain)
    for frame in take.frames:
        band.frame(frame.seq, frame.captured_ns, frame.poses)
    band.finish()
    return found


def taught(kit, lesson):
    """The kit as it is with what was learned."""
    text = (GOLDEN / "kit.yaml").read_text()
    document = read_document(edited(text, lesson.changes), "")
    return type(kit).model_validate_json(json.dumps(document.root))


@pytest.fixture(scope="module")
def played():
    return strokes(KIT)


def test_a_pad_learned_from_three_strokes_of_a_take_is_hit_by_the_others(played):
    pad = max(played, key=lambda name: len(played[name]))
    other = next(name for name in KIT.pads if name != pad and KIT.pads[name].zone is not None)
    lesson = learn(KIT, other, played[pad][:3])
    now = strokes(taught(KIT, lesson))
    assert len(now[other]) >= 0.8 * len(played[pad])


def test_strokes_on_different_pads_are_refused(played):
    first, second = sorted(played, key=lambda name: played[name][0].x)[:: len(played) - 1]
    with pytest.raises(UsageError, match=r"ended up to .* shoulder widths from their middle.*hit one place"):
        learn(KIT, first, [*played[first][:2], played[second][0]])


def test_a_zone_keeps_its_size_and_the_loudness_follows_the_strokes():
    kit = load_kit("rock", None)
    lesson = learn(kit, "snare", NEAR)
    assert lesson.changes == {
        ("pads", "snare", "zone", "box"): [0.7, 0.2, 1.3, 0.4],
        ("pads", "snare", "threshold"): 2.0,
        ("pads", "snare", "sensitivity"): 1.5,
    }
    assert learn(kit, "ride", NEAR).changes["pads", "ride", "zone", "ellipse"] == [1.0, 0.3, 0.35, 0.3]


def test_a_left_handed_player_s_kit_is_the_mirrored_one():
    lesson = learn(load_kit("rock", None), "ride", NEAR, left_handed=True)
    assert lesson.changes["pads", "ride", "zone", "ellipse"][:2] == [-1.0, 0.3]


def test_soft_strokes_leave_the_threshold_to_the_kit():
    soft = [Touch(touch.x, touch.y, 2.0) for touch in NEAR]
    changes = learn(load_kit("rock", None), "snare", soft).changes
    assert ("pads", "snare", "threshold") not in changes
    assert changes["pads", "snare", "sensitivity"] == 4.0  # the most there is


@pytest.mark.parametrize(
    ("pad", "touches", "sentence"),
    [
        ("snare", NEAR[:2], r"2 strokes were shown; 3\.\.32 are needed"),
        ("gong", NEAR, r"no pad 'gong'"),
        ("bass_drum", NEAR, r"only gestures play it"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_reason(pad, touches, sentence):
    with pytest.raises(UsageError, match=sentence):
        learn(load_kit("rock_pedals", None), pad, touches)
