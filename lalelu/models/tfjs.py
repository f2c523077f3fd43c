"""Read a TF.js graph model (a JSON topology and its binary weights) into a graph. Reads files."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.errors import UsageError
from lalelu.models.graph import Array, Attr, Graph, Node, Spec, UnsupportedError, build, normal

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "DT_FLOAT": np.dtype(np.float32),
    "DT_HALF": np.dtype(np.float16),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_UINT8": np.dtype(np.uint8),
    "DT_BOOL": np.dtype(np.bool_),
}
WEIGHTS: Final[dict[str, np.dtype[Any]]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "int32": np.dtype(np.int32),
    "uint16": np.dtype(np.uint16),
    "uint8": np.dtype(np.uint8),
    "bool": np.dtype(np.bool_),
}


def read(topology: Path, weights: Path) -> Graph:
    """Read a graph model.

    Raises UsageError naming the file when it is not one, UnsupportedError for a part that is not known.
    """
    try:
        model = json.loads(topology.read_bytes())
        return parse(model, weights.read_bytes())
    except OSError as exc:
        raise UsageError(
            f"{exc.filename} cannot be read: {exc.strerror}; `lalelu model fetch` gets it again"
        ) from exc
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as exc:
        raise UsageError(
            f"{topology} with {weights.name} is not a TF.js graph model ({type(exc).__name__}: {exc}); "
            "delete both, `lalelu model fetch` gets them again"
        ) from exc


def parse(model: Mapping[str, Any], weights: bytes) -> Graph:
    """Make the graph of a model's JSON and the bytes of its weights."""
    signature = model.get("signature") or model["userDefinedMetadata"]["signature"]
    nodes = [
        Node(
            node["name"],
            node["op"],
            tuple(node.get("input", ())),
            {
                key: _attr(value)
                for key, value in node.get("attr", {}).items()
                if key not in {"value", "_output_shapes"}
            },
        )
        for node in model["modelTopology"]["node"]
    ]
    inputs = {
        normal(entry["name"]): Spec(_shape(entry["tensorShape"]), DTYPES[entry["dtype"]])
        for entry in signature["inputs"].values()
    }
    outputs = {f"output_{n}": entry["name"] for n, entry in enumerate(signature["outputs"].values())}
    constants = dict(_weights(model["weightsManifest"], weights))
    return build(
        (node for node in nodes if node.op not in {"Const", "Placeholder"}), constants, inputs, outputs
    )


def _weights(manifest: Iterable[Mapping[str, Any]], data: bytes) -> Iterable[tuple[str, Array]]:
    offset = 0
    for group in manifest:
        for entry in group["weights"]:
            quantization = entry.get("quantization", {})
            stored = WEIGHTS.get(quantization.get("dtype", entry["dtype"]))
            final = WEIGHTS.get(entry["dtype"])
            if stored is None or final is None:
                raise UnsupportedError(
                    f"weight {entry['name']!r} is stored as {entry['dtype']}, which is not known"
                )
            count = math.prod(entry["shape"])
            array = np.frombuffer(data, stored.newbyteorder("<"), count, offset).reshape(entry["shape"])
            offset += count * stored.itemsize
            yield entry["name"], _dequantized(array, quantization, final)
    if offset != len(data):
        raise ValueError(f"the topology describes {offset} bytes of weights, the file has {len(data)}")


def _dequantized(array: Array, quantization: Mapping[str, Any], final: np.dtype[Any]) -> Array:
    if "scale" not in quantization:  # plain, or float16 that only saves room
        return array.astype(final)
    values = array.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization["min"])
    return (np.rint(values) if final.kind in "iu" else values).astype(final)


def _shape(shape: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(dim.get("size", 0)) for dim in shape.get("dim", ()))


def _attr(value: Mapping[str, Any]) -> Attr:
    ((kind, content),) = value.items()
    if kind == "list":
        return [_scalar(key, item) for key, items in content.items() for item in items]
    return _scalar(kind, content)


def _scalar(kind: str, content: Any) -> bool | int | float | str | np.dtype[Any] | tuple[int, ...]:  # noqa: ANN401 - JSON
    match kind:
        case "s":
            return base64.b64decode(content).decode()
        case "i":
            return int(content)
        case "f":
            return float(content)
        case "b":
            return bool(content)
        case "type":
            return DTYPES[content]
        case "shape":
            return _shape(content)
    raise UnsupportedError(f"the model's graph has an attribute of the kind {kind!r}, which is not known")
