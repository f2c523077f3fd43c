import json

import pytest

from lalelu import cli
from lalelu.config.loader import shipped_dir


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text("kit: rock\n")
    (tmp_path / "bad.yaml").write_text("pose: {threads: 0, thread: 1}\n")
    (tmp_path / "kit.yaml").write_text("name: k\npads: {}\n")
    return tmp_path


def test_good_files_are_told_to_be_ok(capsys):
    paths = [str(shipped_dir() / name) for name in ("lalelu.yaml", "kits/rock.yaml")]
    assert cli.main(["check", *paths]) == 0
    assert capsys.readouterr().out == "".join(f"{path}: ok\n" for path in paths)


def test_every_problem_of_every_file_is_printed_and_the_exit_is_2(files, capsys):
    assert cli.main(["check", "bad.yaml", "good.yaml", "kit.yaml", "gone.yaml"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "bad.yaml:1:17: pose.threads is 0; allowed 1..64",
        (
            "bad.yaml:1:20: pose.thread is not known; pose takes model, runtime, device, precision, threads, crop, "
            'hands, fingers, flow, every, lag, heatmap, tensorrt; did you mean "threads"?'
        ),
        "good.yaml: ok",
        "kit.yaml:2:7: pads is a mapping; allowed a mapping of 1..64 entries",
        "gone.yaml: there is no such file; check the path",
    ]


def test_options_inside_addresses_are_checked_too(files, capsys):
    (files / "good.yaml").write_text(
        'camera: {uri: "sim:?bmp=90"}\nmidi: {outputs: ["memory:", "port:Synth?apy=jack"]}\nkit: kit.yaml\n'
    )
    assert cli.main(["check", "good.yaml"]) == 2
    camera, midi, kit = capsys.readouterr().out.splitlines()
    assert camera.startswith("good.yaml:1:15: ")
    assert camera.endswith('did you mean "bpm"?')
    assert midi.startswith("good.yaml:2:29: ")
    assert midi.endswith('did you mean "api"?')
    assert kit.startswith("kit.yaml:2:7: ")


def test_json_is_one_object_with_a_row_per_problem(files, capsys):
    assert cli.main(["check", "--json", "bad.yaml", "good.yaml"]) == 2
    captured = capsys.readouterr()
    bad, good = json.loads(captured.out)["files"]
    assert captured.err == ""
    assert good == {"file": "good.yaml", "problems": []}
    assert (bad["file"], len(bad["problems"])) == ("bad.yaml", 2)
    assert bad["problems"][0] == {
        "line": 1,
        "column": 17,
        "path": "pose.threads",
        "message": "pose.threads is 0; allowed 1..64",
    }


def test_a_bad_kit_of_a_good_configuration_is_told_under_its_own_name(files, capsys):
    (files / "good.yaml").write_text("kit: kit.yaml\n")
    assert cli.main(["check", "--json", "good.yaml"]) == 2
    rows = json.loads(capsys.readouterr().out)["files"]
    assert [(row["file"], len(row["problems"])) for row in rows] == [("good.yaml", 0), ("kit.yaml", 1)]


@pytest.mark.parametrize(("what", "option"), [("config", "camera"), ("kit", "pads")])
def test_schema_prints_the_schema_of_what_is_asked(what, option, capsys):
    assert cli.main(["schema", what]) == 0
    assert option in json.loads(capsys.readouterr().out)["properties"]
