import pytest

from lalelu.errors import UsageError
from lalelu.hits import HitRecord, read_hits
from lalelu.takes.truth import TruthFile, add, delete, from_hits, move, snapped

LEFT, RIGHT = (HitRecord(1.0, limb, "snare") for limb in ("left_wrist", "right_wrist"))
LATER = HitRecord(2.0, "left_wrist", "tom")


def test_added_moved_and_deleted_hits_stay_in_order():
    truth = add(add((), LATER), LEFT)
    assert truth == (LEFT, LATER)
    assert move(truth, LEFT, 3.0) == (LATER, HitRecord(3.0, "left_wrist", "snare"))
    assert delete(truth, LATER) == (LEFT,)


def test_a_limb_has_one_hit_at_a_time_and_only_what_is_there_is_changed():
    assert add((LEFT,), RIGHT) == (LEFT, RIGHT)
    with pytest.raises(UsageError, match=r"has a true hit at 1\.000 s already"):
        add((LEFT,), LEFT)
    for edit in (lambda: delete((LEFT,), RIGHT), lambda: move((LEFT,), LATER, 1.5)):
        with pytest.raises(UsageError, match="any more; the truth was changed elsewhere"):
            edit()


@pytest.mark.parametrize(("time_s", "snapped_s"), [(1.05, 1.0), (0.941, 1.0), (1.07, 1.07), (1.11, 1.15)])
def test_a_mark_snaps_to_the_nearest_stroke_of_its_limb_within_60_ms(time_s, snapped_s):
    strokes = [
        LEFT,
        HitRecord(1.15, "left_wrist"),
        HitRecord(1.06, "right_wrist"),
        HitRecord(1.06, "left_wrist", None, 1),
    ]
    assert snapped(time_s, "left_wrist", 0, strokes) == snapped_s


def test_the_truth_begins_with_what_was_heard_without_the_machines_own_figures():
    heard = HitRecord(1.0, "left_wrist", "snare", 0, 90, 38, 10, 1.02, 1.03)
    assert from_hits([heard]) == (HitRecord(1.0, "left_wrist", "snare", 0, 90),)


def test_steps_are_undone_down_to_no_file(tmp_path):
    file = TruthFile(tmp_path / "mine.truth.jsonl")
    file.write((LEFT,))
    file.write((LEFT, LATER))
    assert (read_hits(file.path), file.undoable) == ((LEFT, LATER), 2)
    file.undo()
    assert file.read() == (LEFT,)
    file.undo()
    assert (file.read(), list(tmp_path.iterdir())) == (None, [])
    with pytest.raises(UsageError, match="nothing to undo"):
        file.undo()


def test_a_truth_that_was_changed_elsewhere_is_not_undone(tmp_path):
    file = TruthFile(tmp_path / "mine.truth.jsonl")
    file.write((LEFT,))
    file.path.write_text('{"time_s": 3.0, "limb": "nose"}\n')
    with pytest.raises(
        UsageError, match=r"mine\.truth\.jsonl was changed elsewhere since; there is nothing left"
    ):
        file.undo()
    theirs = file.read()
    file.write((RIGHT,))
    file.undo()
    assert (file.read(), file.undoable) == (theirs, 0)
