"""Run a network on the CPU with LiteRT and its XNNPACK delegate, in the calling thread. Reads a model file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.pose.port import Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import check_inputs, check_open, require_f32, require_mark, unusable

FILE_MARK: Final = b"TFL3"  # bytes 4..7 of every TFLite file
CONVOLUTIONS: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
DELEGATE: Final = "DELEGATE"  # how LiteRT calls operations that another library has taken over
THREADS_DIR: Final = Path("/proc/self/task")  # one entry for each thread of this process


class LiteRTRuntime:
    """One TFLite model in f32, its convolutions on XNNPACK, no thread of its own with `threads` 1."""

    def __init__(self, model_path: Path, *, precision: Precision, threads: int) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._interpreter: Any = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._views: list[Any] = []  # functions that give LiteRT's own memory of an input
        self._results: list[Any] = []  # the same for the outputs
        self._outputs: tuple[NDArray[Any], ...] = ()

    def open(self) -> RuntimeFacts:
        """Load the model and run it once.

        Raises MissingError for an unusable file or precision, and when XNNPACK has not taken the convolutions or
        the threads are not those asked for.
        """
        require_f32("litert", self._precision)
        require_mark(self._path, FILE_MARK, 4, "a TFLite")
        module, version = _import_litert()
        before = _count_threads()
        start = time.perf_counter()
        try:
            # the bytes, not the path: LiteRT would map the file, and who cuts it short would kill this process
            self._interpreter = module.Interpreter(
                model_content=self._path.read_bytes(), num_threads=self._threads
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise unusable(self._path, "LiteRT does not read it, it is damaged or no model") from exc
        load_ms = (time.perf_counter() - start) * 1e3
        self._require_xnnpack()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._specs = tuple(map(_spec, inputs))
        self._views = [self._interpreter.tensor(detail["index"]) for detail in inputs]
        self._results = [self._interpreter.tensor(detail["index"]) for detail in outputs]
        made = tuple(map(_spec, outputs))
        self._outputs = tuple(np.empty(spec.shape, spec.dtype) for spec in made)
        start = time.perf_counter()
        self.infer(*(np.zeros(spec.shape, spec.dtype) for spec in self._specs))
        first_ms = (time.perf_counter() - start) * 1e3
        taken = 1 + _count_threads() - before
        if taken != self._threads:
            raise MissingError(
                f"LiteRT was asked for {self._threads} threads and runs {taken}; "
                "choose pose.threads that this machine has"
            )
        return RuntimeFacts(
            name="litert",
            version=version,
            device="CPU",
            precision="f32",
            threads=taken,
            load_ms=load_ms,
            first_ms=first_ms,
            inputs=self._specs,
            outputs=made,
        )

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once in the calling thread; the results are overwritten by the next call.

        Raises UsageError for an input of another shape or dtype, LostError when the network fails.
        """
        check_open(self._interpreter is not None, "litert")
        check_inputs(self._specs, inputs)
        for view, array in zip(self._views, inputs, strict=True):
            np.copyto(view(), array)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            raise LostError(f"LiteRT failed in inference with {self._path.name}; restart lalelu") from exc
        for output, result in zip(self._outputs, self._results, strict=True):
            np.copyto(output, result())
        return self._outputs

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._views, self._results = [], []
        self._interpreter = None

    def _require_xnnpack(self) -> None:
        """Raise MissingError where LiteRT's slow kernels would compute a convolution."""
        operations = self._interpreter._get_ops_details()  # noqa: SLF001 - LiteRT tells it nowhere else
        taken = {
            int(index) for op in operations if op["op_name"] == DELEGATE for index in op["inputs"]
        }  # a delegate's inputs hold the weights of what it has taken over
        left = [
            op for op in operations if op["op_name"] in CONVOLUTIONS and int(op["inputs"][1]) not in taken
        ]
        if left:
            raise MissingError(
                f"LiteRT's XNNPACK did not take {len(left)} of {self._path.name}'s convolutions; this build of "
                "ai-edge-litert is too slow to play with: choose pose.runtime: openvino or onnxruntime"
            )


def _import_litert() -> tuple[Any, str]:
    """Return LiteRT's module and version."""
    try:
        import ai_edge_litert
        from ai_edge_litert import interpreter
    except ModuleNotFoundError as exc:
        raise MissingError(
            "runtime 'litert' needs the module 'ai_edge_litert', which is not installed; "
            "`pip install 'lalelu[litert]'` brings it, or choose pose.runtime: openvino"
        ) from exc
    return interpreter, str(ai_edge_litert.__version__)


def _count_threads() -> int:
    return sum(1 for _ in THREADS_DIR.iterdir())


def _spec(detail: dict[str, Any]) -> TensorSpec:
    return TensorSpec(detail["name"], tuple(int(size) for size in detail["shape"]), np.dtype(detail["dtype"]))
