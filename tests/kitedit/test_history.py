from pathlib import Path

from lalelu.kitedit.history import History, Step

KIT = Path("kit.yaml")


def step(before, after, stroke="drag 1"):
    return Step({KIT: before}, {KIT: after}, stroke)


def test_the_changes_of_one_stroke_are_one_step():
    history = History()
    history.add(step("a", "b"))
    history.add(step("b", "c"))
    assert history.undoable == step("a", "c")
    history.undo()
    assert (history.undoable, history.redoable) == (None, step("a", "c"))


def test_an_edit_by_hand_between_two_changes_of_a_stroke_is_not_undone_with_them():
    history = History()
    history.add(step("a", "b"))
    history.add(step("by hand", "c"))
    assert history.undoable == step("by hand", "c")
    history.undo()
    assert history.undoable == step("a", "b")
