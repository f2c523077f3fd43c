"""When conditions hold, how often they are told, and that the manual has each of them."""

from pathlib import Path

import pytest

from lalelu.conditions import CONDITIONS, QUIET_NS, Conditions

S = 1_000_000_000
MANUAL = Path(__file__).resolve().parent.parent / "docs" / "states.md"


def told(conditions, *looks):
    """The sentences told at each (second, problems)."""
    return [
        [change.sentence for change in conditions.look(problems, round(at_s * S))] for at_s, problems in looks
    ]


def test_a_condition_is_told_when_it_comes_and_when_it_is_over():
    conditions = Conditions()
    lost = {"camera": "the camera is lost"}
    assert told(conditions, (0, {}), (1, lost), (2, lost)) == [[], ["the camera is lost"], []]
    assert conditions.standing == [("camera", "the camera is lost", S)]
    assert told(conditions, (4.25, {}), (5, {})) == [["camera: all right again after 3.2 s"], []]
    assert conditions.standing == []


def test_one_that_comes_and_goes_is_told_once_in_five_seconds_with_its_count():
    conditions = Conditions()
    sentences = []
    for tenth in range(120):  # 12 s, lost every other 0.1 s
        problems = {"midi": "the synth is gone"} if tenth % 2 == 0 else {}
        sentences += [c.sentence for c in conditions.look(problems, tenth * S // 10)]
    assert sentences == [
        "the synth is gone",
        "midi: all right again after 0.1 s",
        "the synth is gone (25 times by now)",
        "midi: all right again after 0.1 s",
        "the synth is gone (25 times by now)",
        "midi: all right again after 0.1 s",
    ]
    assert QUIET_NS == 5 * S


def test_an_empty_stage_counts_after_five_seconds_from_its_beginning():
    conditions = Conditions()
    empty = {"player": "nobody is in view"}
    assert told(conditions, (0, empty), (4, empty), (4.5, {}), (5, empty), (9.9, empty)) == [[]] * 5
    assert told(conditions, (10, empty)) == [["nobody is in view"]]
    assert conditions.standing[0].since_ns == 5 * S
    assert told(conditions, (12, {})) == [["player: all right again after 7.0 s"]]


def test_a_rate_that_is_right_for_a_moment_does_not_end_the_condition():
    conditions = Conditions()
    slow = {"rate": "60 of 100"}
    assert told(conditions, (0, slow), (1, {}), (1.2, {}), (2, slow), (3, {}), (3.2, {}), (4, {})) == [
        ["60 of 100"], [], [], [], [], [], ["rate: all right again after 3.0 s"],
    ]  # fmt: skip


def test_what_cannot_be_judged_goes_on_and_what_does_not_hold_begins_anew():
    conditions = Conditions()
    empty = {"player": "nobody is in view"}
    assert told(conditions, (0, empty), (4, empty)) == [[], []]
    assert conditions.look({}, 10 * S, {"player"}) == []
    assert told(conditions, (11, empty), (15, empty), (16, empty)) == [[], [], ["nobody is in view"]]
    assert conditions.look({}, 17 * S, {"player"}) == []
    assert [each.name for each in conditions.standing] == ["player"]
    assert told(conditions, (20, {})) == [["player: all right again after 9.0 s"]]


def test_the_worst_stands_first_and_the_newest_words_count():
    conditions = Conditions()
    conditions.look({"desk": "the desk died", "player": "nobody"}, 0)
    conditions.look({"voice": "the voice died", "desk": "again", "surprise": "?"}, 6 * S)
    assert [(each.name, each.text) for each in conditions.standing] == [
        ("voice", "the voice died"),
        ("desk", "again"),
    ]


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_manual_has_every_condition_as_it_is(name):
    kind = CONDITIONS[name]
    assert f"| `{name}` | {kind.meaning} | {kind.does} | {kind.ends} |\n" in MANUAL.read_text()


def test_the_manual_has_no_other_condition():
    table = MANUAL.read_text().partition("| condition |")[2].partition("\n\n")[0]
    assert table.count("\n| `") == len(CONDITIONS)
