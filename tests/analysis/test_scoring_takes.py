"""The tools that score recorded takes: why hits are missed, and what the tuning is worth on takes it has not seen."""

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lalelu.config.loader import load_kit
from lalelu.gesture import strike
from lalelu.hits import HitRecord, write_hits

PROJECT = Path(__file__).parents[2]
GOLDEN = PROJECT / "tests" / "golden"


@pytest.fixture(scope="module")
def kit():
    return load_kit("kit.yaml", GOLDEN)


@pytest.fixture
def scorer(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "tools")
    return import_module("score_takes")


@pytest.fixture
def validator(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "tools")
    return import_module("cross_validate")


@pytest.fixture
def folder(tmp_path):
    for name in ("fast_200", "simple_30_dropped", "idle_60_noise"):
        for path in (f"{name}.take.gz", f"{name}.truth.jsonl"):
            shutil.copy(GOLDEN / path, tmp_path)
    return tmp_path


def run(tool, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["tool", *map(str, words)])
    tool.main()


def test_every_take_of_a_folder_has_a_line_for_each_lead(scorer, folder, monkeypatch, capsys):
    run(scorer, monkeypatch, folder, "--kit", GOLDEN / "kit.yaml", "--lead", 0, 20)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        *["fast_200"] * 2, *["idle_60_noise"] * 2, *["simple_30_dropped"] * 2
    ]  # fmt: skip
    assert "F1 1.000" in lines[0]
    assert "foreseen" not in lines[0]
    assert "false 0" in lines[2]


def test_a_missed_hit_is_explained_by_the_movement_nearest_to_it(scorer, folder, kit):
    path = folder / "fast_200.take.gz"
    truth = scorer.truth_of(path)
    deaf = kit.strike.model_copy(update={"min_height": 2.0})
    found, true = scorer.misses("fast_200", path, kit.model_copy(update={"strike": deaf}), 0.0)
    assert len(found) == true == len(truth)
    assert {miss.cause for miss in found} == {"too_short_fall"}
    assert all(abs(miss.after_s) < 0.02 for miss in found)
    assert "strike.min_height" in found[0].why


def test_hits_that_nobody_played_and_hits_at_another_time_are_told_apart(scorer, folder, kit):
    path = folder / "fast_200.take.gz"
    first, *rest = scorer.truth_of(path)
    late = HitRecord(first.time_s - 0.08, first.limb)
    write_hits(folder / "fast_200.truth.jsonl", [late, HitRecord(0.001, "left_wrist"), *rest])
    found, _ = scorer.misses("fast_200", path, kit, 0.0)
    assert sorted(miss.cause for miss in found) == [scorer.ELSEWHEN, scorer.NO_FALL]


def test_the_misses_are_printed_by_cause_the_most_frequent_first(scorer):
    found = [
        scorer.Miss("one", 1.0, "noise", 0.03, "far"),
        scorer.Miss("one", 2.0, "landing", 0.0, "put down"),
        scorer.Miss("two", 3.0, "noise", -0.01, "near"),
    ]
    lines = scorer.miss_table(found, 10).splitlines()
    assert lines[0].startswith("3 of 10 true hits missed")
    assert lines[1].split() == ["2", "67", "%", "noise", "one", "1,", "two", "1"]
    assert lines[2].endswith("e.g. two 3.00 s: near")
    assert lines[3].split()[:4] == ["1", "33", "%", "landing"]


def test_other_constants_hold_inside_the_block_only(validator):
    shipped = strike.FALL_NOISES
    with validator.other_constants({"strike.FALL_NOISES": 1.5}):
        assert strike.FALL_NOISES == 1.5
    assert shipped == strike.FALL_NOISES
    with pytest.raises(ZeroDivisionError), validator.other_constants({"strike.FALL_NOISES": 1.5}):
        raise ZeroDivisionError
    assert shipped == strike.FALL_NOISES


@pytest.mark.parametrize("knob", ["strike.FALL_NOISE", "stroke.FALL_NOISES", "kit.min_spead", "FALL_NOISES"])
def test_a_knob_that_does_not_exist_is_refused_with_its_name(validator, kit, knob):
    with pytest.raises(SystemExit, match=knob):
        validator.shipped_value(knob, kit)


def test_every_knob_that_is_tuned_by_default_exists(validator, kit):
    assert all(validator.shipped_value(knob, kit) > 0.0 for knob in validator.KNOBS)


def test_settings_change_so_many_knobs_at_most_and_begin_with_what_is_shipped(validator):
    settings = validator.settings_of(["a", "b", "c"], 2)
    assert settings[0] == ()
    assert len(settings) == len(set(settings)) == 1 + 3 * 2 + 3 * 4


def test_the_take_held_out_has_no_say_in_the_choice(validator, kit):
    paths = [Path(f"{name}.take.gz") for name in ("a", "b", "c")]
    knob = (("kit.min_speed", 1.5),)

    def outcome(matched):
        return validator.Outcome(matched, 10, 10, 0.0)

    outcomes = {(path, ()): outcome(8) for path in paths} | {(path, knob): outcome(9) for path in paths}
    outcomes[paths[2], knob] = outcome(0)  # so bad that all three together prefer what is shipped
    lines = validator.report(paths, [(), knob], outcomes, kit, "x")
    assert [line.split()[1:4] for line in lines[1:4]] == [
        ["0.800", "0.800", "+0.000"],
        ["0.800", "0.800", "+0.000"],
        ["0.800", "0.000", "+0.800"],
    ]
    assert lines[3].endswith("kit.min_speed 1.95")
    assert lines[4].split()[-1] == "+0.267"
    # the first two are one performance: what is chosen for one may not have seen the other
    lines = validator.report(paths, [(), knob], outcomes, kit, "[ab].take")
    assert [line.split()[2] for line in lines[1:4]] == ["0.800", "0.800", "0.000"]


def test_of_settings_with_equal_f1_the_steadier_is_chosen(validator):
    path, steady = Path("a.take.gz"), (("kit.min_speed", 1.5),)
    outcomes = {
        (path, ()): validator.Outcome(5, 5, 5, 50.0),
        (path, steady): validator.Outcome(5, 5, 5, 40.0),
    }
    assert validator.best([path], [(), steady], outcomes) == steady
    outcomes[path, steady] = outcomes[path, ()]
    assert validator.best([path], [(), steady], outcomes) == ()


def test_constants_reach_the_detectors_in_the_other_processes(validator, folder, kit):
    paths = [folder / "fast_200.take.gz", folder / "idle_60_noise.take.gz"]
    deaf = (("strike.FALL_NOISES", 1000.0),)
    deaf_kit = (("kit.min_height", 20.0),)
    jobs = [(path, setting) for path in paths for setting in ((), deaf, deaf_kit)]
    outcomes = validator.play_all(jobs, kit, 0.0)
    played, idle = paths
    assert outcomes[played, ()].f1 == 1.0
    assert outcomes[played, ()].sd_ms < 5.0
    assert outcomes[played, deaf].found == outcomes[played, deaf_kit].found == 0
    assert outcomes[idle, ()] == validator.Outcome(0, 0, 0, 0.0)
    assert outcomes[idle, ()].f1 == 1.0
    assert strike.FALL_NOISES < 100.0


def test_the_tool_prints_a_row_for_each_take(validator, folder, monkeypatch, capsys):
    words = ["--kit", GOLDEN / "kit.yaml", "--knobs", "strike.RISE_NOISES", "--changes", 1]
    run(validator, monkeypatch, folder, *words)
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["fast_200", "idle_60_noise", "simple_30_dropped"]
    assert lines[2].split()[1:4] == ["-", "-", "-"]  # nothing is played there
    assert lines[4].startswith("mean of takes")
    assert [line.rpartition(": ")[2] for line in lines[5:7]] == ["as shipped", "chosen without each take"]
    assert "chosen on all: " in lines[7]
    assert "3 settings on 3 takes" in printed.err


def test_one_performance_alone_cannot_be_held_out(validator, folder, monkeypatch):
    with pytest.raises(SystemExit, match="two are needed"):
        run(validator, monkeypatch, folder, "--same", "0")
