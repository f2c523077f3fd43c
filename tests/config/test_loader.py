import json
from pathlib import Path

import pytest

from lalelu.config import loader
from lalelu.config.loader import check_file, load_config, load_kit, shipped_dir, shipped_kits, with_overrides
from lalelu.config.problem import ConfigError
from lalelu.config.schema import Config
from lalelu.config.zones import Box, Ellipse
from lalelu.errors import UsageError
from lalelu.voice.port import ADAPTERS

KIT = "name: mine\npads:\n  snare: {note: acoustic_snare, zone: {box: [0, 0, 1, 1]}}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of one's own, with no configuration of this machine in sight."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LALELU_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(loader, "SYSTEM_FILE", tmp_path / "etc" / "lalelu.yaml")
    return tmp_path


def problems(text, name="lalelu.yaml"):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(problem) for problem in check_file(Path(name))]


def test_without_any_file_the_built_in_defaults_hold(folder):
    loaded = load_config(None)
    assert (loaded.config, loaded.origin) == (Config(), "built-in defaults")
    assert loaded.kit == load_kit("rock", None)
    assert loaded.files == (shipped_dir() / "kits" / "rock.yaml",)


@pytest.mark.parametrize("text", ["", "# nothing set\n", "---\n", "camera:\nmidi:\n"])
def test_an_empty_file_or_section_means_the_defaults(folder, text):
    Path("lalelu.yaml").write_text(text)
    assert load_config(Path("lalelu.yaml")).config == Config()


def test_the_file_is_looked_for_in_the_stated_order(folder, monkeypatch):
    places = [folder / "etc" / "lalelu.yaml", folder / "home" / ".config" / "lalelu" / "lalelu.yaml"]
    places += [folder / "xdg" / "lalelu" / "lalelu.yaml", folder / "named.yaml"]
    origins = []
    for index, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("left_handed: true\n")
        if index == 2:
            monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "xdg"))
        if index == 3:
            monkeypatch.setenv("LALELU_CONFIG", str(place))
        loaded = load_config(None)
        assert loaded.config.left_handed is True
        origins.append(loaded.origin)
    assert origins == [str(place) for place in places]
    assert load_config(None, builtin=True).config.left_handed is False


def test_a_named_file_that_is_not_there_is_no_reason_for_defaults(folder, monkeypatch):
    monkeypatch.setenv("LALELU_CONFIG", "gone.yaml")
    with pytest.raises(ConfigError, match=r"^gone\.yaml: there is no such file"):
        load_config(None)


def test_a_kit_is_found_beside_the_configuration_that_names_it(folder):
    (folder / "sub" / "kits").mkdir(parents=True)
    (folder / "sub" / "kits" / "mine.yaml").write_text(KIT)
    (folder / "sub" / "lalelu.yaml").write_text("kit: kits/mine.yaml\n")
    loaded = load_config(Path("sub/lalelu.yaml"))
    assert loaded.kit.name == "mine"
    assert loaded.kit.pads["snare"].notes == (38,)
    assert loaded.files == (Path("sub/lalelu.yaml"), Path("sub/kits/mine.yaml"))


def test_the_digest_follows_the_effective_values_and_not_the_spelling(folder):
    Path("plain.yaml").write_text("")
    Path("spelt.yaml").write_text("# the same\nkit: 'rock'\nplayer: {min_size: 4.0e-2}\n")
    Path("other.yaml").write_text("player: {min_size: 0.05}\n")
    plain, spelt, other = (load_config(Path(f"{name}.yaml")) for name in ("plain", "spelt", "other"))
    assert plain.digest == spelt.digest != other.digest
    assert len(plain.digest) == 64
    assert json.loads(json.dumps(plain.effective)) == plain.effective
    assert plain.effective["kit"]["pads"]["snare"]["note"] == 38


def test_the_command_line_overrides_the_file_and_is_named_in_the_origin(folder):
    loaded = with_overrides(
        load_config(None), camera="sim:?bpm=90", midi=["memory:", "file:a.mid"], model="thunder"
    )
    assert loaded.config.camera.uri == "sim:?bpm=90"
    assert loaded.config.midi.outputs == ("memory:", "file:a.mid")
    assert loaded.config.pose.model == "thunder"
    assert loaded.effective["config"]["camera"]["uri"] == "sim:?bpm=90"
    assert loaded.digest != load_config(None).digest
    assert loaded.origin.endswith("camera.uri, midi.outputs, pose.model from the command line")
    assert with_overrides(load_config(None), midi=[]) == load_config(None)


def test_a_wrong_address_on_the_command_line_is_refused_in_one_sentence(folder):
    with pytest.raises(
        UsageError, match=r"^camera\.uri is smi:; no adapter is called 'smi'.*did you mean \"sim\"\?$"
    ):
        with_overrides(load_config(None), camera="smi:")
    with pytest.raises(UsageError, match=r"^midi\.outputs\[1\] is nowhere; 'nowhere' is no address"):
        with_overrides(load_config(None), midi=["memory:", "nowhere"])


def test_all_problems_of_a_file_are_told_at_once_in_its_order(folder):
    text = """camra: {}
camera:
  uri: opncv:0
  rotate: 45
pose: {threads: 0, runtime: openvno, model: lightening}
kit: rok
left_handed: "yes"
midi:
  outputs: [virtual:x, vrtual:y, 3]
"""
    assert problems(text) == [
        (
            "lalelu.yaml:1:1: camra is not known; this file takes camera, pose, player, kit, more_kits, left_handed, "
            'midi, timing, realtime, ledger, page, takes; did you mean "camera"?'
        ),
        (
            "lalelu.yaml:3:8: camera.uri is opncv:0; no adapter is called 'opncv'; allowed are opencv, sim, take, "
            'v4l2, video; did you mean "opencv"?'
        ),
        "lalelu.yaml:4:11: camera.rotate is 45; allowed one of 0, 90, 180, 270",
        "lalelu.yaml:5:17: pose.threads is 0; allowed 1..64",
        (
            "lalelu.yaml:5:29: pose.runtime is openvno; allowed are litert, onnxruntime, openvino, tensorflow, "
            'tensorrt, torch, torch_compiled; did you mean "openvino"?'
        ),
        (
            "lalelu.yaml:5:45: pose.model is lightening; allowed are blazepose-full, blazepose-heavy, "
            'blazepose-lite, efficientpose, heatmap, lightning, multipose, posenet, thunder; did you mean "lightning"?'
        ),
        (
            f"lalelu.yaml:6:6: kit is 'rok'; allowed are {', '.join(shipped_kits())}, or the path of a file ending in "
            '.yaml; did you mean "rock"?'
        ),
        'lalelu.yaml:7:14: left_handed is "yes"; allowed true or false',
        (
            "lalelu.yaml:9:24: midi.outputs[1] is vrtual:y; no adapter is called 'vrtual'; "
            f"allowed are {', '.join(sorted(ADAPTERS))}; "
            'did you mean "virtual"?'
        ),
        "lalelu.yaml:9:34: midi.outputs[2] is 3; allowed text",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pose:\n  threads: 65\n", "2:12: pose.threads is 65; allowed 1..64"),
        ("pose: {threads: many}", "1:17: pose.threads is many; allowed a whole number 1..64"),
        ("pose: {threads: 1.5}", "1:17: pose.threads is 1.5; allowed a whole number 1..64"),
        ("pose: {threads: true}", "1:17: pose.threads is true; allowed a whole number 1..64"),
        (
            "pose: 3",
            (
                "1:7: pose is 3; allowed a mapping with model, runtime, device, precision, threads, crop, hands, "
                "fingers, flow, every, lag, heatmap, tensorrt"
            ),
        ),
        (
            "pose: {precision: bf61}",
            '1:19: pose.precision is bf61; allowed one of auto, f32, f16, bf16, int8; did you mean "bf16"?',
        ),
        ("timing: {delay_ms: soon}", "1:20: timing.delay_ms is soon; allowed auto or a number -200..500"),
        ("timing: {delay_ms: 600}", "1:20: timing.delay_ms is 600; allowed auto or -200..500"),
        ("timing: {lead_ms: 41}", "1:19: timing.lead_ms is 41; allowed 0..40"),
        ("realtime: {core: 2000}", "1:18: realtime.core is 2000; allowed one of auto, none or 0..1023"),
        (
            "realtime: {core: 0x}",
            "1:18: realtime.core is 0x; allowed one of auto, none or a whole number 0..1023",
        ),
        ("player: {min_size: .nan}", "1:20: player.min_size is .nan; allowed 0..1"),
        ("player: {min_size: -1}", "1:20: player.min_size is -1; allowed 0..1"),
        (
            "player: {region: [0.5, 0.2, 0.1]}",
            "1:18: player.region is a list of 3; allowed a list of 4 numbers or null",
        ),
        (
            "player: {region: [0.5, 0.2, 0.1, 0.9]}",
            "1:18: player.region: a region is [left, top, right, bottom] with left < right and top < bottom",
        ),
        (
            "realtime: {core: none, required: true}",
            (
                "1:11: realtime: required: true needs a core of its own, but core is none; set core: auto, or "
                "required: false"
            ),
        ),
        ("midi: {outputs: []}", "1:17: midi.outputs is a list of 0; allowed a list of 1..16 entries"),
        (
            "camera: {uri: here}",
            "1:15: camera.uri is here; 'here' is no address; write NAME:TARGET?option=value, as in sim:?bpm=120",
        ),
        ("kit: mine.yaml", None),
    ],
)
def test_each_rule_names_option_value_range_and_place(folder, text, expected):
    if expected is None:
        assert problems(text) == ["mine.yaml: there is no such file; check the path"]
    else:
        assert problems(text) == [f"lalelu.yaml:{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "kit: off",
            "1:6: kit is off (YAML reads off as false); allowed text, not empty; put it in quotes to mean text",
        ),
        (
            "player: {lost_ms: 1:30}",
            '1:19: player.lost_ms is 1:30; YAML reads that in base 60; write "1:30" in quotes, or the number meant',
        ),
        (
            "player: {lost_ms: 0500}",
            "1:19: player.lost_ms is 0500; YAML reads a number that begins with 0 as octal; leave the 0 out",
        ),
        ("on: 3", "1:1: the key on is no text (YAML reads on as true); put it in quotes"),
        ("3.5: 3", "1:1: the key 3.5 is no text; put it in quotes"),
        ('"[key]": 3', "1:1: [key] is not known; this file takes " + ", ".join(Config.model_fields)),
        ("0x3: 3", "1:1: the key 0x3 is no text; put it in quotes"),
        ("[a]: 3", "1:1: a list or mapping stands as a key; a key is a name"),
        ("kit: rock\nkit: rock\n", "2:1: kit stands twice, first in line 1; keep one"),
        ("kit:", "1:5: kit is empty; allowed text, not empty"),
        (
            "kit: !!python/name:os.system x",
            "1:6: kit has the tag 'tag:yaml.org,2002:python/name:os.system', which is not allowed; leave it out",
        ),
        ("a: &a {kit: rock}\n<<: *a", "2:1: merging (<<) is not supported; write the options out"),
        ("camera:\n\turi: x\n", "2:1: a tab stands where YAML allows only spaces; indent with spaces"),
        (
            "a: [1, 2\nb: }",
            "2:2: not valid YAML: expected ',' or ']', but got ':' while parsing a flow sequence",
        ),
        ("kit: rock\n---\nkit: rock\n", "2:1: a second document begins here (---); keep one per file"),
        ("- 3", "1:1: the file is no mapping; write options as `name: value` lines"),
        ("~", "1:1: the file is no mapping; write options as `name: value` lines"),
        ("kit: 'a\0b'", "1:8: the character U+0000 may not stand in YAML"),
        (b"kit: ok\nkit: caf\xe9\n", "2:9: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ('kit: "\\ud800"', '1:6: kit is "?"; half a surrogate pair is no text; write the character itself'),
        ("kit: !!int ''", '1:6: kit is ""; that cannot be read as int'),
    ],
)
def test_what_yaml_makes_of_text_is_explained(folder, text, expected):
    assert f"lalelu.yaml:{expected}" in problems(text)


def test_off_and_on_are_fine_where_true_or_false_is_asked(folder):
    assert problems("camera: {mirror: on}\nleft_handed: off\n") == []


def test_a_byte_order_mark_is_no_problem(folder):
    assert problems(b"\xef\xbb\xbfkit: rock\n") == []


def test_aliases_that_multiply_are_refused(folder):
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{n}: &{n} [{', '.join([f'*{chr(ord(n) - 1)}'] * 9)}]" for n in "bcdefghi"]
    assert any("unfolds to too much" in line for line in problems("\n".join(lines)))
    long_text = "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 200) + "]"
    assert any("unfolds to too much" in line for line in problems(long_text))


def test_aliases_that_nest_are_refused(folder):
    nested = "[" * 12 + "1" + "]" * 12
    text = f"a: &a {nested}\nb: {nested.replace('1', '*a')}"
    assert any("nested too deeply" in line for line in problems(text))


def test_a_folder_is_no_file(folder):
    assert [str(problem) for problem in check_file(Path())] == [
        ".: the file cannot be read (Is a directory); check the path and its permissions"
    ]


def test_all_problems_of_a_kit_are_told_and_only_those_of_the_shape_meant(folder):
    text = """name: 12
strike: {mask_ms: 1, min_sped: 2}
pads:
  snare: {note: acustic_snare, zone: {ellips: [1, 2, 3, 4]}}
  tom: {note: [high_tom, 200], zone: {box: [1, 2, 0, 3]}}
  x y: {note: true, zone: {ellipse: [1, 2, 3]}}
  far: {note: 38, zone: {box: [1, 99, a, .inf]}}
  flat: {note: 38, zone: {ellipse: [0, 0, 1, 0]}}
"""
    shapes = " or ".join(
        f"a mapping with frame, {name}" for name in ("box", "ellipse", "half_plane", "sector")
    )
    drum = "one of acoustic_bass_drum, bass_drum_1, side_stick, ... (47 names) or a pitch such as C4"
    assert problems(text, "kit.yaml") == [
        "kit.yaml:1:7: name is 12; allowed text of 1..64 characters",
        "kit.yaml:2:19: strike.mask_ms is 1; allowed 10..500",
        (
            "kit.yaml:2:22: strike.min_sped is not known; strike takes min_speed, min_height, mask_ms, full_speed, "
            'min_score; did you mean "min_speed"?'
        ),
        (
            "kit.yaml:4:17: pads.snare.note is acustic_snare; no pitch and no General MIDI percussion sound is called "
            "so; write a pitch such as C4 (which is 60), F#3 or Bb2, a name such as acoustic_snare, or a number "
            '0..127; did you mean "acoustic_snare"?'
        ),
        f"kit.yaml:4:38: pads.snare.zone is a mapping; allowed {shapes} or null",
        f"kit.yaml:5:26: pads.tom.note[1] is 200; allowed 0..127 or {drum}",
        "kit.yaml:5:38: pads.tom.zone: a box is [left, bottom, right, top] with left < right and bottom < top",
        (
            "kit.yaml:6:3: pads.x y is no name for a pad; write a name of up to 32 letters, digits, _ and -, a letter "
            "first"
        ),
        f"kit.yaml:6:15: pads.x y.note is true; allowed a whole number 0..127 or {drum} or a list of 1..8 entries",
        "kit.yaml:6:37: pads.x y.zone.ellipse is a list of 3; allowed a list of 4 numbers",
        "kit.yaml:7:35: pads.far.zone.box[1] is 99; allowed -10..10",
        "kit.yaml:7:39: pads.far.zone.box[2] is a; allowed a number -10..10",
        "kit.yaml:7:42: pads.far.zone.box[3] is .inf; allowed -10..10",
        "kit.yaml:8:26: pads.flat.zone: an ellipse is [x, y, radius_x, radius_y] with both radii above 0",
    ]


def test_a_configuration_tells_the_problems_of_its_kit_at_the_kits_place(folder):
    Path("mine.yaml").write_text(KIT + "channel: 17\n")
    assert problems("kit: mine.yaml\nleft_handed: 3\n") == [
        "lalelu.yaml:2:14: left_handed is 3; allowed true or false",
        "mine.yaml:4:10: channel is 17; allowed 1..16",
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(Path("lalelu.yaml"))
    assert str(caught.value).count("\n") == 1
    assert caught.value.exit_code == 2


def test_a_kit_reads_into_shapes_notes_and_defaults(folder):
    Path("mine.yaml").write_text(
        "name: 2026-01-31\npads:\n"
        "  a: {note: [38, cowbell], zone: {ellipse: [0, -1, 0.5, 0.5]}, channel: 3, limbs: [left_wrist]}\n"
        "  b: {note: 36, zone: {box: [0, 0, 1, 1]}}\n"
    )
    kit = load_kit("mine.yaml", folder)
    assert kit.name == "2026-01-31"
    assert kit.pads["a"].notes == (38, 56)
    assert kit.pads["a"].zone == Ellipse(ellipse=(0, -1, 0.5, 0.5))
    assert kit.pads["b"].zone == Box(box=(0, 0, 1, 1))
    assert (kit.pads["a"].channel, kit.pads["b"].channel, kit.channel) == (3, None, 10)


def test_an_unknown_kit_is_answered_with_the_shipped_ones():
    with pytest.raises(
        UsageError, match=r"kit is 'minimum'; allowed are .*minimal.*did you mean \"minimal\"\?"
    ):
        load_kit("minimum", None)
