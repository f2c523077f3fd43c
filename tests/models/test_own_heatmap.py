"""A user's own heatmap network: a file as PyTorch's users export them, adapted to the camera's bytes."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lalelu.config.schema import Config, PoseSection
from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.catalogue import IMAGENET, Normalisation
from lalelu.models.own_heatmap import adapted
from lalelu.pose.build import build_estimator, build_runtime
from lalelu.types import Frame

PROJECT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(4)
MAPS = 17


def exported(size: tuple[int | str, int] = (32, 24), *, batch: int | str = 1, last: bool = False) -> bytes:
    """A network of one convolution, picture (1, 3, H, W), or (1, H, W, 3) with `last`; maps of a quarter of it."""
    height, width = size
    weights = RNG.normal(0, 0.05, (MAPS, 3, 4, 4)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["first"], strides=(4, 4), name="first")]
    nodes.append(helper.make_node("Sigmoid", ["first"], ["maps"], name="maps"))
    shape: list[Any] = [batch, 3, height, width]
    given, made = "x", ["first", "maps"]
    cells: list[Any] = [batch, MAPS, "rows", "columns"]  # left open: found anew
    if last:
        nodes.insert(0, helper.make_node("Transpose", ["picture"], ["x"], perm=(0, 3, 1, 2), name="in"))
        nodes.append(helper.make_node("Transpose", ["maps"], ["out"], perm=(0, 2, 3, 1), name="out"))
        shape, given, made = [batch, height, width, 3], "picture", ["out"]
        cells = [batch, "rows", "columns", MAPS]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, cells) for name in made],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def run(data: bytes, picture: NDArray[Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: picture}))


@pytest.mark.parametrize("last", [False, True], ids=["colours first", "colours last"])
@pytest.mark.parametrize("batch", [1, "pictures"])
@pytest.mark.parametrize("rgb", [True, False], ids=["rgb", "bgr"])
def test_the_adapted_network_gives_the_last_maps_of_the_picture_as_it_was_trained_on(
    last: bool, batch: int | str, rgb: bool
) -> None:
    data = exported(batch=batch, last=last)
    picture = RNG.integers(0, 256, (1, 32, 24, 3), np.uint8)
    colours = picture[..., ::-1] / 255.0
    trained_on = ((colours - IMAGENET.mean) / IMAGENET.deviation).astype(np.float32)
    if not rgb:
        trained_on = trained_on[..., ::-1]
    wanted = run(data, np.ascontiguousarray(trained_on if last else trained_on.transpose(0, 3, 1, 2)))[-1]
    made = adapted(data, "mine.onnx", keypoints=MAPS, normalisation=IMAGENET, rgb=rgb)
    (found,) = run(made, picture)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    model = onnx.load_model_from_string(made)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["bgr", "heatmaps"]


@pytest.mark.parametrize(
    ("data", "keypoints", "sentence"),
    [
        (b"no model", MAPS, "mine.onnx cannot be read as an ONNX model"),
        (
            exported(),
            16,
            r"mine.onnx gives \(1, 17, 8, 6\) and \(1, 17, 8, 6\); a network for the 16 keypoints",
        ),
        (
            exported(("high", 24)),
            MAPS,
            r"mine.onnx takes \(1, 3, \?, 24\); a heatmap network takes one float32",
        ),
        (
            adapted(exported(), "first", keypoints=MAPS, normalisation=IMAGENET, rgb=True),
            MAPS,
            r"mine.onnx takes \(1, 32, 24, 3\); a heatmap network takes one float32 picture",
        ),
    ],
    ids=["damaged", "other keypoints", "open size", "twice"],
)
def test_another_file_is_refused_with_what_it_has(data: bytes, keypoints: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        adapted(data, "mine.onnx", keypoints=keypoints, normalisation=IMAGENET, rgb=True)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.onnx"
    path.write_bytes(exported((64, 48)))
    return path


def test_a_network_of_ones_own_looks_at_the_camera_by_the_options_in_the_configuration(own: Path) -> None:
    config = Config.model_validate({"pose": {"model": "heatmap", "heatmap": {"file": str(own)}}})
    estimator = build_estimator(config)
    facts = estimator.open()
    assert [spec.shape for spec in (*facts.inputs, *facts.outputs)] == [(1, 64, 48, 3), (1, MAPS, 16, 12)]
    estimator.prepare(Frame(0, 0, 0, 0, np.zeros((48, 64, 3), np.uint8)))
    estimator.infer()
    assert len(estimator.poses()) <= 1
    estimator.close()


def test_the_adapted_file_is_made_once_and_anew_when_an_option_or_the_file_changes(own: Path) -> None:
    def made(normalisation: Normalisation = IMAGENET) -> Path:
        return store.own_heatmap_path(own, keypoints=MAPS, normalisation=normalisation, rgb=True)

    first = made()
    stamp = first.stat().st_mtime_ns
    assert made() == first
    assert first.stat().st_mtime_ns == stamp
    assert made(catalogue.ZERO_TO_ONE) != first
    own.write_bytes(exported((64, 48)))
    assert made() != first
    own.unlink()
    with pytest.raises(
        UsageError, match=r"pose.heatmap.file .* cannot be read as an ONNX model \(No such file"
    ):
        made()


def test_a_runtime_that_reads_no_onnx_is_refused() -> None:
    pose = PoseSection.model_validate(
        {"model": "heatmap", "runtime": "litert", "heatmap": {"file": "a.onnx"}}
    )
    pytest.importorskip("ai_edge_litert", reason="the runtime is looked for first")
    with pytest.raises(UsageError, match=r"whose file is ONNX, and runtime litert reads none"):
        build_runtime(pose)


NETWORK = """
import torch

def make():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 17, 4, stride=4), torch.nn.Sigmoid())
"""


def test_a_checkpoint_of_pytorchs_becomes_a_file_that_is_taken(
    own: Path, tmp_path: Path, expect: Any
) -> None:
    if find_spec("torch") is None or find_spec("onnxscript") is None:
        expect("onnxscript", "torch or onnxscript is not installed")
    import torch

    (tmp_path / "mynet.py").write_text(NETWORK)
    weights = torch.nn.Conv2d(3, MAPS, 4, stride=4).state_dict()
    held = {f"module.0.{name}": value for name, value in weights.items()}
    torch.save({"state_dict": held}, tmp_path / "mine.pth")
    tool = str(PROJECT / "tools" / "export_torch.py")
    command = [sys.executable, tool, "mynet:make", "net.onnx", "--checkpoint", "mine.pth", "--size", "64x48"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    data = (tmp_path / "net.onnx").read_bytes()
    picture = RNG.normal(size=(1, 3, 64, 48)).astype(np.float32)
    with torch.no_grad():
        whole = torch.sigmoid(
            torch.nn.functional.conv2d(torch.from_numpy(picture), *weights.values(), stride=4)
        )
    np.testing.assert_allclose(run(data, picture)[0], whole.numpy(), atol=1e-5)
    assert adapted(data, "net.onnx", keypoints=MAPS, normalisation=IMAGENET, rgb=True)
    command[5:6] = [tool]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "does not fit the network" in done.stderr
