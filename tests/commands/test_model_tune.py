"""`lalelu model tune` measures, prints a section that holds, and writes it without touching anything else."""

import json

import pytest

from lalelu.cli import main
from lalelu.commands import model_tune
from lalelu.config.loader import load_config, shipped_dir
from lalelu.config.problem import ConfigError
from lalelu.errors import MissingError
from lalelu.models import store

ASKED = [
    "model",
    "tune",
    "--size",
    "320x240",
    "--frames",
    "5",
    "--runtimes",
    "openvino",
    "--on",
    "sim:?size=320x240",
]


@pytest.fixture
def lightning(expect):
    try:
        store.onnx_path("lightning")
    except MissingError as exc:
        expect("model", str(exc))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text((shipped_dir() / "lalelu.yaml").read_text())
    return path


@pytest.mark.model
@pytest.mark.usefixtures("lightning")
def test_the_section_that_is_printed_is_written_and_every_other_line_stays(file, capsys):
    before = file.read_text().splitlines()
    assert main([*ASKED, "--config", str(file), "--limit", "drift.p95=0px", "--write", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["chosen"] == "lightning openvino f32"  # the reference itself: nothing else is as exact
    assert told["pose"] == {"model": "lightning", "runtime": "openvino", "precision": "f32"}
    reference = next(row for row in told["rows"] if row["name"] == told["chosen"])
    assert reference["agreement"]["max_px"] == 0.0
    assert reference["agreement"]["sure"] > 100
    assert reference["spread"]["count"] == 5
    assert (told["camera"]["width"], told["camera"]["fps"]) == (320, 100.0)
    changed = [pair for pair in zip(before, file.read_text().splitlines(), strict=True) if pair[0] != pair[1]]
    assert [new.split()[:2] for _, new in changed] == [["precision:", "f32"]]
    assert "+  precision: f32" in err
    assert load_config(file).config.pose.precision == "f32"


@pytest.mark.model
@pytest.mark.usefixtures("lightning")
def test_nothing_is_written_where_nothing_holds_the_limits(file, capsys, monkeypatch, expect):
    before = file.read_bytes()
    monkeypatch.setitem(model_tune.PRECISIONS, "openvino", ("bf16",))
    code = main([*ASKED, "--config", str(file), "--limit", "drift.max=0px", "--write"])
    out, err = capsys.readouterr()
    if "which this CPU does not compute in" in err:
        expect("bf16", "this CPU has none")
    assert code == 1
    assert "nothing holds drift.max=0px" in err
    assert "excluded: limit drift.max=0px" in out
    assert "pose:" not in out.splitlines()
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "640"], "--size is '640'; write WIDTHxHEIGHT"),
        (["--size", "9x9"], "64 to 8192 px"),
        (["--fps", "0"], "--fps is 0; allowed 1 to 1000"),
        (["--frames", "0"], "--frames is 0"),
        (["--models", "multipose", "--size", "640x480"], "multipose cannot be tuned"),
        (["--models", "tunder", "--size", "640x480"], "did you mean"),
        (["--runtimes", "open", "--size", "640x480"], "did you mean"),
        (["--core", "9999", "--size", "640x480"], "--core is 9999"),
        (["--limit", "oks=0.7"], "oks is no limit here"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments, told, capsys, monkeypatch, tmp_path, lightning):
    monkeypatch.setenv("LALELU_CONFIG", str(shipped_dir() / "lalelu.yaml"))
    assert main(["model", "tune", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_write_needs_a_file(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("LALELU_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("lalelu.config.loader.SYSTEM_FILE", tmp_path / "none.yaml")
    assert main(["model", "tune", "--write"]) == 2
    assert "--write needs a configuration" in capsys.readouterr().err


def test_a_camera_that_is_not_there_is_one_sentence_with_the_way_around(file, capsys, lightning):
    file.write_text("camera: {uri: 'v4l2:/dev/none'}\n")
    assert main(["model", "tune", "--config", str(file)]) == 3
    assert "--size 640x480 --fps 100" in capsys.readouterr().err


def test_a_file_keeps_its_rights_its_line_ends_and_the_link_to_it(tmp_path):
    real = tmp_path / "real.yaml"
    real.write_bytes(b"# mine\r\npose:\r\n  model: lightning\r\n")
    real.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(real)
    model_tune.write(link, {"model": "thunder"})
    assert link.is_symlink()
    assert real.read_bytes() == b"# mine\r\npose:\r\n  model: thunder\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_file_that_would_not_be_valid_stays_as_it_was(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("pose: {runtime: torch, device: cuda}\n")
    with pytest.raises(ConfigError, match="litert"):
        model_tune.write(file, {"runtime": "litert"})
    assert file.read_text() == "pose: {runtime: torch, device: cuda}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]
