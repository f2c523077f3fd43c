"""What an ONNX file of somebody else's may not do: read other files, or take all memory."""

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lalelu.errors import UsageError
from lalelu.models import cache, catalogue, onnx_file, store

ELSEWHERE = "../../../etc/passwd"


def weights(*, outside: bool) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    if outside:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=ELSEWHERE)
    return tensor


def model(place: str, *, outside: bool) -> bytes:
    """A model whose weights stand among the graph's own, in a constant, or in a branch."""
    tensor, given = weights(outside=outside), []
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    nodes = [constant, helper.make_node("Identity", ["w"], ["y"])]
    if place == "initializer":
        nodes, given = nodes[1:], [tensor]
    elif place == "branch":
        branch = helper.make_graph(nodes, "branch", [], [y])
        nodes = [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]
    c = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    made = helper.make_model(
        helper.make_graph(nodes, "g", [c], [y], given),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant", "branch"])
def test_weights_in_another_file_are_refused_wherever_they_stand(place: str) -> None:
    assert onnx_file.parse(model(place, outside=False), "mine.onnx").graph.name == "g"
    with pytest.raises(
        UsageError, match=r"mine\.onnx has the weights 'w' in another file \('\.\./\.\./\.\./etc/passwd'\)"
    ):
        onnx_file.parse(model(place, outside=True), "mine.onnx")


def test_a_model_with_weights_elsewhere_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.onnx").write_bytes(model("initializer", outside=True))
    with pytest.raises(UsageError, match=r"mine\.onnx"):
        store.import_onnx("lightning", tmp_path / "mine.onnx")
    assert store.imported(catalogue.find("lightning")) is None


def test_a_pipe_and_a_file_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(UsageError, match=r"it is a pipe, a socket or a device, not a file"):
        onnx_file.read(tmp_path / "pipe.onnx")
    monkeypatch.setattr(cache, "MOST_BYTES", 10)
    (tmp_path / "long.onnx").write_bytes(model("constant", outside=False))
    with pytest.raises(UsageError, match=r"it has more than 10 bytes"):
        onnx_file.read(tmp_path / "long.onnx")
