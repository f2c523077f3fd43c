import os

import pytest

from lalelu.bulletin import Bulletin, lines_after
from lalelu.channel import BoardReader, create_board


@pytest.fixture
def board(tmp_path):
    create_board(tmp_path / "board")
    return tmp_path / "board"


def test_what_was_told_stays_until_something_else_is_told(board):
    bulletin, reader = Bulletin(board), BoardReader(board)
    assert reader.value() == {"pid": os.getpid(), "state": "starting", "lines": [], "said": 0}
    bulletin.tell(state="warm", model="lightning")
    bulletin.tell(state="playing")
    assert (reader.value()["state"], reader.value()["model"]) == ("playing", "lightning")


def test_each_line_is_read_once_also_when_several_came_between_two_looks(board):
    bulletin, reader = Bulletin(board), BoardReader(board)
    heard, said = [], 0
    for first in range(0, 40, 4):
        for number in range(first, first + 4):
            bulletin.say(f"line {number}")
        value = reader.value()
        heard += lines_after(value, said)
        said = value["said"]
    assert heard == [f"line {number}" for number in range(40)]
    assert lines_after(reader.value(), said) == []


def test_lines_that_came_too_fast_are_the_oldest(board):
    bulletin = Bulletin(board)
    for number in range(100):
        bulletin.say(f"line {number}")
    lines = lines_after(BoardReader(board).value(), 10)
    assert lines == [f"line {number}" for number in range(100 - len(lines), 100)]
    assert len(lines) >= 20
    assert lines_after({}, 0) == []


@pytest.mark.parametrize("letter", ["x", "ß", "鼓", "\U0001f941", "\udcff", '"', "\n"])
def test_long_lines_of_any_letters_find_room(board, letter):
    bulletin = Bulletin(board)
    bulletin.tell(requests=[{"request": "core", "detail": "d" * 500}] * 8)
    for number in range(30):
        bulletin.say(f"{number} {letter * 1000}")
    value = BoardReader(board).value()
    assert value["said"] == 30
    assert value["lines"][-1].startswith(f"29 {letter * 100}")
    assert len(value["lines"]) >= 5


def test_a_value_that_finds_no_room_is_refused_and_the_one_before_stays(board):
    bulletin = Bulletin(board)
    bulletin.say("a line")
    with pytest.raises(ValueError, match="a board shows up to"):
        bulletin.tell(text="x" * 100_000)
    assert BoardReader(board).value()["lines"] == ["a line"]


def test_a_process_that_starts_again_begins_its_lines_anew(board):
    Bulletin(board).say("the first one's")
    Bulletin(board, "waiting").say("the second one's")
    value = BoardReader(board).value()
    assert (value["state"], value["lines"], value["said"]) == ("waiting", ["the second one's"], 1)


def test_problems_stand_beside_each_other_and_only_a_change_is_written(board):
    bulletin, reader = Bulletin(board), BoardReader(board)
    bulletin.problem("disk", "the disk is full")
    bulletin.problem("config", "a typo")
    assert reader.value()["problems"] == {"disk": "the disk is full", "config": "a typo"}
    changes = reader.changes
    bulletin.problem("config", "a typo")
    bulletin.problem("midi", None)
    assert reader.changes == changes
    bulletin.problem("disk", None)
    assert reader.value()["problems"] == {"config": "a typo"}
