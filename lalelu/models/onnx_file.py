"""Read ONNX files of the user's: whole models of a bounded size that name no other file. Reads files."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # comes with onnx, without types

from lalelu.errors import UsageError
from lalelu.models.cache import no_model, own_bytes


def read(path: Path) -> onnx.ModelProto:
    """Return the model in a file. Raises UsageError for what is none, or has weights in other files."""
    return parse(own_bytes(path), str(path))


def parse(data: bytes, name: str) -> onnx.ModelProto:
    """Return the model in `data`, called `name` in errors. Raises UsageError as `read` does."""
    try:
        model = onnx.load_model_from_string(data)
        _refuse_other_files(model, name)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as exc:
        raise no_model(name, str(exc).strip().partition("\n")[0]) from exc
    return model


def _refuse_other_files(model: onnx.ModelProto, name: str) -> None:
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            where = next(
                (entry.value for entry in tensor.external_data if entry.key == "location"), "nowhere"
            )
            raise UsageError(
                f"{name} has the weights {tensor.name!r} in another file ({where!r}), which is not read; export it "
                "with its weights inside"
            )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a model, also those in branches, loops and functions."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)
    for training in model.training_info:
        yield from _of_graph(training.initialization)
        yield from _of_graph(training.algorithm)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: "list[onnx.NodeProto]") -> Iterator[onnx.TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _of_graph(graph)
