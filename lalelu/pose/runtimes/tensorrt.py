"""Run a network on an NVIDIA card with TensorRT. Reads a model file, builds engines into the cache.

Written against the documented Python API of TensorRT 10 and of cuda-python. An engine runs only on the kind of card,
with the driver and the TensorRT that it was built with: its file's name holds all three.
"""

import ctypes
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.models.cache import digest, lock, not_writable
from lalelu.pose.port import Device, Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import check_inputs, check_open, require_onnx, unusable
from lalelu.replacement import replacing

# what the builder may choose from besides f32, by precision; auto is trtexec's --best without int8, which needs scales
FLAGS: Final = {"auto": ("FP16", "BF16"), "f32": (), "f16": ("FP16",), "bf16": ("BF16",)}
INSTEAD: Final = "choose pose.runtime: openvino or onnxruntime"


class TensorRTRuntime:
    """One ONNX model as a TensorRT engine; the copies in, the network and the copies out are one CUDA graph.

    `workspace_mib` is what the builder may use of the card's memory for its tries, `verbose` makes TensorRT tell its
    work on standard error. With `cache_dir` (lalelu's cache folder) engines are kept in its `tensorrt/`.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Precision,
        threads: int,  # noqa: ARG002 - of every runtime; here one waits for the card
        device: Device = "cuda",  # noqa: ARG002 - of those that have a choice
        cache_dir: Path | None = None,
        workspace_mib: int = 1024,
        verbose: bool = False,
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._cache_dir = cache_dir
        self._workspace_mib = workspace_mib
        self._verbose = verbose
        self._trt: Any = None
        self._cuda: Any = None
        self._context: Any = None
        self._engine: Any = None  # kept: the context holds it only weakly
        self._stream: Any = None
        self._graph: Any = None
        self._host: dict[str, tuple[int, NDArray[Any]]] = {}  # by tensor: pinned memory, as address and array
        self._card: dict[str, int] = {}  # by tensor: the card's memory
        self._specs: tuple[TensorSpec, ...] = ()
        self._results: tuple[NDArray[Any], ...] = ()
        self._outputs: tuple[TensorSpec, ...] = ()

    def open(self) -> RuntimeFacts:
        """Build the engine, or read it from the cache, and run it once.

        Raises MissingError for an unusable file, a precision that there is not, or where there is no card.
        """
        if self._precision not in FLAGS:
            raise MissingError(
                f"pose.precision is {self._precision}, which runtime 'tensorrt' does not offer; "
                f"choose {', '.join(FLAGS)}"
            )
        require_onnx(self._path)
        self._trt, self._cuda = _import_vendors()
        trt, cuda = self._trt, self._cuda
        failed, count = cuda.cudaGetDeviceCount()
        if failed or count == 0:
            raise MissingError(
                f"runtime 'tensorrt' finds no NVIDIA card with a driver ({failed.name}); install NVIDIA's driver, or "
                f"{INSTEAD}"
            )
        card = self._ask("cudaGetDeviceProperties", 0).name.decode()
        start = time.perf_counter()
        logger = trt.Logger(trt.Logger.VERBOSE if self._verbose else trt.Logger.ERROR)
        trt.init_libnvinfer_plugins(logger, "")  # before an engine that has some is read
        self._engine = self._load(trt.Runtime(logger), logger, card)
        self._context = self._engine.create_execution_context()
        self._bind()
        self._record()
        load_ms = (time.perf_counter() - start) * 1e3
        start = time.perf_counter()
        self.infer(*(np.zeros(spec.shape, spec.dtype) for spec in self._specs))
        first_ms = (time.perf_counter() - start) * 1e3
        return RuntimeFacts(
            name="tensorrt",
            version=trt.__version__,
            device=card,
            precision="best" if self._precision == "auto" else self._precision,
            threads=1,  # the one that waits for the card
            load_ms=load_ms,
            first_ms=first_ms,
            inputs=self._specs,
            outputs=self._outputs,
        )

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once; the results are overwritten by the next call.

        Raises UsageError for an input of another shape or dtype, LostError when the card fails.
        """
        check_open(self._graph is not None, "tensorrt")
        check_inputs(self._specs, inputs)
        for spec, array in zip(self._specs, inputs, strict=True):
            np.copyto(self._host[spec.name][1], array)
        self._ask("cudaGraphLaunch", self._graph, self._stream)
        self._ask("cudaStreamSynchronize", self._stream)
        return self._results

    def close(self) -> None:
        """Release the engine and its memory; safe to call twice and before `open()`.

        A card that has failed refuses this, too: what it failed in first has been told.
        """
        if self._graph is not None:
            self._cuda.cudaGraphExecDestroy(self._graph)
        self._graph = None
        self._context = self._engine = None
        for address in self._card.values():
            self._cuda.cudaFree(address)
        for address, _ in self._host.values():
            self._cuda.cudaFreeHost(address)
        self._card, self._host, self._results = {}, {}, ()
        if self._stream is not None:
            self._cuda.cudaStreamDestroy(self._stream)
        self._stream = None

    def _ask(self, function: str, *arguments: Any) -> Any:  # noqa: ANN401 - CUDA's values
        """Call a function of CUDA's and return its result. Raises LostError with CUDA's reason."""
        failed, *results = getattr(self._cuda, function)(*arguments)
        if failed:
            raise LostError(
                f"the NVIDIA card failed in {function}: {failed.name}; restart lalelu, or {INSTEAD}"
            )
        return results[0] if results else None

    def _load(self, runtime: Any, logger: Any, card: str) -> Any:  # noqa: ANN401 - TensorRT's objects
        path = self._engine_path(card)
        if path is None:
            return self._read(runtime, self._build(logger))
        with lock("tensorrt"):  # a second process that wants the same engine waits for it
            kept = runtime.deserialize_cuda_engine(path.read_bytes()) if path.is_file() else None
            if kept is not None:
                return kept
            plan = self._build(logger)
            with replacing(path, not_writable) as temporary:
                temporary.write_bytes(plan)
        return self._read(runtime, plan)

    def _engine_path(self, card: str) -> Path | None:
        if self._cache_dir is None:
            return None
        driver = self._ask("cudaDriverGetVersion")
        facts = (
            card,
            driver,
            self._trt.__version__,
            self._precision,
            self._workspace_mib,
            digest(self._path),
        )
        state = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
        return self._cache_dir / "tensorrt" / f"{self._path.stem}-{self._precision}-{state}.engine"

    def _read(self, runtime: Any, plan: bytes) -> Any:  # noqa: ANN401 - TensorRT's objects
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise unusable(self._path, "TensorRT does not read the engine that it built")
        return engine

    def _build(self, logger: Any) -> bytes:  # noqa: ANN401 - TensorRT's object
        trt = self._trt
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(str(self._path)):
            reasons = [str(parser.get_error(number)) for number in range(parser.num_errors)]
            raise unusable(self._path, "\n".join(reasons) or "TensorRT does not read it")
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, self._workspace_mib << 20)
        config.clear_flag(trt.BuilderFlag.TF32)  # f32 is to mean f32
        for flag in FLAGS[self._precision]:
            config.set_flag(getattr(trt.BuilderFlag, flag))
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise unusable(
                self._path,
                f"TensorRT builds no engine in {self._workspace_mib} MiB (pose.tensorrt.workspace_mib)",
            )
        return bytes(plan)

    def _bind(self) -> None:
        """Give every input and output its memory on both sides."""
        trt, engine = self._trt, self._engine
        specs: dict[bool, list[TensorSpec]] = {True: [], False: []}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
            spec = TensorSpec(name, tuple(engine.get_tensor_shape(name)), dtype)
            specs[engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT].append(spec)
            size = int(np.prod(spec.shape)) * dtype.itemsize
            address = int(self._ask("cudaMallocHost", size))
            memory = (ctypes.c_byte * size).from_address(address)
            self._host[name] = address, np.frombuffer(memory, dtype).reshape(spec.shape)
            self._card[name] = int(self._ask("cudaMalloc", size))
            self._context.set_tensor_address(name, self._card[name])
        self._specs, self._outputs = tuple(specs[True]), tuple(specs[False])
        self._results = tuple(self._host[spec.name][1] for spec in self._outputs)

    def _record(self) -> None:
        """Record copies and network as one CUDA graph."""
        cuda = self._cuda
        self._stream = self._ask("cudaStreamCreate")
        self._enqueue()  # TensorRT's first run sets up what a recording may not
        self._ask("cudaStreamSynchronize", self._stream)
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._ask("cudaStreamBeginCapture", self._stream, mode)
        self._enqueue()
        recorded = self._ask("cudaStreamEndCapture", self._stream)
        self._graph = self._ask("cudaGraphInstantiate", recorded, 0)

    def _enqueue(self) -> None:
        kinds = self._cuda.cudaMemcpyKind
        for spec in self._specs:
            address, array = self._host[spec.name]
            to = (self._card[spec.name], address, array.nbytes, kinds.cudaMemcpyHostToDevice)
            self._ask("cudaMemcpyAsync", *to, self._stream)
        if not self._context.execute_async_v3(int(self._stream)):
            raise LostError(
                f"TensorRT failed in inference with {self._path.name}; restart lalelu, or {INSTEAD}"
            )
        for spec in self._outputs:
            address, array = self._host[spec.name]
            back = (address, self._card[spec.name], array.nbytes, kinds.cudaMemcpyDeviceToHost)
            self._ask("cudaMemcpyAsync", *back, self._stream)


def _import_vendors() -> tuple[Any, Any]:
    """Return the modules of TensorRT and of CUDA's runtime."""
    try:
        import tensorrt
        from cuda.bindings import runtime
    except ModuleNotFoundError as exc:
        raise MissingError(
            f"runtime 'tensorrt' needs the module {exc.name!r}, which is not installed; install TensorRT's wheels from "
            f"NVIDIA's own index and `pip install 'lalelu[tensorrt]'`, or {INSTEAD}"
        ) from exc
    return tensorrt, runtime
