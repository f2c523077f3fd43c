import pytest

from lalelu.config.loader import shipped_dir
from lalelu.errors import UsageError
from lalelu.kitedit.editor import Editor
from lalelu.kitedit.edits import Set
from lalelu.kitedit.presets import PresetThereError, preset, presets, save


@pytest.fixture
def editor(tmp_path):
    (tmp_path / "lalelu.yaml").write_text("kit: rock\n")
    return Editor(tmp_path / "lalelu.yaml")


def use(editor, name):
    return editor.change((Set(preset(editor.config.parent, name).values),), editor.view().digest)


@pytest.mark.parametrize("name", sorted(path.stem for path in (shipped_dir() / "presets").glob("*.yaml")))
def test_every_shipped_preset_makes_a_valid_kit(editor, name):
    before = editor.view().kit
    view = use(editor, name)
    assert view.problems == ()
    assert (view.kit != before) == (name != "normal")
    assert use(editor, "normal").kit.strike == before.strike


def test_a_player_s_own_preset_gives_back_what_it_was_saved_from(editor, tmp_path):
    gentle = use(editor, "gentle").kit.strike
    save(editor.view(), "evening")
    use(editor, "hard")
    assert use(editor, "evening").kit.strike == gentle
    assert [(p.name, p.is_own) for p in presets(tmp_path)][-1] == ("evening", True)


def test_an_own_preset_that_cannot_be_read_says_why_and_cannot_be_used(editor, tmp_path):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "odd.yaml").write_text("values: 3\n")
    (found,) = [each for each in presets(tmp_path) if each.name == "odd"]
    assert found.description.startswith("cannot be read: a preset is `description: TEXT`")
    with pytest.raises(UsageError, match=r"no preset 'odd'; there are fast, gentle, hard, normal"):
        use(editor, "odd")


def test_a_name_that_would_lead_elsewhere_is_refused(editor):
    with pytest.raises(UsageError, match="is no name for a preset"):
        save(editor.view(), "../evil")


def test_a_preset_is_not_replaced_unasked(editor):
    save(editor.view(), "evening")
    use(editor, "gentle")
    with pytest.raises(PresetThereError, match="there is a preset 'evening' already; choose another name"):
        save(editor.view(), "evening")
    save(editor.view(), "evening", over=True)
    assert use(editor, "evening").kit.strike.min_speed == 0.9


def test_a_folder_of_presets_that_cannot_be_written_is_named(editor, tmp_path):
    (tmp_path / "presets").write_text("")
    with pytest.raises(UsageError, match=r"presets cannot be written \(.*\); check its permissions"):
        save(editor.view(), "evening")
