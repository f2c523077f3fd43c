"""Who takes part: every runtime that is installed, in each precision, with its file. Fetches and converts models."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from lalelu.bench.inference import PRODUCT
from lalelu.bench.placement import Placement, cores_for
from lalelu.bench.worker import Variant
from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue
from lalelu.models.progress import Progress
from lalelu.models.store import onnx_path
from lalelu.models.variant import KINDS, MADE, READ_ONNX, quantised_path
from lalelu.pose.build import MODEL_FILES, is_installed
from lalelu.pose.port import EXTRAS

# runtime -> the precisions it is measured in on a CPU, the fastest first
PRECISIONS: Final[dict[str, tuple[Literal["f32", "bf16"], ...]]] = {
    "openvino": ("bf16", "f32"),
    "onnxruntime": ("f32",),
    "litert": ("f32",),
    "tensorflow": ("f32",),
    "torch": ("bf16", "f32"),
    "torch_compiled": ("bf16", "f32"),
}
QUANTISED: Final = "movenet_single"  # the family that `lalelu model quantize` takes
_SAID_AS: Final = {kind: name for name, kind in MADE.items()}  # bf16 alone is how a runtime computes


@dataclass(frozen=True, slots=True)
class Environment:
    """Another environment's interpreter, in which lalelu is installed, too: for what excludes what is here."""

    runtime: str
    label: str
    python: str


@dataclass(slots=True)
class Lineup:
    """The variants of one model, and who is left out, with the reason."""

    variants: list[Variant] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def placed(self, placements: Sequence[Placement], threads: Sequence[int], core: int) -> list[Variant]:
        """Return every variant in each placement with each number of threads; what cannot be had is left out."""
        found = []
        for placement in placements:
            for count in threads:
                try:
                    cores = cores_for(placement, count, core)
                except MissingError as exc:
                    self.left_out[f"{placement}, {count} thread{'s' if count > 1 else ''}"] = str(exc)
                    continue
                found += [
                    replace(variant, cores=cores, threads=count, placement=placement)
                    for variant in self.variants
                ]
        return found


def line_up(
    model: str,
    runtimes: Sequence[str],
    core: int,
    progress: Progress,
    environments: Sequence[Environment] = (),
) -> Lineup:
    """Return one variant for each runtime and precision, pinned to `core`, with one thread; files are in the cache.

    What `lalelu model quantize` has made of the model takes part where it is.
    """
    lineup = Lineup()
    for runtime in runtimes:
        _add_installed(lineup, model, runtime, core, progress)
    for environment in environments:
        _add(lineup, model, environment, core, progress)
    made = {kind: path for kind in KINDS if (path := quantised_path(model, kind)).is_file()}
    for runtime in (name for name in runtimes if name in READ_ONNX and name not in lineup.left_out):
        lineup.variants += [
            Variant(runtime, precision, model, str(path), (core,), kind=_SAID_AS[kind])
            for kind, path in made.items()
            for precision in PRECISIONS[runtime]
        ]
    if not made and catalogue.find(model).family == QUANTISED:
        lineup.left_out["int8, mixed, ..."] = (
            f"none is made of {model}; `lalelu model quantize {model} --to mixed` makes one"
        )
    return lineup


def line_up_in_auto(model: str, runtimes: Sequence[str], core: int, progress: Progress) -> Lineup:
    """Return one variant for each runtime, in the precision that it takes by itself; else as `line_up`."""
    lineup = Lineup()
    for runtime in runtimes:
        _add_installed(lineup, model, runtime, core, progress)
    first = {variant.runtime: replace(variant, precision="auto") for variant in lineup.variants}
    lineup.variants = list(first.values())
    return lineup


def not_installed(runtime: str) -> str | None:
    """Return why a runtime cannot take part; None where its library is installed."""
    if is_installed(runtime):
        return None
    return f"not installed; `pip install 'lalelu[{EXTRAS.get(runtime, runtime)}]'` brings it"


def _add_installed(lineup: Lineup, model: str, runtime: str, core: int, progress: Progress) -> None:
    why = not_installed(runtime)  # asked before a file is made, which may need it too
    if why is not None:
        lineup.left_out[runtime] = why
    else:
        _add(lineup, model, Environment(runtime, "", ""), core, progress)


def _add(lineup: Lineup, model: str, where: Environment, core: int, progress: Progress) -> None:
    runtime = where.runtime
    try:
        path = str(MODEL_FILES.get(runtime, onnx_path)(model, progress=progress))
    except (MissingError, UsageError) as exc:  # the latter: there is only the user's own ONNX file
        lineup.left_out[f"{runtime}:{where.label}" if where.label else runtime] = str(exc)
        return
    lineup.variants += [
        Variant(runtime, precision, model, path, (core,), python=where.python, label=where.label)
        for precision in PRECISIONS[runtime]
    ]


def products(runtimes: Sequence[str], core: int, folder: Path) -> list[Variant]:
    """Return what measures the core's ceiling: a matrix product on the first runtime here that reads ONNX."""
    here = [runtime for runtime in READ_ONNX if runtime in runtimes and find_spec(runtime) is not None]
    if not here or find_spec("onnx") is None:
        return []
    from lalelu.bench.ceiling import write_product

    path = folder / "product.onnx"
    write_product(path)
    return [
        Variant(here[0], precision, PRODUCT, str(path), (core,), label="product")
        for precision in PRECISIONS[here[0]]
    ]


def multiply_adds(model: str, progress: Progress) -> int | None:
    """Return what one inference of a catalogue's model needs; None where that cannot be counted."""
    if find_spec("onnx") is None:
        return None
    from lalelu.bench.ceiling import multiply_adds as counted

    return counted(onnx_path(model, progress=progress))
