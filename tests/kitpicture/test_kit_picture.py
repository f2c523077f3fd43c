import re
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit, shipped_kits
from lalelu.kitpicture.scene import places_of_names, scene_of
from lalelu.kitpicture.svg import svg_of
from lalelu.kitpicture.terminal import drawn

SVG = "{http://www.w3.org/2000/svg}"


def kit(**zones):
    pads = {name: {"note": 38, "zone": zone} for name, zone in zones.items()}
    return KitConfig.model_validate({"name": "drawn", "pads": pads})


def around(loaded):
    """The names of what lies around the player."""
    zoned = {name for name, pad in loaded.pads.items() if pad.zone is not None and pad.zone.frame == "body"}
    return zoned | {
        name for name, gesture in loaded.gestures.items() if getattr(gesture, "zone", None) is not None
    }


@pytest.mark.parametrize("name", shipped_kits())
def test_a_shipped_kit_fits_80_columns_and_names_every_pad_and_gesture(name):
    loaded = load_kit(name, None)
    text = drawn(loaded)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(unicodedata.east_asian_width(sign) not in "WF" for sign in text)
    assert {word for word in (*loaded.pads, *loaded.gestures) if word not in text} == set()


@pytest.mark.parametrize("name", shipped_kits())
def test_an_svg_holds_a_polygon_and_a_name_for_all_that_lies_around_the_player(name):
    loaded = load_kit(name, None)
    root = ET.fromstring(svg_of(loaded))
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert len(list(root.iter(f"{SVG}polygon"))) == len(around(loaded))
    assert around(loaded) - texts == set()


@pytest.mark.parametrize("name", shipped_kits())
def test_no_two_names_cover_each_other(name):
    scene = scene_of(load_kit(name, None))
    width, height = 0.06, 0.12
    boxes = [
        (x, y, len(outline.name) * width / 2)
        for outline, (x, y) in zip(scene.outlines, places_of_names(scene, (width, height)), strict=True)
    ]
    covered = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < height * 0.9
    ]
    assert covered == []


def test_the_players_left_is_at_the_left_and_up_is_up():
    scene = scene_of(kit(low={"box": [-1.0, -1.2, -0.6, -1.0]}, high={"box": [0.6, 0.4, 1.0, 0.6]}))
    lines = drawn(kit(low={"box": [-1.0, -1.2, -0.6, -1.0]}, high={"box": [0.6, 0.4, 1.0, 0.6]})).splitlines()
    row_of = {name: next(i for i, line in enumerate(lines) if name in line) for name in ("low", "high")}
    assert row_of["high"] < row_of["low"]
    assert lines[row_of["low"]].index("low") < lines[row_of["high"]].index("high")
    left, _, right, _ = scene.window
    assert left == -right


@pytest.mark.parametrize(
    ("towards", "expected"),
    [(90, (-0.3, "top")), (270, ("bottom", -0.3)), (0, ("bottom", "top"))],
)
def test_a_half_plane_is_cut_off_at_the_edge_of_the_picture(towards, expected):
    scene = scene_of(kit(half={"half_plane": [0.0, -0.3, towards]}))
    left, bottom, right, top = scene.window
    xs, ys = zip(*scene.outlines[0].rim, strict=True)
    named = {"bottom": bottom, "top": top}
    assert (min(ys), max(ys)) == pytest.approx([named.get(value, value) for value in expected])
    assert (min(xs), max(xs)) == pytest.approx((0.0 if towards == 0 else left, right))


def test_a_pad_far_away_is_still_in_the_picture():
    scene = scene_of(kit(far={"box": [8.0, 8.0, 9.0, 9.0]}))
    assert scene.window[2] > 9.0
    assert scene.window[3] > 9.0
    assert "far" in drawn(kit(far={"box": [8.0, 8.0, 9.0, 9.0]}))


def test_legs_are_drawn_where_the_kit_needs_them():
    assert scene_of(load_kit("rock_pedals", None)).window[1] < -3.0
    assert scene_of(load_kit("rock", None)).window[1] > -2.0


def test_a_terminal_without_braille_gets_ascii():
    text = drawn(load_kit("gestures", None), braille=False)
    assert text.isascii()
    assert text.count(".") > 100


def test_colours_are_only_added_to_the_same_picture():
    plain, coloured = (drawn(load_kit("latin", None), colour=colour) for colour in (False, True))
    assert plain != coloured
    assert [
        line.rstrip() for line in re.sub("\x1b\\[[0-9;]*m", "", coloured).splitlines()
    ] == plain.splitlines()


def test_a_name_with_markup_is_written_as_text():
    named = kit(snare={"box": [0.0, 0.0, 1.0, 1.0]}).model_copy(update={"name": "<a> & b"})
    text = svg_of(named)
    assert ET.fromstring(text).findtext(f"{SVG}title") == "<a> & b"


def test_a_gesture_may_be_called_like_a_pad():
    bell = {
        "gesture": "zone_enter",
        "limb": "right_hand",
        "zone": {"box": [0.9, 0.5, 1.8, 1.2]},
        "pads": ["bell"],
    }
    pads = {"bell": {"note": "C5", "zone": {"box": [-1.0, -1.0, -0.5, -0.5]}}}
    both = KitConfig.model_validate({"name": "both", "pads": pads, "gestures": {"bell": bell}})
    scene = scene_of(both)
    assert places_of_names(scene, (0.02, 0.04)) == tuple(outline.middle for outline in scene.outlines)
    assert len(set(places_of_names(scene, (0.02, 0.04)))) == 2


def test_a_kits_words_command_no_terminal_and_break_no_file():
    named = kit(snare={"box": [0.0, 0.0, 1.0, 1.0]}).model_copy(
        update={"name": "a\x1b[2J\x01", "description": "b\nc"}
    )
    assert "a?[2J?: b?c" in drawn(named)
    assert ET.fromstring(svg_of(named)).findtext(f"{SVG}title") == "a?[2J?"
