"""TensorRT and CUDA's runtime without a card, as far as the adapter uses them. A card's memory is the host's.

ONNX Runtime does the work of an engine. What was asked is told in `asked`.
"""

import ctypes
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

NUMPY = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(bool)": np.bool_}
MARK = b"fake engine of "


class Failure(enum.IntEnum):
    """CUDA's errors, two of them."""

    cudaSuccess = 0  # noqa: N815 - CUDA's spelling
    cudaErrorNoDevice = 100  # noqa: N815
    cudaErrorLaunchFailure = 719  # noqa: N815


@dataclass
class Card:
    """One machine: its card (none without `name`), and what programs asked of it."""

    name: str = "NVIDIA Imaginary 1"
    driver: int = 12080
    version: str = "10.9.0"
    unplugged: bool = False
    asked: list[str] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)
    recording: list[Callable[[], None]] | None = None

    def modules(self) -> dict[str, ModuleType]:
        """Return what `import tensorrt` and `from cuda.bindings import runtime` are to find."""
        found = {
            name: ModuleType(name) for name in ("tensorrt", "cuda", "cuda.bindings", "cuda.bindings.runtime")
        }
        vars(found["tensorrt"]).update(self._tensorrt())
        vars(found["cuda.bindings.runtime"]).update(self._cuda())
        vars(found["cuda.bindings"])["runtime"] = found["cuda.bindings.runtime"]
        return found

    def do(self, action: Callable[[], None]) -> None:
        """Act now, or note it where a graph is being recorded."""
        if self.recording is None:
            action()
        else:
            self.recording.append(action)

    def _cuda(self) -> dict[str, Any]:
        def call(name: str, function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
            def answer(*arguments: Any) -> tuple[Any, ...]:
                self.asked.append(name)
                if self.unplugged:
                    return Failure.cudaErrorLaunchFailure, None
                result = function(*arguments)
                return (Failure.cudaSuccess,) if result is None else (Failure.cudaSuccess, result)

            return answer

        def allocate(size: int) -> int:
            buffer = ctypes.create_string_buffer(size)
            self.memory[ctypes.addressof(buffer)] = buffer
            return ctypes.addressof(buffer)

        def free(address: int) -> None:
            del self.memory[address]

        def record(_stream: int, _mode: str) -> None:
            self.recording = []

        def end(_stream: int) -> list[Callable[[], None]] | None:
            recorded, self.recording = self.recording, None
            return recorded

        def copy(to: int, source: int, size: int, _kind: str, _stream: int) -> None:
            self.do(lambda: ctypes.memmove(to, source, size) and None)

        def launch(graph: list[Callable[[], None]], _stream: int) -> None:
            for action in graph:
                action()

        functions: dict[str, Callable[..., Any]] = {
            "cudaGetDeviceProperties": lambda _: SimpleNamespace(name=self.name.encode()),
            "cudaDriverGetVersion": lambda: self.driver,
            "cudaMalloc": allocate,
            "cudaMallocHost": allocate,
            "cudaFree": free,
            "cudaFreeHost": free,
            "cudaStreamCreate": lambda: 7,
            "cudaStreamDestroy": lambda _: None,
            "cudaStreamSynchronize": lambda _: None,
            "cudaStreamBeginCapture": record,
            "cudaStreamEndCapture": end,
            "cudaGraphInstantiate": lambda graph, _: graph,
            "cudaGraphExecDestroy": lambda _: None,
            "cudaGraphLaunch": launch,
            "cudaMemcpyAsync": copy,
        }
        count = (Failure.cudaSuccess, 1) if self.name else (Failure.cudaErrorNoDevice, 0)
        return {name: call(name, function) for name, function in functions.items()} | {
            "cudaGetDeviceCount": lambda: count,
            "cudaMemcpyKind": SimpleNamespace(cudaMemcpyHostToDevice="in", cudaMemcpyDeviceToHost="out"),
            "cudaStreamCaptureMode": SimpleNamespace(cudaStreamCaptureModeThreadLocal="local"),
        }

    def _tensorrt(self) -> dict[str, Any]:
        card = self

        class Logger:
            VERBOSE, ERROR = "verbose", "error"

            def __init__(self, level: str) -> None:
                card.asked.append(f"log {level}")

        return {
            "__version__": self.version,
            "Logger": Logger,
            "Runtime": partial(Runtime, self),
            "Builder": partial(Builder, self),
            "OnnxParser": OnnxParser,
            "MemoryPoolType": SimpleNamespace(WORKSPACE="workspace"),
            "BuilderFlag": SimpleNamespace(FP16="FP16", BF16="BF16", TF32="TF32"),
            "TensorIOMode": SimpleNamespace(INPUT="in"),
            "nptype": NUMPY.__getitem__,
            "init_libnvinfer_plugins": lambda _logger, _name: self.asked.append("plug-ins"),
        }


class Runtime:
    """Reads engines."""

    def __init__(self, card: Card, _logger: Any) -> None:
        self._card = card

    def deserialize_cuda_engine(self, plan: bytes) -> "Engine | None":
        self._card.asked.append("read an engine")
        return Engine(self._card, plan.removeprefix(MARK).decode()) if plan.startswith(MARK) else None


class Builder:
    """Makes engines."""

    def __init__(self, card: Card, _logger: Any) -> None:
        self._card = card

    def create_network(self, _flags: int) -> SimpleNamespace:
        return SimpleNamespace(path="")

    def create_builder_config(self) -> SimpleNamespace:
        return SimpleNamespace(
            set_memory_pool_limit=lambda pool, size: self._card.asked.append(f"{pool} {size >> 20} MiB"),
            set_flag=lambda flag: self._card.asked.append(f"with {flag}"),
            clear_flag=lambda flag: self._card.asked.append(f"without {flag}"),
        )

    def build_serialized_network(self, network: SimpleNamespace, _config: Any) -> bytes:
        self._card.asked.append("build")
        return MARK + network.path.encode()


class OnnxParser:
    """Knows every file that PyTorch did not write."""

    num_errors = 1

    def __init__(self, network: SimpleNamespace, _logger: Any) -> None:
        self._network = network

    def parse_from_file(self, path: str) -> bool:
        self._network.path = path
        return b"pytorch" not in Path(path).read_bytes()

    def get_error(self, _number: int) -> str:
        return "In node 3: UNSUPPORTED_NODE"


class Engine:
    """A network and its tensors."""

    def __init__(self, card: Card, path: str) -> None:
        self.card = card
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.values = {v.name: v for v in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.num_io_tensors = len(self.values)

    def get_tensor_name(self, index: int) -> str:
        return list(self.values)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name in {v.name for v in self.session.get_inputs()} else "out"

    def get_tensor_shape(self, name: str) -> list[int]:
        return self.values[name].shape

    def get_tensor_dtype(self, name: str) -> str:
        return self.values[name].type

    def create_execution_context(self) -> "Context":
        return Context(self)


class Context:
    """Runs an engine on addresses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, _stream: int) -> bool:
        self._engine.card.do(self._execute)
        return True

    def _execute(self) -> None:
        session = self._engine.session
        given = {v.name: self._at(v.name) for v in session.get_inputs()}
        names = [v.name for v in session.get_outputs()]
        for name, result in zip(names, session.run(None, given), strict=True):
            self._at(name)[...] = result

    def _at(self, name: str) -> np.ndarray:
        value = self._engine.values[name]
        array = np.frombuffer(
            self._engine.card.memory[self._addresses[name]], NUMPY[value.type], np.prod(value.shape)
        )
        return array.reshape(value.shape)
