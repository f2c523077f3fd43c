"""One contestant in its own process: runs blocks of inferences, or of sleeps, when told to.

`python -m lalelu.bench.worker JSON` (the fields of Variant). Speaks as `lalelu.bench.pipe` says.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import psutil

from lalelu.bench.pipe import Block, serve_here
from lalelu.bench.placement import Placement
from lalelu.clock import now_ns, sleep_until
from lalelu.errors import MissingError
from lalelu.pose.port import RUNTIMES, Runtime
from lalelu.registry import load

SLEEPER: Final = "sleeper"
SLEEP_NS: Final = 1_000_000  # the sleeper's period
# a runtime's own package, where it is not called as the runtime is
PACKAGES: Final = {"litert": "ai-edge-litert", "torch_compiled": "torch"}


@dataclass(frozen=True, slots=True)
class Variant:
    """What one worker runs, and where."""

    runtime: str  # a name in RUNTIMES, or SLEEPER
    precision: Literal["auto", "f32", "bf16"]
    model: str  # for people
    path: str  # the model file; empty for the sleeper
    cores: tuple[int, ...]  # that it may use
    threads: int = 1
    placement: Placement = "pinned"
    kind: str = ""  # what `lalelu model quantize` made of it, by MADE's names; empty: as in the catalogue
    python: str = ""  # another environment's interpreter ...
    label: str = ""  # ... and what it is called

    @property
    def name(self) -> str:
        """How the tables call it."""
        runtime = f"{self.runtime}:{self.label}" if self.label else self.runtime
        parts = [runtime] if self.runtime == SLEEPER else [runtime, self.precision, self.kind]
        if self.threads > 1:
            parts.append(f"{self.threads} threads")
        if self.placement != "pinned":
            parts.append(self.placement)
        return " ".join(part for part in parts if part)


def sleep_block(runs: int) -> list[int]:
    """Sleep until `runs` absolute times, 1 ms apart; return how late each waking was (ns)."""
    due_ns = now_ns()
    late: list[int] = []
    for _ in range(runs):
        due_ns = max(due_ns, now_ns()) + SLEEP_NS
        sleep_until(due_ns)
        late.append(now_ns() - due_ns)
    return late


def package_mb(runtime: str) -> float | None:
    """Return what a runtime's own package takes on the disk, without what it depends on; None if unknown."""
    try:
        files = distribution(PACKAGES.get(runtime, runtime)).files or []
    except PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files)
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def open_variant(variant: Variant) -> tuple[dict[str, Any], Callable[[int], list[int]]]:
    """Return what there is to say about the opened variant, and the function that runs a block (ns each)."""
    if variant.runtime == SLEEPER:
        return {}, sleep_block
    runtime: Runtime = load("runtime", RUNTIMES, variant.runtime)(
        Path(variant.path), precision=variant.precision, threads=variant.threads
    )
    facts = runtime.open()
    spec = facts.inputs[0]
    random = np.random.default_rng(1)
    picture = np.zeros(spec.shape, spec.dtype)

    def block(runs: int) -> list[int]:
        taken: list[int] = []
        for _ in range(runs):
            np.copyto(picture, random.integers(0, 256, spec.shape, dtype=np.uint8))
            start_ns = now_ns()
            runtime.infer(picture)
            taken.append(now_ns() - start_ns)
        return taken

    said = {
        "version": facts.version,
        "precision": facts.precision,
        "threads": facts.threads,
        "load_ms": facts.load_ms,
        "first_ms": facts.first_ms,
        "package_mb": package_mb(variant.runtime),
    }
    return said, block


def start(variant: Variant) -> tuple[dict[str, Any], Block]:
    """Go where the variant runs and open it, for `serve`. Raises MissingError for cores that cannot be had."""
    try:
        os.sched_setaffinity(0, variant.cores)
    except OSError as exc:
        raise MissingError(
            f"cores {sorted(variant.cores)} cannot be had ({exc.strerror}); is this process confined to others?"
        ) from exc
    said, block = open_variant(variant)

    def answer(runs: int) -> dict[str, Any]:
        return {"ns": block(runs), "resident_mb": psutil.Process().memory_info().rss / 1e6}

    return said, answer


def command_line(variant: Variant) -> list[str]:
    """Return the command that starts the variant's worker."""
    return [variant.python or sys.executable, "-m", "lalelu.bench.worker", json.dumps(asdict(variant))]


if __name__ == "__main__":
    serve_here(lambda: start(Variant(**json.loads(sys.argv[1]))))
