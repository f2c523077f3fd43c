import json
import os

import pytest

from lalelu.bench.inference import Comparison, Row, Spread, Worker, compare, table
from lalelu.bench.worker import SLEEPER, Variant
from lalelu.cli import main
from lalelu.errors import LostError, MissingError
from lalelu.models.store import onnx_path

CORE = max(os.sched_getaffinity(0))


def lightning(expect):
    try:
        return str(onnx_path("lightning"))
    except MissingError as exc:
        expect("model", str(exc))


def test_spread_is_in_milliseconds():
    spread = Spread.of([1_000_000, 2_000_000, 3_000_000])
    assert (spread.count, spread.mean, spread.min, spread.max, spread.p50) == (3, 2.0, 1.0, 3.0, 2.0)
    assert spread.sd == pytest.approx(0.8165, abs=1e-4)


def test_table_names_every_variant_the_sleeper_and_what_was_left_out():
    slow, fast = Spread.of([10_000_000] * 3), Spread.of([5_000_000] * 3)
    rows = (
        Row("openvino bf16", "1", 300.0, 6.0, 150.0, fast, slow.p50 / fast.p50),
        Row("tensorflow f32", "2", 3000.0, 60.0, 900.0, slow, 1.0),
    )
    text = table(Comparison("lightning", 1, 0, 3, rows, fast, {"onnxruntime": "not installed"}))
    lines = text.splitlines()
    assert "core 1: 3 runs" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == [
        "variant",
        "openvino",
        "tensorflow",
        "sleeper,",
        "left",
    ]
    assert "2.00" in lines[2]
    assert lines[-1] == "left out: onnxruntime: not installed"


@pytest.mark.model
def test_variants_take_turns_and_every_run_is_counted(expect):
    path = lightning(expect)
    variants = [Variant("openvino", "f32", "lightning", path, CORE)]
    news = []
    found = compare("lightning", variants, core=CORE, warmups=2, runs=53, progress=news.append)
    assert [row.variant for row in found.rows] == ["openvino f32"]
    assert found.rows[0].spread.count == found.sleeper.count == 53
    assert found.rows[0].ratio is None
    assert found.rows[0].resident_mb > 50
    assert found.rows[0].first_ms > 0
    assert "no ratio" in table(found)
    assert any("starting openvino f32" in line for line in news)


def test_variant_that_cannot_run_is_named_and_none_at_all_is_an_error(tmp_path):
    gone = Variant("onnxruntime", "f32", "lightning", str(tmp_path / "none.onnx"), CORE)
    with pytest.raises(MissingError, match=r"no runtime can run lightning here: .*none\.onnx"):
        compare("lightning", [gone], core=CORE, warmups=0, runs=1, progress=lambda _: None)


def test_worker_that_dies_is_reported_with_its_last_words():
    worker = Worker(Variant(SLEEPER, "f32", "", "", CORE))
    worker.open()
    try:
        with pytest.raises(LostError, match="sleeper ended with status 1: ValueError"):
            worker.block("rubbish", keep=True)
    finally:
        worker.close()
        worker.close()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--runtimes", "openvno"], 2, 'did you mean "openvino"'),
        (["--runs", "0"], 2, "--runs is 0"),
        (["--core", "1023"], 2, "--core is 1023"),
        (["--model", ","], 2, "a list of names"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, status, sentence):
    assert main(["bench", "inference", *words]) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["loop", ""])
def test_benches_that_do_not_exist_yet_are_not_accepted(capsys, subject):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *subject.split()])
    assert caught.value.code == 2
    assert "SUBJECT" in capsys.readouterr().err


@pytest.mark.model
def test_json_is_one_object_and_news_go_to_stderr(expect, capsys):
    lightning(expect)
    words = ["--model", "lightning", "--runtimes", "openvino", "--warmups", "1", "--runs", "5", "--json"]
    assert main(["bench", "inference", *words]) == 0
    printed = capsys.readouterr()
    (found,) = json.loads(printed.out)["inference"]
    assert found["model"] == "lightning"
    assert {row["variant"] for row in found["rows"]} | set(found["left_out"]) == {
        "openvino bf16",
        "openvino f32",
    }
    assert "starting" in printed.err
