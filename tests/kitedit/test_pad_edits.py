import math

import pytest

from lalelu.config.loader import load_kit, shipped_dir, shipped_kits
from lalelu.config.positions import read_document
from lalelu.errors import UsageError
from lalelu.gesture.zones import measure_of
from lalelu.kitedit.edits import applied
from lalelu.kitedit.pads import GAP, RADII, add, choke, free_place, remove, rename

TEXTS = {name: (shipped_dir() / "kits" / f"{name}.yaml").read_text() for name in shipped_kits()}


def done(tmp_path, name, edits):
    """The kit of this name as it is with `edits`, read by the judge."""
    (tmp_path / "kit.yaml").write_text(applied(TEXTS[name], edits))
    return load_kit("kit.yaml", tmp_path)


def kit(name="rock"):
    return load_kit(name, None)


def test_a_new_pad_lies_where_nothing_else_does(tmp_path):
    before = kit()
    name, edits = add(before, "cowbell")
    after = done(tmp_path, "rock", edits)
    assert (name, after.pads[name].note) == ("cowbell", 56)
    x, y, *radii = after.pads["cowbell"].zone.ellipse
    assert tuple(radii) == RADII
    rim = [(x + RADII[0] * math.cos(a / 9), y + RADII[1] * math.sin(a / 9)) for a in range(57)]
    others = [measure_of(pad.zone, None) for pad in before.pads.values()]
    assert min(measure(*point)[0] for measure in others for point in rim) > GAP / 2


@pytest.mark.parametrize("name", TEXTS)
def test_every_shipped_kit_takes_a_new_pad_at_a_place_that_hands_reach(name, tmp_path):
    pad, edits = add(kit(name), "C4")
    assert pad in done(tmp_path, name, edits).pads
    x, y = free_place(kit(name))
    assert abs(x) <= 1.5
    assert -1.0 <= y <= 0.5


def test_a_full_kit_takes_one_more_where_most_room_is_left(tmp_path):
    crowded = kit()
    zone = crowded.pads["snare"].zone.model_copy(update={"box": (-2.0, -2.0, 1.0, 2.0)})
    pads = {"all": crowded.pads["snare"].model_copy(update={"zone": zone})}
    x, _ = free_place(crowded.model_copy(update={"pads": pads}))
    assert x == 1.5


@pytest.mark.parametrize(
    ("note", "name"),
    [("cowbell", "cowbell"), (49, "crash_cymbal_1"), ("C4", "pad"), (["C4", "E4"], "chord"), (3, "pad")],
)
def test_a_pad_without_a_name_is_called_after_its_sound(note, name):
    assert add(kit(), note)[0] == name
    twice = kit().model_copy(update={"pads": {name: kit().pads["snare"]}})
    assert add(twice, note)[0] == f"{name}_2"


def test_a_renamed_pad_keeps_its_group_and_the_gestures_that_name_it(tmp_path):
    before = kit("gestures")
    after = done(tmp_path, "gestures", rename(before, "hihat", "hats"))
    assert list(after.pads)[1] == "hats"
    assert after.pads["hats"] == before.pads["hihat"]
    assert after.gestures["pedal"].pad == "hats"
    after = done(tmp_path, "gestures", rename(before, "a_minor", "minor"))
    assert after.gestures["chords"].pads == ("c_major", "minor", "f_major")


def test_a_pad_that_a_gesture_names_is_not_removed():
    with pytest.raises(UsageError, match=r"strings cannot be removed: gestures\.chords .* names it"):
        remove(kit("gestures"), "strings")


def test_a_removed_pad_takes_a_group_of_two_with_it(tmp_path):
    text = (
        TEXTS["rock"]
        .replace("closed_hi_hat,", "closed_hi_hat, choke: a,")
        .replace("note: crash", "choke: a, note: crash")
    )
    (tmp_path / "kit.yaml").write_text(text)
    before = load_kit("kit.yaml", tmp_path)
    (tmp_path / "kit.yaml").write_text(applied(text, remove(before, "crash")))
    after = load_kit("kit.yaml", tmp_path)
    assert "crash" not in after.pads
    assert after.pads["hihat"].choke is None


def test_pads_join_a_group_and_leave_it_again(tmp_path):
    two = done(tmp_path, "rock", choke(kit(), "hihat", "crash", on=True))
    assert (two.pads["hihat"].choke, two.pads["crash"].choke) == ("hihat", "hihat")
    text = (tmp_path / "kit.yaml").read_text()
    (tmp_path / "kit.yaml").write_text(applied(text, choke(two, "ride", "crash", on=True)))
    three = load_kit("kit.yaml", tmp_path)
    assert [name for name, pad in three.pads.items() if pad.choke == "hihat"] == ["hihat", "ride", "crash"]
    text = applied((tmp_path / "kit.yaml").read_text(), choke(three, "ride", "hihat", on=False))
    (tmp_path / "kit.yaml").write_text(text)
    left = load_kit("kit.yaml", tmp_path)
    assert [name for name, pad in left.pads.items() if pad.choke] == ["ride", "crash"]
    assert applied(text, choke(left, "ride", "crash", on=False)) == TEXTS["rock"]
    assert "choke" not in read_document(TEXTS["rock"], "").root["pads"]["ride"]


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        (lambda: rename(kit(), "snare", "ride"), "the kit has a pad ride already"),
        (
            lambda: rename(kit(), "snare", "1st drum"),
            "'1st drum' is no name for a pad; write a name of up to",
        ),
        (lambda: rename(kit(), "bell", "x"), "the kit has no pad 'bell'; it has snare,"),
        (lambda: remove(kit(), "bell"), "the kit has no pad 'bell'"),
        (lambda: choke(kit(), "snare", "snare", on=True), "snare ends its own sound anyway"),
        (lambda: add(kit(), "cowbell", "snare"), "the kit has a pad snare already"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(do, sentence):
    with pytest.raises(UsageError, match=sentence):
        do()
