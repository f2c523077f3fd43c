import json
import os
from importlib.util import find_spec

import numpy as np
import pytest

from lalelu.bench.inference import Spread
from lalelu.bench.merge import PRECISIONS, Comparison, Row, compare, table
from lalelu.bench.merge_worker import encoded
from lalelu.cli import main
from lalelu.errors import MissingError
from lalelu.models.camera_graph import FORMATS, Camera
from lalelu.models.store import onnx_path

CORE = max(os.sched_getaffinity(0))


@pytest.fixture
def lightning(expect):
    try:
        onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))


def test_the_table_names_ratio_distance_the_sleeper_and_what_was_left_out():
    slow, fast = Spread.of([10_000_000] * 3), Spread.of([5_000_000] * 3)
    rows = (
        Row("openvino bf16 unmerged", "1", slow, 1.0, 0.0),
        Row("openvino bf16 merged", "1", fast, 0.5, 0.0123),
    )
    found = Comparison("lightning", (640, 480), "YUYV", 8, 1, 0, 3, rows, fast, {"litert": "not installed"})
    lines = table(found).splitlines()
    assert lines[0].startswith("lightning, 640x480 YUYV, core 1: 3 runs over 8 frames")
    assert lines[3].split()[:3] == ["openvino", "bf16", "merged"]
    assert lines[3].split()[-4:] == ["5.00", "0.500", "0.0123", "1"]
    assert lines[4].startswith("sleeper, late")
    assert lines[-1] == "left out: litert: not installed"


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_frame_is_as_large_as_its_camera_says(pixel_format):
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    frame = encoded(picture, pixel_format)
    assert (frame.shape, frame.dtype) == (Camera(64, 48, pixel_format).shape, np.uint8)


@pytest.mark.model
def test_unmerged_and_merged_take_turns_and_see_the_same(lightning, capsys):
    words = ["--model", "lightning", "--runtimes", "openvino", "--warmups", "1", "--runs", "4", "--json"]
    assert main(["bench", "merge", *words]) == 0
    printed = capsys.readouterr()
    (found,) = json.loads(printed.out)["merge"]
    assert found["size"] == [640, 480]
    rows = {row["variant"]: row for row in found["rows"]}
    kinds = ["unmerged", "merged"]
    if find_spec("onnxslim") is not None:
        kinds += ["unmerged slim", "merged slim"]
    assert set(rows) | set(found["left_out"]) - {"slim"} >= {f"openvino f32 {kind}" for kind in kinds}
    assert rows["openvino f32 unmerged"]["ratio"] == 1.0
    assert rows["openvino f32 merged"]["spread"]["count"] == found["sleeper"]["count"] // (
        len(rows) // len(kinds)
    )
    assert max(row["apart_px"] for row in rows.values()) < 0.5
    assert "starting openvino f32 merged" in printed.err


def test_a_runtime_that_cannot_run_here_is_named(monkeypatch, lightning):
    monkeypatch.setitem(PRECISIONS, "tensorrt", ("f32",))
    picture = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(MissingError, match="no runtime can run lightning here"):
        compare(
            "lightning",
            ["tensorrt"],
            Camera(64, 48),
            [picture],
            core=CORE,
            warmups=0,
            runs=1,
            progress=lambda _: None,
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--runtimes", "openvno"], 'did you mean "openvino"'),
        (["--size", "640"], "--size is '640'"),
        (["--model", "lightening"], 'did you mean "lightning"'),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, sentence):
    assert main(["bench", "merge", *words]) == 2
    assert sentence in capsys.readouterr().err
