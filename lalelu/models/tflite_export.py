"""Write a graph as a TFLite flatbuffer, for LiteRT. Pure (gives bytes); no TensorFlow is needed.

TensorFlow's layout (N, H, W, C) is TFLite's too, and so are most operations: the graph is written as it stands, with
bias and activation inside of the convolution before them. The file format's tables come with LiteRT's own package.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from lalelu.errors import MissingError
from lalelu.models.graph import Array, Graph, Node, UnsupportedError, unfuse
from lalelu.models.simplify import Typed, simplified
from lalelu.models.tflite_ops import EMITTERS

SCHEMA: Final = 3  # the format's version since its beginning
FILE_MARK: Final = b"TFL3"
OPERATION_VERSION: Final = 1  # of f32 operations; later versions add types and options that are not used here
BYTE_CODES: Final = 127  # codes beyond do not fit the format's first, one-byte field


def to_tflite(graph: Graph, name: str) -> bytes:
    """Convert a graph as TensorFlow wrote it; inputs and outputs keep names, shapes, types and layout.

    Raises UnsupportedError naming the operation that is not known, MissingError without the litert extra.
    """
    writer = TfliteWriter(simplified(unfuse(graph)))
    for node in writer.graph.nodes:
        if node.op not in EMITTERS:
            raise UnsupportedError(
                f"{node.op} {node.name!r} in the model's graph has no TFLite form in this converter"
            )
        if node.name not in writer.taken_in:
            EMITTERS[node.op](writer, node)
    return writer.model(name)


class TfliteWriter:
    """Collects TFLite operators; emitters ask it for tensors and give it theirs."""

    def __init__(self, typed: Typed) -> None:
        self.schema = import_schema()
        self.graph = typed.graph
        self.specs = typed.specs
        self.users: dict[str, list[Node]] = {}
        for node in typed.graph.nodes:
            for source in node.inputs:
                self.users.setdefault(source, []).append(node)
        self.taken_in: set[str] = set()  # operations that are written already, inside of a convolution
        self._public = {source: public for public, source in typed.graph.outputs.items()}
        self._types = {
            np.dtype(np.float32): self.schema.TensorType.FLOAT32,
            np.dtype(np.int32): self.schema.TensorType.INT32,
            np.dtype(np.uint8): self.schema.TensorType.UINT8,
            np.dtype(np.bool_): self.schema.TensorType.BOOL,
        }
        self._indices: dict[str, int] = {}  # TensorFlow's tensor -> its number here
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}
        self._codes: dict[int, int] = {}  # builtin operator -> its place in the model's list
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._buffers = [self.schema.BufferT()]  # number 0 is the empty one
        self._inputs = [self.tensor(source) for source in typed.graph.inputs]
        if max(Counter(typed.graph.outputs.values()).values()) > 1:
            raise UnsupportedError("two of the model's outputs are one tensor; known: one name a tensor")

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return self.specs[tensor].shape

    def value(self, tensor: str) -> Array | None:
        """Return a constant's value, None for what depends on the picture."""
        return self.graph.constants.get(tensor)

    def is_output(self, tensor: str) -> bool:
        """Tell whether the outside sees a tensor."""
        return tensor in self._public

    def tensor(self, name: str) -> int:
        """Return the number of a tensor of TensorFlow's."""
        if name not in self._indices:
            array = self.value(name)
            spec = self.specs[name]
            self._indices[name] = (
                self._new(self._public.get(name, name), spec.shape, spec.dtype)
                if array is None
                else self.constant(array)
            )
        return self._indices[name]

    def constant(self, array: Array) -> int:
        """Store numbers (once) and return their tensor's number; whole numbers are stored in 32 bits."""
        array = np.asarray(array, np.int32 if array.dtype == np.int64 else array.dtype, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(key[2], np.uint8)
            self._buffers.append(buffer)
            name = f"c{len(self._buffers)}"
            self._constants[key] = self._new(name, array.shape, array.dtype, len(self._buffers) - 1)
        return self._constants[key]

    def temporary(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """Return the number of a new tensor that TensorFlow does not have."""
        return self._new(f"t{len(self._tensors)}", shape, dtype)

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        table: str = "",
        **options: Any,  # noqa: ANN401 - of any type
    ) -> None:
        """Write one operator. `op` is the format's name, as MAX_POOL_2D.

        `table` names the format's table of its options, as Pool2DOptions, and `options` are that table's fields;
        without one there are none.
        """
        code = getattr(self.schema.BuiltinOperator, op)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if table:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(self.schema, f"{table}T")()
            vars(operator.builtinOptions).update(options)
        self._operators.append(operator)

    def reshape(self, source: int, target: int, shape: tuple[int, ...]) -> None:
        """Write a reshape to a fixed shape."""
        to = self.constant(np.array(shape, np.int32))
        self.add("RESHAPE", [source, to], [target], table="ReshapeOptions", newShape=list(shape))

    def model(self, name: str) -> bytes:
        """Return the whole file."""
        part = self.schema.SubGraphT()
        part.name = name
        part.tensors, part.operators = self._tensors, self._operators
        part.inputs = self._inputs
        part.outputs = [self.tensor(source) for source in self.graph.outputs.values()]
        model = self.schema.ModelT()
        model.version, model.description = SCHEMA, "lalelu"
        model.subgraphs, model.buffers = [part], self._buffers
        model.operatorCodes = [self._code(code) for code in self._codes]
        import flatbuffers  # LiteRT's package brings it

        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), file_identifier=FILE_MARK)
        return bytes(builder.Output())

    def _code(self, code: int) -> Any:  # noqa: ANN401 - a table of the format
        entry = self.schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, BYTE_CODES)
        entry.version = OPERATION_VERSION
        return entry

    def _new(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], buffer: int = 0) -> int:
        if dtype not in self._types:
            raise UnsupportedError(
                f"tensor {name!r} is {dtype}; known: {', '.join(map(str, self._types))}; choose another model"
            )
        tensor = self.schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, self._types[dtype], buffer
        tensor.shape = np.array(shape, np.int32)
        self._tensors.append(tensor)
        return len(self._tensors) - 1


def import_schema() -> Any:  # noqa: ANN401 - a generated module without types
    """Return the file format's tables. Raises MissingError without the litert extra."""
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError as exc:
        raise MissingError(
            "a TFLite model is written with the module 'ai_edge_litert', which is not installed; "
            "`pip install 'lalelu[litert]'` brings it, or choose pose.runtime: openvino"
        ) from exc
    return schema_py_generated
