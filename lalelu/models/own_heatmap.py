"""A heatmap network of the user's own, as lalelu runs it: the camera's bytes in, one set of maps out. Pure.

The file's own picture, float32 (N, 3, H, W) or (N, H, W, 3), is made inside of the network: from bytes, blue before
green before red, to the colours that the network was trained on.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from lalelu.errors import UsageError
from lalelu.models import onnx_file
from lalelu.models.catalogue import Normalisation
from lalelu.models.original import WHITE
from lalelu.models.picture import BGR

COLOURS: Final = 3
FOUR: Final = 4  # dimensions of a batch of pictures or maps
PREFIX: Final = "lalelu"  # of the names that are added
MAPS: Final = "heatmaps"


def adapted(data: bytes, name: str, *, keypoints: int, normalisation: Normalisation, rgb: bool) -> bytes:
    """Return the ONNX model `data` (called `name` in errors) with the input `bgr`, uint8 (1, H, W, 3).

    Its output is `heatmaps`, the last of the outputs that has `keypoints` maps; the others are left out. Raises
    UsageError for a file that is no such network.
    """
    model = onnx_file.parse(data, name)
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    shapes = [_shape(value) for value in inputs]
    if len(inputs) != 1 or not _is_picture(shapes[0]) or _type(inputs[0]) != TensorProto.FLOAT:
        raise UsageError(
            f"{name} takes {_told(shapes)}; a heatmap network takes one float32 picture, (1, 3, height, width) or "
            "(1, height, width, 3), of a fixed size: export it so"
        )
    (source,), ((_, *size),) = inputs, shapes
    source.type.tensor_type.shape.dim[0].dim_value = 1
    if any(node.name.startswith(f"{PREFIX}/") for node in graph.node) or source.name == BGR:
        raise UsageError(f"{name} was adapted by lalelu already; give the file it was made of")
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")  # the number of pictures in it may have been open
    model = shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    given = [_shape(value) for value in graph.output]
    found = [value for value, shape in zip(graph.output, given, strict=True) if _has_maps(shape, keypoints)]
    if not found:
        raise UsageError(
            f"{name} gives {_told(given)}; a network for the {keypoints} keypoints of this skeleton gives "
            f"(1, {keypoints}, height, width) or (1, height, width, {keypoints}): choose another "
            "pose.heatmap.skeleton, or export the network with a fixed size"
        )
    return _rewritten(model, size, found[-1], normalisation, rgb)


def _rewritten(
    model: onnx.ModelProto, size: Sequence[int], maps: onnx.ValueInfoProto, normal: Normalisation, rgb: bool
) -> bytes:
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    (source,) = (value for value in graph.input if value.name not in weights)
    by_colour = size[0] == COLOURS  # (3, H, W)
    height, width = size[1:] if by_colour else size[:2]
    mean, deviation = (np.array(numbers)[::-1] for numbers in (normal.mean, normal.deviation))  # blue first
    constants = {
        "scale": (1.0 / (WHITE * deviation)).astype(np.float32),
        "offset": (mean / deviation).astype(np.float32),
        "turned": np.array([2, 1, 0], np.int64),
    }
    graph.initializer.extend(
        numpy_helper.from_array(array, f"{PREFIX}/{key}") for key, array in constants.items()
    )
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Cast", [], {"to": TensorProto.FLOAT}),
        ("Mul", [f"{PREFIX}/scale"], {}),
        ("Sub", [f"{PREFIX}/offset"], {}),
    ]
    if rgb:
        steps.append(("Gather", [f"{PREFIX}/turned"], {"axis": 3}))
    if by_colour:
        steps.append(("Transpose", [], {"perm": (0, 3, 1, 2)}))
    tensors = [BGR, *(f"{PREFIX}/{step}" for step in range(len(steps) - 1)), source.name]
    made = [
        helper.make_node(op, [before, *more], [after], name=f"{PREFIX}/{op}", **attrs)
        for (op, more, attrs), before, after in zip(steps, tensors, tensors[1:], strict=False)
    ]
    end = helper.make_node("Identity", [maps.name], [MAPS], name=f"{PREFIX}/maps")
    shape = _shape(maps)
    nodes = [*made, *graph.node, end]
    kept = [value for value in graph.input if value.name in weights]
    for field, values in (
        (graph.node, nodes),
        (graph.input, [helper.make_tensor_value_info(BGR, TensorProto.UINT8, (1, height, width, 3)), *kept]),
        (graph.output, [helper.make_tensor_value_info(MAPS, TensorProto.FLOAT, shape)]),
    ):
        del field[:]
        field.extend(values)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Return a tensor's sizes; -1 for one that is open."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.dim_value > 0 else -1 for dim in dims)


def _type(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _is_picture(shape: tuple[int, ...]) -> bool:
    return (
        len(shape) == FOUR and shape[0] in {1, -1} and min(shape[1:]) > 0 and COLOURS in {shape[1], shape[3]}
    )


def _has_maps(shape: tuple[int, ...], keypoints: int) -> bool:
    return len(shape) == FOUR and min(shape[1:]) > 0 and keypoints in {shape[1], shape[3]}


def _told(shapes: Sequence[tuple[int, ...]]) -> str:
    texts = [f"({', '.join('?' if size < 0 else str(size) for size in shape)})" for shape in shapes]
    return " and ".join(texts) or "nothing"
