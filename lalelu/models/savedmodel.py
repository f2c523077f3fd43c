"""Write a graph as a TensorFlow SavedModel, and read one. Needs the tensorflow extra; uses files."""

import importlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.errors import MissingError, UsageError
from lalelu.models.graph import (
    Array,
    Attr,
    Graph,
    Node,
    Spec,
    UnsupportedError,
    build,
    normal,
    unfuse,
)

WITH_HEADS: Final = "with_heads"  # the signature of the network as it plays


def tensorflow() -> Any:  # noqa: ANN401 - TensorFlow ships no types
    """Import TensorFlow; raises MissingError where the extra is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up messages are not for players
    try:
        return importlib.import_module("tensorflow")
    except ImportError as exc:
        raise MissingError(
            f"a TensorFlow SavedModel needs the tensorflow extra, which is not installed ({exc}); "
            "`pip install 'lalelu[tensorflow]'` brings it"
        ) from exc


def write(graph: Graph, played: Graph, folder: Path) -> None:
    """Write a network as a SavedModel into `folder`.

    Its signature `serving_default` is the original `graph`, `with_heads` the one that is `played`.
    """
    tf = tensorflow()
    module = tf.Module()
    module.serve = _function(tf, graph)
    module.serve_heads = module.serve if played is graph else _function(tf, played)
    signatures = {"serving_default": module.serve, WITH_HEADS: module.serve_heads}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _function(tf: Any, graph: Graph) -> Any:  # noqa: ANN401 - TensorFlow's module and function
    definition = graph_def(graph)
    inputs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in graph.inputs.items()]
    names, tensors = list(graph.outputs), [f"{t}" if ":" in t else f"{t}:0" for t in graph.outputs.values()]

    def serve(*values: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow's tensors
        given = {f"{name}:0": value for name, value in zip(graph.inputs, values, strict=True)}
        results = tf.graph_util.import_graph_def(definition, given, tensors, name="")
        return dict(zip(names, results, strict=True))

    return tf.function(serve, input_signature=inputs)


def graph_def(graph: Graph) -> Any:  # noqa: ANN401 - a TensorFlow GraphDef
    """Return `graph` as a GraphDef that TensorFlow imports: with fused convolutions split."""
    tf = tensorflow()
    plain = unfuse(graph)
    definition = tf.compat.v1.GraphDef()
    for name, spec in plain.inputs.items():
        node = definition.node.add(name=name, op="Placeholder")
        node.attr["dtype"].type = tf.as_dtype(spec.dtype).as_datatype_enum
    for name, array in plain.constants.items():
        node = definition.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    for part in plain.nodes:
        node = definition.node.add(name=part.name, op=part.op, input=part.inputs)
        for key, value in part.attrs.items():
            if not key.startswith("_"):  # the optimiser's own notes
                _put(tf, node.attr[key], value)
    return definition


def _put(tf: Any, slot: Any, value: Attr) -> None:  # noqa: ANN401 - TensorFlow's module and AttrValue
    match value:
        case bool():
            slot.b = value
        case int():
            slot.i = value
        case float():
            slot.f = value
        case str():
            slot.s = value.encode()
        case np.dtype():
            slot.type = tf.as_dtype(value).as_datatype_enum
        case tuple():
            slot.shape.CopyFrom(tf.TensorShape(value).as_proto())
        case list():
            slot.list.SetInParent()
            for item in value:
                (slot.list.s if isinstance(item, str) else slot.list.i).append(
                    item.encode() if isinstance(item, str) else item
                )


def read(folder: Path, input_shape: tuple[int, ...]) -> Graph:
    """Read a SavedModel's `serving_default` with its variables frozen.

    `input_shape` fixes what the model leaves open. Raises UsageError when `folder` holds no such model.
    """
    tf = tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        loaded = tf.saved_model.load(str(folder))  # keeps the variables alive that the function only borrows
        frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    except (OSError, KeyError, ValueError, tf.errors.OpError) as exc:
        raise UsageError(
            f"{folder} is not a TensorFlow SavedModel with the signature serving_default ({exc}); "
            "give the folder that holds saved_model.pb"
        ) from exc
    inputs = {
        normal(t.name): Spec(_closed(tuple(t.shape.as_list()), input_shape), np.dtype(t.dtype.as_numpy_dtype))
        for t in frozen.inputs
    }
    outputs = {f"output_{n}": t.name for n, t in enumerate(frozen.outputs)}
    constants: dict[str, Array] = {}
    nodes: list[Node] = []
    for node in frozen.graph.as_graph_def().node:
        if node.op == "Const":
            constants[node.name] = np.asarray(tf.make_ndarray(node.attr["value"].tensor))
        elif node.op != "Placeholder":
            nodes.append(Node(node.name, node.op, tuple(node.input), dict(_attrs(tf, node))))
    return build(nodes, constants, inputs, outputs)


def _closed(shape: tuple[int | None, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != len(wanted) or any(a not in (None, b) for a, b in zip(shape, wanted, strict=True)):
        raise UsageError(
            f"the SavedModel's input is {shape}, the model's is {wanted}; import it under its own name"
        )
    return wanted


def _attrs(tf: Any, node: Any) -> Iterable[tuple[str, Attr]]:  # noqa: ANN401 - TensorFlow's module and NodeDef
    for key, slot in node.attr.items():
        if key.startswith("_"):
            continue
        kind = slot.WhichOneof("value")
        match kind:
            case "b" | "i" | "f":
                yield key, getattr(slot, kind)
            case "s":
                yield key, slot.s.decode()
            case "type":
                yield key, np.dtype(tf.as_dtype(slot.type).as_numpy_dtype)
            case "shape":
                yield key, tuple(dim.size for dim in slot.shape.dim)
            case "list":
                yield key, [s.decode() for s in slot.list.s] or list(slot.list.i)
            case "func":
                raise UnsupportedError(
                    f"{node.op} {node.name!r} calls another function; known: models without loops or branches"
                )
