"""Options are changed in YAML text, and nothing else of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lalelu.config.edit import with_options
from lalelu.config.loader import shipped_dir
from lalelu.config.positions import read_document
from lalelu.errors import UsageError

CHOICE = {"model": "thunder", "runtime": "litert", "threads": 1}


def test_an_option_that_is_there_changes_its_value_and_keeps_its_comment():
    text = "# mine\npose:\n  # the network\n  model: lightning   # fast\n  crop: whole\nkit: rock # loud\n"
    assert with_options(text, "pose", {"model": "thunder"}) == text.replace("lightning", "thunder")


def test_every_option_of_the_shipped_file_but_the_changed_ones_stays_byte_for_byte():
    text = (shipped_dir() / "lalelu.yaml").read_text(encoding="utf-8")
    edited = with_options(text, "pose", {"model": "thunder", "precision": "f32"})
    changed = [(a, b) for a, b in zip(text.splitlines(), edited.splitlines(), strict=True) if a != b]
    assert [before.split()[:2] for before, _ in changed] == [["model:", "lightning"], ["precision:", "auto"]]
    assert [after.split()[:2] for _, after in changed] == [["model:", "thunder"], ["precision:", "f32"]]
    assert [b.partition("#")[2] for b, _ in changed] == [a.partition("#")[2] for _, a in changed]


def test_an_option_that_is_not_there_is_added_to_its_section():
    text = "camera:\n  wait: true\npose:\n    crop: whole  # always\nkit: rock\n"
    expected = "camera:\n  wait: true\npose:\n    model: thunder\n    crop: whole  # always\nkit: rock\n"
    assert with_options(text, "pose", {"model": "thunder"}) == expected


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
        "pose: {crop: whole}\nkit: rock\n",
        "pose:\n  model:\n  threads: 2\n",
        'pose:\n  "model": "lightning"\n',
        "  kit: rock\n  pose:\n    threads: 3\n",
        "pose:\r\n  crop: whole\r\nkit: rock\r\n",
    ],
)
def test_however_the_section_is_written_the_options_are_in_it_afterwards_and_the_rest_is_as_before(text):
    before = read_document(text, "").root
    after = read_document(with_options(text, "pose", CHOICE), "")
    assert not after.problems
    assert after.root == {**before, "pose": {**(before.get("pose") or {}), **CHOICE}}


@pytest.mark.parametrize(
    "text",
    [
        "{pose: {model: lightning}}\n",
        "more_kits: [&m lightning]\npose:\n  model: *m\n",
        "pose: &p\n  model: &m lightning\nkit: *m\n",
        "pose:\n  model: |\n    lightning\n  crop: whole\n",
        "pose: [1\n",
        "- a list\n",
        "kit: rock\n...\n",
    ],
)
def test_what_cannot_be_changed_without_changing_more_is_refused(text):
    with pytest.raises(
        UsageError, match=r"section pose cannot be changed in place: .*write the lines by hand"
    ):
        with_options(text, "pose", CHOICE)


@given(
    before=st.dictionaries(
        st.sampled_from(["model", "runtime", "threads", "crop", "every"]),
        st.sampled_from(["lightning", "7", "null", "'off'", '""']),
    ),
    style=st.sampled_from(["block", "flow"]),
    comment=st.sampled_from(["", "  # why", " #: {"]),
)
def test_a_section_keeps_what_was_not_asked_for(before, style, comment):
    if style == "flow":
        text = "pose: {" + ", ".join(f"{k}: {v}" for k, v in before.items()) + "}" + comment + "\n"
    else:
        text = "pose:" + comment + "\n" + "".join(f"  {k}: {v}{comment}\n" for k, v in before.items())
    found = read_document(with_options(text, "pose", CHOICE), "").root["pose"]
    kept = {k: v for k, v in (read_document(text, "").root["pose"] or {}).items() if k not in CHOICE}
    assert found == {**kept, **CHOICE}
