"""A runtime without a network: it plays given outputs, and fails when told to. For tests."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lalelu.errors import LostError, UsageError
from lalelu.pose.port import RuntimeFacts, TensorSpec
from lalelu.pose.runtimes.model_file import check_inputs, check_open


class ScriptedRuntime:
    """Plays `script`, one entry (the network's outputs) per inference, over and over.

    `inputs` is what it claims to take, by default MoveNet Lightning's picture; `names` are the outputs'.
    `last_inputs` is a copy of what it was last given.
    """

    def __init__(
        self,
        script: Sequence[Sequence[NDArray[Any]]],
        *,
        inputs: tuple[TensorSpec, ...] = (TensorSpec("input", (1, 192, 192, 3), np.dtype(np.int32)),),
        names: Sequence[str] = (),
    ) -> None:
        if not script:
            raise UsageError("the scripted runtime's script is empty; give it one entry of outputs or more")
        self._script = script
        self._inputs = inputs
        self._names = names or [f"output{index}" for index in range(len(script[0]))]
        self._count = 0
        self._fail_at: int | None = None
        self._ready = False
        self.last_inputs: tuple[NDArray[Any], ...] = ()

    def fail_after(self, inferences: int) -> Self:
        """Lose the device after that many more inferences; returns itself."""
        self._fail_at = self._count + inferences
        return self

    def open(self) -> RuntimeFacts:
        """Begin at the script's first entry."""
        self._ready = True
        self._count = 0
        outputs = tuple(
            TensorSpec(name, array.shape, array.dtype)
            for name, array in zip(self._names, self._script[0], strict=True)
        )
        return RuntimeFacts("scripted", "1", "none", "f32", 1, 0.0, 0.0, self._inputs, outputs)

    def infer(self, *inputs: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Return the script's next entry. Raises LostError when told to, UsageError for wrong inputs."""
        check_open(self._ready, "scripted")
        check_inputs(self._inputs, inputs)
        if self._fail_at is not None and self._count >= self._fail_at:
            raise LostError(f"the scripted runtime failed after {self._count} inferences, as it was told to")
        self.last_inputs = tuple(array.copy() for array in inputs)
        outputs = self._script[self._count % len(self._script)]
        self._count += 1
        return outputs

    def close(self) -> None:
        """Stop; safe to call twice and before `open()`."""
        self._ready = False
