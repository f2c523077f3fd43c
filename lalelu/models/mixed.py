"""Find which layers of a network may be int8: measure block by block, then keep the worst in float. Runs networks.

A block is a few layers that follow one another: wherever int8 meets float, numbers are converted, and a mix of single
layers is no faster than none (measured on Lightning: ten layers here and there in float, and int8 has lost its lead).
What judges are pictures that were not used for calibration, on the runtime and in the arithmetic that will play.
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lalelu.analysis.keypoint_agreement import Agreement, Limit, agreement, broken, figures
from lalelu.models.compare import found_by, times_ms
from lalelu.models.looks import Look
from lalelu.models.quantize import Layer, StaticQuantiser
from lalelu.models.variant import Network, Variant

BLOCK_LAYERS: Final = 4  # two of MobileNet's bottlenecks
TURNS: Final = 16  # for the time of each step


@dataclass(frozen=True, slots=True)
class Step:
    """One mix on the way."""

    kept: tuple[str, ...]  # the layers that stay in float
    megabytes: float
    time: float  # ratio to the float model
    agreement: Agreement
    broken: tuple[str, ...]  # a sentence for each limit that does not hold


@dataclass(frozen=True, slots=True)
class Search:
    """How the mix was found: each block's drift alone (p95, px), worst first, then the steps; the last one holds."""

    people: int
    sensitivity: tuple[tuple[tuple[str, ...], float], ...]
    steps: tuple[Step, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain dicts and lists."""
        return asdict(self)


class Mixer:
    """Judges variants of one float model, which is open, on `looks`."""

    def __init__(self, reference: Network, quantiser: StaticQuantiser, looks: Sequence[Look]) -> None:
        self._reference = reference
        self._quantiser = quantiser
        self._looks = looks
        self._size = np.array([look.size for look in looks])
        self._expected = found_by(reference, looks)

    def search(
        self, which: Sequence[Layer], limits: Sequence[Limit], progress: Callable[[str], None]
    ) -> tuple[Search, bytes | None]:
        """Return the way to the first mix that holds the limits, and the model; None where no mix holds them."""
        blocks = [which[at : at + BLOCK_LAYERS] for at in range(0, len(which), BLOCK_LAYERS)]
        alone: list[tuple[Sequence[Layer], float]] = []
        for number, block in enumerate(blocks, 1):
            _, found, _ = self._judge(block, turns=0)
            alone.append((block, found.p95_px or 0.0))
            progress(
                f"block {number} of {len(blocks)}, {block[0].name} to {block[-1].name}: "
                f"alone it drifts {alone[-1][1]:.2f} px (p95)"
            )
        alone.sort(key=lambda each: -each[1])
        steps: list[Step] = []
        made: bytes | None = None
        for count in range(len(alone)):
            kept = [layer for block, _ in alone[:count] for layer in block]
            data, found, time = self._judge([layer for layer in which if layer not in kept], turns=TURNS)
            problems = broken(figures(found, oks=None, time=time), limits)
            names = tuple(layer.name for layer in kept)
            steps.append(Step(names, len(data) / 1e6, time, found, tuple(problems)))
            progress(line(steps[-1]))
            if not problems:
                made = data
                break
        sensitivity = tuple((tuple(layer.name for layer in block), drift) for block, drift in alone)
        return Search(len(self._looks), sensitivity, tuple(steps)), made

    def _judge(self, which: Sequence[Layer], *, turns: int) -> tuple[bytes, Agreement, float]:
        data = self._quantiser.written(which)
        variant = self._reference.variant
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mix.onnx"
            path.write_bytes(data)
            network = Network(Variant("mix", path, variant.runtime, variant.precision))
            with closing(network):
                network.open()
                found = agreement(self._expected, found_by(network, self._looks), self._size)
                time = 1.0
                if turns:
                    reference, mix = times_ms([self._reference, network], self._looks, turns)
                    time = float(np.median(mix / reference))
        return data, found, time


def line(step: Step) -> str:
    """Return a step as one line for people."""
    found = step.agreement
    drift = " / ".join(
        "-" if each is None else f"{each:.1f}" for each in (found.p50_px, found.p95_px, found.p99_px)
    )
    return (
        f"{len(step.kept):3d} layers in float: {step.megabytes:.2f} MB, time {step.time:.3f}, "
        f"drift p50/p95/p99 {drift} px, lost {found.lost_percent:.2f} %, faded {found.faded}"
    )
