"""Several kits of one configuration: which there are, who plays them, and what does not go together."""

import json
from pathlib import Path

import pytest

from lalelu.config import loader
from lalelu.config.loader import check_file, load_config, load_kit, shipped_kits, with_overrides
from lalelu.config.problem import ConfigError

KIT = "name: {name}\npads:\n  snare: {{note: open_hi_hat, zone: {{box: [0, 0, 1, 1]}}}}\n"
HOLD = "gestures:\n  g: {{gesture: hold, where: [{{by: {{y: nose}}, between: [0, 1]}}], kit: {kit}}}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LALELU_CONFIG", raising=False)
    monkeypatch.setattr(loader, "SYSTEM_FILE", tmp_path / "none.yaml")
    return tmp_path


def write(name, text):
    Path(name).write_text(text)
    return Path(name)


def problems(text):
    return [str(problem) for problem in check_file(write("lalelu.yaml", text))]


def test_the_kits_are_loaded_in_their_order_and_stand_in_the_effective_values(folder):
    write("mine.yaml", KIT.format(name="mine"))
    loaded = load_config(write("lalelu.yaml", "kit: minimal\nmore_kits: [mine.yaml, latin]\n"))
    assert [kit.name for kit in loaded.kits] == ["minimal", "mine", "latin"]
    assert loaded.kit is loaded.kits[0]
    assert loaded.config.kit_refs == ("minimal", "mine.yaml", "latin")
    assert [path.name for path in loaded.files] == ["lalelu.yaml", "minimal.yaml", "mine.yaml", "latin.yaml"]
    assert [kit["name"] for kit in loaded.effective["kits"]] == ["minimal", "mine", "latin"]
    assert loaded.effective["kit"] == loaded.effective["kits"][0]
    assert with_overrides(loaded, camera="sim:").kits == loaded.kits
    alone = load_config(write("lalelu.yaml", "kit: minimal\n"))
    assert "kits" not in alone.effective
    assert alone.digest != loaded.digest


def test_all_shipped_kits_go_together(folder):
    first, *more = shipped_kits()
    assert problems(f"kit: {first}\nmore_kits: [{', '.join(more)}]\n") == []


def test_players_begin_on_the_kits_that_are_named_for_them_and_have_their_channels(folder):
    text = (
        "kit: minimal\nmore_kits: [latin]\nplayer: {kits: {1: latin, 0: minimal}, channels: [10, null, 3]}\n"
    )
    loaded = load_config(write("lalelu.yaml", text))
    assert loaded.config.player.kits == {1: "latin", 0: "minimal"}
    assert loaded.config.player.channels == (10, None, 3)
    assert json.loads(json.dumps(loaded.effective)) == loaded.effective


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "player: {kits: {1: latn}}\nmore_kits: [latin]",
            "1:20: player.kits.1 is latn; allowed are the kits of this file, rock, latin; add it to more_kits",
        ),
        ("player: {kits: {6: rock}}", "1:17: player.kits.6 is no player; they are numbered 0..5"),
        ("player: {kits: {first: rock}}", "1:17: player.kits.first is no player; they are numbered 0..5"),
        ("player: {kits: {1: 3}}", "1:20: player.kits.1 is 3; allowed text, not empty"),
        ("player: {kits: [rock]}", "1:16: player.kits is a list of 1; allowed a mapping"),
        ("player: {channels: [17]}", "1:21: player.channels[0] is 17; allowed 1..16 or null"),
        (
            "player: {channels: []}",
            "1:20: player.channels is a list of 0; allowed a list of 1..6 entries or null",
        ),
        ("more_kits: latin", "1:12: more_kits is latin; allowed a list of 0..15 entries"),
        (
            "midi: {note_map: roland}",
            "1:18: midi.note_map is roland; allowed one of general_midi, roland_td, ",
        ),
        (
            "midi: {input: prot:x}",
            "1:15: midi.input is prot:x; no adapter is called 'prot'; allowed are port, virtual; did you mean",
        ),
        ("midi: {standby_controller: 120}", "1:28: midi.standby_controller is 120; allowed 0..119"),
        ("timing: {choke: 1}", "1:17: timing.choke is 1; allowed true or false"),
    ],
)
def test_each_option_tells_its_rule(folder, text, sentence):
    (told,) = problems(text)
    assert told.startswith(f"lalelu.yaml:{sentence}")


def test_a_kit_that_there_is_not_is_told_where_it_is_named(folder):
    told = problems("kit: rokc\nmore_kits: [latn, gone.yaml]\n")
    assert [line.partition(";")[0] for line in told] == [
        "lalelu.yaml:1:6: kit is 'rokc'",
        "lalelu.yaml:2:13: more_kits[0] is 'latn'",
        "gone.yaml: there is no such file",
    ]


def test_two_kits_of_one_name_are_refused(folder):
    write("one.yaml", KIT.format(name="rock"))
    rule = "two kits are called rock; give each a name of its own (name: in its file)"
    assert problems("more_kits: [latin, one.yaml]\n") == [
        f"lalelu.yaml:1:20: more_kits[1] is one.yaml; {rule}"
    ]
    assert problems("more_kits: [rock]\n") == [f"lalelu.yaml:1:13: more_kits[0] is rock; {rule}"]


def test_a_hold_switches_to_a_kit_that_there_is(folder):
    write("one.yaml", KIT.format(name="one") + HOLD.format(kit="latn"))
    write("two.yaml", KIT.format(name="two") + HOLD.format(kit="one"))
    text = "kit: one.yaml\nmore_kits: [latin, two.yaml]\n"
    assert problems(text) == [
        (
            "one.yaml:5:70: gestures.g.kit is latn; the configuration has the kits one, latin, two; add it to "
            'more_kits; did you mean "latin"?'
        )
    ]
    with pytest.raises(ConfigError, match=r"^one\.yaml:5:70: "):
        load_config(Path("lalelu.yaml"))
    assert check_file(Path("one.yaml")) == ()  # alone, nobody knows the others


def test_the_problems_of_all_kits_are_told_once_each(folder):
    for name in ("one", "two"):
        write(f"{name}.yaml", KIT.format(name=name) + "channel: 17\n")
    assert problems("kit: one.yaml\nmore_kits: [two.yaml, one.yaml]\nleft_handed: 3\n") == [
        "lalelu.yaml:3:14: left_handed is 3; allowed true or false",
        "one.yaml:4:10: channel is 17; allowed 1..16",
        "two.yaml:4:10: channel is 17; allowed 1..16",
    ]


def test_kits_may_not_have_more_keypoints_together_than_a_row_can_name(folder):
    for number in range(15):
        own = ", ".join(f"k{index}: {{nose: 1}}" for index in range(16))
        write(f"k{number}.yaml", KIT.format(name=f"k{number}") + f"keypoints: {{{own}}}\n")
    names = [f"k{number}.yaml" for number in range(15)]
    assert problems(f"more_kits: [{', '.join(names[:14])}]\n") == []
    (told,) = problems(f"more_kits: [{', '.join(names)}]\n")
    assert told.partition("is k14.yaml; ")[2] == (
        "with it the kits have 264 keypoints; allowed 255, 24 of them in every kit; leave some out"
    )


def test_percussion_names_are_the_notes_of_the_instrument_that_is_played(folder):
    write("mine.yaml", KIT.format(name="mine"))
    text = "kit: latin\nmore_kits: [mine.yaml]\nmidi: {note_map: superior_drummer_3}\n"
    loaded = load_config(write("lalelu.yaml", text))
    assert loaded.kits[1].pads["snare"].notes == (26,)
    assert load_kit("mine.yaml", folder).pads["snare"].notes == (46,)
    assert with_overrides(loaded, model="thunder").kits == loaded.kits


def test_options_inside_the_inputs_address_are_checked_too(folder):
    (told,) = problems('midi: {input: "virtual:lalelu?apy=jack"}\n')
    assert told.startswith("lalelu.yaml:1:15: MIDI input ")
    assert told.endswith('did you mean "api"?')
