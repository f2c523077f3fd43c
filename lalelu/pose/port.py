"""The ports of pose estimation: a runtime knows tensors, an estimator turns frames into poses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from lalelu.types import Frame, Pose

if TYPE_CHECKING:  # the voice, which asks for names only, starts faster without
    import numpy as np
    from numpy.typing import NDArray

    from lalelu.pose.crop import Crop

RUNTIMES: Final[dict[str, str]] = {
    "openvino": "lalelu.pose.runtimes.openvino:OpenVINORuntime",
    "onnxruntime": "lalelu.pose.runtimes.onnxruntime:OnnxRuntime",
    "litert": "lalelu.pose.runtimes.litert:LiteRTRuntime",
    "tensorflow": "lalelu.pose.runtimes.tensorflow:TensorFlowRuntime",
    "tensorrt": "lalelu.pose.runtimes.tensorrt:TensorRTRuntime",
    "torch": "lalelu.pose.runtimes.torch:TorchRuntime",
    "torch_compiled": "lalelu.pose.runtimes.torch:TorchCompiledRuntime",
}

# what is imported for a runtime, and the extra that brings it, where it is not called as the runtime
MODULES: Final[Mapping[str, str]] = MappingProxyType({"litert": "ai_edge_litert", "torch_compiled": "torch"})
EXTRAS: Final[Mapping[str, str]] = MappingProxyType({"torch_compiled": "torch"})

Precision: TypeAlias = Literal["auto", "f32", "f16", "bf16", "int8"]
# Where in a cell a keypoint lies that is brightest there. SimpleBaseline, HRNet and their kin draw their training maps
# with a cell's number = a pixel's number / stride: a cell stands for its first pixel.
CellsAt: TypeAlias = Literal["centre", "corner"]
# cpu; cuda: an NVIDIA card through CUDA; tensorrt: the same through NVIDIA's compiler
Device: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
# where each runtime can compute besides the CPU; those that are not named have the CPU only
DEVICES: Final[Mapping[str, tuple[Device, ...]]] = MappingProxyType(
    {
        "onnxruntime": ("cpu", "cuda", "tensorrt"),
        "tensorflow": ("cpu", "tensorrt"),
        "tensorrt": ("cuda",),
        "torch": ("cpu", "cuda"),
        "torch_compiled": ("cpu", "cuda"),
    }
)
CPU_ONLY: Final[tuple[Device, ...]] = ("cpu",)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a network."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """What an opened runtime really does (read back, not what was asked for)."""

    name: str
    version: str
    device: str  # "CPU", or the card's name
    precision: str  # "f32", "bf16", ...: the arithmetic in force
    threads: int
    load_ms: float  # reading and compiling the model
    first_ms: float  # the first inference
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Runtime(Protocol):
    """One inference library with one model: tensors in, tensors out."""

    def open(self) -> RuntimeFacts:
        """Load, compile and warm up. Raises MissingError for an unusable model file or unavailable precision."""

    def infer(self, *inputs: "NDArray[Any]") -> "Sequence[NDArray[Any]]":
        """Run once in the calling thread. Results are borrowed until the next call."""

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""


class SinglePoseDecoder(Protocol):
    """What the tensors of one family of networks mean, for networks that see one person."""

    skeleton: tuple[str, ...]

    def input_side(self, facts: RuntimeFacts) -> int:
        """Return the longer side of the network's picture, px. Raises UsageError for another family's network."""

    def takes_bgr(self, facts: RuntimeFacts) -> bool:
        """Whether the network wants blue before red, as cameras give it; else it wants red before blue."""

    def output_at(self, facts: RuntimeFacts) -> int:
        """Return which of the outputs `decode` reads."""

    def decode(self, output: "NDArray[Any]", crop: "Crop") -> tuple[list[float], list[float]]:
        """Turn an output for `crop` into places (x, y, x, y, ..., image heights) and scores (0..1), all finite."""


class PoseEstimator(Protocol):
    """Frame to poses, in three steps so that the engine can mark the time between them."""

    skeleton: tuple[str, ...]

    def prepare(self, frame: Frame) -> None:
        """Make the network's input from the frame (crop, scale, colour)."""

    def infer(self) -> None:
        """Run the network on what `prepare` made."""

    def poses(self) -> Sequence[Pose]:
        """Decode what `infer` left: one pose per player in view, keypoints of the frame last prepared."""
