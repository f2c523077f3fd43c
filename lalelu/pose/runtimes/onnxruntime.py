"""Run a network with ONNX Runtime, on the CPU in the calling thread or on an NVIDIA card. Reads a model file.

The options of the cards' providers are those of ONNX Runtime's pages on CUDA and TensorRT execution providers.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.pose.port import Device, Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import (
    are_same,
    check_inputs,
    check_open,
    require_f32,
    require_onnx,
    unusable,
)

PROVIDERS: Final[dict[Device, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
WORKSPACE_BYTES: Final = (
    1 << 30
)  # for TensorRT's tries of kernels: many times what the largest model's layers take
_DTYPES: Final = {
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
_FATAL_ONLY: Final = 4  # ONNX Runtime's log level: its errors come to us as exceptions


class OnnxRuntime:
    """One ONNX model, its operations one after the other; on the CPU no thread of its own with `threads` 1.

    The CPU and CUDA compute in f32; on TensorRT `precision` auto is f16. With `cache_dir` (lalelu's cache folder) the
    engines that TensorRT builds are kept in its `onnxruntime/`.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Precision,
        threads: int,
        device: Device = "cpu",
        cache_dir: Path | None = None,
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._device: Device = device
        self._cache_dir = cache_dir
        self._session: Any = None
        self._binding: Any = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._bound: tuple[NDArray[Any], ...] = ()
        self._outputs: tuple[NDArray[Any], ...] = ()

    def open(self) -> RuntimeFacts:
        """Load the model and run it once.

        Raises MissingError for an unusable file, a precision or device that is not there, or threads that were not
        taken.
        """
        precision = self._choose_precision()
        require_onnx(self._path)
        ort = _import_onnxruntime()
        provider = PROVIDERS[self._device]
        if provider not in ort.get_available_providers():
            raise MissingError(
                f"pose.device is {self._device}, but this build of ONNX Runtime has no {provider}; "
                "`pip install onnxruntime-gpu` in onnxruntime's place brings it, or choose pose.device: cpu"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        start = time.perf_counter()
        try:
            self._session = ort.InferenceSession(
                str(self._path), options, providers=self._providers(precision), enable_fallback=0
            )
        except Exception as exc:  # the vendor's exceptions have no common base
            raise unusable(self._path, "ONNX Runtime does not read it, it is damaged or no model") from exc
        load_ms = (time.perf_counter() - start) * 1e3
        taken = self._session.get_session_options().intra_op_num_threads
        if taken != self._threads or self._session.get_providers()[:1] != [provider]:
            raise MissingError(
                f"ONNX Runtime was asked for {self._threads} threads on {provider} and took {taken} on "
                f"{self._session.get_providers()[0]}; choose pose.threads that this machine has, and install the "
                "driver and libraries that the device needs, or choose pose.device: cpu"
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
            device="CPU" if self._device == "cpu" else provider,
            precision=precision,
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

    def _choose_precision(self) -> str:
        if self._device != "tensorrt":
            require_f32("onnxruntime", self._precision)
            return "f32"
        if self._precision == "int8":
            raise MissingError(
                "pose.precision is int8, which runtime 'onnxruntime' does not offer on device tensorrt; "
                "choose auto, f32, f16 or bf16"
            )
        return "f16" if self._precision == "auto" else self._precision

    def _providers(self, precision: str) -> list[tuple[str, dict[str, str]]]:
        """Return the providers in the order of choice; the CPU's, always the last, takes what the card's do not."""
        wanted: list[tuple[str, dict[str, str]]] = [(PROVIDERS["cpu"], {})]
        if self._device != "cpu":
            wanted.insert(0, (PROVIDERS["cuda"], {"use_tf32": "0"}))  # f32 is to mean f32
        if self._device == "tensorrt":
            options = {
                "trt_fp16_enable": str(precision == "f16"),
                "trt_bf16_enable": str(precision == "bf16"),
                "trt_max_workspace_size": str(WORKSPACE_BYTES),
            }
            if self._cache_dir is not None:
                kept = {"engine_cache_path": self._cache_dir / "onnxruntime", "engine_cache_enable": True}
                options |= {f"trt_{name}": str(value) for name, value in kept.items()}
            wanted.insert(0, (PROVIDERS["tensorrt"], options))
        return wanted

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
