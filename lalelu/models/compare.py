"""Compare model files on the same pictures: time, size, and what became of keypoints. Runs networks.

All variants are open in one process and take turns in the calling thread, so that whatever disturbs the machine hits
all alike; the ratio is of turns that follow one another.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.keypoint_agreement import Agreement, Joint, agreement, figures, oks
from lalelu.clock import now_ns
from lalelu.errors import UsageError
from lalelu.models.looks import Look
from lalelu.models.variant import Network
from lalelu.skeleton import COCO17

BLOCK: Final = 10  # inferences in a turn
TURNS: Final = 30  # of each variant
WARM_TURNS: Final = 2  # before the clock counts


@dataclass(frozen=True, slots=True)
class Row:
    """What one variant showed; the first row is the reference."""

    variant: str
    path: str
    megabytes: float
    runtime: str
    precision: str  # in force
    median_ms: float
    time: float  # median over the turns of the ratio to the reference's
    oks: float | None  # None without labels
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Comparison:
    """All variants on the same pictures of people."""

    source: str
    people: int
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain dicts and lists."""
        return asdict(self)


def found_by(network: Network, looks: Sequence[Look]) -> NDArray[np.float64]:
    """Return (N, 17, 3): where an open network sees the keypoints, px of the whole pictures, and their scores."""
    found = np.zeros((len(looks), len(COCO17), 3))
    for at, look in enumerate(looks):
        network.show(look.picture)
        places, scores = network.keypoints(look.crop)
        found[at, :, :2] = np.array(places).reshape(-1, 2) * look.height
        found[at, :, 2] = scores
    return found


def times_ms(networks: Sequence[Network], looks: Sequence[Look], turns: int) -> NDArray[np.float64]:
    """Return (networks, turns): the median of each turn of each open network, on pictures one after the other."""
    medians = np.zeros((len(networks), turns))
    for turn in range(-WARM_TURNS, turns):
        for at, network in enumerate(networks):
            taken = []
            for run in range(BLOCK):
                network.show(looks[(turn * BLOCK + run) % len(looks)].picture)
                start_ns = now_ns()
                network.infer()
                taken.append(now_ns() - start_ns)
            if turn >= 0:
                medians[at, turn] = np.median(taken) * 1e-6
    return medians


def compare(
    source: str,
    networks: Sequence[Network],
    looks: Sequence[Look],
    progress: Callable[[str], None],
    turns: int = TURNS,
) -> tuple[Comparison, list[NDArray[np.float64]]]:
    """Run all open networks on the same pictures; the first is the reference.

    Returns the table and what each found, (N, 17, 3) px and score. Raises UsageError when their pictures differ in
    size.
    """
    for network in networks:
        if network.side != networks[0].side:
            raise UsageError(
                f"{network.variant.name} takes pictures of {network.side} px and {networks[0].variant.name} of "
                f"{networks[0].side}; compare variants of one model"
            )
    size = np.array([look.size for look in looks])
    labelled = [(at, look.label) for at, look in enumerate(looks) if look.label is not None]
    progress(f"{len(looks)} people, {len(networks)} variants: keypoints")
    found = [found_by(network, looks) for network in networks]
    progress(f"time: {turns} turns of {BLOCK} inferences each")
    times = times_ms(networks, looks, turns)
    rows = []
    for network, seen, taken in zip(networks, found, times, strict=True):
        judged = None
        if labelled:
            at = [index for index, _ in labelled]
            judged = oks(seen[at], np.array([label for _, label in labelled]), size[at])
        variant = network.variant
        rows.append(
            Row(
                variant.name,
                str(variant.path),
                variant.path.stat().st_size / 1e6,
                variant.runtime,
                network.precision,
                float(np.median(taken)),
                float(np.median(taken / times[0])),
                judged,
                agreement(found[0], seen, size),
            )
        )
    return Comparison(source, len(looks), tuple(rows)), found


def row_figures(row: Row) -> dict[str, float | None]:
    """Return what limits are stated for."""
    return figures(row.agreement, oks=row.oks, time=row.time)


def table(comparison: Comparison) -> str:
    """Return the comparison as text for people: one line a variant, then the joints that suffered most."""
    first = comparison.rows[0]
    width = max(len(row.variant) for row in comparison.rows) + 2
    head = ("MB", "in", "ms", "time", "OKS", "p50", "p95", "p99", "max", "lost", "faded")
    title = (
        f"{comparison.source}: {comparison.people} people; drift in px and lost joints against {first.variant}, "
        f"which is sure of {first.agreement.sure} joints"
    )
    lines = [
        title,
        f"{'variant':<{width}}" + "".join(f"{name:>7}" for name in head),
    ]
    lines += [_line(row, width) for row in comparison.rows]
    for row in comparison.rows[1:]:
        lines += ["", f"{row.variant}: wrists, and the joints that suffered most"]
        lines.append(f"  {'joint':<16}{'sure':>6}{'lost':>6}{'faded':>6}{'p95':>8}{'max':>8}")
        lines += [_joint(joint) for joint in row.agreement.worst]
    return "\n".join(lines)


def _line(row: Row, width: int) -> str:
    found = row.agreement
    drift = (found.p50_px, found.p95_px, found.p99_px, found.max_px)
    return (
        f"{row.variant:<{width}}{row.megabytes:7.2f}{row.precision:>7}{row.median_ms:7.2f}{row.time:7.3f}"
        f"{_number(row.oks, 7, 3)}{''.join(_number(each, 7, 1) for each in drift)}"
        f"{found.lost_percent:6.1f}%{found.faded:7d}"
    )


def _joint(joint: Joint) -> str:
    return (
        f"  {joint.name:<16}{joint.sure:6d}{joint.lost:6d}{joint.faded:6d}"
        f"{_number(joint.p95_px, 8, 1)}{_number(joint.max_px, 8, 1)}"
    )


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
