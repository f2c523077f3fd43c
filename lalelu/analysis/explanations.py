"""What changed when a run became faster or slower, and how much of it that explains. Pure over arrays.

Two models, told apart in words. *Accounts*: milliseconds against milliseconds, as for a wait in the run queue, or a
processor's frequency, by which computing takes inversely long. *Follows*: the seconds of both phases go along with a
series; its share is R², and it may be a coincidence.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.seconds import SERIES, Seconds

_TRIM: Final = 0.05  # of the seconds at both ends that say nothing of a phase's level
_LEAST_SHARE: Final = 0.05  # of a change: less is not worth a sentence
_LEAST_FREQUENCY: Final = 0.01  # a governor's jitter is less
_LEAST_R2: Final = 0.5
_LEAST_STEP: Final = 2.0  # of a followed series, in its own SDs within the phases
_MAIN: Final = 0.7  # what accounts for so much needs nobody that follows
_FOLLOWERS: Final = (
    "players", "competitor", "interrupts", "softirqs", "minor_faults", "involuntary", "migrations",
    "temperature", "pressure", "memory_pressure", "io_pressure", "frequency",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing that changed at a phase's beginning."""

    name: str  # a key of SERIES
    text: str  # "the core's frequency fell from 3.6 to 2.9 GHz"
    share: float  # 0..1 of the change
    model: Literal["accounts", "follows"]


def explain(seconds: Seconds, before: slice, after: slice) -> tuple[tuple[Explanation, ...], float]:
    """Return what explains the change of latency between two phases, the largest first, and the share left over.

    `before` and `after` are the phases' places in `seconds`.
    """
    change = _change(seconds.frame_mean, before, after)
    if not np.isfinite(change) or change == 0.0:
        return (), 1.0
    found = [
        Explanation(name, _sentence(seconds, name, before, after), ms / change, "accounts")
        for name, ms in _accounts(seconds, before, after).items()
        if ms / change >= _LEAST_SHARE
    ]
    total = sum(each.share for each in found)
    if total > 1.0:
        found = [Explanation(e.name, e.text, e.share / total, e.model) for e in found]
    left = max(1.0 - total, 0.0)
    if total < _MAIN:
        follower = _follower(seconds, before, after, {each.name for each in found})
        if follower is not None:
            name, r2 = follower
            found.append(Explanation(name, _sentence(seconds, name, before, after), left * r2, "follows"))
            left *= 1.0 - r2
    return tuple(sorted(found, key=lambda each: -each.share)), left


def _accounts(seconds: Seconds, before: slice, after: slice) -> dict[str, float]:
    """Return the ms a frame that each series adds; those that are not told are left out."""
    series = seconds.series
    told = {
        name: _change(series[name], before, after) for name in ("woken_late", "queued", "collector", "camera")
    }
    frequency, running = series["frequency"], series["running"]
    slow, fast = _level(frequency[before]), _level(frequency[after])
    if fast > 0 and abs(slow / fast - 1) > _LEAST_FREQUENCY:
        told["frequency"] = (_level(running[before]) - _level(series["collector"][before])) * (
            slow / fast - 1
        )
    # stolen time is a share of the core's; the thread loses what is taken while it works
    lost = _change(series["off"], before, after)
    stolen = _change(series["stolen"] / seconds.frames, before, after)
    if lost > 0 and stolen > 0:
        told["stolen"] = min(stolen, lost)
        lost -= told["stolen"]
    if lost > 0 and _change(series["voluntary"], before, after) > 0:
        told["voluntary"] = lost
    return {name: ms for name, ms in told.items() if np.isfinite(ms)}


def _follower(seconds: Seconds, before: slice, after: slice, taken: set[str]) -> tuple[str, float] | None:
    """Return the series that both phases' seconds follow best, and R²; None if none does."""
    both = slice(before.start, after.stop)
    latency = seconds.frame_mean[both]
    best: tuple[str, float] | None = None
    for name in _FOLLOWERS:
        values = seconds.series[name][both]
        known = np.isfinite(values) & np.isfinite(latency)
        if name in taken or np.count_nonzero(known) < 6 or not _steps(seconds.series[name], before, after):
            continue
        x, y = values[known] - values[known].mean(), latency[known] - latency[known].mean()
        spread = float(x @ x) * float(y @ y)
        r = float(x @ y) / spread**0.5 if spread > 0 else 0.0
        # more load, heat and faults slow down; a higher frequency does not
        if (r < 0) is (name == "frequency") and r * r >= _LEAST_R2 and (best is None or r * r > best[1]):
            best = name, r * r
    return best


def _steps(values: NDArray[np.float64], before: slice, after: slice) -> bool:
    """Whether a series has another level after the boundary than before, beyond its own noise."""
    parts = [part[np.isfinite(part)] for part in (values[before], values[after])]
    if min(map(len, parts)) < 2:
        return False
    noise = float(np.sqrt(np.mean([part.var() for part in parts])))
    return bool(abs(parts[1].mean() - parts[0].mean()) > _LEAST_STEP * noise)


def _level(values: NDArray[np.float64]) -> float:
    """Return the mean without the seconds that stick out; NaN where none is told."""
    known = np.sort(values[np.isfinite(values)])
    off = int(len(known) * _TRIM)
    return float(known[off : len(known) - off].mean()) if len(known) else float("nan")


def _change(values: NDArray[np.float64], before: slice, after: slice) -> float:
    return _level(values[after]) - _level(values[before])


def _sentence(seconds: Seconds, name: str, before: slice, after: slice) -> str:
    what, unit = SERIES[name]
    old, new = _level(seconds.series[name][before]), _level(seconds.series[name][after])
    places = 0 if max(abs(old), abs(new)) >= 100 else 2
    text = f"{what} {'rose' if new > old else 'fell'} from {old:.{places}f} to {new:.{places}f} {unit}"
    if name in {"woken_late", "queued", "competitor"}:
        who = _competitor(seconds, after)
        text += f" ({who} used the core)" if who else ""
    return text


def _competitor(seconds: Seconds, place: slice) -> str:
    """Return who is named most in these seconds; empty = nobody."""
    names = [name for name in seconds.competitor[place] if name]
    return max(sorted(set(names)), key=names.count) if names else ""
