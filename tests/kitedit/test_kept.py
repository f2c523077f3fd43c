"""What was changed can be undone after the page's process has begun anew."""

import json

import pytest

from lalelu.config.loader import shipped_dir
from lalelu.kitedit import kept
from lalelu.kitedit.editor import Editor
from lalelu.kitedit.edits import Set

ROCK = (shipped_dir() / "kits" / "rock.yaml").read_text()
THRESHOLD = ("pads", "snare", "threshold")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.yaml").write_text(ROCK)
    (tmp_path / "lalelu.yaml").write_text("kit: mine.yaml\n")
    return tmp_path


def editor(folder):
    """One that begins as a new process does."""
    new = Editor(folder / "lalelu.yaml", folder / "changes.json")
    new.recall()
    return new


def change(here, value):
    here.change((Set({THRESHOLD: value}),), here.view().digest)


def threshold(view):
    return view.kit.pads["snare"].threshold


def test_steps_are_undone_and_done_again_by_the_next_process(folder):
    first = editor(folder)
    for value in (2.0, 3.0, 4.0):
        change(first, value)
    first.undo()
    second = editor(folder)
    assert second.diff() == first.diff() != ""
    assert threshold(second.redo()) == 4.0
    third = editor(folder)
    assert [threshold(third.undo()) for _ in range(3)] == [3.0, 2.0, None]
    assert (folder / "mine.yaml").read_text() == ROCK
    assert editor(folder).history.undoable is None


def test_a_file_that_was_changed_meanwhile_has_no_history(folder):
    change(editor(folder), 2.0)
    (folder / "mine.yaml").write_text(ROCK + "# by hand\n")
    later = editor(folder)
    assert later.history.undoable is None
    assert later.diff() == ""


def test_another_configuration_has_no_history(folder):
    change(editor(folder), 2.0)
    (folder / "other.yaml").write_text("kit: mine.yaml\n")
    other = Editor(folder / "other.yaml", folder / "changes.json")
    other.recall()
    assert other.history.undoable is None


def broken(data):
    """Whatever may become of the file's data."""
    text = json.dumps(data)
    yield from ("", "null", "[]", "{}", text[: len(text) // 2], "[" * 100_000, "\udc80")
    for key in data:
        for value in (None, 3, [3], {"x": "y"}, [{"before": {}, "after": {"/x": "y"}, "stroke": None}]):
            yield json.dumps({**data, key: value})
    digest = next(iter(data["texts"]))
    yield json.dumps({**data, "texts": {**data["texts"], digest: "something else"}})


def test_a_damaged_history_is_none_and_never_an_error(folder):
    change(editor(folder), 2.0)
    file = folder / "changes.json"
    data = json.loads(file.read_text())
    for text in broken(data):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert kept.recall(file, folder / "lalelu.yaml") is None, text[:200]
    change(editor(folder), 3.0)
    assert threshold(editor(folder).undo()) == 2.0


def test_the_file_is_the_owners_and_stays_small(folder, monkeypatch):
    change(editor(folder), 2.0)
    file = folder / "changes.json"
    assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(kept, "MOST_TEXT", 5 * len(ROCK))  # four steps or so
    first = editor(folder)
    for value in range(3, 12):
        change(first, float(value) / 2)
    assert len(editor(folder).history.done) < 6
    assert file.stat().st_size < 10 * len(ROCK)
    assert threshold(editor(folder).undo()) == 5.0


def test_where_nothing_can_be_kept_changes_are_made_all_the_same(folder):
    (folder / "changes.json").mkdir()
    here = editor(folder)
    change(here, 2.0)
    assert threshold(here.undo()) is None
