"""Compare runtimes on one model: workers on one core take turns, block by block. Starts processes."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import numpy as np

from lalelu.bench.pipe import Pipe
from lalelu.bench.worker import SLEEPER, Variant, command_line
from lalelu.errors import MissingError

BLOCK: Final = 50  # runs in a turn: short enough that a disturbance of seconds hits all alike
BASELINE: Final = "tensorflow f32"


@dataclass(frozen=True, slots=True)
class Spread:
    """Statistics of durations, ms."""

    count: int
    mean: float
    min: float
    max: float
    sd: float
    p50: float
    p99: float

    @classmethod
    def of(cls, ns: Sequence[int]) -> Self:
        """Summarize durations in ns; there must be one."""
        ms = np.asarray(ns, np.float64) * 1e-6
        p50, p99 = np.percentile(ms, (50, 99)).tolist()
        return cls(
            len(ms),
            float(ms.mean()),
            float(ms.min()),
            float(ms.max()),
            float(ms.std()),
            float(p50),
            float(p99),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """What one variant showed."""

    variant: str
    version: str
    load_ms: float
    first_ms: float
    resident_mb: float
    spread: Spread
    ratio: float | None  # the baseline's p50 divided by this one's; None without a baseline


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model's table. `sleeper` is how late a bare absolute-clock sleeper woke, on the same core."""

    model: str
    core: int
    warmups: int
    runs: int
    rows: tuple[Row, ...]
    sleeper: Spread
    left_out: dict[str, str] = field(default_factory=dict)  # variant -> why

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain dicts and lists."""
        return asdict(self)


class Worker:
    """One variant's process; waits on its pipe between blocks."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.facts: dict[str, Any] = {}
        self.resident_mb = 0.0
        self.ns: list[int] = []
        self._pipe = Pipe(variant.name, command_line(variant), "leave it out with --runtimes")

    def open(self) -> None:
        """Start the process and wait until its model is loaded. Raises MissingError when it cannot run here."""
        answer = self._pipe.open()
        if "missing" in answer:
            raise MissingError(answer["missing"])
        self.facts = answer["facts"]

    def block(self, runs: int, *, keep: bool) -> None:
        """Let it run one block; `keep` counts it. Raises LostError when the process has died."""
        answer = self._pipe.block(runs)
        self.resident_mb = max(self.resident_mb, answer["resident_mb"])
        if keep:
            self.ns.extend(answer["ns"])

    def close(self) -> None:
        """End the process; safe to call twice and before `open()`."""
        self._pipe.close()


def compare(
    model: str,
    variants: Sequence[Variant],
    *,
    core: int,
    warmups: int,
    runs: int,
    progress: Callable[[str], None],
    left_out: dict[str, str] | None = None,
) -> Comparison:
    """Run all variants in turns and return the table.

    A variant that cannot run here is named in `left_out`, beside those given. Raises MissingError when none
    can, LostError when a worker dies.
    """
    missing = dict(left_out or {})
    with ExitStack() as opened:
        workers: list[Worker] = []
        for variant in (*variants, Variant(SLEEPER, "f32", model, "", core)):
            worker = Worker(variant)
            opened.callback(worker.close)
            progress(f"{model}: starting {variant.name}")
            try:
                worker.open()
            except MissingError as exc:
                missing[variant.name] = str(exc)
                continue
            workers.append(worker)
        contestants = [worker for worker in workers if worker.variant.runtime != SLEEPER]
        if not contestants:
            raise MissingError(f"no runtime can run {model} here: {'; '.join(missing.values())}")
        for keep, total in ((False, warmups), (True, runs)):
            for done in range(0, total, BLOCK):
                progress(f"{model}: {'run' if keep else 'warm-up'} {done} of {total}")
                for worker in workers:
                    worker.block(min(BLOCK, total - done), keep=keep)
        sleeper = Spread.of(next(worker.ns for worker in workers if worker.variant.runtime == SLEEPER))
        return Comparison(model, core, warmups, runs, _rows(contestants), sleeper, missing)


def _rows(workers: Sequence[Worker]) -> tuple[Row, ...]:
    spreads = {worker.variant.name: Spread.of(worker.ns) for worker in workers}
    baseline = spreads.get(BASELINE)
    return tuple(
        Row(
            name,
            worker.facts["version"],
            worker.facts["load_ms"],
            worker.facts["first_ms"],
            worker.resident_mb,
            spreads[name],
            baseline.p50 / spreads[name].p50 if baseline is not None else None,
        )
        for worker, name in zip(workers, spreads, strict=True)
    )


def table(comparison: Comparison) -> str:
    """Return the comparison as text for people; durations in ms, memory in MB."""
    columns = ("variant", "mean", "min", "max", "SD", "p50", "p99", "first", "load", "MB", "ratio")
    title = (
        f"{comparison.model}, core {comparison.core}: {comparison.runs} runs each, in turns of {BLOCK}, "
        f"after {comparison.warmups} warm-ups; ms"
    )
    lines = [title, f"{columns[0]:<20}" + "".join(f"{column:>9}" for column in columns[1:])]
    for row in comparison.rows:
        ratio = f"{row.ratio:9.2f}" if row.ratio is not None else f"{'-':>9}"
        lines.append(
            _line(row.variant, row.spread)
            + f"{row.first_ms:9.1f}{row.load_ms:9.0f}{row.resident_mb:9.0f}{ratio}  {row.version}"
        )
    lines.append(_line("sleeper, late", comparison.sleeper))
    if all(row.ratio is None for row in comparison.rows):
        lines.append("no ratio: TensorFlow, the baseline, was not in the run")
    lines.extend(f"left out: {name}: {why}" for name, why in comparison.left_out.items())
    return "\n".join(lines)


def _line(name: str, spread: Spread) -> str:
    values = (spread.mean, spread.min, spread.max, spread.sd, spread.p50, spread.p99)
    return f"{name:<20}" + "".join(f"{value:9.2f}" for value in values)
