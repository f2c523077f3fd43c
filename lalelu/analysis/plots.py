"""Pictures of a run as SVG text: traces with hits, histograms, stages. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.latency import STAGES, Histogram, LatencySummary

# one colour per pad, in the order of their names; told apart on dark ground
PAD_COLOURS: Final = (
    "#5ad1ff", "#ffb454", "#7ee787", "#d2a8ff", "#ff8ad8", "#ffe066", "#56d4c1", "#8aa8ff",
    "#ffa198", "#b8d44a",
)  # fmt: skip
LIMB_COLOURS: Final = {"left": "#ff9d5c", "right": "#58c4f5"}  # as in the picture of the skeleton
_GAP_S: Final = 0.2  # a trace is interrupted where the player was unseen this long


@dataclass(frozen=True, slots=True)
class Trace:
    """One limb's height over time."""

    limb: str
    time_s: NDArray[np.float64]  # (N,), ascending, from the first frame
    height: NDArray[np.float64]  # (N,), any one unit, up is more; NaN = not seen


@dataclass(frozen=True, slots=True)
class HitMark:
    """A hit to be drawn on its limb's trace."""

    time_s: float
    limb: str
    pad: str
    error_ms: float | None = None  # found - true, where the truth is known


@dataclass(frozen=True, slots=True)
class _Scale:
    """Data to picture, linear."""

    low: float
    high: float
    at_low: float
    at_high: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.at_low + share * (self.at_high - self.at_low), 1)


def pad_colours(pads: Iterable[str]) -> dict[str, str]:
    """Return a colour for every pad, the same for the same set of pads."""
    return {pad: PAD_COLOURS[i % len(PAD_COLOURS)] for i, pad in enumerate(sorted(set(pads)))}


def traces_svg(
    traces: Sequence[Trace],
    found: Sequence[HitMark],
    missed: Sequence[HitMark],
    extra: Sequence[HitMark],
    colours: dict[str, str],
    *,
    pixels_per_s: float = 120.0,
) -> str:
    """Return a wide picture: a lane per limb, found hits as discs, missed as rings, extra as crosses."""
    lane, left, top = 170.0, 14.0, 8.0
    marks = [*found, *missed, *extra]
    end = max([1.0, *(float(t.time_s[-1]) for t in traces if len(t.time_s)), *(m.time_s for m in marks)])
    width = left * 2 + end * pixels_per_s
    bottom = top + lane * max(len(traces), 1)
    x = _Scale(0.0, end, left, width - left)
    parts = [_svg(width, bottom + 26, "fixed", "height of the wrists over time, with hits")]
    for second in range(math.floor(end) + 1):
        parts.append(f'<path class="grid" d="M{x(second)} {top}V{bottom}"/>')
        parts.append(_text(x(second), bottom + 18, f"{second} s", "middle"))
    for i, trace in enumerate(traces):
        known = trace.height[np.isfinite(trace.height)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        floor = top + lane * (i + 1)
        y = _Scale(low, max(high, low + 1e-6), floor - 14, floor - lane + 26)
        colour = LIMB_COLOURS.get(trace.limb.partition("_")[0], "#c9d1d9")
        parts.append(f'<path class="grid" d="M{left} {floor}H{width - left}"/>')
        parts.append(f'<path class="trace" stroke="{colour}" d="{_path(trace, x, y)}"/>')
        parts.append(
            f'<text class="lane" x="{left + 6}" y="{floor - lane + 18}" style="fill:{colour}">'
            f"{escape(trace.limb.replace('_', ' '))}</text>"
        )
        for m in (m for m in found if m.limb == trace.limb):
            at = f'cx="{x(m.time_s)}" cy="{y(_height(trace, m.time_s, low))}"'
            fill = colours.get(m.pad, "#c9d1d9")
            parts.append(f'<circle class="hit" {at} r="5" fill="{fill}">{_told(m, "")}</circle>')
        for m in (m for m in missed if m.limb == trace.limb):
            at = f'cx="{x(m.time_s)}" cy="{y(_height(trace, m.time_s, low))}"'
            parts.append(f'<circle class="missed" {at} r="8">{_told(m, "missed: ")}</circle>')
        for m in (m for m in extra if m.limb == trace.limb):
            at = f"M{x(m.time_s) - 6} {y(_height(trace, m.time_s, low)) - 6}"
            parts.append(f'<path class="extra" d="{at}l12 12m0 -12l-12 12">{_told(m, "extra: ")}</path>')
    return "".join([*parts, "</svg>"])


def histogram_svg(histogram: Histogram, unit: str, colour: str, *, logarithmic: bool) -> str:
    """Return a bar per bin, all of one width whatever the bins' own (edges are written below them).

    With `logarithmic` counts a single value among thousands stays visible.
    """
    width, height, left, bottom = 460.0, 220.0, 40.0, 184.0
    edges, counts = histogram.edges, histogram.counts
    if not counts or not max(counts):
        return _svg(width, 60, "fit", "empty") + _text(width / 2, 34, "nothing to count", "middle") + "</svg>"
    level = math.log1p if logarithmic else float
    x = _Scale(0.0, len(counts), left, width - 14)
    y = _Scale(0.0, level(max(counts)), bottom, 12)
    parts = [_svg(width, height, "fit", "histogram")]
    for count in (0, *_count_ticks(max(counts), logarithmic=logarithmic)):
        parts.append(f'<path class="grid" d="M{left} {y(level(count))}H{width - 14}"/>')
        parts.append(_text(left - 6, y(level(count)) + 4, str(count), "end"))
    for i, count in enumerate(counts):
        if count:
            box = f'x="{x(i) + 0.5:.1f}" y="{y(level(count))}" width="{x(i + 1) - x(i) - 1:.1f}"'
            told = f"{edges[i]:.4g} .. {edges[i + 1]:.4g} {escape(unit)}: {count}"
            tall = f'height="{bottom - y(level(count)):.1f}"'
            parts.append(f'<rect {box} {tall} rx="1.5" fill="{colour}"><title>{told}</title></rect>')
    every = math.ceil(len(edges) / 9)
    first = edges.index(0.0) % every if 0.0 in edges else 0
    parts += [_text(x(i), bottom + 16, f"{edges[i]:.4g}", "middle") for i in range(first, len(edges), every)]
    parts.append(_text(width - 14, bottom + 32, unit, "end"))
    return "".join([*parts, "</svg>"])


def errors_histogram(errors_ms: Sequence[float], window_ms: float = 50.0) -> Histogram:
    """Count timing errors in bins of 2 ms around 0; what lies outside the window goes into the outer bins."""
    edges = np.arange(-window_ms, window_ms + 1.0, 2.0)
    inside = np.clip(np.asarray(errors_ms, np.float64), -window_ms, window_ms)
    counts, _ = np.histogram(inside, edges)
    used = np.flatnonzero(counts)
    if not len(used):
        return Histogram((), ())
    # symmetric about 0, so that a bias is seen at once
    reach = max(len(counts) // 2 - int(used[0]), int(used[-1]) + 1 - len(counts) // 2, 5)
    middle = len(counts) // 2
    shown = slice(max(middle - reach, 0), min(middle + reach, len(counts)))
    return Histogram(tuple(edges[shown.start : shown.stop + 1].tolist()), tuple(counts[shown].tolist()))


def stages_svg(summary: LatencySummary) -> str:
    """Return one bar from capture to handing over, made of the stages' medians; it stretches to any width."""
    medians = stage_medians(summary)
    total = sum(median for _, median, _ in medians)
    if not total > 0:
        return ""
    shape = 'viewBox="0 0 1000 40" preserveAspectRatio="none"'
    parts = [f'<svg class="bar" {shape} role="img" aria-label="median of every stage">']
    at = 0.0
    for name, median, colour in medians:
        length = median / total * 1000
        box = f'x="{at:.1f}" y="0" width="{max(length - 1.5, 1.0):.1f}" height="40"'
        told = f"{escape(STAGES[name])}: {median:.3f} ms"
        parts.append(f'<rect {box} fill="{colour}"><title>{told}</title></rect>')
        at += length
    return "".join([*parts, "</svg>"])


def stage_medians(summary: LatencySummary) -> list[tuple[str, float, str]]:
    """Return name, median in ms (never below 0) and colour of every stage that has rows."""
    return [
        (name, max(summary.durations[name].p50, 0.0), colour)
        for name, colour in zip(STAGES, PAD_COLOURS, strict=False)
        if summary.durations[name].count
    ]


def _svg(width: float, height: float, kind: str, title: str) -> str:
    size = f' width="{width:.0f}" height="{height:.0f}"' if kind == "fixed" else ""
    return (
        f'<svg class="{kind}"{size} viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _told(mark: HitMark, what: str) -> str:
    error = "" if mark.error_ms is None else f", {mark.error_ms:+.1f} ms"
    return f"<title>{what}{escape(mark.pad)} at {mark.time_s:.3f} s{error}</title>"


def _path(trace: Trace, x: _Scale, y: _Scale) -> str:
    words, before = [], -math.inf
    for time_s, height in zip(trace.time_s.tolist(), trace.height.tolist(), strict=True):
        if not math.isfinite(height):
            continue
        words.append(f"{'L' if time_s - before < _GAP_S else 'M'}{x(time_s)} {y(height)}")
        before = time_s
    return "".join(words)


def _height(trace: Trace, time_s: float, otherwise: float) -> float:
    known = np.isfinite(trace.height)
    if not known.any():
        return otherwise
    return float(np.interp(time_s, trace.time_s[known], trace.height[known]))


def _ticks(low: float, high: float, about: int) -> list[float]:
    span = (high - low) / about
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * s for s in (1, 2, 5, 10) if power * s >= span)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _count_ticks(most: int, *, logarithmic: bool) -> list[int]:
    if logarithmic:
        return [10**i for i in range(math.floor(math.log10(most)) + 1)]
    return sorted({round(tick) for tick in _ticks(0, most, 4)})
