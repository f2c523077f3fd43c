"""The vocabulary of a pad: what each option takes, and which contradict each other."""

from pathlib import Path

import pytest

from lalelu.config.kit import KitConfig, PadSection
from lalelu.config.loader import check_file, load_kit
from lalelu.config.zones import HalfPlane, Sector

HEAD = "name: mine\npads:\n"
NAME = "a name of up to 32 letters, digits, _ and -, a letter first"
BOX = "zone: {box: [0, 0, 1, 1]}"


def problems(text, folder):
    path = folder / "kit.yaml"
    path.write_text(text)
    return [str(problem).removeprefix(f"{path}:") for problem in check_file(path)]


def pad(**more):
    return {"note": 38, "zone": {"box": (0, 0, 1, 1)}, **more}


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("threshold: 0", "threshold is 0; allowed above 0, at most 20 or null"),
        ("sensitivity: 5", "sensitivity is 5; allowed 0.1..4"),
        ("scan_ms: 101", "scan_ms is 101; allowed 0..100"),
        ("scan_ms: 1.5", "scan_ms is 1.5; allowed a whole number 0..100"),
        ("mask_ms: 9", "mask_ms is 9; allowed 10..500 or null"),
        ("retrigger: 1.1", "retrigger is 1.1; allowed 0..1"),
        ("crosstalk: -1", "crosstalk is -1; allowed 0..1"),
        (
            "curve: logs",
            'curve is logs; allowed one of linear, log, exp, fixed or a list of 2..16 entries; did you mean "log"?',
        ),
        (
            "curve: [[0, 1]]",
            "curve is a list of 1; allowed one of linear, log, exp, fixed or a list of 2..16 entries",
        ),
        ("curve: [[0, 1], [1]]", "curve[1] is a list of 1; allowed a list of 2 numbers"),
        ("curve: [[0, 1], [2, 9]]", "curve[1][0] is 2; allowed 0..1"),
        ("curve: [[0, 0], [1, 9]]", "curve[0][1] is 0; allowed 1..127"),
        (
            "curve: [[0, 9], [1, 8]]",
            "curve: a curve is [[speed share, velocity], ...] with growing shares and velocities that do not fall",
        ),
        (
            "curve: [[0.5, 8], [0.5, 9]]",
            "curve: a curve is [[speed share, velocity], ...] with growing shares and velocities that do not fall",
        ),
        ("velocity: 128", "velocity is 128; allowed 1..127 or null"),
        ("choke: 3", f"choke is 3; allowed {NAME} or null"),
        ("choke: hi hat", f"choke is hi hat; allowed {NAME} or null"),
        ("note_ms: 4", "note_ms is 4; allowed 5..10000 or hold or null"),
    ],
)
def test_each_option_tells_its_range(tmp_path, option, sentence):
    (told,) = problems(f"{HEAD}  snare: {{note: 38, {BOX}, {option}}}\n", tmp_path)
    assert told.partition(": ")[2] == f"pads.snare.{sentence}"


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("{half_plane: [0, 1]}", "zone.half_plane is a list of 2; allowed a list of 3 numbers"),
        ("{half_plane: [0, 1, 361]}", "zone.half_plane[2] is 361; allowed -360..360"),
        (
            "{sector: [0, 0, 2, 1, 0, 90]}",
            "zone: a sector is [x, y, r_min, r_max, from_deg, to_deg] with 0 <= r_min < r_max and from_deg < to_deg",
        ),
        ("{box: [0, 0, 1, 1], frame: picture}", "zone.frame is picture; allowed one of body, image"),
        (
            "{box: [0, 1, 1, 0], frame: image}",
            "zone: a box is [left, top, right, bottom] with left < right and top < bottom",
        ),
        ("{box: [0, 0, 1, 1], ellips: 3}", "zone.ellips is not known; pads.snare.zone takes"),
    ],
)
def test_each_shape_tells_its_rule(tmp_path, zone, sentence):
    told = problems(f"{HEAD}  snare: {{note: 38, zone: {zone}}}\n", tmp_path)
    assert len(told) == 1
    assert told[0].partition(": ")[2].startswith(f"pads.snare.{sentence}")


def test_all_contradictions_are_told_at_their_places(tmp_path):
    text = f"""name: mine
strike: {{min_speed: 2, mask_ms: 100, full_speed: 8}}
pads:
  slow: {{note: 38, {BOX}, threshold: 1.5}}
  fast: {{note: 38, {BOX}, threshold: 9}}
  deaf: {{note: 38, {BOX}, mask_ms: 50}}
  late: {{note: 38, {BOX}, mask_ms: 200, retrigger: 0.5}}
  lone: {{note: 38, {BOX}, choke: hat}}
  good: {{note: 38, {BOX}, threshold: 2, mask_ms: 100, retrigger: 0.5, curve: fixed, velocity: 3}}
"""
    assert problems(text, tmp_path) == [
        (
            "4:58: pads.slow.threshold is 1.5; slower strokes than strike.min_speed 2 never reach a pad; lower that "
            "one and give the other pads a threshold"
        ),
        (
            "5:58: pads.fast.threshold is 9; only strokes beyond strike.full_speed 8 would sound, all of them alike; "
            "use less"
        ),
        (
            "6:56: pads.deaf.mask_ms is 50; strike.mask_ms 100 holds on every pad; lower that one and give the other "
            "pads a mask_ms"
        ),
        (
            "7:72: pads.late.retrigger is 0.5; it judges strokes up to 150 ms after the last one, but for 200 "
            "(mask_ms) the pad is deaf; use one of both"
        ),
        "8:54: pads.lone.choke is hat; no other pad is in this group; give it to the pads that end each other",
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("curve: fixed", "curve: fixed needs a velocity; add velocity: 1..127, or choose another curve"),
        ("velocity: 3", "velocity: 3 holds only with curve: fixed; add that, or leave velocity out"),
    ],
)
def test_a_fixed_curve_and_a_velocity_need_each_other(tmp_path, options, sentence):
    (told,) = problems(f"{HEAD}  snare: {{note: 38, {BOX}, {options}}}\n", tmp_path)
    assert told == f"3:10: pads.snare: {sentence}"


def test_the_player_s_range_may_be_learned(tmp_path):
    assert problems(f"{HEAD}  snare: {{note: 38, {BOX}}}\nstrike: {{full_speed: auto}}\n", tmp_path) == []
    (told,) = problems(f"{HEAD}  snare: {{note: 38, {BOX}}}\nstrike: {{full_speed: atuo}}\n", tmp_path)
    assert told.startswith("4:22: strike.full_speed is atuo; allowed auto or a number above 0, at most 50")


def test_a_kit_made_in_code_tells_its_contradictions_too():
    with pytest.raises(ValueError, match=r"pads\.a\.choke: no other pad is in this group"):
        KitConfig.model_validate({"name": "k", "pads": {"a": pad(choke="g")}})


def test_the_shipped_vocabulary_shows_every_option_of_a_pad_and_every_shape():
    kit = load_kit("vocabulary", None)
    used = {option for pad in kit.pads.values() for option in pad.model_fields_set}
    assert used == set(PadSection.model_fields)
    zones = [pad.zone for pad in kit.pads.values() if pad.zone is not None]
    shapes = {next(iter(type(zone).model_fields.keys() - {"frame"})) for zone in zones}
    assert shapes == {"box", "ellipse", "half_plane", "sector"}
    assert {zone.frame for zone in zones} == {"body", "image"}
    assert kit.pads["cowbell"].limbs == tuple(kit.keypoints)
    assert kit.pads["cowbell"].notes == (56,)


def test_whoever_draws_a_pad_finds_a_rectangle_around_it():
    planes = [HalfPlane(half_plane=(1, 2, towards)).box for towards in (0, 90, -180, -90, 45)]
    assert planes == [
        (1, -10, 10, 10),
        (-10, 2, 10, 10),
        (-10, -10, 1, 10),
        (-10, -10, 10, 2),
        (-10, -10, 10, 10),
    ]
    assert Sector(sector=(1, 2, 0, 3, 0, 90)).box == (-2, -1, 4, 5)


def test_the_kit_of_the_file_is_read_with_its_options():
    kit = load_kit("vocabulary", Path())
    assert (kit.strike.full_speed, kit.pads["open_hihat"].note_ms, kit.pads["open_hihat"].choke) == (
        "auto",
        800,
        "hihat",
    )
    assert kit.pads["tom"].curve == ((0.0, 20), (0.5, 90), (1.0, 127))
