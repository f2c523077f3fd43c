import json
import os

import numpy as np
import pytest

from lalelu.bench import charts, pipeline
from lalelu.bench.pipeline import Comparison, Row, compare, table, write_film
from lalelu.bench.turns import Spread
from lalelu.bench.worker import Variant
from lalelu.cli import main
from lalelu.errors import MissingError
from lalelu.models.store import onnx_path

CORE = max(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def found(expect):
    """Two runtimes' pipelines on a second of film, and one whose file is not there."""
    try:
        path = str(onnx_path("lightning"))
    except MissingError as exc:
        expect("model", str(exc))
    variants = [
        Variant(runtime, "auto", "lightning", path, (CORE,)) for runtime in ("openvino", "onnxruntime")
    ]
    variants.append(Variant("openvino", "auto", "lightning", path + ".none", (CORE,), kind="gone"))
    return compare("lightning", variants, core=CORE, warmups=0, runs=120, progress=lambda _: None)


@pytest.mark.model
def test_every_combination_of_runtime_flow_and_hands_is_a_row(found):
    shapes = [(row.variant.split()[0], row.flow, row.hands) for row in found.rows]
    assert shapes == [
        (runtime, flow, hands)
        for runtime in ("openvino", "onnxruntime")
        for flow in ("off", "interleaved", "carried")
        for hands in ("track", "network")
    ]
    assert {row.spread.count for row in found.rows} == {found.sleeper.count} == {120}
    assert "is not there" in found.left_out["openvino auto gone"]


@pytest.mark.model
def test_the_player_is_seen_and_his_strokes_are_found_in_every_pipeline(found):
    assert [row for row in found.rows if row.seen < 0.95] == []
    assert [row for row in found.rows if row.hits == 0] == []


@pytest.mark.model
def test_the_network_sees_every_frame_or_every_second_one_or_has_what_the_loop_leaves(found):
    for row in found.rows:
        if row.flow == "off":
            assert row.results_per_s == pytest.approx(row.frames_per_s)
        elif row.flow == "interleaved":
            assert row.results_per_s == pytest.approx(row.frames_per_s / 2)
        else:
            left = max(0.0, 1.0 - pipeline.FPS / row.frames_per_s)
            assert (row.results_per_s > 0.0) == (left > 0.0)


def test_a_film_shows_the_drummer_at_play(tmp_path):
    write_film(tmp_path / "film.npy", 3)
    film = np.load(tmp_path / "film.npy")
    assert film.shape == (3, 480, 640, 3)
    assert np.any(film[0] != film[2])


def rows():
    spread = Spread.of([4_000_000, 6_000_000])
    for flow, rate in (("off", 200.0), ("carried", 900.0)):
        yield Row("openvino bf16", "1", flow, "track", spread, rate, 4.5, 180.0, 1.0, 7)


def test_the_table_has_a_line_for_each_pipeline_and_says_what_carried_means():
    spread = Spread.of([100_000])
    lines = table(
        Comparison("lightning", 1, 0, 2, tuple(rows()), spread, {"torch": "not installed"})
    ).splitlines()
    assert lines[2].split() == [
        *("openvino", "bf16", "off", "track", "5.00", "4.00", "6.00", "1.00", "5.00", "5.98"),
        *("200.0", "4.50", "180.0", "100%", "7"),
    ]
    assert lines[3].split()[2:4] == ["carried", "track"]
    assert lines[4].startswith("sleeper, late")
    assert "Carried: the network runs in a process of its own" in lines[-3]
    assert lines[-1] == "left out: torch: not installed"


def test_the_chart_has_a_bar_for_each_pipeline():
    panel = charts.pipeline_panel(Comparison("lightning", 1, 0, 2, tuple(rows()), Spread.of([1])))
    assert [(bar.name, bar.value) for bar in panel.bars] == [
        ("openvino bf16, off, track", 200.0),
        ("openvino bf16, carried, track", 900.0),
    ]
    assert len({bar.colour for bar in panel.bars}) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--runs", "9"], "allowed 10 or more"), (["--model", "multipose"], "flow follows one player")],
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, sentence):
    assert main(["bench", "pipeline", *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.model
def test_json_is_one_object_and_a_runtime_that_is_not_installed_is_left_out(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "FILM_FRAMES", 10)
    monkeypatch.setattr("lalelu.pose.build.MODULES", {"tensorflow": "no_such_module"})
    words = ["--model", "lightning", "--runtimes", "onnxruntime,tensorflow", "--warmups", "0", "--runs", "10"]
    assert main(["bench", "pipeline", *words, "--json", "--chart", str(tmp_path / "a.png")]) == 0
    (told,) = json.loads(capsys.readouterr().out)["pipeline"]
    assert {row["variant"] for row in told["rows"]} == {"onnxruntime f32"}
    assert "lalelu[tensorflow]" in told["left_out"]["tensorflow"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
