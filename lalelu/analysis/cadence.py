"""The camera's own clock, fitted: when each frame was to be expected, and which never came. Pure over arrays.

Counting only the frames that were processed leaves out those that the loop had no time for, and so makes a slow
moment look like one slow frame ("coordinated omission", Gil Tene). Here every frame of the cadence counts:
its latency is the time from when it was to be expected in memory until the loop next was done with a frame.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.columns import SD_OF_MAD, Columns, Nanoseconds

_PAUSE_NS: Final = 5_000_000_000  # longer without a frame: the camera was lost or the film ended
_WINDOW_NS: Final = 60_000_000_000  # one line: cameras' clocks wander by less than 1 ppm in a minute
_LEAST_WINDOW: Final = 8  # rows: fewer carry no line of their own
_LEAST_PERIOD_NS: Final = 500_000  # 2000 frames a second
_TRIMS: Final = 2
_TRIM_SD: Final = 3.0  # frames further from the line than this do not draw it
_SAMPLED: Final = 1 << 16  # frames of a run that tell the median period and transfer
_DRAWN: Final = 512  # frames of a window that tell where its line roughly lies
_ERROR_LIMIT_NS: Final = (1 << 31) - 1  # errors are kept in 32 bits


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames that the camera numbered without a break: until it was opened again, or paused."""

    first: int  # index of its first row
    last: int  # index behind its last row
    period_ns: float


@dataclass(frozen=True, slots=True)
class Cadence:
    """What the camera promised and kept."""

    segments: tuple[Segment, ...]
    period_ns: float  # of all segments, by the number of their frames; NaN where there is no cadence
    nominal_fps: float  # what was asked for, else the nearest whole number; NaN where that is no rate
    drift_ppm: float  # of the period against the nominal one, by CLOCK_MONOTONIC; more = the camera is slow
    jitter_ms: float  # SD of captured against the fit
    worst_ms: float  # the largest distance from the fit, either way
    skipped: int  # frames that the camera delivered and nobody took
    lost: int  # frames that the camera numbered and never delivered
    transfer_ns: int  # captured → arrived, the run's median
    error_ns: NDArray[np.int32]  # (N,), captured - fitted
    gaps: NDArray[np.int32]  # (N,), frames missing just before this row

    @property
    def missing(self) -> int:
        """Frames of the cadence that left no row."""
        return int(self.gaps.sum(dtype=np.int64))


def fit_cadence(columns: Columns, nominal_fps: float = math.nan) -> Cadence:
    """Fit a line of capture over number to every minute of each segment.

    Robust: begun with the median slope of pairs half a window apart (Theil's incomplete method), then least squares
    over what lies near. A segment's period is that from its first line to its last.
    """
    count = len(columns)
    error, gaps = np.zeros(count, np.int32), np.zeros(count, np.int32)
    step, pause = np.diff(columns.seq), np.diff(columns.captured_ns)
    period_ns = _median_period(step, pause)
    if math.isnan(period_ns):
        whole = (Segment(0, count, math.nan),) if count else ()
        return _cadence(whole, math.nan, nominal_fps, columns, error, gaps)
    breaks = (step < 1) | (pause <= 0) | (pause > _PAUSE_NS)
    # numbers that do not go with the time were begun anew, or are damaged
    far = np.flatnonzero((step > 1) & ~breaks)
    expected = step[far] * period_ns
    breaks[far] = np.abs(pause[far] - expected) > 0.5 * expected
    far = far[~breaks[far]]
    gaps[far + 1] = step[far] - 1
    starts = [0, *(np.flatnonzero(breaks) + 1).tolist(), count]
    del step, pause, breaks  # half a gigabyte of a day
    segments = tuple(_fit_segment(columns, first, last, period_ns, error) for first, last in pairwise(starts))
    frames = np.array([s.last - s.first - 1 for s in segments], np.float64)
    periods = np.array([s.period_ns for s in segments])
    mean_period = float(frames @ periods / frames.sum()) if frames.any() else period_ns
    return _cadence(segments, mean_period, nominal_fps, columns, error, gaps)


def expected_latency_ns(with_row: Nanoseconds, cadence: Cadence) -> Nanoseconds:
    """Return the latency of every frame of the cadence: `with_row`, those with a row, then the missing ones.

    A frame is expected in memory when its fitted exposure is over and the run's median transfer has passed.
    """
    behind = np.flatnonzero(cadence.gaps)
    if not len(behind):
        return with_row
    missing = cadence.gaps[behind].astype(np.int64)
    ends = np.cumsum(missing)
    before = np.arange(1, ends[-1] + 1) - np.repeat(ends - missing, missing)  # 1 = just before the row
    omitted = np.repeat(with_row[behind], missing) + (before * cadence.period_ns).astype(np.int64)
    if with_row.dtype == np.int32 and int(omitted.max()) <= _ERROR_LIMIT_NS:
        omitted = omitted.astype(np.int32)
    both: Nanoseconds = np.concatenate([with_row, omitted])
    return both


def latency_of_rows_ns(columns: Columns, cadence: Cadence) -> Nanoseconds:
    """Return how long after its expected arrival each row's frame was done, (N,)."""
    camera = columns.stage_ns["camera"]
    given = [each for each in (camera, columns.frame_ns, cadence.error_ns) if len(each)]
    widest = max((max(abs(int(each.min())), abs(int(each.max()))) for each in given), default=0)
    narrow, wide = np.dtype(np.int32), np.dtype(np.int64)
    kind = narrow if widest < _ERROR_LIMIT_NS // 4 else wide
    result: Nanoseconds = np.add(columns.frame_ns, camera, dtype=kind)
    np.add(result, cadence.error_ns, out=result)
    np.subtract(result, cadence.transfer_ns, out=result)
    return result


def _median_period(step: NDArray[np.int64], pause: NDArray[np.int64]) -> float:
    """Return the median time between neighbours; NaN where that is none."""
    each = _every(len(step))
    neighbours = pause[::each][step[::each] == 1]
    period_ns = float(np.median(neighbours)) if len(neighbours) else math.nan
    return period_ns if _LEAST_PERIOD_NS <= period_ns <= _PAUSE_NS else math.nan


def _every(count: int) -> int:
    """Return every how manieth of `count` frames is asked, where some can speak for all."""
    return max(count // _SAMPLED, 1)


def _fit_segment(
    columns: Columns, first: int, last: int, period_ns: float, error: NDArray[np.int32]
) -> Segment:
    """Fit a segment's windows and write their errors into `error`."""
    size = max(round(_WINDOW_NS / period_ns), _LEAST_WINDOW)
    windows = max((last - first) // size, 1)  # the last one takes the rest
    edges = [first + i * size for i in range(windows)] + [last]
    lines = []
    for begin, end in pairwise(edges):
        x = (columns.seq[begin:end] - columns.seq[begin]).astype(np.float64)
        y = (columns.captured_ns[begin:end] - columns.captured_ns[begin]).astype(np.float64)
        slope, start = _line(x, y, period_ns)
        away = np.rint(y - (start + slope * x))
        error[begin:end] = np.clip(away, -_ERROR_LIMIT_NS, _ERROR_LIMIT_NS)
        lines.append((begin, x[-1], slope, start))
    slope = lines[0][2]
    if len(lines) > 1:
        # the lines at the middle of the first and of the last window
        (b0, x0, m0, c0), (b1, x1, m1, c1) = lines[0], lines[-1]
        time = int(columns.captured_ns[b1]) - int(columns.captured_ns[b0])
        number = int(columns.seq[b1]) - int(columns.seq[b0])
        slope = (time + c1 + m1 * x1 / 2 - c0 - m0 * x0 / 2) / (number + x1 / 2 - x0 / 2)
    return Segment(first, last, slope)


def _line(x: NDArray[np.float64], y: NDArray[np.float64], period_ns: float) -> tuple[float, float]:
    """Return slope and value at 0."""
    if len(x) < _LEAST_WINDOW:
        return period_ns, float(np.median(y - period_ns * x))
    each = max(len(x) // _DRAWN, 1)
    some, theirs = x[::each], y[::each]
    half = len(some) // 2
    early, late = slice(len(some) - half), slice(half, None)
    slope = float(np.median((theirs[late] - theirs[early]) / (some[late] - some[early])))
    start = float(np.median(theirs - slope * some))
    for _ in range(_TRIMS):
        away = np.abs(y - start - slope * x)
        near = away <= _TRIM_SD * SD_OF_MAD * float(np.median(away[::each])) + 1.0
        xs, ys = x[near], y[near]
        middle = float(xs.mean())
        spread = float((xs - middle) @ (xs - middle))
        if spread == 0:
            break
        slope = float((xs - middle) @ ys) / spread
        start = float(ys.mean()) - slope * middle
    return slope, start


def _cadence(
    segments: tuple[Segment, ...],
    period_ns: float,
    nominal_fps: float,
    columns: Columns,
    error: NDArray[np.int32],
    gaps: NDArray[np.int32],
) -> Cadence:
    rate = 1e9 / period_ns
    if math.isnan(nominal_fps) and not math.isnan(rate) and round(rate) > 0:
        nominal_fps = float(round(rate))
    told = len(error) > 0 and not math.isnan(period_ns)
    missing = int(gaps.sum(dtype=np.int64))
    return Cadence(
        segments=segments,
        period_ns=period_ns,
        nominal_fps=nominal_fps,
        drift_ppm=(period_ns * nominal_fps * 1e-9 - 1) * 1e6,
        jitter_ms=float(error.std(dtype=np.float64)) * 1e-6 if told else math.nan,
        worst_ms=max(abs(int(error.min())), abs(int(error.max()))) * 1e-6 if told else math.nan,
        skipped=columns.skipped,
        lost=max(missing - max(columns.skipped, 0), 0),
        transfer_ns=int(np.median(columns.stage_ns["camera"][:: _every(len(columns))]))
        if len(columns)
        else 0,
        error_ns=error,
        gaps=gaps,
    )
