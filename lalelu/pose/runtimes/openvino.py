"""Run a network on the CPU with OpenVINO, in the calling thread. Reads a model file, writes a compile cache.

`import openvino` by itself reports to its maker over the network (its converter tools send an "import"
event, unless the user has opted out). lalelu converts nothing with it, so the sender is hidden before the
import: OpenVINO then uses its own silent stub, no file is written to the user's home and nothing is sent.
"""

import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.pose.port import Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import are_same, check_inputs, check_open, require_onnx, unusable

DEVICE: Final = "CPU"
_PRECISION_NAMES: Final = {"bf16": "bf16", "bfloat16": "bf16", "f32": "f32", "float32": "f32"}


def import_openvino() -> Any:  # noqa: ANN401 - a module without types
    """Import OpenVINO with its telemetry off. Raises MissingError when it is not installed."""
    if "openvino" not in sys.modules:
        # Its TBB binds the calling thread, for each inference, to the cores that the process had at its start, whatever
        # ENABLE_CPU_PINNING says: a loop with a core of its own would infer on all others (seen with OpenVINO 2026.4).
        # For a topology that is not this system's, hwloc, by which it does that, binds nothing.
        os.environ.setdefault("HWLOC_THISSYSTEM", "0")
        # None makes `import openvino_telemetry` raise ImportError, which OpenVINO provides for.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # the documented marker
    try:
        import openvino
    except ModuleNotFoundError as exc:
        raise MissingError(
            "runtime 'openvino' needs the module 'openvino', which is not installed; "
            "`pip install lalelu` brings it"
        ) from exc
    return openvino


@cache
def one_core() -> Any:  # noqa: ANN401 - a class without types
    """Return this process's only `openvino.Core`, never to be closed.

    Each core's CPU plug-in gives the thread a signal stack of its own and puts the former one back when it goes. Of
    two cores that are not closed in reverse order the second puts back what the first has unmapped, and the next
    signal that Python handles ends the process (seen with OpenVINO 2026.4).
    """
    return import_openvino().Core()


class OpenVINORuntime:
    """One ONNX model, one stream, `threads` threads (1: inference runs in the thread that calls).

    `precision` auto is bf16 where the CPU computes in it, else f32. With `cache_dir` (lalelu's cache folder)
    the compiled model is kept in its `openvino/`, so that the next start is quick.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Precision,
        threads: int,
        cache_dir: Path | None = None,
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._cache_dir = cache_dir
        self._ov: Any = None
        self._request: Any = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._bound: tuple[NDArray[Any], ...] = ()
        self._outputs: tuple[NDArray[Any], ...] = ()

    def open(self) -> RuntimeFacts:
        """Compile the model and run it once.

        Raises MissingError when the file is no usable model, when bf16 was asked for and the CPU has none,
        or when the library does not do what was asked.
        """
        require_onnx(self._path)
        self._ov = import_openvino()
        core = one_core()
        precision = self._choose_precision(core)
        start = time.perf_counter()
        try:
            compiled = core.compile_model(
                str(self._path),
                DEVICE,
                {
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": 1,
                    "INFERENCE_NUM_THREADS": self._threads,
                    "ENABLE_CPU_PINNING": False,  # the engine chooses the core
                    "INFERENCE_PRECISION_HINT": precision,
                    "CACHE_DIR": "" if self._cache_dir is None else str(self._cache_dir / "openvino"),
                },
            )
        except RuntimeError as exc:
            raise unusable(self._path, "OpenVINO does not read it, it is damaged or no model") from exc
        load_ms = (time.perf_counter() - start) * 1e3
        self._read_back(compiled, precision)
        self._request = compiled.create_infer_request()
        self._specs = tuple(_spec(port) for port in compiled.inputs)
        outputs = tuple(_spec(port) for port in compiled.outputs)
        self._outputs = tuple(np.empty(spec.shape, spec.dtype) for spec in outputs)
        for index, array in enumerate(self._outputs):
            self._request.set_output_tensor(index, self._ov.Tensor(array, shared_memory=True))
        start = time.perf_counter()
        self.infer(*(np.zeros(spec.shape, spec.dtype) for spec in self._specs))
        first_ms = (time.perf_counter() - start) * 1e3
        return RuntimeFacts(
            name="openvino",
            version=str(self._ov.get_version()).split("-")[0],
            device=DEVICE,
            precision=precision,
            threads=self._threads,
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
            self._request.infer(share_outputs=True)
        except RuntimeError as exc:
            raise LostError(f"OpenVINO failed in inference with {self._path.name}; restart lalelu") from exc
        return self._outputs

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._request = None
        self._bound = ()

    def _bind(self, inputs: tuple[NDArray[Any], ...]) -> None:
        check_open(self._request is not None, "openvino")
        check_inputs(self._specs, inputs)
        for index, array in enumerate(inputs):
            self._request.set_input_tensor(index, self._ov.Tensor(array, shared_memory=True))
        self._bound = inputs

    def _choose_precision(self, core: Any) -> str:  # noqa: ANN401 - a vendor's object without types
        if self._precision not in {"auto", "f32", "bf16"}:
            raise MissingError(
                f"pose.precision is {self._precision}, which runtime 'openvino' does not offer on a CPU; "
                "choose auto, f32 or bf16"
            )
        has_bf16 = "BF16" in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        if self._precision == "bf16" and not has_bf16:
            raise MissingError(
                "pose.precision is bf16, which this CPU does not compute in (no avx512_bf16 or amx_bf16); "
                "choose auto or f32"
            )
        if self._precision == "auto":
            return "bf16" if has_bf16 else "f32"
        return self._precision

    def _read_back(self, compiled: Any, precision: str) -> None:  # noqa: ANN401 - a vendor's object without types
        hint = compiled.get_property("INFERENCE_PRECISION_HINT")
        asked = {"precision": precision, "threads": self._threads, "streams": 1, "pinning": False}
        found = {
            "precision": _PRECISION_NAMES.get(hint.get_type_name(), hint.get_type_name()),
            "threads": int(compiled.get_property("INFERENCE_NUM_THREADS")),
            "streams": int(compiled.get_property("NUM_STREAMS")),
            "pinning": bool(compiled.get_property("ENABLE_CPU_PINNING")),
        }
        if found != asked:
            raise MissingError(
                f"OpenVINO was asked for {asked} and took {found}; choose pose.threads and pose.precision "
                "that this machine has, or pose.runtime: onnxruntime"
            )


def _spec(port: Any) -> TensorSpec:  # noqa: ANN401 - a vendor's object without types
    # The node's name: a tensor may have several, of which get_any_name() gives now one, now another.
    name = port.get_node().get_friendly_name().partition("/sink_port")[0]
    return TensorSpec(name, tuple(port.shape), np.dtype(port.element_type.to_dtype()))
