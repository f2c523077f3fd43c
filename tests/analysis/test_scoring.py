import argparse
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lalelu.analysis.scoring import DOUBLE_S, match, percentile, score, spearman, table
from lalelu.cli import main
from lalelu.commands import score as command
from lalelu.errors import UsageError
from lalelu.hits import HitRecord, write_hits


def hit(time_s, limb="left_wrist", **more):
    return HitRecord(time_s, limb, **more)


def test_a_perfect_performance():
    truth = [hit(t / 2, velocity=10 * t) for t in range(1, 6)]
    result = score(truth, truth)
    assert (result.found, result.true, result.matched, result.doubles) == (5, 5, 5, 0)
    assert (result.precision, result.recall, result.f1, result.velocity_rank) == (1.0, 1.0, 1.0, 1.0)
    assert result.error_ms is not None
    assert (result.error_ms.mean, result.error_ms.sd) == (0.0, 0.0)


def test_figures_of_a_performance_with_an_extra_a_double_and_a_miss():
    truth = [hit(1.0), hit(2.0), hit(3.0, "right_wrist")]
    found = [
        hit(1.01, decided_s=1.03, note_s=1.04),
        hit(1.08),
        hit(2.03, decided_s=2.05, note_s=2.06),
        hit(2.5),
        hit(3.0),
    ]
    result = score(found, truth)
    assert (result.matched, result.doubles) == (2, 1)
    assert (result.false, result.missed) == (3, 1)
    assert result.false_percent == pytest.approx(100.0)
    assert result.missed_percent == pytest.approx(100 / 3)
    assert result.precision == pytest.approx(0.4)
    assert result.recall == pytest.approx(2 / 3)
    assert result.f1 == pytest.approx(0.5)
    assert result.error_ms is not None
    assert (result.error_ms.mean, result.error_ms.sd) == pytest.approx((20.0, 10.0))
    assert result.decision_ms is not None
    assert result.decision_ms.p50 == pytest.approx(20.0)
    assert result.note_delay_ms is not None
    assert result.note_delay_ms.mean == pytest.approx(50.0)
    assert score(found, truth, by="none").matched == 3


def test_by_pad_the_limb_does_not_matter():
    truth = [hit(1.0, "left_wrist", pad="snare"), hit(2.0, "left_wrist", pad="ride")]
    found = [hit(1.0, "right_wrist", pad="snare"), hit(2.0, "right_wrist", pad="crash")]
    assert score(found, truth, by="pad").matched == 1
    assert score(found, truth).matched == 0


def test_the_window_is_inclusive():
    assert score([hit(1.5)], [hit(1.0)], window_ms=500).matched == 1
    assert score([hit(1.5)], [hit(1.0)], window_ms=499).matched == 0


def test_nothing_found_and_nothing_to_find():
    assert score([], [hit(1.0)]).f1 == 0.0
    nothing = score([], [])
    assert (nothing.f1, nothing.error_ms, nothing.velocity_rank) == (0.0, None, None)
    assert (nothing.false_percent, nothing.missed_percent, nothing.foreseen) == (None, None, None)


def test_hits_that_were_decided_before_their_stroke_ended_are_foreseen():
    found = [hit(1.0, decided_s=0.98), hit(2.0, decided_s=2.0), hit(3.0, decided_s=3.02), hit(4.0)]
    assert score(found, []).foreseen == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("found", "truth", "doubles"),
    [
        ([1.0, 1.09, 1.17], [1.0], 2),  # one stroke told three times
        ([1.0, 1.09], [], 1),  # a movement that was no stroke told twice: one of both is false, not double
        ([1.0, 1.0 + DOUBLE_S - 0.001], [1.0], 1),
        ([1.0, 1.0 + DOUBLE_S], [1.0], 0),
        ([0.92, 1.0], [1.0], 1),  # the first of both is the wrong one
        ([1.0, 1.1, 1.2, 1.3], [1.0, 1.1, 1.2, 1.3], 0),  # a roll as quick as the quickest hand
        ([1.0, 1.1, 1.15, 1.2], [1.0, 1.1, 1.2], 1),
        ([1.0, 2.0, 2.08], [1.0], 1),
        ([], [1.0], 0),
    ],
)
def test_a_stroke_told_again_within_a_moment_is_a_double(found, truth, doubles):
    result = score([hit(time_s) for time_s in found], [hit(time_s) for time_s in truth])
    assert result.doubles == doubles


def test_another_limb_or_player_in_the_same_moment_is_no_double():
    found = [hit(1.0), hit(1.03, "right_wrist"), hit(1.03, player=1)]
    assert score(found, [hit(1.0)]).doubles == 0
    assert score(found, [hit(1.0)], by="none").doubles == 0


@given(
    found=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["left_wrist", "right_wrist"])), max_size=14
    ),
    truth=st.lists(st.integers(0, 60), max_size=10),
)
def test_doubles_are_false_hits_and_false_and_missed_make_up_the_rest(found, truth):
    result = score([hit(t / 64, limb) for t, limb in found], [hit(t / 64) for t in truth])
    assert 0 <= result.doubles <= result.false == result.found - result.matched
    assert result.missed == result.true - result.matched


def test_the_table_has_a_line_for_each_score_and_dashes_for_what_cannot_be_measured():
    truth = [hit(1.0), hit(2.0)]
    early = score([hit(0.99, decided_s=0.97, note_s=0.99), hit(3.0, decided_s=3.02, note_s=3.03)], truth)
    lines = table([("lead 20 ms", early), ("idle", score([], []))]).splitlines()
    assert len(lines) == 3
    assert lines[0].split("  ")[-1].strip() == "SD"
    assert lines[1].split() == [
        "lead",
        "20",
        "ms",
        "2",
        "2",
        "50.0",
        "50.0",
        "50.0",
        "-10.0",
        "0.0",
        "-10.0",
        "0.0",
    ]
    assert lines[2].split() == ["idle", "0", "0", *["-"] * 7]
    assert len({len(line) for line in lines}) == 1


TIMES = st.lists(st.integers(0, 40), max_size=14)  # in 1/64 s: exact in binary, so that no rounding decides


@settings(deadline=None)  # the first call imports the judge
@given(found=TIMES, truth=TIMES, window=st.integers(0, 8))
def test_as_many_pairs_as_mir_eval_finds(found, truth, window):
    util = pytest.importorskip("mir_eval.util", reason="the eval extra is not installed")
    pairs = match([hit(t / 64) for t in found], [hit(t / 64) for t in truth], window_s=window / 64, by="limb")
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(found[i] - truth[j]) <= window for i, j in pairs)
    expected = 0
    if found and truth:
        expected = len(util.match_events(np.sort(truth) / 64, np.sort(found) / 64, window / 64))
    assert len(pairs) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_percentiles_are_numpy_s(values, percent):
    assert percentile(values, percent) == pytest.approx(
        float(np.percentile(values, percent)), rel=1e-9, abs=1e-6
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_rank_correlation_is_scipy_s(pairs):
    stats = pytest.importorskip("scipy.stats", reason="the eval extra is not installed")
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert spearman(a, b) is None
    else:
        assert spearman(a, b) == pytest.approx(float(stats.spearmanr(a, b).statistic))


def run(arguments):
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args([str(each) for each in arguments]))


def test_the_command_prints_one_json_object(tmp_path, capsys):
    write_hits(tmp_path / "hits.jsonl", [hit(1.01), hit(2.0)])
    write_hits(tmp_path / "truth.jsonl", [hit(1.0)])
    assert run([tmp_path / "hits.jsonl", tmp_path / "truth.jsonl", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["matched"], printed["precision"], printed["recall"]) == (1, 0.5, 1.0)
    assert printed["error_ms"]["mean"] == pytest.approx(10.0)


def test_the_command_prints_lines_for_people(tmp_path, capsys):
    write_hits(tmp_path / "hits.jsonl", [hit(1.01)])
    assert run([tmp_path / "hits.jsonl", tmp_path / "hits.jsonl", "--window-ms", "20", "--by", "none"]) == 0
    printed = capsys.readouterr().out
    assert "F1 1.000" in printed
    assert "false 0 (0.0 % of the true)  missed 0 (0.0 % of the true)" in printed


def test_the_command_tells_false_and_missed_and_foreseen_hits(tmp_path, capsys):
    write_hits(tmp_path / "hits.jsonl", [hit(1.01, decided_s=1.0), hit(5.0, decided_s=5.02)])
    write_hits(tmp_path / "truth.jsonl", [hit(1.0), hit(2.0), hit(3.0), hit(4.0)])
    assert run([tmp_path / "hits.jsonl", tmp_path / "truth.jsonl"]) == 0
    printed = capsys.readouterr().out
    assert "false 1 (25.0 % of the true)  missed 3 (75.0 % of the true)" in printed
    assert "50 % before the stroke's end" in printed


def test_several_files_of_hits_give_one_line_each(tmp_path, capsys):
    write_hits(tmp_path / "lead0.jsonl", [hit(1.01)])
    write_hits(tmp_path / "lead20.jsonl", [hit(0.99), hit(4.0)])
    write_hits(tmp_path / "truth.jsonl", [hit(1.0)])
    paths = [str(tmp_path / name) for name in ("lead0.jsonl", "lead20.jsonl", "truth.jsonl")]
    assert main(["score", *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:1] for line in lines[1:]] == [[paths[0]], [paths[1]]]
    assert main(["score", *paths, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [(each["hits"], each["false"], each["missed"]) for each in scores] == [
        (paths[0], 0, 0),
        (paths[1], 1, 0),
    ]


def test_options_may_stand_anywhere_among_the_two_files(tmp_path, capsys):
    write_hits(tmp_path / "hits.jsonl", [hit(1.0)])
    path = str(tmp_path / "hits.jsonl")
    for words in (["--json", path, path], [path, "--json", path], [path, path, "--json"]):
        assert main(["score", *words]) == 0
        assert json.loads(capsys.readouterr().out)["matched"] == 1


def test_the_command_refuses_pads_that_are_not_there_and_odd_windows(tmp_path):
    write_hits(tmp_path / "hits.jsonl", [hit(1.0)])
    paths = [tmp_path / "hits.jsonl", tmp_path / "hits.jsonl"]
    with pytest.raises(UsageError, match="--by pad needs a pad"):
        run([*paths, "--by", "pad"])
    with pytest.raises(UsageError, match="--window-ms is 0"):
        run([*paths, "--window-ms", "0"])
