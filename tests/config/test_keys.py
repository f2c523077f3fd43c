"""Keys are put in, taken out and renamed in YAML text, and nothing else of it changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.config.keys import added, removed, renamed
from lalelu.config.loader import shipped_dir
from lalelu.config.positions import read_document
from lalelu.errors import UsageError

BLOCK = """\
# mine
pads:
  # the drums
  snare: {note: 38}  # loud
  # and the toms
  tom:
    note: 45  # low
    limbs:
      - left_wrist
      # only that one
  "ride": {note: 51}   # ting

# how
gestures: {}
"""
FLOW = "{name: mine, pads: {snare: {note: 38}, tom: {note: 45}}} # one line\n"
FLOW_LINES = "pads: {\n  snare: {note: 38},  # loud\n  tom: {note: 45},\n}\n"
PAD = {"note": "cowbell", "zone": {"ellipse": [0.0, -0.5, 0.3, 0.2]}}
PAD_TEXT = "{note: cowbell, zone: {ellipse: [0.0, -0.5, 0.3, 0.2]}}"
# the longer ones take ten times as long
KITS = {name: (shipped_dir() / "kits" / name).read_text() for name in ("rock_pedals.yaml", "minimal.yaml")}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (BLOCK, BLOCK.replace("# ting\n", f"# ting\n  bell: {PAD_TEXT}\n")),
        (FLOW, FLOW.replace("45}}", f"45}}, bell: {PAD_TEXT}}}")),
        (FLOW_LINES, FLOW_LINES.replace("45}", f"45}}, bell: {PAD_TEXT}")),
        ("pads:\n  snare: {note: 38}", f"pads:\n  snare: {{note: 38}}\n  bell: {PAD_TEXT}"),
        ("pads:\r\n  a: 1\r\nx: 2\r\n", f"pads:\r\n  a: 1\r\n  bell: {PAD_TEXT}\r\nx: 2\r\n"),
        ("pads: {}  # none\n", f"pads: {{bell: {PAD_TEXT}}}  # none\n"),
        ("", f"pads:\n  bell: {PAD_TEXT}\n"),
    ],
)
def test_a_key_is_added_behind_the_others_of_its_mapping(text, after):
    assert added(text, ("pads", "bell"), PAD) == after


@pytest.mark.parametrize(
    ("text", "pad", "after"),
    [
        (BLOCK, "snare", BLOCK.replace("  snare: {note: 38}  # loud\n", "")),
        (
            BLOCK,
            "tom",
            BLOCK[: BLOCK.index("  tom:")] + BLOCK[BLOCK.index("      # only") :],
        ),
        (BLOCK, "ride", BLOCK.replace('  "ride": {note: 51}   # ting\n', "")),
        (FLOW, "snare", FLOW.replace("snare: {note: 38}, ", "")),
        (FLOW, "tom", FLOW.replace(", tom: {note: 45}", "")),
        (FLOW_LINES, "snare", FLOW_LINES.replace("snare: {note: 38},  # loud", "# loud")),
        (FLOW_LINES, "tom", FLOW_LINES.replace("  tom: {note: 45},\n", "")),
        ("pads:\n  snare: 1  # last\n", "snare", "pads:\n  {}\n"),
        ("pads: {snare: {note: 38}}\n", "snare", "pads: {}\n"),
        ("pads:\r\n  snare: 1\r\n  tom: 2\r\n", "tom", "pads:\r\n  snare: 1\r\n"),
        ("pads:\n  snare: 1\n  tom: |\n    a\n    b\n\n# end\n", "tom", "pads:\n  snare: 1\n\n# end\n"),
    ],
)
def test_a_key_is_taken_out_with_its_value_and_the_comments_around_it_stay(text, pad, after):
    assert removed(text, ("pads", pad)) == after


@pytest.mark.parametrize(
    ("text", "pad", "after"),
    [
        (BLOCK, "tom", BLOCK.replace("  tom:", "  low:")),
        (BLOCK, "ride", BLOCK.replace('"ride"', "low")),
        (FLOW, "snare", FLOW.replace("snare", "low")),
    ],
)
def test_a_key_is_renamed_at_its_place(text, pad, after):
    assert renamed(text, ("pads", pad), "low") == after


def test_a_name_that_yaml_takes_for_something_else_is_quoted():
    assert renamed("pads: {snare: 1}\n", ("pads", "snare"), "no") == 'pads: {"no": 1}\n'


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        (lambda: added(BLOCK, ("pads", "tom"), PAD), "pads.tom is there already"),
        (lambda: added(BLOCK, ("pads", "tom", "note", "x"), 1), "pads.tom.note is no mapping"),
        (lambda: removed(BLOCK, ("pads", "bell")), "pads.bell is not there"),
        (lambda: renamed(BLOCK, ("pads", "bell"), "x"), "pads.bell is not there"),
        (lambda: renamed(BLOCK, ("pads", "tom"), "snare"), "pads.snare is there already"),
        (lambda: removed("pads: [\n", ("pads", "a")), "there are mistakes in it"),
        (lambda: removed("pads:\n  a: &a {n: 1}\n  b: *a\n", ("pads", "a")), "something else would change"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(do, sentence):
    with pytest.raises(UsageError, match=sentence.replace(".", r"\.")):
        do()


def test_an_alias_is_taken_out_and_what_it_names_stays():
    text = "pads:\n  a: &a {n: 1}\n  b: *a  # the same\n  c: {n: 2}\n"
    assert removed(text, ("pads", "b")) == text.replace("  b: *a  # the same\n", "")


def keys(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from keys(inner, (*path, key))


KEYS = [(name, path) for name, text in KITS.items() for path in keys(read_document(text, "").root)]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(KEYS))
def test_any_key_of_a_shipped_kit_is_renamed_back_and_taken_out_alone(chosen):
    name, path = chosen
    text = KITS[name]
    there = renamed(text, path, "another")
    assert renamed(there, (*path[:-1], "another"), path[-1]) == text
    without = removed(text, path)
    gone = [line for line in text.splitlines() if line not in without.splitlines()]
    comments = [line for line in gone if line.strip().startswith("#")]
    inside = [line for line in comments if line.startswith(" " * (2 * len(path)))]
    assert comments == inside
    assert list(keys(read_document(without, "").root)) == [
        key for key in keys(read_document(text, "").root) if key[: len(path)] != path
    ]
