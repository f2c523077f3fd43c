import json
import os
import sys
from pathlib import Path

import pytest

from lalelu.bench.inference import Comparison, Row, Worker, compare, size_mb, table
from lalelu.bench.lineup import Environment, line_up, multiply_adds, products
from lalelu.bench.turns import Spread
from lalelu.bench.worker import SLEEPER, Variant
from lalelu.cli import main
from lalelu.errors import LostError, MissingError
from lalelu.models.progress import Silent
from lalelu.models.store import onnx_path
from lalelu.models.variant import quantised_path

CORE = max(os.sched_getaffinity(0))


def lightning(expect):
    try:
        return str(onnx_path("lightning"))
    except MissingError as exc:
        expect("model", str(exc))


def row(variant, spread, *, ratio=None, share=None):
    return Row(variant, "1", "f32", 1, "pinned", 300.0, 6.0, 150.0, 9.3, None, spread, ratio, share)


def test_spread_is_in_milliseconds():
    spread = Spread.of([1_000_000, 2_000_000, 3_000_000])
    assert (spread.count, spread.mean, spread.min, spread.max, spread.p50) == (3, 2.0, 1.0, 3.0, 2.0)
    assert spread.sd == pytest.approx(0.8165, abs=1e-4)


def test_table_names_every_variant_the_sleepers_and_what_was_left_out():
    slow, fast = Spread.of([10_000_000] * 3), Spread.of([5_000_000] * 3)
    rows = (
        row("openvino bf16", fast, ratio=slow.p50 / fast.p50, share=0.56),
        row("tensorflow f32", slow, ratio=1.0),
    )
    sleepers = {"sleeper": fast, "sleeper unpinned": slow}
    left_out = {"onnxruntime": "not installed"}
    found = Comparison("lightning", 1, 0, 3, rows, sleepers, left_out, 270_000_000, {"bf16": 88e9})
    lines = table(found).splitlines()
    assert "core 1: 3 runs" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == [
        "variant",
        "openvino",
        "tensorflow",
        "sleeper,",
        "sleeper",
        "ratio:",
        "share:",
        "left",
    ]
    assert lines[2].split()[-4:] == ["-", "2.00", "56%", "1"]
    assert lines[3].split()[-4:] == ["-", "1.00", "-", "1"]
    assert "bf16 88; lightning needs 0.27 G" in lines[-2]
    assert lines[-1] == "left out: onnxruntime: not installed"


@pytest.mark.model
def test_variants_take_turns_and_every_run_is_counted(expect):
    path = lightning(expect)
    variants = [Variant("openvino", "f32", "lightning", path, (CORE,))]
    news = []
    found = compare("lightning", variants, core=CORE, warmups=2, runs=53, progress=news.append)
    assert [each.variant for each in found.rows] == ["openvino f32"]
    assert found.rows[0].spread.count == found.sleepers["sleeper"].count == 53
    assert found.rows[0].ratio is None
    assert found.rows[0].share is None
    assert found.rows[0].resident_mb > 50
    assert found.rows[0].model_mb == pytest.approx(Path(path).stat().st_size / 1e6)
    assert found.rows[0].package_mb > 50
    assert found.rows[0].first_ms > 0
    assert "no ratio" in table(found)
    assert any("starting openvino f32" in line for line in news)


def test_a_network_s_multiply_adds_are_counted_from_its_graph(expect):
    lightning(expect)
    assert multiply_adds("lightning", Silent()) == pytest.approx(0.27e9, rel=0.05)


@pytest.mark.model
def test_the_share_of_the_core_s_matrix_product_is_told_in_the_same_precision(expect, tmp_path):
    path = lightning(expect)
    variants = [
        Variant("onnxruntime", "f32", "lightning", path, (CORE,)),
        *products(["onnxruntime"], CORE, tmp_path),
    ]
    found = compare(
        "lightning",
        variants,
        core=CORE,
        warmups=1,
        runs=5,
        progress=lambda _: None,
        multiply_adds=multiply_adds("lightning", Silent()),
    )
    assert [each.variant for each in found.rows] == ["onnxruntime f32"]
    assert list(found.ceilings) == ["f32"]
    (each,) = found.rows
    assert each.share == pytest.approx(found.multiply_adds / (each.spread.p50 * 1e-3) / found.ceilings["f32"])


def test_variant_that_cannot_run_is_named_and_none_at_all_is_an_error(tmp_path):
    gone = Variant("onnxruntime", "f32", "lightning", str(tmp_path / "none.onnx"), (CORE,))
    with pytest.raises(MissingError, match=r"no runtime can run lightning here: .*none\.onnx"):
        compare("lightning", [gone], core=CORE, warmups=0, runs=1, progress=lambda _: None)


@pytest.mark.model
def test_a_variant_that_dies_at_its_start_or_asks_for_cores_that_are_not_there_is_left_out(expect):
    path = lightning(expect)
    variants = [
        Variant("onnxruntime", "f32", "lightning", path, (CORE,)),
        Variant("onnxruntime", "f32", "lightning", path, (CORE,), python="false", label="broken"),
        Variant("onnxruntime", "f32", "lightning", path, (1023,), placement="isolated"),
    ]
    found = compare("lightning", variants, core=CORE, warmups=0, runs=5, progress=lambda _: None)
    assert [each.variant for each in found.rows] == ["onnxruntime f32"]
    assert "ended with status 1" in found.left_out["onnxruntime:broken f32"]
    assert "cores [1023] cannot be had" in found.left_out["onnxruntime f32 isolated"]


def test_worker_that_dies_is_reported_with_its_last_words():
    worker = Worker(Variant(SLEEPER, "f32", "", "", (CORE,)))
    worker.open()
    try:
        with pytest.raises(LostError, match="sleeper ended with status 1: ValueError"):
            worker.block("rubbish", keep=True)
    finally:
        worker.close()
        worker.close()


def test_what_quantize_has_made_takes_part_and_what_it_has_not_is_said(expect, tmp_path, monkeypatch):
    lightning(expect)
    monkeypatch.setattr("lalelu.bench.lineup.quantised_path", lambda model, kind: tmp_path / f"{kind}.onnx")
    none = line_up("lightning", ["onnxruntime"], CORE, Silent())
    assert [each.name for each in none.variants] == ["onnxruntime f32"]
    assert "lalelu model quantize lightning --to mixed" in none.left_out["int8, mixed, ..."]
    for kind in ("mixed", "bf16"):
        (tmp_path / f"{kind}.onnx").touch()
    some = line_up("lightning", ["onnxruntime"], CORE, Silent())
    assert [each.name for each in some.variants] == [
        "onnxruntime f32",
        "onnxruntime f32 bf16-weights",
        "onnxruntime f32 mixed",
    ]
    assert some.left_out == {}
    assert quantised_path("lightning", "mixed").name == "lightning-mixed.onnx"


def test_another_environment_s_runtime_takes_part_under_its_label(expect):
    lightning(expect)
    twin = Environment("onnxruntime", "twin", sys.executable)
    lineup = line_up("lightning", [], CORE, Silent(), [twin])
    assert [(each.name, each.python) for each in lineup.variants] == [
        ("onnxruntime:twin f32", sys.executable)
    ]


def test_a_folder_s_size_is_that_of_all_its_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(bytes(500))
    assert size_mb(tmp_path) == pytest.approx(0.0015)
    assert size_mb(tmp_path / "b") == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--runtimes", "openvno"], 2, 'did you mean "openvino"'),
        (["--runs", "0"], 2, "--runs is 0"),
        (["--core", "1023"], 2, "--core is 1023"),
        (["--model", ","], 2, "a list of names"),
        (["--placement", "pined"], 2, 'did you mean "pinned"'),
        (["--threads", "1,0"], 2, "allowed are numbers 1..64"),
        (["--instrument", "0"], 2, "--instrument is 0"),
        (["--chart", "a.pdf"], 2, ".png or .svg"),
        (["--chart", "no/such/folder/a.svg"], 2, "there is no folder"),
        (["--python", "tensorflow=python"], 2, "write RUNTIME:LABEL=PATH"),
        (["--python", "tensorflow:old=no-such-program"], 2, "is no program"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, status, sentence):
    assert main(["bench", "inference", *words]) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["drums", ""])
def test_benches_that_do_not_exist_yet_are_not_accepted(capsys, subject):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *subject.split()])
    assert caught.value.code == 2
    assert "SUBJECT" in capsys.readouterr().err


@pytest.mark.model
def test_json_is_one_object_and_news_go_to_stderr(expect, capsys, tmp_path):
    lightning(expect)
    chart = tmp_path / "chart.svg"
    words = ["--model", "lightning", "--runtimes", "openvino", "--warmups", "1", "--runs", "5", "--json"]
    assert main(["bench", "inference", *words, "--chart", str(chart)]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["instrument"] == []
    (found,) = told["inference"]
    assert found["model"] == "lightning"
    assert {"openvino bf16", "openvino f32"} <= {each["variant"] for each in found["rows"]} | set(
        found["left_out"]
    )
    assert "starting" in printed.err
    assert ">openvino f32</text>" in chart.read_text()


@pytest.mark.model
def test_threads_and_placements_are_rows_and_what_cannot_be_had_is_left_out(expect, capsys, monkeypatch):
    lightning(expect)
    monkeypatch.setattr("lalelu.bench.placement.isolated_cores", lambda: ())
    words = ["--model", "lightning", "--runtimes", "onnxruntime", "--warmups", "0", "--runs", "5", "--json"]
    words += ["--threads", "1,64", "--placement", "pinned,unpinned,isolated"]
    monkeypatch.setattr("lalelu.bench.placement.os.sched_getaffinity", lambda _: {CORE})
    assert main(["bench", "inference", *words]) == 0
    (found,) = json.loads(capsys.readouterr().out)["inference"]
    rows = {each["variant"]: (each["threads"], each["placement"]) for each in found["rows"]}
    assert rows == {
        "onnxruntime f32": (1, "pinned"),
        "onnxruntime f32 unpinned": (1, "unpinned"),
        "onnxruntime f32 64 threads unpinned": (64, "unpinned"),
    }
    assert {each["share"] is None for each in found["rows"] if each["threads"] == 64} == {True}
    assert set(found["sleepers"]) == {"sleeper", "sleeper unpinned"}
    assert "64 threads need a core each" in found["left_out"]["pinned, 64 threads"]
    assert "isolcpus=" in found["left_out"]["isolated, 1 thread"]
