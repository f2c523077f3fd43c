"""What every runtime says about a model file or an input that it cannot use. Reads a file's first byte."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from lalelu.errors import MissingError, UsageError
from lalelu.pose.port import Precision, TensorSpec

REMEDY: Final = "`lalelu model fetch NAME` brings it anew"
ONNX_FIRST_BYTE: Final = b"\x08"  # every ONNX file begins with its ir_version: protobuf field 1, a varint


def unusable(path: Path, reason: str) -> MissingError:
    """Return the one sentence for a model that cannot be loaded."""
    first_line = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    return MissingError(f"model {path} cannot be loaded: {first_line.rstrip('.')}; {REMEDY}")


def require_onnx(path: Path) -> None:
    """Refuse a path that is no ONNX file before a vendor guesses at its format. Raises MissingError."""
    require_mark(path, ONNX_FIRST_BYTE, 0, "an ONNX")


def require_mark(path: Path, mark: bytes, at: int, kind: str) -> None:
    """Refuse a path that is not there, or a file without its kind's `mark` at byte `at`. Raises MissingError."""
    if not path.is_file():
        raise MissingError(f"model {path} is not there; {REMEDY}")
    with path.open("rb") as file:
        if file.read(at + len(mark))[at:] != mark:
            raise unusable(path, f"it is not {kind} file, or a damaged one")


def require_f32(runtime: str, precision: Precision) -> None:
    """Refuse any other precision for a runtime that computes in f32 only. Raises MissingError."""
    if precision not in {"auto", "f32"}:
        raise MissingError(
            f"pose.precision is {precision}, which runtime {runtime!r} does not offer on a CPU; "
            "choose auto or f32, or pose.runtime: openvino"
        )


def check_inputs(specs: Sequence[TensorSpec], inputs: Sequence[NDArray[Any]]) -> None:
    """Compare arrays with what the network takes. Raises UsageError for another number, shape or dtype."""
    given = [(array.shape, array.dtype, array.flags.c_contiguous) for array in inputs]
    wanted = [(spec.shape, spec.dtype, True) for spec in specs]
    if given != wanted:
        raise UsageError(
            f"the network's inputs were {[f'{shape} {dtype}' for shape, dtype, _ in given]}; "
            f"it takes {[f'{shape} {dtype}' for shape, dtype, _ in wanted]}, each contiguous"
        )


def are_same(bound: Sequence[NDArray[Any]], inputs: Sequence[NDArray[Any]]) -> bool:
    """Whether these are the very arrays that were bound, so that nothing is to be bound again."""
    return len(bound) == len(inputs) and all(a is b for a, b in zip(inputs, bound, strict=True))


def check_open(ready: bool, runtime: str) -> None:
    """Raise UsageError when a runtime is used before `open()` or after `close()`."""
    if not ready:
        raise UsageError(f"runtime {runtime!r} is not open; call open() before infer()")
