"""The two commands on rendered pictures of the simulated drummer, with the real Lightning."""

import json
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from lalelu.cli import main
from lalelu.errors import MissingError
from lalelu.models import looks, store
from lalelu.models.variant import quantised_path
from lalelu.pose.runtimes.openvino import OpenVINORuntime

PICTURES = 8


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of photos of the simulated drummer."""
    folder = tmp_path_factory.mktemp("photos")
    for at, picture in enumerate(looks.pictures("sim:")):
        if at % (looks.MOST // PICTURES) == 0:
            cv2.imwrite(str(folder / f"{at:03d}.png"), picture.image)
    return folder


@pytest.fixture
def lightning(expect, monkeypatch, tmp_path):
    """The real network's file; what the commands make goes to a cache of the test's own."""
    if find_spec("onnxruntime") is None:
        expect("onnxruntime", "it is not installed")
    try:
        path = store.onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))
    cache = tmp_path / "cache"
    (cache / "onnx").mkdir(parents=True)
    for suffix in (".onnx", ".sha256"):
        (cache / "onnx" / path.name).with_suffix(suffix).symlink_to(path.with_suffix(suffix))
    monkeypatch.setenv("LALELU_CACHE", str(cache))
    return path


def lalelu(capsys, *words):
    status = main(["model", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.model
def test_half_the_weights_bits_cost_nothing_and_the_variant_is_found_by_its_name(lightning, photos, capsys):
    status, out, _ = lalelu(capsys, "quantize", "lightning", "--to", "f16")
    assert (status, out.split(":")[0]) == (0, str(quantised_path("lightning", "f16")))
    status, out, err = lalelu(
        capsys, "compare", "lightning@f32", "lightning@f16,f32", "--on", photos, "--json", "--turns", "2",
        "--limit", "lost=0%", "--limit", "drift.max=0.5px", "--limit", "wrists=0%",
    )  # fmt: skip
    assert (status, "opening lightning@f32" in err) == (0, True)
    told = json.loads(out)
    whole, half = told["rows"]
    assert half["megabytes"] < 0.55 * whole["megabytes"]
    assert (whole["precision"], whole["time"], half["precision"]) == ("f32", 1.0, "f32")
    assert whole["agreement"]["max_px"] == 0.0
    assert half["oks"] is None
    assert told["people"] >= PICTURES - 1
    assert told["broken"] == {"lightning@f16,f32": []}


@pytest.mark.model
@pytest.mark.slow
def test_static_int8_is_a_third_of_the_size_and_compare_tells_what_it_costs(
    lightning, photos, capsys, tmp_path
):
    made, pictures = tmp_path / "made.onnx", tmp_path / "pictures"
    status, out, _ = lalelu(
        capsys, "quantize", "lightning", "--to", "int8-static", "--calibrate", photos, "--out", made, "--keep",
        "Conv_9", "Conv_1?", "--json",
    )  # fmt: skip
    told = json.loads(out)
    assert (status, told["path"], told["bytes"]) == (0, str(made), made.stat().st_size)
    assert told["kept"] == ["Conv_9", "Conv_10", "Conv_14", "Conv_15", "Conv_19"]
    assert made.stat().st_size < 0.35 * lightning.stat().st_size
    status, out, err = lalelu(
        capsys, "compare", "lightning@f32", f"{made}@f32", "--on", photos, "--turns", "1", "--pictures", pictures,
        "--limit", "drift.p50=5px", "--limit", "drift.max=0.001px",
    )  # fmt: skip
    assert status == 1
    assert f"{made}@f32: limit drift.max=0.001px: it is " in err
    assert "drift.p50" not in err
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines[2:4]] == ["lightning@f32", f"{made}@f32"]
    joints = [line[0] for line in lines[7:]]
    assert joints[:2] == ["left_wrist", "right_wrist"]
    assert len(joints) == 5
    sheets = sorted(pictures.iterdir())
    assert len(sheets) == int(lines[0][1])
    sheet = cv2.imread(str(sheets[0]))
    assert sheet.shape == (384 + 24, 2 * 384, 3)
    assert (
        np.abs(sheet[24:, :384].astype(int) - sheet[24:, 384:].astype(int)).mean() < 5.0
    )  # the same person twice


@pytest.mark.model
def test_what_was_made_can_be_imported_and_played(lightning, capsys, photos, tmp_path):
    made = tmp_path / "made.onnx"
    assert lalelu(capsys, "quantize", "lightning", "--to", "bf16", "--out", made)[0] == 0
    assert lalelu(capsys, "import", "lightning", "--onnx", made)[0] == 0
    path = store.onnx_path("lightning")
    assert path.read_bytes() == made.read_bytes()
    runtime = OpenVINORuntime(path, precision="f32", threads=1)
    facts = runtime.open()
    runtime.close()
    assert facts.outputs[0].name == "output_0"
    assert "heatmaps" in [spec.name for spec in facts.outputs]  # hands can still be tracked


@pytest.mark.model
@pytest.mark.slow
def test_mixed_keeps_the_worst_blocks_in_float_until_the_limits_hold(lightning, photos, capsys):
    words = (
        "quantize",
        "lightning",
        "--to",
        "mixed",
        "--calibrate",
        photos,
        "--json",
        "--keep",
        "Conv_[1-7]*",
    )
    status, out, err = lalelu(capsys, *words, "--limit", "lost=100%")
    assert status == 0
    told = json.loads(out)
    first = told["search"]["steps"]
    assert len(first) == 1  # everything holds this limit
    assert first[0]["kept"] == []
    sensitivity = told["search"]["sensitivity"]
    drifts = [drift for _, drift in sensitivity]
    assert drifts == sorted(drifts, reverse=True)
    assert len(sensitivity) > 1
    assert f"block {len(sensitivity)} of {len(sensitivity)}" in err
    assert all(not name.startswith(("Conv_1", "Conv_7")) for names, _ in sensitivity for name in names)
    # a limit between the drift of all blocks together and that of the mildest block alone
    limit = first[0]["agreement"]["p50_px"] * 0.9
    status, out, _ = lalelu(capsys, *words, "--limit", f"drift.p50={limit}px")
    steps = json.loads(out)["search"]["steps"]
    assert status == 0
    assert len(steps) > 1
    assert steps[1]["kept"] == sensitivity[0][0]
    assert [bool(step["broken"]) for step in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1]["agreement"]["p50_px"] <= limit


@pytest.mark.model
@pytest.mark.slow
def test_no_mix_that_holds_the_limits_is_said_and_nothing_is_written(lightning, photos, capsys):
    words = ("--calibrate", photos, "--keep", "Conv_[1-8]*", "Conv_9", "Conv_9[0-6]")
    status, out, err = lalelu(
        capsys, "quantize", "lightning", "--to", "mixed", *words, "--limit", "drift.max=0px"
    )
    assert (status, out) == (1, "")
    assert "no mix holds drift.max=0px on" in err
    assert not quantised_path("lightning", "mixed").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["quantize", "lightnin", "--to", "f16"], 'did you mean "lightning"'),
        (["quantize", "lightning", "--to", "f16", "--limit", "lost=1%"], "--limit guides --to mixed"),
        (
            ["quantize", "lightning", "--to", "mixed", "--limit", "oks=0.5"],
            "--limit oks needs labelled people",
        ),
        (["quantize", "lightning", "--to", "f16", "--keep", "Conv_1"], "--keep names layers that int8"),
        (["compare", "lightning", "--on", "sim:", "--limit", "lost=1%"], "name a second variant"),
        (["compare", "lightning", "lightning", "--on", "sim:", "--limit", "lots=1%"], 'did you mean "lost"'),
        (["compare", "lightning", "--on", "sim:", "--turns", "0"], "--turns is 0"),
        (["compare", "lightning", "--on", "sim:", "--people", "none.json"], "none.json holds no people"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(capsys, words, sentence):
    status, out, err = lalelu(capsys, *words)
    assert (status, out) == (2, "")
    assert sentence in err
