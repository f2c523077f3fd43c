import json
from dataclasses import replace

import pytest
from tuning.lessons import DEAF, rock

from lalelu.analysis.scoring import score
from lalelu.cli import main
from lalelu.config.loader import load_config, load_kit
from lalelu.config.schema import Config
from lalelu.hits import write_hits
from lalelu.take import TakeWriter
from lalelu.tuning.lesson import Judge, heard
from lalelu.tuning.workers import Cluster


@pytest.fixture(scope="module")
def soft():
    return rock(height=0.14)


@pytest.fixture
def folder(tmp_path, monkeypatch, soft):
    """A take, its true hits under another name, and a kit that hears nothing of it."""
    monkeypatch.chdir(tmp_path)
    with TakeWriter(tmp_path / "mine.take", soft.take.header) as take:
        for frame in soft.take.frames:
            take.write(frame)
    write_hits(tmp_path / "true.jsonl", soft.truth)
    (tmp_path / "none.jsonl").touch()
    (tmp_path / "mine.yaml").write_text(DEAF)
    return tmp_path


TUNE = ("tune", "mine.take", "--kit", "mine.yaml", "--jobs", "1", "--trials", "20")


def test_a_tuned_kit_is_written_in_place_and_hears_what_was_meant(folder, soft, capsys):
    assert main([*TUNE, "--truth", "true.jsonl", "--fit", "strike", "--write", "mine.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"] == 20
    assert told["all"]["before"]["held_back"]["f1"] < 0.5 < 0.9 < told["all"]["after"]["held_back"]["f1"]
    text = (folder / "mine.yaml").read_text()
    assert "# my own" in text
    assert "# too much" in text
    kit = load_kit("mine.yaml", folder)
    assert told["values"]["strike.min_speed"] == kit.strike.min_speed
    result = score(heard(soft.take, Config(), kit), soft.truth, by="pad")
    assert result.matched == sum(told["all"]["after"][part]["matched"] for part in ("tuned_on", "held_back"))


def test_a_pattern_stands_in_for_the_truth(folder, capsys):
    assert main([*TUNE, "--pattern", "rock", "--bpm", "120", "--trials", "2"]) == 0
    told = capsys.readouterr()
    assert "of the strokes of the pattern" not in told.err
    assert "strokes of the pattern were played" in told.err
    assert "held back" in told.out
    assert (folder / "mine.yaml").read_text() == DEAF


def test_a_take_that_names_its_pattern_needs_no_other_word(folder, soft, capsys):
    header = replace(soft.take.header, more={"practice": {"pattern": "rock", "bpm": 120}})
    with TakeWriter(folder / "mine.take", header) as take:
        for frame in soft.take.frames:
            take.write(frame)
    assert main([*TUNE, "--trials", "1"]) == 0
    assert "strokes of the pattern were played" in capsys.readouterr().err


def test_a_pattern_that_is_named_comes_before_the_truth_beside_the_take(folder, capsys):
    (folder / "true.jsonl").rename(folder / "mine.truth.jsonl")
    assert main([*TUNE, "--pattern", "rock", "--bpm", "120", "--trials", "1"]) == 0
    told = capsys.readouterr().err
    assert "--pattern stands in for mine.truth.jsonl" in told
    assert "strokes of the pattern were played" in told


def test_a_take_of_the_folder_is_known_by_its_name(folder, monkeypatch, capsys):
    takes = folder / "data" / "lalelu" / "takes"
    takes.mkdir(parents=True)
    (folder / "mine.take").rename(takes / "monday.take")
    (folder / "true.jsonl").rename(takes / "monday.truth.jsonl")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    assert main(["tune", "monday", *TUNE[2:], "--trials", "1"]) == 0
    assert "monday  held back" in capsys.readouterr().out
    assert main(["tune", "mondya", *TUNE[2:]]) == 2
    assert "monday" in capsys.readouterr().err


def test_without_truth_or_pattern_it_says_what_is_missing(folder, capsys):
    assert main([*TUNE]) == 2
    assert "mine.truth.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        (("--truth", "true.jsonl", "true.jsonl"), "one for each"),
        (("--pattern", "rock"), "go together"),
        (("--truth", "true.jsonl", "--fit", "feet"), "allowed are strike, pads, zones"),
        (("--truth", "true.jsonl", "--trials", "0"), "1 and more"),
        (("--truth", "true.jsonl", "--write", "true.jsonl"), "there already"),
        (("--truth", "true.jsonl", "--window-ms", "0"), "above 0"),
        (("--truth", "true.jsonl", "--seed", "4294967296"), "0 to 4294967295"),
        (("--truth", "true.jsonl", "--learn"), "--trials is of the search"),
        (("--truth", "none.jsonl"), "no true hit"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder, capsys, more, rule):
    assert main([*TUNE, *more]) == 2
    assert rule in capsys.readouterr().err


def test_what_is_worse_on_the_part_held_back_is_not_written(folder, capsys, soft):
    # the loud hand is heard already; to hear the soft one is a mistake on what is held back
    deaf = DEAF.replace("3.4", "2.1")
    (folder / "mine.yaml").write_text(deaf)
    kept = [
        hit for hit in soft.truth if hit.limb == "left_wrist" or not main_block(hit.time_s, soft.length_s)
    ]
    write_hits(folder / "true.jsonl", kept)
    told = [*TUNE, "--truth", "true.jsonl", "--fit", "strike", "--write", "mine.yaml"]
    assert main(told) == 1
    assert "worse on the parts held back" in capsys.readouterr().err
    assert (folder / "mine.yaml").read_text() == deaf
    assert main([*told, "--force"]) == 0
    assert (folder / "mine.yaml").read_text() != deaf


def main_block(time_s, length_s):
    """Whether a moment is held back, from the rule as it is told to people."""
    return int(time_s / min(5.0, length_s / 6)) % 3 == 2


def test_a_dask_cluster_plays_the_same(soft, folder):
    distributed = pytest.importorskip("distributed")
    judge = Judge(load_config(None, builtin=True).config, 50.0, "pad")
    kits = [load_kit("mine.yaml", folder), load_kit("rock", None)]
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        Cluster(judge, [soft, soft], address=cluster.scheduler_address) as workers,
    ):
        assert workers.count == 2
        assert workers.play(kits) == [[judge.play(soft, kit)] * 2 for kit in kits]


def test_a_cluster_that_does_not_answer_is_said(folder, capsys, monkeypatch):
    monkeypatch.setattr("lalelu.tuning.workers.PATIENCE_S", 0.2)
    assert main([*TUNE, "--truth", "true.jsonl", "--scheduler", "tcp://127.0.0.1:1"]) == 3
    assert "no Dask scheduler answers" in capsys.readouterr().err
