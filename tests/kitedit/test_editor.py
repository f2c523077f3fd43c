import json
import os

import pytest

from lalelu.config.loader import load_config, shipped_dir
from lalelu.config.problem import ConfigError
from lalelu.errors import UsageError
from lalelu.kitedit.editor import ChangedMeanwhileError, Editor
from lalelu.kitedit.edits import Add, Remove, Rename, Set, from_plain, joined, parse_path, plain

ROCK = (shipped_dir() / "kits" / "rock.yaml").read_text()
THRESHOLD = ("pads", "snare", "threshold")


@pytest.fixture
def editor(tmp_path):
    """One whose configuration plays a kit of its own."""
    (tmp_path / "mine.yaml").write_text(ROCK)
    (tmp_path / "lalelu.yaml").write_text("kit: mine.yaml  # my own\ntiming:\n  lead_ms: 0     # not yet\n")
    return Editor(tmp_path / "lalelu.yaml")


def change(editor, path, value, **options):
    return editor.change((Set({path: value}),), editor.view().digest, **options)


def test_a_value_of_the_kit_is_written_and_everything_else_stays(editor, tmp_path):
    view = change(editor, ("pads", "snare", "zone", "box"), [-0.4, -1.2, 0.2, -1.0])
    assert (tmp_path / "mine.yaml").read_text() == ROCK.replace(
        "box: [-0.5, -1.2, 0.1, -1.0]", "box: [-0.4, -1.2, 0.2, -1.0]"
    )
    assert view.kit.pads["snare"].zone.box == (-0.4, -1.2, 0.2, -1.0)


def test_a_value_of_the_configuration_is_written_with_its_comment_kept(editor, tmp_path):
    change(editor, ("timing", "lead_ms"), 12.5)
    text = (tmp_path / "lalelu.yaml").read_text()
    assert text == "kit: mine.yaml  # my own\ntiming:\n  lead_ms: 12.5  # not yet\n"


def test_what_the_judge_refuses_is_not_written_and_its_place_is_told(editor, tmp_path):
    with pytest.raises(ConfigError) as raised:
        change(editor, THRESHOLD, 99)
    (problem,) = raised.value.problems
    assert (problem.path, problem.line) == ("pads.snare.threshold", 8)
    assert problem.message.startswith("pads.snare.threshold is 99; allowed")
    assert (tmp_path / "mine.yaml").read_text() == ROCK


def test_a_value_that_mends_a_broken_file_is_written_though_another_one_is_broken(editor, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        ROCK.replace("channel: 10", "channel: 99") + "strike: {min_speed: -1}\n"
    )
    assert len(editor.view().problems) == 2
    assert [p.path for p in change(editor, ("channel",), 9).problems] == ["strike.min_speed"]


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(editor, tmp_path):
    digest = editor.view().digest
    (tmp_path / "mine.yaml").write_text(ROCK + "# by hand\n")
    with pytest.raises(
        ChangedMeanwhileError, match=r"mine\.yaml has been changed meanwhile; nothing was written"
    ):
        editor.change((Set({THRESHOLD: 2.0}),), digest)
    assert (tmp_path / "mine.yaml").read_text() == ROCK + "# by hand\n"


def test_a_shipped_kit_is_copied_beside_the_configuration_and_never_written(tmp_path):
    file = tmp_path / "lalelu.yaml"
    file.write_text("# mine\nkit: rock       # loud\nmore_kits: [latin]\nplayer:\n  kits: {1: rock}\n")
    editor = Editor(file)
    view = change(editor, THRESHOLD, 2.5)
    assert (shipped_dir() / "kits" / "rock.yaml").read_text() == ROCK
    assert file.read_text() == (
        "# mine\nkit: kits/rock.yaml # loud\nmore_kits: [latin]\nplayer:\n  kits: {1: kits/rock.yaml}\n"
    )
    assert view.kit_file == tmp_path / "kits" / "rock.yaml"
    assert load_config(file).kit.pads["snare"].threshold == 2.5
    assert editor.undo().kit.pads["snare"].threshold is None
    assert (tmp_path / "kits" / "rock.yaml").read_text() == ROCK


def test_a_copy_takes_no_other_file_s_place(tmp_path):
    (tmp_path / "kits").mkdir()
    (tmp_path / "kits" / "rock.yaml").write_text("# something else\n")
    (tmp_path / "lalelu.yaml").write_text("")
    view = change(Editor(tmp_path / "lalelu.yaml"), THRESHOLD, 2.5)
    assert view.kit_file == tmp_path / "kits" / "rock_2.yaml"
    assert (tmp_path / "kits" / "rock.yaml").read_text() == "# something else\n"


def test_the_configuration_that_came_with_lalelu_is_never_written():
    editor = Editor(shipped_dir() / "lalelu.yaml")
    with pytest.raises(UsageError, match=r"came with lalelu; copy it"):
        change(editor, ("timing", "lead_ms"), 5)


def test_steps_are_undone_and_done_again_one_by_one(editor):
    for value in (2.0, 3.0):
        change(editor, THRESHOLD, value)
    assert editor.undo().kit.pads["snare"].threshold == 2.0
    assert editor.undo().kit.pads["snare"].threshold is None
    with pytest.raises(UsageError, match="nothing was changed here"):
        editor.undo()
    assert editor.redo().kit.pads["snare"].threshold == 2.0
    change(editor, THRESHOLD, 5.0)
    with pytest.raises(UsageError, match="nothing was undone"):
        editor.redo()


def test_one_stroke_of_a_slider_is_undone_at_once(editor):
    for value in (2.0, 3.0, 4.0):
        change(editor, THRESHOLD, value, stroke="a")
    change(editor, THRESHOLD, 5.0, stroke="b")
    assert editor.undo().kit.pads["snare"].threshold == 4.0
    assert editor.undo().kit.pads["snare"].threshold is None


def test_nothing_is_undone_in_a_file_that_somebody_else_has_changed(editor, tmp_path):
    change(editor, THRESHOLD, 2.0)
    (tmp_path / "mine.yaml").write_text(ROCK)
    with pytest.raises(ChangedMeanwhileError, match="changed elsewhere"):
        editor.undo()
    assert (tmp_path / "mine.yaml").read_text() == ROCK


def test_the_difference_to_the_beginning_is_shown(editor):
    assert editor.diff() == ""
    change(editor, ("pads", "tom", "sensitivity"), 1.5)
    changed = [line for line in editor.diff().splitlines() if line[0] in "+-"]
    assert changed[:2] == ["--- mine.yaml\tbefore", "+++ mine.yaml\tnow"]
    assert [line[:7] for line in changed[2:]] == ["-  tom:", "+  tom:"]
    assert changed[3].endswith("sensitivity: 1.5}")


def test_a_file_keeps_its_rights_and_a_link_stays_one(editor, tmp_path):
    real = tmp_path / "real.yaml"
    (tmp_path / "mine.yaml").rename(real)
    (tmp_path / "mine.yaml").symlink_to(real)
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 12345, 23456)
    before = real.stat()
    change(editor, THRESHOLD, 2.0)
    assert (tmp_path / "mine.yaml").is_symlink()
    after = real.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lalelu.yaml", "mine.yaml", "real.yaml"]


@pytest.mark.parametrize("path", ["camera.uri", "kit", "midi.outputs", "nothing", "ledger.dir"])
def test_options_that_need_a_restart_are_not_changed_here(editor, path):
    with pytest.raises(UsageError, match="is not changed here"):
        change(editor, parse_path(path), "x")


@pytest.mark.parametrize(
    ("text", "path"),
    [("pads.snare.zone.box[0]", ("pads", "snare", "zone", "box", 0)), ("left_handed", ("left_handed",))],
)
def test_a_path_is_read_as_it_is_written_for_people(text, path):
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a..b", "a[", "a[x]", "x" * 300])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(UsageError, match="is no option"):
        parse_path(text)


def test_what_is_tried_is_judged_and_shown_but_not_written(editor, tmp_path):
    digest = editor.view().digest
    edits = (
        Rename(("pads", "snare"), "drum"),
        Set({("pads", "drum", "threshold"): 2.0, ("left_handed",): True}),
    )
    tried = editor.tried(edits, digest)
    assert (tried.kit.pads["drum"].threshold, tried.config.left_handed, tried.digest) == (2.0, True, digest)
    assert "+  drum: {note: acoustic_snare" in editor.diff_of(tried)
    assert (tmp_path / "mine.yaml").read_text() == ROCK
    assert editor.history.undoable is None
    with pytest.raises(ConfigError, match=r"pads\.drum\.threshold is 99"):
        editor.tried((*edits, Set({("pads", "drum", "threshold"): 99})), digest)


def test_several_edits_are_one_step(editor, tmp_path):
    edits = (
        Remove(("pads", "crash")),
        Add(("pads", "bell"), {"note": "cowbell", "zone": {"ellipse": [0, 0, 0.3, 0.2]}}),
        Set({("timing", "lead_ms"): 5}),
    )
    view = editor.change(edits, editor.view().digest)
    assert list(view.kit.pads)[-2:] == ["ride", "bell"]
    assert editor.undo().config.timing.lead_ms == 0
    assert (tmp_path / "mine.yaml").read_text() == ROCK


def test_a_refused_change_of_a_shipped_kit_leaves_nothing_behind(tmp_path):
    (tmp_path / "lalelu.yaml").write_text("kit: rock\n")
    editor = Editor(tmp_path / "lalelu.yaml")
    with pytest.raises(ConfigError):
        change(editor, THRESHOLD, 99)
    assert editor.diff() == ""


def test_edits_are_the_same_after_a_way_through_json():
    edits = (
        Set({("pads", "snare", "zone", "box", 0): 1.5, ("left_handed",): True}),
        Add(("pads", "bell"), {"note": 3}),
        Remove(("pads", "crash")),
        Rename(("pads", "ride"), "wide"),
    )
    assert from_plain(json.loads(json.dumps(plain(edits)))) == edits


def test_values_set_one_after_the_other_are_set_at_once_the_last_one_winning():
    one, two, other = Set({("a",): 1, ("b",): 1}), Set({("a",): 2}), Remove(("c",))
    assert joined((one, two, other, one)) == (Set({("b",): 1, ("a",): 2}), other, one)


@pytest.mark.parametrize(
    "data", [None, {}, [3], [{}], [{"set": 3}], [{"rename": "a"}], [{"remove": ""}], [{}] * 201]
)
def test_what_is_no_edit_is_refused(data):
    with pytest.raises(UsageError, match=r"edit|is no option"):
        from_plain(data)
