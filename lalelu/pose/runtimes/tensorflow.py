"""Run a SavedModel with TensorFlow, the field's baseline: on the CPU, or as TF-TRT made it. Reads a model folder.

TensorFlow's thread counts belong to the process: they can be set once, before its first operation.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, MissingError
from lalelu.models import tftrt
from lalelu.models.savedmodel import WITH_HEADS
from lalelu.pose.port import Device, Precision, RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import REMEDY, check_inputs, check_open, require_f32, unusable


class TensorFlowRuntime:
    """One SavedModel folder in f32, called through its `with_heads` signature, else `serving_default`.

    With `device` tensorrt it is one that TF-TRT converted for this card, in the precision that was asked for there.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        precision: Precision,
        threads: int,
        device: Device = "cpu",
    ) -> None:
        self._path = model_path
        self._precision = precision
        self._threads = threads
        self._device = device
        self._tf: Any = None
        self._model: Any = None  # kept: the function holds its variables only weakly
        self._function: Any = None
        self._specs: tuple[TensorSpec, ...] = ()
        self._outputs: tuple[TensorSpec, ...] = ()

    def open(self) -> RuntimeFacts:
        """Load the model and run it once.

        Raises MissingError for an unusable folder, a precision it has not, or thread counts that another
        user of TensorFlow in this process has already fixed otherwise.
        """
        if self._device == "cpu":
            require_f32("tensorflow", self._precision)
        if not self._path.is_dir():
            raise MissingError(f"model {self._path} is not a SavedModel folder; {REMEDY}")
        self._tf = _import_tensorflow()
        if self._device == "tensorrt":
            tftrt.require()
        self._set_threads()
        start = time.perf_counter()
        try:
            self._model = self._tf.saved_model.load(str(self._path))
            signatures = self._model.signatures
            self._function = signatures.get(WITH_HEADS) or signatures["serving_default"]
        except (OSError, ValueError, KeyError, self._tf.errors.OpError) as exc:
            raise unusable(self._path, "TensorFlow finds no usable SavedModel in it") from exc
        load_ms = (time.perf_counter() - start) * 1e3
        self._specs = tuple(
            _spec(name, tensor) for name, tensor in self._function.structured_input_signature[1].items()
        )
        outputs = (_spec(name, tensor) for name, tensor in self._function.structured_outputs.items())
        # TensorFlow sorts them by name; what the model is for goes first, as in ONNX
        self._outputs = tuple(sorted(outputs, key=lambda spec: not spec.name.startswith("output_")))
        start = time.perf_counter()
        self.infer(*(np.zeros(spec.shape, spec.dtype) for spec in self._specs))
        first_ms = (time.perf_counter() - start) * 1e3
        return RuntimeFacts(
            name="tensorflow",
            version=self._tf.__version__,
            device="CPU" if self._device == "cpu" else "TF-TRT",
            precision="f32" if self._device == "cpu" else self._precision,
            threads=self._tf.config.threading.get_intra_op_parallelism_threads(),
            load_ms=load_ms,
            first_ms=first_ms,
            inputs=self._specs,
            outputs=self._outputs,
        )

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once. Raises UsageError for an input of another shape or dtype, LostError on failure."""
        check_open(self._function is not None, "tensorflow")
        check_inputs(self._specs, inputs)
        named = {
            spec.name: self._tf.convert_to_tensor(array)
            for spec, array in zip(self._specs, inputs, strict=True)
        }
        try:
            results = self._function(**named)
        except self._tf.errors.OpError as exc:
            raise LostError(f"TensorFlow failed in inference with {self._path.name}; restart lalelu") from exc
        return tuple(results[spec.name].numpy() for spec in self._outputs)

    def close(self) -> None:
        """Release the model; safe to call twice and before `open()`."""
        self._function = self._model = None

    def _set_threads(self) -> None:
        threading = self._tf.config.threading
        try:
            if self._device == "cpu" and self._tf.config.list_physical_devices("GPU"):
                self._tf.config.set_visible_devices([], "GPU")  # else TensorFlow would take the card unasked
            threading.set_intra_op_parallelism_threads(self._threads)
            threading.set_inter_op_parallelism_threads(1)
        except RuntimeError as exc:
            fixed = threading.get_intra_op_parallelism_threads()
            raise MissingError(
                f"TensorFlow in this process already runs with {fixed or 'its default number of'} threads; "
                f"{self._threads} can only be had in a new process"
            ) from exc


def _import_tensorflow() -> Any:  # noqa: ANN401 - a module without types
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up banners are no errors of ours
    try:
        import tensorflow as tf
    except ModuleNotFoundError as exc:
        raise MissingError(
            "runtime 'tensorflow' needs the module 'tensorflow', which is not installed; "
            "`pip install 'lalelu[tensorflow]'` brings it, or choose pose.runtime: openvino"
        ) from exc
    return tf


def _spec(name: str, tensor: Any) -> TensorSpec:  # noqa: ANN401 - a vendor's object without types
    return TensorSpec(name, tuple(tensor.shape.as_list()), np.dtype(tensor.dtype.as_numpy_dtype))
