"""The store of converted and imported models, with the tiny network, and the command on top of it."""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from lalelu.commands import model as command
from lalelu.errors import UsageError
from lalelu.models import catalogue, fetch, store


@pytest.fixture
def fetched(tiny: Any) -> Any:
    """The tiny network with its files in the cache."""
    tiny.put(fetch.folder())
    return tiny


def lalelu_model(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args(arguments))


def user_onnx(
    path: Path, shape: tuple[int, ...] = (1, 8, 8, 3), out: tuple[int, ...] = (1, 1, 17, 3)
) -> Path:
    """An ONNX file of the user's own: a constant answer."""
    answer = helper.make_tensor("answer", onnx.TensorProto.FLOAT, out, np.full(out, 0.25).ravel())
    graph = helper.make_graph(
        [helper.make_node("Identity", ["answer"], ["keypoints"])],
        "mine",
        [helper.make_tensor_value_info("image", onnx.TensorProto.INT32, shape)],
        [helper.make_tensor_value_info("keypoints", onnx.TensorProto.FLOAT, out)],
        [answer],
    )
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def test_a_model_is_converted_once(fetched: Any, told: Any) -> None:
    path = store.onnx_path("tiny", progress=told)
    assert told.lines == ["converting tiny to ONNX"]
    stamp = path.stat().st_mtime_ns
    assert store.onnx_path("tiny", progress=told) == path
    assert (path.stat().st_mtime_ns, len(told.lines)) == (stamp, 1)
    model = onnx.load_model(path)
    assert [(value.name, value.type.tensor_type.elem_type) for value in model.graph.input] == [("input", 6)]
    (output,) = ReferenceEvaluator(model).run(None, {"input": np.full((1, 8, 8, 3), 128, np.int32)})
    assert output.shape == (1, 1, 17, 3)


def test_a_converted_model_needs_neither_network_nor_package_files(fetched: Any, told: Any) -> None:
    path = store.onnx_path("tiny", progress=told)
    shutil.rmtree(fetch.folder())
    assert store.onnx_path("tiny", progress=told) == path


@pytest.mark.parametrize("damage", ["truncated", "tampered", "without its checksum"])
def test_a_damaged_onnx_file_is_made_again(fetched: Any, told: Any, damage: str) -> None:
    path = store.onnx_path("tiny", progress=told)
    data = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(data[:-10])
    elif damage == "tampered":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        path.with_suffix(".sha256").unlink()
    assert store.onnx_path("tiny", progress=told) == path
    assert path.read_bytes() == data
    assert len([line for line in told.lines if "is damaged" in line and "making it again" in line]) == 1


def test_no_temporary_files_are_left(fetched: Any, told: Any) -> None:
    path = store.onnx_path("tiny", progress=told)
    assert sorted(p.name for p in path.parent.iterdir()) == sorted(
        [path.name, path.with_suffix(".sha256").name]
    )


def test_the_users_own_file_takes_precedence(fetched: Any, told: Any, tmp_path: Path) -> None:
    store.onnx_path("tiny", progress=told)
    own = store.import_onnx("tiny", user_onnx(tmp_path / "mine.onnx"))
    assert store.onnx_path("tiny", progress=told) == own
    assert own.read_bytes() == (tmp_path / "mine.onnx").read_bytes()
    with pytest.raises(UsageError, match="is your own import"):
        store.saved_model_path("tiny", progress=told)
    assert store.remove_import("tiny") is True
    assert store.onnx_path("tiny", progress=told) != own


@pytest.mark.parametrize(("name", "taken"), [("heatmaps", True), ("surprise", False)])
def test_of_further_outputs_only_the_heads_of_a_conversion_are_taken(
    tiny: Any, tmp_path: Path, name: str, taken: bool
) -> None:
    file = user_onnx(tmp_path / "brought.onnx")
    model = onnx.load_model(file)
    model.graph.node.append(helper.make_node("Identity", ["answer"], [name]))
    further = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 1, 17, 3))
    model.graph.output.append(further)
    onnx.save_model(model, file)
    if taken:
        assert store.import_onnx("tiny", file).read_bytes() == file.read_bytes()
    else:
        with pytest.raises(UsageError, match=r"has the output .* and .*; tiny"):
            store.import_onnx("tiny", file)


def test_the_users_own_file_needs_no_network(tiny: Any, told: Any, tmp_path: Path) -> None:
    own = store.import_onnx("tiny", user_onnx(tmp_path / "mine.onnx"))
    assert store.onnx_path("tiny", progress=told) == own
    assert told.lines == []


def test_a_changed_own_file_is_refused(tiny: Any, told: Any, tmp_path: Path) -> None:
    own = store.import_onnx("tiny", user_onnx(tmp_path / "mine.onnx"))
    own.write_bytes(own.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"is not the one that was imported .*imports it again"):
        store.onnx_path("tiny", progress=told)


@pytest.mark.parametrize(
    ("shape", "out", "text"),
    [
        (
            (1, 16, 16, 3),
            (1, 1, 17, 3),
            r"has the input int32 \(1, 16, 16, 3\); tiny .* has int32 \(1, 8, 8, 3\)",
        ),
        ((1, 8, 8, 3), (1, 6, 56), r"has the output float32 \(1, 6, 56\); tiny .*float32 \(1, 1, 17, 3\)"),
    ],
)
def test_an_onnx_file_of_another_shape_is_refused(
    tiny: Any, tmp_path: Path, shape: tuple[int, ...], out: tuple[int, ...], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        store.import_onnx("tiny", user_onnx(tmp_path / "mine.onnx", shape, out))
    assert store.imported(tiny.row) is None


def test_a_truncated_onnx_file_is_refused(tiny: Any, tmp_path: Path) -> None:
    file = user_onnx(tmp_path / "mine.onnx")
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(UsageError, match=r"mine\.onnx cannot be read as an ONNX model"):
        store.import_onnx("tiny", file)
    with pytest.raises(UsageError, match=r"gone\.onnx cannot be read"):
        store.import_onnx("tiny", tmp_path / "gone.onnx")


def test_an_unknown_model_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"'lightnig' is not known; .*did you mean \"lightning\""):
        catalogue.find("lightnig")


def test_list_tells_what_is_ready(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lalelu_model("list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row == {
        "name": "tiny",
        "family": "movenet_single",
        "played": True,
        "skeleton": "coco17",
        "input": [1, 8, 8, 3],
        "bytes": tiny.row.topology.size + tiny.row.weights.size,
        "cached": False,
        "imported": None,
        "licence": "Apache-2.0",
        "source": "made by the tests",
    }
    tiny.put(fetch.folder())
    lalelu_model("list")
    assert [line.split()[-7] for line in capsys.readouterr().out.splitlines()[1:2]] == ["yes"]
    own = user_onnx(tmp_path / "mine.onnx")
    assert lalelu_model("import", "tiny", "--onnx", str(own)) == 0
    capsys.readouterr()
    lalelu_model("list")
    assert f"your own: ONNX {own}" in capsys.readouterr().out


def test_fetch_prints_where_the_models_are(fetched: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert lalelu_model("fetch", "--all", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"models": {"tiny": str(store.onnx_path("tiny"))}}
    assert err == "converting tiny to ONNX\n"


@pytest.mark.parametrize("arguments", [("fetch",), ("fetch", "tiny", "--all"), ("fetch", "tinny")])
def test_fetch_wants_names_or_all(tiny: Any, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        lalelu_model(*arguments)


def test_import_forgets_on_demand(tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lalelu_model("import", "tiny", "--onnx", str(user_onnx(tmp_path / "mine.onnx")))
    capsys.readouterr()
    assert lalelu_model("import", "tiny", "--remove", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"removed": True}
    assert store.imported(tiny.row) is None


def test_as_saved_model_does_not_go_with_a_file(tiny: Any) -> None:
    with pytest.raises(UsageError, match="--as saved-model writes the catalogue's network"):
        lalelu_model("import", "tiny", "--as", "saved-model", "--onnx", "mine.onnx")


def test_the_tool_converts_two_files(tiny: Any, project: Path, tmp_path: Path) -> None:
    folder = tiny.put(tmp_path)
    tool = [sys.executable, str(project / "tools" / "convert_model.py")]
    arguments = [str(folder / "tiny.json"), str(folder / "tiny.bin"), str(tmp_path / "out.onnx")]
    subprocess.run([*tool, *arguments], check=True, timeout=60)
    onnx.checker.check_model(onnx.load_model(tmp_path / "out.onnx"))
    (folder / "tiny.bin").write_bytes(b"")
    failed = subprocess.run([*tool, *arguments], check=False, capture_output=True, text=True, timeout=60)
    assert failed.returncode == 2
    assert "is not a TF.js graph model" in failed.stderr
