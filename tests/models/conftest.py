"""A network of a few kilobytes in the real format, with the catalogue's row for it."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lalelu.models import catalogue
from lalelu.models.catalogue import Model, PackageFile


@dataclass
class Told:
    """A Progress that keeps what it was told."""

    lines: list[str] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)  # bytes, by label

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, label: str, done: int, total: int | None) -> None:
        self.most[label] = max(done, self.most.get(label, 0))


@dataclass(frozen=True)
class Tiny:
    """The tiny network's files and row."""

    row: Model
    files: dict[str, bytes]

    def put(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        return folder


def _attr(value: Any) -> dict[str, Any]:
    match value:
        case str() if value.startswith("DT_"):
            return {"type": value}
        case str():
            return {"s": base64.b64encode(value.encode()).decode()}
        case list():
            kind = "s" if value and isinstance(value[0], str) else "i"
            items = [base64.b64encode(v.encode()).decode() if kind == "s" else str(v) for v in value]
            return {"list": {kind: items} if items else {}}
    raise TypeError(value)


def tfjs_json(
    nodes: list[tuple[str, str, list[str], dict[str, Any]]],
    weights: list[dict[str, Any]],
    input_shape: tuple[int, ...],
    output: str,
    input_dtype: str = "DT_INT32",
) -> dict[str, Any]:
    """A TF.js graph model's topology as its JSON says it."""
    shape = {"dim": [{"size": str(n)} for n in input_shape]}
    return {
        "format": "graph-model",
        "signature": {
            "inputs": {"input": {"name": "input:0", "dtype": input_dtype, "tensorShape": shape}},
            "outputs": {"out": {"name": output}},
        },
        "modelTopology": {
            "node": [{"name": "input", "op": "Placeholder", "attr": {}}]
            + [{"name": w["name"], "op": "Const", "attr": {}} for w in weights]
            + [
                {"name": name, "op": op, "input": inputs, "attr": {k: _attr(v) for k, v in attrs.items()}}
                for name, op, inputs, attrs in nodes
            ]
        },
        "weightsManifest": [{"paths": ["tiny.bin"], "weights": weights}],
    }


def tiny_files() -> dict[str, bytes]:
    rng = np.random.default_rng(7)
    filters = rng.normal(0, 0.01, (3, 3, 3, 51)).astype(np.float16)
    bias = rng.normal(0, 1, 51).astype(np.float16)
    shape = np.array([1, 1, 17, 3], np.int32)
    half = {"dtype": "float16", "original_dtype": "float32"}
    model = tfjs_json(
        [
            ("cast", "Cast", ["input"], {"SrcT": "DT_INT32", "DstT": "DT_FLOAT"}),
            (
                "conv",
                "_FusedConv2D",
                ["cast", "filters", "bias"],
                {
                    "strides": [1, 8, 8, 1],
                    "padding": "SAME",
                    "data_format": "NHWC",
                    "dilations": [1, 1, 1, 1],
                    "fused_ops": ["BiasAdd", "Relu6"],
                    "T": "DT_FLOAT",
                },
            ),
            ("out", "Reshape", ["conv", "shape"], {"T": "DT_FLOAT", "Tshape": "DT_INT32"}),
        ],
        [
            {"name": "filters", "shape": [3, 3, 3, 51], "dtype": "float32", "quantization": half},
            {"name": "bias", "shape": [51], "dtype": "float32", "quantization": half},
            {"name": "shape", "shape": [4], "dtype": "int32"},
        ],
        (1, 8, 8, 3),
        "out:0",
    )
    weights = filters.tobytes() + bias.tobytes() + shape.tobytes()
    return {"tiny.json": json.dumps(model).encode(), "tiny.bin": weights}


def row_of(name: str, files: dict[str, bytes]) -> Model:
    topology, weights = (PackageFile(n, hashlib.sha256(d).hexdigest(), len(d)) for n, d in files.items())
    return Model(name, "movenet_single", 8, (topology, weights), "Apache-2.0", "made by the tests")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tiny:
    """The tiny network as the whole catalogue, with an empty cache."""
    files = tiny_files()
    row = row_of("tiny", files)
    monkeypatch.setattr(catalogue, "MODELS", {"tiny": row})
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path / "cache"))
    return Tiny(row, files)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def topology() -> Callable[..., dict[str, Any]]:
    return tfjs_json
