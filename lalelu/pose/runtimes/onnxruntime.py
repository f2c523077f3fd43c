"""Run a network on the CPU with ONNX Runtime, in the calling thread. Reads a model file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.pose.port import RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import (
    are_same,
    check_inputs,
    check_open,
    require_f32,
    require_onnx,
    unusable,
)

PROVIDER: Final = "CPUExecutionProvider"
_DTYPES: Final = {
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
_FATAL_ONLY: Final = 4  # ONNX Runtime's log level: its errors come to us as exceptions


class OnnxRuntime:
    """One ONNX model in f32, its operations one after the other, no thread of its own with `threads` 1."""

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Literal["auto", "f32", "bf16"],
        threads: int,
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._session: Any = None
        self._binding: Any = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._bound: tuple[NDArray[Any], ...] = ()
        self._outputs: tuple[NDArray[Any], ...] = ()

    def open(self) -> RuntimeFacts:
        """Load the model and run it once. Raises MissingError for an unusable file or precision."""
        require_f32("onnxruntime", self._precision)
        require_onnx(self._path)
        ort = _import_onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        start = time.perf_counter()
        try:
            self._session = ort.InferenceSession(str(self._path), options, providers=[PROVIDER])
        except Exception as exc:  # the vendor's exceptions have no common base
            raise unusable(self._path, "ONNX Runtime does not read it, it is damaged or no model") from exc
        load_ms = (time.perf_counter() - start) * 1e3
        taken = self._session.get_session_options().intra_op_num_threads
        if taken != self._threads or self._session.get_providers() != [PROVIDER]:
            raise MissingError(
                f"ONNX Runtime was asked for {self._threads} threads on {PROVIDER} and took {taken} on "
                f"{self._session.get_providers()}; choose pose.threads that this machine has"
            )
        self._specs = tuple(_spec(node) for node in self._session.get_inputs())
        outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._outputs = tuple(np.empty(spec.shape, spec.dtype) for spec in outputs)
        self._binding = self._session.io_binding()
        for spec, array in zip(outputs, self._outputs, strict=True):
            self._binding.bind_output(spec.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        start = time.perf_counter()
        self.infer(*(np.zeros(spec.shape, spec.dtype) for spec in self._specs))
        first_ms = (time.perf_counter() - start) * 1e3
        return RuntimeFacts(
            name="onnxruntime",
            version=ort.__version__,
            device="CPU",
            precision="f32",
            threads=taken,
            load_ms=load_ms,
            first_ms=first_ms,
            inputs=self._specs,
            outputs=outputs,
        )

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once in the calling thread; the results are overwritten by the next call.

        Hand over the same arrays each time: they are bound once and read in place, nothing is copied.
        Raises UsageError for an input of another shape or dtype, LostError when the device fails.
        """
        if not are_same(self._bound, inputs):
            self._bind(inputs)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as exc:  # the vendor's exceptions have no common base
            raise LostError(
                f"ONNX Runtime failed in inference with {self._path.name}; restart lalelu"
            ) from exc
        return self._outputs

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._session = self._binding = None
        self._bound = ()

    def _bind(self, inputs: tuple[NDArray[Any], ...]) -> None:
        check_open(self._session is not None, "onnxruntime")
        check_inputs(self._specs, inputs)
        for spec, array in zip(self._specs, inputs, strict=True):
            self._binding.bind_input(spec.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._bound = inputs


def _import_onnxruntime() -> Any:  # noqa: ANN401 - a module without types
    try:
        import onnxruntime
    except ModuleNotFoundError as exc:
        raise MissingError(
            "runtime 'onnxruntime' needs the module 'onnxruntime', which is not installed; "
            "`pip install 'lalelu[onnxruntime]'` brings it, or choose pose.runtime: openvino"
        ) from exc
    return onnxruntime


def _spec(node: Any) -> TensorSpec:  # noqa: ANN401 - a vendor's object without types
    if node.type not in _DTYPES or not all(isinstance(size, int) for size in node.shape):
        raise MissingError(
            f"model tensor {node.name!r} is {node.type} {node.shape}; runtime 'onnxruntime' takes "
            f"fixed shapes of {', '.join(_DTYPES)}; choose another model"
        )
    return TensorSpec(node.name, tuple(node.shape), np.dtype(_DTYPES[node.type]))
