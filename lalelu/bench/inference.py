"""Compare runtimes on one model: workers take turns, block by block. Starts processes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lalelu.bench.placement import Placement
from lalelu.bench.turns import BLOCK, COLUMNS, Contestant, Spread, opened, take_turns, titles
from lalelu.bench.worker import SLEEPER, Variant, command_line
from lalelu.errors import MissingError

BASELINE: Final = ("tensorflow", "f32")  # plain TensorFlow, of this environment
PRODUCT: Final = "matrix product"  # in a variant's `model`: it measures what the core could do
# Rows and columns. Both factors lie in the second cache of a core, as a layer's do: on a Zen 4 the rate of 256 and 512
# is the same within 5 %, at 1024 it wanders by half with what else the machine does.
PRODUCT_SIDE: Final = 512
_FLOATS: Final = ("", "f16", "bf16-weights")  # kinds that compute in the runtime's precision all the same


@dataclass(frozen=True, slots=True)
class Row:
    """What one variant showed."""

    variant: str
    version: str
    precision: str
    threads: int
    placement: Placement
    load_ms: float
    first_ms: float
    resident_mb: float
    model_mb: float  # on the disk
    package_mb: float | None  # on the disk: the runtime's own package; None = unknown
    spread: Spread
    ratio: float | None  # the baseline's p50, placed alike, divided by this one's; None without a baseline
    share: (
        float | None
    )  # of the core's matrix product in the same precision; None for several threads and int8


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model's table. `sleepers`: how late bare absolute-clock sleepers woke, one for each placement."""

    model: str
    core: int
    warmups: int
    runs: int
    rows: tuple[Row, ...]
    sleepers: dict[str, Spread]
    left_out: dict[str, str] = field(default_factory=dict)  # variant -> why
    multiply_adds: int | None = None  # of one inference; None = unknown
    ceilings: dict[str, float] = field(
        default_factory=dict
    )  # precision -> multiply-adds a second of the product

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain dicts and lists."""
        return asdict(self)


class Worker(Contestant):
    """One variant's process; waits on its pipe between blocks."""

    def __init__(self, variant: Variant) -> None:
        option = "--python" if variant.python else "--runtimes"
        super().__init__(variant.name, command_line(variant), f"leave it out with {option}")
        self.variant = variant


def compare(
    model: str,
    variants: Sequence[Variant],
    *,
    core: int,
    warmups: int,
    runs: int,
    progress: Callable[[str], None],
    left_out: dict[str, str] | None = None,
    multiply_adds: int | None = None,
) -> Comparison:
    """Run all variants in turns and return the table.

    A variant whose model is PRODUCT is the core's ceiling in its precision. A variant that cannot run here is named
    in `left_out`, beside those given. Raises MissingError when none can, LostError when a worker dies.
    """
    missing = dict(left_out or {})
    every = [*variants, *_sleepers(variants)]

    def say(text: str) -> None:
        progress(f"{model}: {text}")

    with opened([Worker(variant) for variant in every], missing, say) as workers:
        sleepers = [worker for worker in workers if worker.variant.runtime == SLEEPER]
        products = [worker for worker in workers if worker.variant.model == PRODUCT]
        contestants = [worker for worker in workers if worker not in (*sleepers, *products)]
        if not contestants:
            raise MissingError(f"no runtime can run {model} here: {'; '.join(missing.values())}")
        take_turns(workers, warmups=warmups, runs=runs, say=say)
    ceilings: dict[str, float] = {
        worker.variant.precision: PRODUCT_SIDE**3 / (Spread.of(worker.ns).p50 * 1e-3) for worker in products
    }
    return Comparison(
        model,
        core,
        warmups,
        runs,
        tuple(_rows(contestants, ceilings, multiply_adds)),
        {worker.name: Spread.of(worker.ns) for worker in sleepers},
        missing,
        multiply_adds,
        ceilings,
    )


def _sleepers(variants: Sequence[Variant]) -> Iterable[Variant]:
    first: dict[Placement, Variant] = {}
    for variant in variants:
        first.setdefault(variant.placement, variant)
    for placement, variant in first.items():
        cores = variant.cores if placement == "unpinned" else variant.cores[:1]
        yield Variant(SLEEPER, "f32", "", "", cores, placement=placement)


def _rows(workers: Sequence[Worker], ceilings: dict[str, float], multiply_adds: int | None) -> Iterable[Row]:
    spreads = [Spread.of(worker.ns) for worker in workers]
    baselines = {
        (worker.variant.threads, worker.variant.placement): spread.p50
        for worker, spread in zip(workers, spreads, strict=True)
        if (worker.variant.runtime, worker.variant.precision) == BASELINE and not worker.variant.label
    }
    for worker, spread in zip(workers, spreads, strict=True):
        variant = worker.variant
        baseline = baselines.get((variant.threads, variant.placement))
        share = None
        if (
            variant.threads == 1
            and variant.kind in _FLOATS
            and variant.precision in ceilings
            and multiply_adds
        ):
            share = multiply_adds / (spread.p50 * 1e-3) / ceilings[variant.precision]
        yield Row(
            variant=variant.name,
            version=worker.facts["version"],
            precision=worker.facts["precision"],
            threads=worker.facts["threads"],
            placement=variant.placement,
            load_ms=worker.facts["load_ms"],
            first_ms=worker.facts["first_ms"],
            resident_mb=worker.resident_mb,
            model_mb=size_mb(Path(variant.path)),
            package_mb=worker.facts["package_mb"],
            spread=spread,
            ratio=baseline / spread.p50 if baseline is not None else None,
            share=share,
        )


def size_mb(path: Path) -> float:
    """Return what a file, or a folder with all that is in it, takes on the disk."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files) / 1e6


def table(comparison: Comparison) -> str:
    """Return the comparison as text for people."""
    columns = (*COLUMNS, "first", "load", "memory", "file", "package", "ratio")
    title = (
        f"{comparison.model}, core {comparison.core}: {comparison.runs} runs each, in turns of {BLOCK}, "
        f"after {comparison.warmups} warm-ups; ms, then MB: in memory, model file, runtime's package"
    )
    sleepers = {f"{name}, late": spread for name, spread in comparison.sleepers.items()}
    width = max(len(name) for name in (*(row.variant for row in comparison.rows), *sleepers)) + 2
    lines = [title, f"{'variant':<{width}}{titles(columns)}{'share':>7}"]
    lines += [_row(row, width) for row in comparison.rows]
    lines += [f"{name:<{width}}{spread.cells()}" for name, spread in sleepers.items()]
    if any(row.ratio is not None for row in comparison.rows):
        lines.append("ratio: plain TensorFlow's p50, placed alike, to this one's")
    else:
        lines.append("no ratio: TensorFlow, the baseline, was not in the run")
    if comparison.multiply_adds and comparison.ceilings:
        rates = ", ".join(f"{name} {rate * 1e-9:.0f}" for name, rate in comparison.ceilings.items())
        lines.append(
            f"share: of the core's matrix product meanwhile, G multiply-adds/s: {rates}; "
            f"{comparison.model} needs {comparison.multiply_adds * 1e-9:.2f} G"
        )
    lines.extend(f"left out: {name}: {why}" for name, why in comparison.left_out.items())
    return "\n".join(lines)


def _row(row: Row, width: int) -> str:
    package = "-" if row.package_mb is None else f"{row.package_mb:.0f}"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    share = "-" if row.share is None else f"{row.share:.0%}"
    return (
        f"{row.variant:<{width}}{row.spread.cells()}{row.first_ms:9.1f}{row.load_ms:9.0f}{row.resident_mb:9.0f}"
        f"{row.model_mb:9.1f}{package:>9}{ratio:>9}{share:>7}  {row.version}"
    )
