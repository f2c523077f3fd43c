"""Join a user's own ONNX network with what stands before and behind it: frame in, keypoints out, one call. Pure.

The parts are those that `merge` joins with the catalogue's networks, converted to ONNX, and what comes of it is the
same: `merge.merged` tells.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnx
from onnx import compose, helper, version_converter

from lalelu.errors import UsageError
from lalelu.models.camera_graph import PICTURE, TAKEN, Camera, Picture, camera_graph
from lalelu.models.graph import Graph
from lalelu.models.graph_writer import BYTE, FLOAT, INT
from lalelu.models.keypoint_graph import (
    KEYPOINTS,
    SAID,
    heatmap_keypoints,
    movenet_keypoints,
)
from lalelu.models.merge_options import NORMALISES, Reading
from lalelu.models.onnx_export import to_onnx
from lalelu.models.picture import BGR, COLOURS

# mean and standard deviation of 0..255, of red, green, blue
_SCALES: Final[Mapping[str, tuple[Sequence[float], Sequence[float]]]] = MappingProxyType(
    {
        "unit": ((0.0,) * COLOURS, (255.0,) * COLOURS),
        "symmetric": ((127.5,) * COLOURS, (127.5,) * COLOURS),
        "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # torchvision's, times 255
    }
)
MOVENET_OUTPUT: Final = (1, 1, 17, 3)
DIMENSIONS: Final = 4  # of a picture, and of heatmaps: (batch, height, width, channels) in either layout
_TAKES: Final = (FLOAT, INT, BYTE)


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def merged_onnx(model: onnx.ModelProto, camera: Camera, reading: Reading) -> onnx.ModelProto:
    """Return the model from frame to keypoints, with the inputs and outputs of `merge.merged`.

    The network takes one picture, (1, H, W, 3) or (1, 3, H, W). Its first output that is a single-pose MoveNet's
    (1, 1, 17, 3), or else holds heatmaps as (1, K, h, w) or (1, h, w, K), becomes the keypoints.
    Raises UsageError for a network that has neither, or whose numbers `reading` leaves open.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [_tensor(value) for value in model.graph.input if value.name not in weights]
    outputs = [_tensor(value) for value in model.graph.output]
    shape = inputs[0].shape if len(inputs) == 1 else ()
    if len(shape) != DIMENSIONS or shape[0] != 1 or min(shape) < 1 or COLOURS not in (shape[1], shape[3]):
        raise UsageError(
            f"the network takes {_told(inputs)}; merging needs one picture of fixed size, (1, H, W, 3) or "
            "(1, 3, H, W)"
        )
    channels_first = shape[3] != COLOURS
    picture = _picture(inputs[0], channels_first, reading)
    name, behind = _behind(outputs, picture, reading)
    before = _part(camera_graph(camera, picture), "camera")
    shown = [value for name in (TAKEN, PICTURE) for value in before.graph.output if value.name == name]
    whole = _joined(before, model, {PICTURE: inputs[0].name})
    whole = _joined(whole, _part(behind, "keypoints"), {name: SAID, TAKEN: TAKEN})
    names = [KEYPOINTS, *(one.name for one in outputs if one.name != name)]
    given = {value.name: value for value in whole.graph.output}
    del whole.graph.output[:]
    whole.graph.output.extend(given[each] for each in names)
    whole.graph.output.extend(shown)
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _picture(taken: _Tensor, channels_first: bool, reading: Reading) -> Picture:
    """Return what the network's input wants of a picture."""
    if taken.dtype not in _TAKES:
        raise UsageError(f"the network takes {_told([taken])}; merging knows {', '.join(map(str, _TAKES))}")
    order = reading.order or ("bgr" if taken.name == BGR else "rgb")
    normalise = reading.normalise or ("none" if taken.dtype != FLOAT else None)
    if normalise is None:
        raise UsageError(
            f"the network takes {_told([taken])}, and nothing tells in which range: give --normalise, one of "
            f"{', '.join(NORMALISES)}"
        )
    scale = None
    if normalise != "none":
        means, deviations = (each[::-1] if order == "bgr" else each for each in _SCALES[normalise])
        scale = (means, [1.0 / deviation for deviation in deviations])
    rows = 2 if channels_first else 1
    size = (taken.shape[rows], taken.shape[rows + 1])
    return Picture(size, order, scale, channels_first, taken.dtype)


def _behind(outputs: Sequence[_Tensor], picture: Picture, reading: Reading) -> tuple[str, Graph]:
    """Return the output that holds what becomes keypoints, and the graph behind it."""
    for one in outputs:
        if one.shape == MOVENET_OUTPUT:
            return one.name, movenet_keypoints(one.shape)
    height, width = picture.size
    for one in outputs:
        if one.dtype != FLOAT or len(one.shape) != DIMENSIONS or one.shape[0] != 1:
            continue
        # the maps have the picture's proportions; where both readings do, they lie as the picture does
        lying = [
            last
            for last in (False, True)
            if _is_map(one.shape[1:3] if last else one.shape[2:], height / width)
        ]
        if lying:
            last = lying[0] if len(lying) == 1 else not picture.channels_first
            behind = heatmap_keypoints(
                one.shape, channels_last=last, refine=reading.refine, cells_at=reading.cells_at
            )
            return one.name, behind
    raise UsageError(
        f"the network gives {_told(outputs)}; merging knows {MOVENET_OUTPUT} of a single-pose MoveNet, and heatmaps "
        "(1, K, h, w) or (1, h, w, K) in the picture's proportions"
    )


def _is_map(shape: tuple[int, ...], proportion: float) -> bool:
    return min(shape) > 1 and math.isclose(shape[0] / shape[1], proportion, rel_tol=0.02)


def _part(graph: Graph, name: str) -> onnx.ModelProto:
    """Return a part as ONNX; its inner names begin with `name`, its inputs and outputs keep theirs."""
    part = onnx.load_model_from_string(to_onnx(graph, name))
    return compose.add_prefix(part, f"{name}/", rename_inputs=False, rename_outputs=False)


def _joined(first: onnx.ModelProto, second: onnx.ModelProto, wires: Mapping[str, str]) -> onnx.ModelProto:
    """Return both models as one: outputs of the first (by name) feed inputs of the second."""
    opset = max(_opset(first), _opset(second))
    first, second = (_raised(each, opset) for each in (first, second))
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    try:
        joined = compose.merge_models(first, second, io_map=list(wires.items()))
    except ValueError as exc:  # two tensors of one name
        raise UsageError(
            f"the network cannot be joined: {_first_line(exc)}; give its tensors other names"
        ) from exc
    joined.producer_name = "lalelu"
    return joined


def _opset(model: onnx.ModelProto) -> int:
    return max(int(each.version) for each in model.opset_import if each.domain in {"", "ai.onnx"})


def _raised(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    if _opset(model) == opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except RuntimeError as exc:
        raise UsageError(
            f"the network has opset {_opset(model)} and cannot be raised to {opset} ({_first_line(exc)}); export it "
            "anew"
        ) from exc


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0]


def _tensor(value: onnx.ValueInfoProto) -> _Tensor:
    kind = value.type.tensor_type
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
    return _Tensor(value.name, shape, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)))


def _told(tensors: Sequence[_Tensor]) -> str:
    return " and ".join(f"{one.name} {one.dtype} {one.shape}" for one in tensors) or "nothing"
