"""What happened in each second of a run: latency, and everything that may explain it. Pure over arrays."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.cadence import Cadence
from lalelu.analysis.columns import SECOND_NS, Columns, Nanoseconds, in_groups


class Series(NamedTuple):
    """Something that may explain latency."""

    what: str  # as the subject of a sentence
    unit: str


SERIES: Final[dict[str, Series]] = {
    # of the rows, per frame
    "woken_late": Series("the wait for the processor before the work", "ms a frame"),
    "queued": Series("the wait for the processor within the work", "ms a frame"),
    "running": Series("processor time of the work", "ms a frame"),
    "off": Series("time in which the thread neither ran nor waited to run", "ms a frame"),
    "collector": Series("garbage collection", "ms a frame"),
    "voluntary": Series("sleeps within the work", "a frame"),
    "involuntary": Series("involuntary switches", "a frame"),
    "minor_faults": Series("page faults", "a frame"),
    "major_faults": Series("pages read from the disk", "a frame"),
    "players": Series("players", "on average"),
    "camera": Series("exposure until the picture is in memory", "ms"),
    "period": Series("the camera's period", "ms"),
    # of the samples
    "frequency": Series("the core's frequency", "GHz"),
    "stolen": Series("time taken by the hypervisor", "ms a second"),
    "interrupts": Series("interrupts of the core", "a second"),
    "softirqs": Series("soft interrupts of the core", "a second"),
    "pressure": Series("time in which some task waited for a processor", "ms a second"),
    "memory_pressure": Series("waits for memory", "ms a second"),
    "io_pressure": Series("waits for a disk", "ms a second"),
    "migrations": Series("moves to another core", "a second"),
    "temperature": Series("the hottest sensor", "°C"),
    "competitor": Series("processor time of others on the core", "ms a second"),
}
_OF_USAGE: Final = {  # series -> field, and what one of it is in the series' unit
    "woken_late": ("woken_late_ns", 1e-6),
    "queued": ("queued_ns", 1e-6),
    "running": ("running_ns", 1e-6),
    "collector": ("gc_ns", 1e-6),
    "voluntary": ("voluntary", 1.0),
    "involuntary": ("involuntary", 1.0),
    "minor_faults": ("minor_faults", 1.0),
    "major_faults": ("major_faults", 1.0),
    "players": ("players", 1.0),
}
_COUNTERS: Final = {  # since boot; -1 = not told
    "stolen": ("stolen_ms", 1.0),
    "interrupts": ("interrupts", 1.0),
    "softirqs": ("softirqs", 1.0),
    "pressure": ("pressure_us", 1e-3),
    "memory_pressure": ("memory_pressure_us", 1e-3),
    "io_pressure": ("io_pressure_us", 1e-3),
    "migrations": ("migrations", 1.0),
}
_LEVELS: Final = {
    "frequency": ("frequency_khz", 1e-6),
    "temperature": ("temperature_mc", 1e-3),
    "competitor": ("competitor_ms", 1.0),
}
_LONGEST_GAP_NS: Final = 2 * SECOND_NS  # samples further apart tell nothing of a second between them


@dataclass(frozen=True, slots=True)
class Seconds:
    """One entry per second that has frames; ms per frame where nothing else is said, NaN = not told."""

    start_ns: int  # the first frame's capture; second 0 begins here
    second: NDArray[np.int64]  # (S,), ascending; a pause leaves numbers out
    frames: NDArray[np.int64]  # (S,), rows in that second
    missing: NDArray[np.int64]  # (S,), frames of the camera that left no row: skipped, or never delivered
    frame_p50: NDArray[np.float64]  # (S,), expected arrival → row
    frame_p95: NDArray[np.float64]
    frame_max: NDArray[np.float64]
    frame_mean: NDArray[np.float64]
    inference_p50: NDArray[np.float64]
    inference_p95: NDArray[np.float64]
    series: dict[str, NDArray[np.float64]]  # (S,) each, by the names in SERIES
    competitor: tuple[str, ...]  # (S,), who else used the core most; empty = nobody, or not told

    def __len__(self) -> int:
        return len(self.second)


def seconds_of(
    columns: Columns, cadence: Cadence, latency_ns: Nanoseconds, samples: NDArray[np.void]
) -> Seconds:
    """Return the seconds of a run; `latency_ns` (N,) is that of `latency_of_rows_ns`, `samples` a ledger's."""
    first = columns.first_row
    frames = np.diff(np.append(first, len(columns)))
    inference = columns.stage_ns["inference"]
    p50, p95, most = in_groups(latency_ns, first, (0.5, 0.95)) * 1e-6
    inference_p50, inference_p95, _ = in_groups(inference, first, (0.5, 0.95)) * 1e-6
    told = {name: columns.sums[field] * unit / frames for name, (field, unit) in _OF_USAGE.items()}
    working = _mean_ms(columns.frame_ns, first, frames) - _mean_ms(columns.stage_ns["decode"], first, frames)
    told["off"] = working - told["running"] - told["queued"]
    told["camera"] = _mean_ms(columns.stage_ns["camera"], first, frames)
    told["period"] = _periods(columns, first)
    start_ns = int(columns.captured_ns[0]) if len(columns) else 0
    told |= _of_samples(samples, start_ns, columns.second)
    return Seconds(
        start_ns, columns.second, frames,
        np.add.reduceat(cadence.gaps, first, dtype=np.int64) if len(first) else frames,
        p50, p95, most, _mean_ms(latency_ns, first, frames),
        inference_p50, inference_p95,
        {name: told[name] for name in SERIES}, _competitors(samples, start_ns, columns.second),
    )  # fmt: skip


def rate_between(
    samples: NDArray[np.void], field: str, begin_ns: NDArray[np.int64], end_ns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how far a counter of the samples went from begin to end, (K,); NaN where it is not told."""
    at, value = _told(samples, field)
    if len(at) < 2:
        return np.full(len(begin_ns), np.nan)
    last = np.clip(np.searchsorted(at, end_ns), 1, len(at) - 1)  # the first look at or behind the end
    first = np.clip(np.searchsorted(at, begin_ns, side="right") - 1, 0, len(at) - 2)
    outside = (at[last] < end_ns - _LONGEST_GAP_NS) | (at[first] > begin_ns + _LONGEST_GAP_NS)
    outside |= (at[last] > end_ns + _LONGEST_GAP_NS) | (at[first] < begin_ns - _LONGEST_GAP_NS)
    return np.where(outside, np.nan, (value[last] - value[first]).astype(np.float64))


def level_at(samples: NDArray[np.void], field: str, at_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the value of the sample just behind each moment, (K,); NaN where it is not told."""
    at, value = _told(samples, field)
    if not len(at):
        return np.full(len(at_ns), np.nan)
    near = np.minimum(np.searchsorted(at, at_ns), len(at) - 1)
    far = np.abs(at[near] - at_ns) > _LONGEST_GAP_NS
    return np.where(far, np.nan, value[near].astype(np.float64))


def competitors_at(samples: NDArray[np.void], at_ns: NDArray[np.int64]) -> list[tuple[str, int]]:
    """Return who used the core most around each moment, and for how many ms of a second; ("", 0) for nobody."""
    looked_ns, used_ms = (
        np.ascontiguousarray(samples["at_ns"]),
        np.ascontiguousarray(samples["competitor_ms"]),
    )
    # the sampler tells of the second before its last look, which it takes once a second
    begins, ends = (np.searchsorted(looked_ns, at_ns + later * SECOND_NS).tolist() for later in (0, 2))
    found = []
    for begin, end in zip(begins, ends, strict=True):
        most = begin + int(np.argmax(used_ms[begin:end])) if end > begin else -1
        if most < 0 or used_ms[most] <= 0:
            found.append(("", 0))
        else:
            found.append((bytes(samples["competitor"][most]).decode("utf-8", "replace"), int(used_ms[most])))
    return found


def _told(samples: NDArray[np.void], field: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when a field was told, and its values."""
    value = np.ascontiguousarray(samples[field])
    known = value >= 0
    return samples["at_ns"][known], value[known].astype(np.int64, copy=False)


def _mean_ms(values: Nanoseconds, first: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(first):
        return np.empty(0)
    return np.add.reduceat(values, first, dtype=np.int64) / frames * 1e-6


def _periods(columns: Columns, first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the time per numbered frame of each second, ms; NaN where it holds fewer than two, or a break."""
    if not len(first):
        return np.empty(0)
    last = np.append(first[1:], len(columns)) - 1
    number = columns.seq[last] - columns.seq[first]
    time = columns.captured_ns[last] - columns.captured_ns[first]
    whole = (number > 0) & (time > 0)
    return np.where(whole, time / np.where(whole, number, 1) * 1e-6, np.nan)


def _of_samples(
    samples: NDArray[np.void], start_ns: int, second: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    begin = second * SECOND_NS + np.int64(start_ns)
    end = begin + SECOND_NS
    told = {name: _per_second(samples, field, begin, end) * unit for name, (field, unit) in _COUNTERS.items()}
    for name, (field, unit) in _LEVELS.items():
        at, value = _told(samples, field)
        total = np.append(0.0, np.cumsum(value.astype(np.float64)))
        low, high = np.searchsorted(at, begin), np.searchsorted(at, end)
        many = np.maximum(high - low, 1)
        told[name] = np.where(high > low, (total[high] - total[low]) / many * unit, np.nan)
    return told


def _per_second(
    samples: NDArray[np.void], field: str, begin: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how far a counter went in each second, between the looks by straight lines."""
    at_ns, count = _told(samples, field)
    if len(at_ns) < 2:
        return np.full(len(begin), np.nan)
    zero = at_ns[:1]
    at, value = (at_ns - zero).astype(np.float64), (count - count[:1]).astype(np.float64)
    low, high = (np.interp((edge - zero).astype(np.float64), at, value) for edge in (begin, end))
    # what of the second the samples cover
    covered = np.minimum(end - zero, at[-1]) - np.maximum(begin - zero, 0)
    enough = covered > SECOND_NS / 2
    return np.where(enough, (high - low) / np.where(enough, covered, 1) * SECOND_NS, np.nan)


def _competitors(samples: NDArray[np.void], start_ns: int, second: NDArray[np.int64]) -> tuple[str, ...]:
    begin = second * SECOND_NS + np.int64(start_ns)
    # what is told behind a second's end is of that second
    place = np.searchsorted(samples["at_ns"], begin + SECOND_NS)
    names = samples["competitor"][np.minimum(place, len(samples) - 1)] if len(samples) else [b""] * len(begin)
    return tuple(bytes(name).decode("utf-8", "replace") for name in names)
