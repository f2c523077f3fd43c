import pytest

from lalelu.config.loader import shipped_dir
from lalelu.config.positions import read_document
from lalelu.errors import UsageError
from lalelu.tuning.text import set_values


def test_comments_order_and_spelling_of_all_else_stay():
    text = "# mine\nname: 'kit'  # a name\nstrike: {min_speed: 1.3}\n"
    text += "pads:\n  # loud\n  snare: {note: 38, zone: {box: [0, 0, 1, 1]}}\n"
    edited = set_values(
        text, {("strike", "min_speed"): 0.9, ("pads", "snare", "zone", "box"): [0.5, 0, 1, 1]}
    )
    assert edited == text.replace("1.3", "0.9").replace("[0, 0, 1, 1]", "[0.5, 0, 1, 1]")


def test_a_section_that_is_not_there_is_added():
    text = "name: kit  # a name\npads: {}\n"
    edited = set_values(text, {("strike", "mask_ms"): 90})
    assert "# a name" in edited
    assert read_document(edited, "").root == {"name": "kit", "pads": {}, "strike": {"mask_ms": 90}}


@pytest.mark.parametrize("path", sorted((shipped_dir() / "kits").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_kit_keeps_every_comment(path):
    text = path.read_text(encoding="utf-8")
    edited = set_values(text, {("strike", "min_speed"): 0.9})
    comments = [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]
    assert [comment for comment in comments if comment not in edited] == []


def test_what_an_alias_would_change_too_is_refused():
    text = "pads:\n  a: &same {zone: {box: [0, 0, 1, 1]}}\n  b: *same\n"
    with pytest.raises(UsageError, match="aliases"):
        set_values(text, {("pads", "a", "zone", "box"): [0, 0, 2, 2]})
