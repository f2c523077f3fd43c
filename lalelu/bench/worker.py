"""One contestant in its own process: runs blocks of inferences, or of sleeps, when told to.

`python -m lalelu.bench.worker JSON` (the fields of Variant). Says one JSON object when ready, then one per line
read from standard input: the number of runs in the block. Ends with its input.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import numpy as np
import psutil

from lalelu.clock import now_ns, sleep_until
from lalelu.errors import LaleluError
from lalelu.pose.port import RUNTIMES, Runtime
from lalelu.registry import load

SLEEPER: Final = "sleeper"
SLEEP_NS: Final = 1_000_000  # the sleeper's period


@dataclass(frozen=True, slots=True)
class Variant:
    """What one worker runs, and where."""

    runtime: str  # a name in RUNTIMES, or SLEEPER
    precision: Literal["f32", "bf16"]
    model: str  # for people
    path: str  # the model file; empty for the sleeper
    core: int
    threads: int = 1

    @property
    def name(self) -> str:
        """How the tables call it."""
        return SLEEPER if self.runtime == SLEEPER else f"{self.runtime} {self.precision}"


def sleep_block(runs: int) -> list[int]:
    """Sleep until `runs` absolute times, 1 ms apart; return how late each waking was (ns)."""
    due_ns = now_ns()
    late: list[int] = []
    for _ in range(runs):
        due_ns = max(due_ns, now_ns()) + SLEEP_NS
        sleep_until(due_ns)
        late.append(now_ns() - due_ns)
    return late


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
    }
    return said, block


def serve(variant: Variant, orders: TextIO, answers: TextIO) -> None:
    """Open the variant, then run a block for each number that comes."""

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    os.sched_setaffinity(0, {variant.core})
    try:
        said, block = open_variant(variant)
    except LaleluError as exc:
        say({"missing": str(exc)})
        return
    say({"facts": said})
    for line in orders:
        taken = block(int(line))
        say({"ns": taken, "resident_mb": psutil.Process().memory_info().rss / 1e6})


def main() -> None:
    """Keep the answers' channel for ourselves: whatever a vendor prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(Variant(**json.loads(sys.argv[1])), sys.stdin, answers)


def command_line(variant: Variant) -> list[str]:
    """Return the command that starts the variant's worker."""
    return [sys.executable, "-m", "lalelu.bench.worker", json.dumps(asdict(variant))]


if __name__ == "__main__":
    main()
