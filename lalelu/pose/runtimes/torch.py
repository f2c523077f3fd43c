"""Run a network with PyTorch, as it is or compiled, on the CPU or a CUDA card. Reads a model file.

PyTorch's thread counts belong to the process. Compiling takes a minute and needs a C++ compiler on the CPU; what was
compiled is kept in the cache folder.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.pose.port import Device, Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import are_same, check_inputs, check_open, require_onnx

_PRECISIONS: Final = {"cpu": ("f32", "bf16"), "cuda": ("f32", "f16", "bf16")}
_WARMUPS: Final = 3  # PyTorch's documentation asks for as many before a CUDA graph is recorded
# Inductor's own settings: weights become part of the compiled code, which one process compiles
_INDUCTOR: Final = {"freezing": True, "compile_threads": 1}


class TorchRuntime:
    """One ONNX model as a PyTorch module.

    `precision` auto is bf16 on a CPU that computes in it (else f32), f16 on a card. On a card the whole network is one
    CUDA graph, and pictures and results pass through pinned memory.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Precision,
        threads: int,
        device: Device = "cpu",
        compiled: bool = False,
        cache_dir: Path | None = None,
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._device = device
        self._name = "torch_compiled" if compiled else "torch"
        self._compiled = compiled
        self._cache_dir = cache_dir
        self._torch: Any = None
        self._run: Callable[[], Sequence[Any]] | None = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._given: list[Any] = []  # the tensors that the network reads
        self._bound: tuple[NDArray[Any], ...] = ()
        self._outputs: tuple[NDArray[Any], ...] = ()

    def open(self) -> RuntimeFacts:
        """Build (and compile) the module and run it once.

        Raises MissingError for an unusable file, a precision or device that is not there, or threads that cannot be
        had; UsageError for a network with operations that are not known.
        """
        require_onnx(self._path)
        if self._compiled and self._cache_dir is not None:
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(self._cache_dir / "torch"))
        self._torch = torch = _import_torch(self._name)
        precision = self._choose_precision()
        self._set_threads()
        from lalelu.pose.runtimes import torch_graph

        start = time.perf_counter()
        kinds = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
        built = torch_graph.build(self._path, kinds[precision])
        module = built.module.to(self._device)
        self._specs = built.inputs
        self._outputs = tuple(np.empty(spec.shape, spec.dtype) for spec in built.outputs)
        call = torch.compile(module, options=_INDUCTOR) if self._compiled else module
        zeros = tuple(np.zeros(spec.shape, spec.dtype) for spec in self._specs)
        self._given = [torch.from_numpy(array).to(self._device) for array in zeros]
        try:
            self._prepare(call)
        except Exception as exc:  # the compiler's exceptions have no common base
            if not self._compiled:
                raise
            raise MissingError(
                f"PyTorch could not compile {self._path.name} ({type(exc).__name__}); on a CPU it needs a C++ "
                "compiler (`apt install g++` brings one), or choose pose.runtime: torch"
            ) from exc
        load_ms = (time.perf_counter() - start) * 1e3
        start = time.perf_counter()
        self.infer(*zeros)
        first_ms = (time.perf_counter() - start) * 1e3
        return RuntimeFacts(
            name=self._name,
            version=torch.__version__,
            device=torch.cuda.get_device_name() if self._device == "cuda" else "CPU",
            precision=precision,
            threads=torch.get_num_threads(),
            load_ms=load_ms,
            first_ms=first_ms,
            inputs=self._specs,
            outputs=built.outputs,
        )

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once in the calling thread; the results are overwritten by the next call.

        Hand over the same arrays each time: on a CPU they are bound once and read in place.
        Raises UsageError for an input of another shape or dtype, LostError when the device fails.
        """
        check_open(self._run is not None, self._name)
        assert self._run is not None
        if not are_same(self._bound, inputs):
            check_inputs(self._specs, inputs)
            self._bound = inputs
            if self._device == "cpu":
                self._given[:] = map(self._torch.from_numpy, inputs)
        try:
            results = self._run()
        except RuntimeError as exc:
            raise LostError(f"PyTorch failed in inference with {self._path.name}; restart lalelu") from exc
        for output, result in zip(self._outputs, results, strict=True):
            np.copyto(output, result.numpy())
        return self._outputs

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._run = None
        self._given = []
        self._bound = ()

    def _prepare(self, call: Callable[..., Any]) -> None:
        """Make `_run`, which reads what is bound and returns tensors of the host's memory."""
        torch = self._torch

        def on_cpu() -> Sequence[Any]:
            with torch.inference_mode():
                results: Sequence[Any] = call(*self._given)
            return results

        if self._device == "cpu":
            on_cpu()  # compiles
            self._run = on_cpu
            return
        # the recorded network reads and writes where it did when it was recorded
        given = list(self._given)
        pinned = [torch.empty_like(tensor, device="cpu", pin_memory=True) for tensor in given]
        stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        with torch.inference_mode():
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARMUPS):
                    call(*given)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                made = call(*given)
        results = [torch.empty_like(tensor, device="cpu", pin_memory=True) for tensor in made]

        def on_card() -> Sequence[Any]:
            for array, host, card in zip(self._bound, pinned, given, strict=True):
                np.copyto(host.numpy(), array)
                card.copy_(host, non_blocking=True)
            graph.replay()
            for host, card in zip(results, made, strict=True):
                host.copy_(card, non_blocking=True)
            torch.cuda.synchronize()
            return results

        self._run = on_card

    def _choose_precision(self) -> str:
        torch = self._torch
        if self._device == "cuda" and not torch.cuda.is_available():
            raise MissingError(
                f"pose.device is cuda, but PyTorch {torch.__version__} finds no CUDA card or has no CUDA; install the "
                "driver and PyTorch's CUDA build, or choose pose.device: cpu"
            )
        has_bf16 = (
            torch.cuda.is_bf16_supported()
            if self._device == "cuda"
            else torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - PyTorch tells it nowhere else
        )
        if self._precision == "auto":
            return "f16" if self._device == "cuda" else "bf16" if has_bf16 else "f32"
        if self._precision not in _PRECISIONS[self._device]:
            raise MissingError(
                f"pose.precision is {self._precision}, which runtime {self._name!r} does not offer on device "
                f"{self._device}; choose {', '.join(('auto', *_PRECISIONS[self._device]))}"
            )
        if self._precision == "bf16" and not has_bf16:
            raise MissingError(
                "pose.precision is bf16, which this CPU or card does not compute in; choose auto or f32"
            )
        return self._precision

    def _set_threads(self) -> None:
        torch = self._torch
        torch.set_num_threads(self._threads)
        try:
            if torch.get_num_interop_threads() != 1:
                torch.set_num_interop_threads(1)
        except RuntimeError as exc:
            raise MissingError(
                f"PyTorch in this process already runs with {torch.get_num_interop_threads()} threads between "
                "operations; 1 can only be had in a new process"
            ) from exc
        if torch.get_num_threads() != self._threads:
            raise MissingError(
                f"PyTorch was asked for {self._threads} threads and took {torch.get_num_threads()}; "
                "choose pose.threads that this machine has"
            )
        torch.backends.cudnn.allow_tf32 = False  # f32 is to mean f32


TorchCompiledRuntime: Final = partial(TorchRuntime, compiled=True)


def _import_torch(name: str) -> Any:  # noqa: ANN401 - a module that mypy is not shown
    try:
        import torch
    except ModuleNotFoundError as exc:
        raise MissingError(
            f"runtime {name!r} needs the module 'torch', which is not installed; "
            "`pip install 'lalelu[torch]'` brings it, or choose pose.runtime: openvino"
        ) from exc
    return torch
