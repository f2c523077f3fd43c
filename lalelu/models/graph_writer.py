"""Write a graph by hand, operation by operation, as TensorFlow would have written it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from lalelu.models.graph import Array, Attr, Graph, Node, Spec, build, tensor

FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
INT: Final[np.dtype[Any]] = np.dtype(np.int32)
BYTE: Final[np.dtype[Any]] = np.dtype(np.uint8)
BOOL: Final[np.dtype[Any]] = np.dtype(np.bool_)
_COMPARISONS: Final = frozenset({"Equal", "Greater", "GreaterEqual", "Less", "LessEqual"})

Operand: TypeAlias = (
    str | float | Sequence[float] | Array
)  # a tensor's name, or numbers, which take the tensor's type


class GraphWriter:
    """Collects nodes, each under a name that begins with `prefix`; methods give the name of what they write."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}
        self._inputs: dict[str, Spec] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def input(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> str:
        """Declare an input of the graph."""
        self._inputs[name] = Spec(tuple(shape), dtype)
        self._dtypes[name] = dtype
        return name

    def constant(self, numbers: Operand, dtype: DTypeLike) -> str:
        """Keep numbers; a tensor's name is returned as it is."""
        if isinstance(numbers, str):
            return numbers
        array = np.asarray(numbers, dtype)
        name = f"{self._prefix}/c{len(self._constants)}"
        self._constants[name], self._dtypes[name] = array, array.dtype
        return name

    def number(self, op: str, *operands: Operand) -> str:
        """Write an operation that works number by number; one operand at least is a tensor, of the type of all."""
        dtype = next(self._dtypes[one] for one in operands if isinstance(one, str))
        inputs = [self.constant(one, dtype) for one in operands]
        return self._add(op, inputs, {"T": dtype}, BOOL if op in _COMPARISONS else dtype)

    def cast(self, source: str, dtype: np.dtype[Any]) -> str:
        """Write a change of type; fractions are cut off."""
        return self._add("Cast", [source], {"SrcT": self._dtypes[source], "DstT": dtype}, dtype)

    def reshape(self, source: str, *shape: int) -> str:
        """Write a change of shape."""
        attrs: dict[str, Attr] = {"T": self._dtypes[source], "Tshape": INT}
        return self._add("Reshape", [source, self.constant(np.array(shape), INT)], attrs)

    def transpose(self, source: str, *order: int) -> str:
        """Write a change of the dimensions' order."""
        attrs: dict[str, Attr] = {"T": self._dtypes[source], "Tperm": INT}
        return self._add("Transpose", [source, self.constant(np.array(order), INT)], attrs)

    def gather(self, source: str, indices: Operand, axis: int) -> str:
        """Write a choice along one dimension; `indices` is a list of whole numbers, none beyond the end."""
        attrs: dict[str, Attr] = {
            "Tparams": self._dtypes[source],
            "Tindices": INT,
            "Taxis": INT,
            "batch_dims": 0,
        }
        return self._add("GatherV2", [source, self.constant(indices, INT), self.constant(axis, INT)], attrs)

    def concat(self, parts: Sequence[Operand], axis: int) -> str:
        """Write a joining along one dimension."""
        dtype = next(self._dtypes[part] for part in parts if isinstance(part, str))
        inputs = [*(self.constant(part, dtype) for part in parts), self.constant(axis, INT)]
        return self._add("ConcatV2", inputs, {"T": dtype, "N": len(parts), "Tidx": INT})

    def unpack(self, source: str, count: int) -> list[str]:
        """Write a split into the `count` parts of the first dimension, which goes."""
        name = self._add("Unpack", [source], {"T": self._dtypes[source], "num": count, "axis": 0})
        parts = [tensor(name, index) for index in range(count)]
        self._dtypes.update(dict.fromkeys(parts, self._dtypes[source]))
        return parts

    def total(self, source: str, axis: int, *, keep: bool = False) -> str:
        """Write a sum over one dimension, which goes, or stays as 1."""
        return self._reduced("Sum", source, axis, keep=keep)

    def highest(self, source: str, axis: int, *, keep: bool = False) -> str:
        """Write a maximum over one dimension, which goes, or stays as 1."""
        return self._reduced("Max", source, axis, keep=keep)

    def where_highest(self, source: str, axis: int) -> str:
        """Write the index of the first maximum along a dimension, which goes."""
        attrs: dict[str, Attr] = {"T": self._dtypes[source], "Tidx": INT, "output_type": INT}
        return self._add("ArgMax", [source, self.constant(axis, INT)], attrs, INT)

    def graph(self, outputs: Mapping[str, str]) -> Graph:
        """Return the graph of what the outputs (public name -> tensor) need."""
        return build(self._nodes, self._constants, self._inputs, outputs)

    def _reduced(self, op: str, source: str, axis: int, *, keep: bool) -> str:
        attrs: dict[str, Attr] = {"T": self._dtypes[source], "Tidx": INT, "keep_dims": keep}
        return self._add(op, [source, self.constant([axis], INT)], attrs)

    def _add(
        self, op: str, inputs: Sequence[str], attrs: Mapping[str, Attr], dtype: np.dtype[Any] | None = None
    ) -> str:
        name = f"{self._prefix}/{op}_{len(self._nodes)}"
        self._nodes.append(Node(name, op, tuple(inputs), attrs))
        self._dtypes[name] = self._dtypes[inputs[0]] if dtype is None else dtype
        return name
