"""Values are changed in YAML text, and nothing else of it."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lalelu.config.edit import edited
from lalelu.config.loader import shipped_dir
from lalelu.config.positions import read_document
from lalelu.errors import UsageError

CHOICE = {"model": "thunder", "runtime": "litert", "threads": 1}
SHIPPED = sorted(shipped_dir().rglob("*.yaml"))


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


TEXTS = {path.name: path.read_text(encoding="utf-8") for path in SHIPPED}
LEAVES = [
    (name, path, value)
    for name, text in TEXTS.items()
    for path, value in leaves(read_document(text, "").root)
]

SMALL = ("rock.yaml", "rock_pedals.yaml", "minimal.yaml")  # the longer ones take ten times as long


def with_pose(text):
    return edited(text, {("pose", option): value for option, value in CHOICE.items()})


def changed_lines(before, after):
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


@pytest.mark.parametrize("name", TEXTS)
def test_a_shipped_file_without_a_change_stays_byte_for_byte(name):
    # one that is taken back, so that the text is really written anew
    path, value = next(
        (path, value) for file, path, value in LEAVES if file == name and isinstance(value, str)
    )
    there = edited(TEXTS[name], {path: "another"})
    assert there != TEXTS[name]
    assert edited(there, {path: value}) == TEXTS[name]


def test_one_changed_value_changes_one_line_and_keeps_its_comment():
    before = TEXTS["lalelu.yaml"]
    ((old, new),) = changed_lines(before, edited(before, {("timing", "lead_ms"): 12.5}))
    assert (old.split()[:2], new.split()[:2]) == (["lead_ms:", "0"], ["lead_ms:", "12.5"])
    assert old.partition("#")[2] == new.partition("#")[2]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_pads_zone_is_moved_within_its_braces(newline):
    before = TEXTS["rock.yaml"].replace("\n", newline)
    after = edited(before, {("pads", "snare", "zone"): {"box": [-0.4, -1.2, 0.2, -1.0]}})
    assert after == before.replace("[-0.5, -1.2, 0.1, -1.0]", "[-0.4, -1.2, 0.2, -1.0]")


def test_lines_that_were_not_changed_keep_a_spelling_of_their_own():
    before = (
        "# mine\nname:   odd\npads:\n    snare:   { note: 38 ,  zone: {} }  # loud\n    tom: {note:  45}\n"
    )
    after = edited(before, {("pads", "tom", "sensitivity"): 1.5})
    assert after.startswith(before.partition("    tom")[0])
    assert read_document(after, "").root["pads"]["tom"] == {"note": 45, "sensitivity": 1.5}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([leaf for leaf in LEAVES if leaf[0] in SMALL]), st.data())
def test_any_value_of_a_kit_can_be_changed_and_changed_back(leaf, data):
    name, path, value = leaf
    other = data.draw(
        st.one_of(
            st.integers(-999, 999),
            st.floats(-99, 99).map(lambda number: round(number, 3)),
            st.booleans(),
            st.sampled_from(["off", "1:30", "a # b", "", "it's", "null", "2026-01-31", "[", "*", "ü"]),
            st.lists(st.integers(0, 9), max_size=3),
        )
    )
    before = TEXTS[name]
    after = edited(before, {path: other})
    assert read_document(edited(after, {path: value}), "").root == read_document(before, "").root
    if not isinstance(value, list | dict):
        assert len(changed_lines(before, after)) <= 1
    assert after.count("#") >= before.count("#")  # no comment is lost


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "---\n",
        "kit: rock",
        "kit: rock\n",
        "pose:\n",
        "pose:  # all by default\n#  model: lightning\nkit: rock\n",
        "pose: {}\n",
        "{pose: {model: lightning}}\n",
        "pose: {crop: whole}\nkit: rock\n",
        "camera:\n  wait: true\npose:\n    crop: whole  # always\nkit: rock\n",
        "pose:\n  model:\n  threads: 2\n",
        'pose:\n  "model": "lightning"\n',
        "  kit: rock\n  pose:\n    threads: 3\n",
        "pose:\r\n  crop: whole\r\nkit: rock\r\n",
        "pose:\n  model: |\n    lightning\n  crop: whole\n",
        "more_kits: [&m lightning]\npose:\n  model: *m\n",
    ],
)
def test_however_a_section_is_written_the_options_are_in_it_afterwards_and_the_rest_is_as_before(text):
    before = read_document(text, "").root
    after = read_document(with_pose(text), "")
    assert not after.problems
    assert after.root == {**before, "pose": {**(before.get("pose") or {}), **CHOICE}}
    assert [line for line in text.splitlines() if line.startswith("#") and line not in with_pose(text)] == []


def test_an_alias_that_something_else_hangs_on_is_refused():
    with pytest.raises(UsageError, match=r"pads\.tom\.threshold cannot be changed in place: .*alias"):
        edited("pads:\n  snare: &p {note: 38}\n  tom: *p\n", {("pads", "tom", "threshold"): 2})


@pytest.mark.parametrize("text", ["pose: [1\n", "- a list\n"])
def test_a_file_that_cannot_be_read_is_refused(text):
    with pytest.raises(UsageError, match=r"cannot be changed in place: .*write the line by hand"):
        with_pose(text)


def test_a_path_that_leads_nowhere_is_refused():
    with pytest.raises(UsageError, match=r"pads\.snare\.note\.x leads nowhere; pads\.snare\.note has no 'x'"):
        edited(TEXTS["rock.yaml"], {("pads", "snare", "note", "x"): 1})


@given(
    before=st.dictionaries(
        st.sampled_from(["model", "runtime", "threads", "crop", "every"]),
        st.sampled_from(["lightning", "7", "null", "'off'", '""', "&a x"]),
        min_size=1,
    ),
    style=st.sampled_from(["block", "flow"]),
    comment=st.sampled_from(["", "  # why", " #: {"]),
)
@settings(max_examples=50, deadline=None)
def test_a_section_keeps_what_was_not_asked_for(before, style, comment):
    assume(list(before.values()).count("&a x") < 2)
    if style == "flow":
        text = "pose: {" + ", ".join(f"{k}: {v}" for k, v in before.items()) + "}" + comment + "\n"
    else:
        text = "pose:" + comment + "\n" + "".join(f"  {k}: {v}{comment}\n" for k, v in before.items())
    after = with_pose(text)
    kept = {k: v for k, v in read_document(text, "").root["pose"].items() if k not in CHOICE}
    assert read_document(after, "").root["pose"] == {**kept, **CHOICE}
    assert after.count("#") == text.count("#")
