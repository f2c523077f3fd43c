"""An installation without the default library says so in one sentence, and plays with another one."""

import subprocess
import sys
import tomllib

import pytest

from lalelu.config.loader import load_config, with_overrides
from lalelu.errors import MissingError, UsageError
from lalelu.models import store
from lalelu.pose import build

# A Python in which some modules are not installed, and lalelu's command line.
CHILD = """
import sys
missing, *arguments = sys.argv[1:]
sys.modules |= dict.fromkeys(missing.split(","))
from lalelu.cli import main
sys.exit(main(arguments))
"""


def without(modules, *arguments):
    return subprocess.run(
        [sys.executable, "-c", CHILD, modules, *arguments], capture_output=True, text=True, check=False
    )


def test_a_missing_library_is_one_sentence_with_those_that_are_there(monkeypatch):
    here = {"ai_edge_litert", "torch"}
    monkeypatch.setattr(build, "find_spec", lambda name: name if name in here else None)
    with pytest.raises(MissingError) as caught:
        build.require_installed("openvino")
    assert str(caught.value) == (
        "runtime 'openvino' needs the module 'openvino', which is not installed; `pip install lalelu` brings it; "
        "installed here: litert, torch, torch_compiled; "
        "choose with pose.runtime, or as in `lalelu demo --runtime litert`"
    )
    build.require_installed("litert")
    here.clear()
    with pytest.raises(
        MissingError, match=r"lalelu\[torch\]'` brings it; nothing else is installed here either"
    ):
        build.require_installed("torch_compiled")


def test_the_command_line_chooses_model_and_runtime():
    loaded = with_overrides(load_config(None, builtin=True), model="thunder", runtime="litert")
    assert (loaded.config.pose.model, loaded.config.pose.runtime) == ("thunder", "litert")
    assert "pose.model, pose.runtime from the command line" in loaded.origin
    with pytest.raises(UsageError, match='did you mean "litert"'):
        with_overrides(load_config(None, builtin=True), runtime="litertt")


def test_a_demo_without_its_library_ends_before_anything_is_opened(tmp_path):
    done = without("openvino", "demo", "--seconds", "1", "--out", str(tmp_path))
    assert done.returncode == 3
    assert "runtime 'openvino' needs the module 'openvino'" in done.stderr
    assert "camera" not in done.stderr


def test_models_are_listed_without_openvino_and_onnx():
    done = without("openvino,onnx,onnxruntime", "model", "list")
    assert done.returncode == 0, done.stderr
    assert "lightning" in done.stdout
    done = without("openvino,onnx,onnxruntime", "model", "quantize", "lightning", "--to", "f16")
    assert done.returncode == 3
    assert "needs the module 'onnx'" in done.stderr


def test_onnx_is_missed_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path))
    monkeypatch.setattr(store, "find_spec", lambda _name: None)
    monkeypatch.setattr(store.fetch, "fetch", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(MissingError, match=r"'onnx', which is not installed.*choose pose\.runtime: litert"):
        store.onnx_path("lightning")


@pytest.mark.parametrize(
    ("name", "left_out"), [("litert", {"openvino", "onnx"}), ("onnxruntime", {"openvino"})]
)
def test_a_small_installation_has_what_the_core_has_but_openvino(project, name, left_out):
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    core = {line for line in table["dependencies"] if line.partition(">")[0] not in left_out}
    lines = (project / "requirements" / f"{name}.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} == core | set(
        table["optional-dependencies"][name]
    )
    assert f"pip install -r requirements/{name}.txt && pip install --no-deps ." in lines[1]
