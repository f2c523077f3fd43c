"""Check that an ONNX file of the user's is a model of the family it is imported as. Pure."""

import numpy as np
import onnx
from onnx import helper

from lalelu.errors import UsageError
from lalelu.models import onnx_file
from lalelu.models.catalogue import Model
from lalelu.models.heads import IS_PEAK
from lalelu.models.picture import BGR


def check(data: bytes, row: Model, name: str) -> None:
    """Raise UsageError unless `data` is a valid ONNX model with the input and output of `row`'s family."""
    model = onnx_file.parse(data, name)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    # lalelu's own conversions, brought from another machine, have the heads too, and take the camera's picture;
    # they are all that is known of a model that leaves its normalisation to its user
    outputs = [value for value in model.graph.output if value.name not in {*row.heads, IS_PEAK}]
    is_own = row.normalisation is not None or [value.name for value in inputs] == [BGR]
    takes = np.dtype(np.uint8) if is_own else row.input_dtype
    several = len(row.outputs) > 1
    for kind, values, wanted in (
        ("input", inputs, [f"{takes} {row.input_shape}"]),
        (
            "output",
            outputs,
            [_told(each.name, np.dtype(np.float32), each.shape, several) for each in row.outputs],
        ),
    ):
        by_name = several and kind == "output"
        found = [_told(value.name, _type(value), _shape(value), by_name) for value in values]
        if found != wanted:
            raise UsageError(
                f"{name} has the {kind} {' and '.join(found) or 'none'}; {row.name} ({row.family}) has "
                f"{' and '.join(wanted)}: import it under the name of its own family and size"
            )


def _told(name: str, dtype: object, shape: tuple[int, ...], by_name: bool) -> str:
    return f"{name}: {dtype} {shape}" if by_name else f"{dtype} {shape}"


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)


def _type(value: onnx.ValueInfoProto) -> str:
    return str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
