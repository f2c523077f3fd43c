"""Compare found hits with true ones: precision, recall, F1, timing, and what deciding early costs. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lalelu.hits import HitRecord

By: TypeAlias = Literal["limb", "pad", "none"]

# Two hits of one limb closer than this are one stroke told twice: the quickest hand plays 10 Hz (Fujii 2009), and a
# hit's time is off by up to 10 ms (SD; takes and films).
DOUBLE_S: Final = 0.12


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution in milliseconds."""

    mean: float
    sd: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Score:
    """How well found hits agree with true ones; a figure is None where there is nothing to measure it on."""

    window_ms: float
    by: By
    found: int
    true: int
    matched: int
    precision: float
    recall: float
    f1: float
    false: int  # found hits without a true one
    missed: int  # true hits that were not found
    foreseen: float | None  # share of the found hits that were decided before their stroke's end
    error_ms: Spread | None  # found minus true time of matched hits
    decision_ms: Spread | None  # decided_s - time_s of found hits: how long after the stroke it was known
    note_delay_ms: Spread | None  # note_s minus the true time of matched hits
    doubles: int  # false hits beyond the first one for a stroke; successive hits of a limb within DOUBLE_S
    velocity_rank: float | None  # Spearman's rho of matched hits

    @property
    def false_percent(self) -> float | None:
        """False hits in percent of the true ones; None where nothing was played."""
        return 100.0 * self.false / self.true if self.true else None

    @property
    def missed_percent(self) -> float | None:
        """Missed hits in percent of the true ones; None where nothing was played."""
        return 100.0 * self.missed / self.true if self.true else None


def score(
    found: Sequence[HitRecord], truth: Sequence[HitRecord], *, window_ms: float = 50.0, by: By = "limb"
) -> Score:
    """Match one-to-one within `window_ms`, as many as possible, and measure.

    `by` says what must agree besides time (and the player): the limb, the pad, or nothing.
    """
    pairs = match(found, truth, window_s=window_ms * 1e-3, by=by)
    matched_found = {i for i, _ in pairs}
    both = [(found[i], truth[j]) for i, j in pairs]
    precision = len(pairs) / len(found) if found else 0.0
    recall = len(pairs) / len(truth) if truth else 0.0
    velocities = [
        (hit.velocity, real.velocity)
        for hit, real in both
        if hit.velocity is not None and real.velocity is not None
    ]
    return Score(
        window_ms=window_ms,
        by=by,
        found=len(found),
        true=len(truth),
        matched=len(pairs),
        precision=precision,
        recall=recall,
        f1=2 * len(pairs) / (len(found) + len(truth)) if found or truth else 0.0,
        false=len(found) - len(pairs),
        missed=len(truth) - len(pairs),
        foreseen=_foreseen(found),
        error_ms=_spread([(hit.time_s - real.time_s) * 1e3 for hit, real in both]),
        decision_ms=_spread(
            [(hit.decided_s - hit.time_s) * 1e3 for hit in found if hit.decided_s is not None]
        ),
        note_delay_ms=_spread(
            [(hit.note_s - real.time_s) * 1e3 for hit, real in both if hit.note_s is not None]
        ),
        doubles=_doubles(found, matched_found),
        velocity_rank=spearman([float(a) for a, _ in velocities], [float(b) for _, b in velocities]),
    )


def table(rows: Sequence[tuple[str, Score]]) -> str:
    """Return a line for each named score: what is false and missed in % of the true hits, what was foreseen.

    The times are those of matched hits, after the true ones, in ms.
    """
    width = max(len(name) for name, _ in rows)
    heads = ("true", "found", "false %", "missed %", "foreseen %", "hit mean", "SD", "note mean", "SD")
    lines = [" " * width + "".join(f"{head:>11}" for head in heads)]
    for name, each in rows:
        error, note = each.error_ms, each.note_delay_ms
        figures = (
            f"{each.true}",
            f"{each.found}",
            _decimal(each.false_percent),
            _decimal(each.missed_percent),
            _decimal(None if each.foreseen is None else 100.0 * each.foreseen),
            _decimal(None if error is None else error.mean),
            _decimal(None if error is None else error.sd),
            _decimal(None if note is None else note.mean),
            _decimal(None if note is None else note.sd),
        )
        lines.append(f"{name:<{width}}" + "".join(f"{figure:>11}" for figure in figures))
    return "\n".join(lines)


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def match(
    found: Sequence[HitRecord], truth: Sequence[HitRecord], *, window_s: float, by: By
) -> list[tuple[int, int]]:
    """Return the index pairs (found, true) of a one-to-one matching with the most pairs.

    Times may differ by `window_s` at most (inclusive). With one window for all hits the candidates in a
    sorted list are intervals, so taking the earliest free one is optimal (Glover 1967); the number of pairs
    is that of `mir_eval.util.match_events`.
    """
    label: Callable[[HitRecord], tuple[int, str | None]] = {
        "limb": lambda hit: (hit.player, hit.limb),
        "pad": lambda hit: (hit.player, hit.pad),
        "none": lambda _hit: (0, None),
    }[by]
    groups: dict[tuple[int, str | None], tuple[list[int], list[int]]] = {}
    for side, hits in enumerate((found, truth)):
        for index, hit in enumerate(hits):
            groups.setdefault(label(hit), ([], []))[side].append(index)
    pairs: list[tuple[int, int]] = []
    for mine, real in groups.values():
        mine.sort(key=lambda i: found[i].time_s)
        real.sort(key=lambda j: truth[j].time_s)
        i = j = 0
        while i < len(mine) and j < len(real):
            difference = found[mine[i]].time_s - truth[real[j]].time_s
            if abs(difference) <= window_s:
                pairs.append((mine[i], real[j]))
                i, j = i + 1, j + 1
            elif difference < 0:
                i += 1
            else:
                j += 1
    return sorted(pairs)


def _foreseen(found: Sequence[HitRecord]) -> float | None:
    known = [hit.decided_s < hit.time_s for hit in found if hit.decided_s is not None]
    return sum(known) / len(known) if known else None


def _doubles(found: Sequence[HitRecord], matched: set[int]) -> int:
    """Count the hits in every run of close hits of one limb that are more than its true ones, or than one."""
    limbs: dict[tuple[int, str], list[tuple[float, bool]]] = {}
    for index, hit in enumerate(found):
        limbs.setdefault((hit.player, hit.limb), []).append((hit.time_s, index in matched))
    doubles = 0
    for hits in limbs.values():
        runs: list[list[bool]] = []
        last_s = -math.inf
        for time_s, is_true in sorted(hits):
            if time_s - last_s >= DOUBLE_S:
                runs.append([])
            runs[-1].append(is_true)
            last_s = time_s
        doubles += sum(len(run) - max(1, sum(run)) for run in runs)
    return doubles


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return Spread(mean, sd, percentile(values, 50.0), percentile(values, 95.0))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile of at least one value, linear between neighbours (as NumPy's default)."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100.0
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the rank correlation (ties: mean rank); None below 3 pairs or when one side is constant."""
    if len(a) < 3:
        return None
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    middle = (len(a) + 1) / 2
    covariance = math.fsum((x - middle) * (y - middle) for x, y in zip(ranks_a, ranks_b, strict=True))
    spread_a = math.fsum((x - middle) ** 2 for x in ranks_a)
    spread_b = math.fsum((y - middle) ** 2 for y in ranks_b)
    if spread_a == 0 or spread_b == 0:
        return None
    return covariance / math.sqrt(spread_a * spread_b)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda i: values[i])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for k in range(start, end + 1):
            ranks[order[k]] = (start + end) / 2 + 1
        start = end + 1
    return ranks
