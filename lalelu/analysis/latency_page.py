"""A recorded run's latency on one page whose plots can be zoomed. Data in, HTML text out; reads its own script.

The page holds everything that it shows: nothing is fetched, and its policy forbids it to.
"""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lalelu.analysis.causes import Causes, Outlier
from lalelu.analysis.diagnosis import Diagnosis
from lalelu.analysis.excess import CAUSES
from lalelu.analysis.latency import STAGES
from lalelu.analysis.phases import Phase
from lalelu.analysis.plots import PAD_COLOURS
from lalelu.analysis.report import STYLE, card, facts_card, latency_card
from lalelu.analysis.text import explained, rhythms_text

MOST_FRAMES: Final = (
    200_000  # that are embedded one by one, 1.6 MB; of longer runs, each second's percentiles
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_MOST_ROWS: Final = 12  # of the worst frames and notes, in a table
_ABOVE: Final = (1.0, 0.9, 0.75, 0.5, 0.25, *(m * 10.0**-e for e in range(1, 7) for m in (1.0, 0.5, 0.2)))
_BINS: Final = 80  # of a histogram
_LEAST_MS: Final = 0.01
SHOWN: Final = 0.005  # of all lost time: smaller causes get no bar
_MORE_STYLE: Final = """
.plot canvas{display:block;width:100%;height:260px;touch-action:pan-y;cursor:crosshair;outline-offset:2px}
.plot.low canvas{height:150px}
.plot output{display:block;min-height:1.5em;color:var(--dim);font-size:13px;font-variant-numeric:tabular-nums;
 overflow-wrap:anywhere}
select{background:var(--ground);color:var(--text);border:1px solid var(--line);border-radius:8px;padding:4px 8px;
 font:inherit;font-size:13px;max-width:100%}
.note{overflow-wrap:anywhere}
.verdict{font-size:17px;margin:0 0 16px;padding:0;list-style:none}.verdict li{margin:0 0 6px}
tr[data-from]{cursor:pointer}tr[data-from]:hover td{background:#1a2433}
td.words{white-space:normal;text-align:left;min-width:260px}
.share{display:grid;grid-template-columns:minmax(110px,max-content) minmax(40px,1fr) minmax(0,max-content);
 gap:4px 12px;align-items:center;
 font-size:13px;font-variant-numeric:tabular-nums}
.share i{display:block;height:14px;border-radius:3px;background:#5ad1ff;min-width:2px}
.share .dim{color:var(--dim)}
.words-last th:last-child{text-align:left}
"""


@dataclass(frozen=True, slots=True)
class PageData:
    """All that the page tells."""

    title: str
    verdict: tuple[str, ...]  # the few lines for a player
    diagnosis: Diagnosis
    at_s: NDArray[np.float64]  # (N,), each frame's capture, from the first frame
    frame_ms: NDArray[np.float64]  # (N,), frame → row
    note_ms: NDArray[np.float64]  # (M,), frame → note
    series: Mapping[str, str]  # what the keys of `diagnosis.seconds.series` mean, with units
    facts: tuple[
        tuple[str, str], ...
    ]  # what was granted and refused, versions, what the machine does not tell


def render_page(data: PageData) -> str:
    """Return the self-contained HTML page."""
    script = files("lalelu.analysis").joinpath("latency_page.js").read_text(encoding="utf-8")
    # in a script's text only `</` could end it
    told = json.dumps(_embedded(data), allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
    title, found = escape(data.title), data.diagnosis
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="color-scheme" content="dark"><title>{title}</title>',
            f"<style>{STYLE}{_MORE_STYLE}</style></head><body><main><h1>{title}</h1>",
            f'<ul class="verdict">{"".join(f"<li>{escape(line)}</li>" for line in data.verdict)}</ul>',
            _timeline(data),
            _phases(found.phases),
            _causes(found.frame_causes, "Why frames were late"),
            _causes(found.note_causes, "Why notes were late"),
            '<div class="pair">',
            _plot(
                "histogram",
                "How long frames took",
                "From the picture in memory until the hits are handed over.",
            ),
            _plot(
                "ecdf",
                "How rare long ones are",
                "Share of rows that took longer; both scales are logarithmic.",
            ),
            "</div>",
            _stages(found),
            _cadence(found),
            latency_card(found.summary),
            facts_card(data.facts),
            f'<script type="application/json" id="told">{told}</script><script>{script}</script>',
            "</main></body></html>\n",
        ]
    )


def _embedded(data: PageData) -> dict[str, Any]:
    found = data.diagnosis
    seconds = found.seconds
    arrays = {
        "second": seconds.second,
        **{name: getattr(seconds, name) for name in ("frame_p50", "frame_p95", "frame_max")},
        **{name: values for name, values in seconds.series.items() if name in data.series},
    }
    every = len(data.at_s) <= MOST_FRAMES
    return {
        "end": float(seconds.second[-1]) + 1.0 if len(seconds.second) else 0.0,
        "seconds": {name: _packed(values) for name, values in arrays.items()},
        "frames": {"at": _packed(data.at_s), "ms": _packed(data.frame_ms)} if every else None,
        "outliers": [
            {"kind": one.kind, "at": round(one.at_s, 4), "ms": round(one.latency_ms, 4), "said": _said(one)}
            for causes in (found.frame_causes, found.note_causes)
            for one in causes.worst
        ],
        "phases": [
            {"first": phase.first_s, "last": phase.last_s, "name": phase.name, "warm": phase.warm_up}
            for phase in found.phases
        ],
        "series": {name: told for name, told in data.series.items() if name in seconds.series},
        "histogram": _durations(data.frame_ms),
        "cadence": _errors(found.cadence.error_ns),
        "ecdf": [
            {"name": name, **_exceedance(values)}
            for name, values in (("frame → row", data.frame_ms), ("frame → note", data.note_ms))
            if len(values)
        ],
    }


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode("ascii")


def _exceedance(values: NDArray[np.float64]) -> dict[str, list[float]]:
    """Return durations and the share of rows above each, down to the rarest that so many rows can tell."""
    shares = [share for share in _ABOVE if share * len(values) >= 1.0]
    ms = np.quantile(values, 1.0 - np.array(shares))
    return {"ms": np.round(ms, 5).tolist(), "above": shares}


def _durations(ms: NDArray[np.float64]) -> dict[str, Any]:
    """Count durations in bins of equal ratio; those below _LEAST_MS go into the first."""
    if not len(ms):
        return {"edges": [], "counts": [], "unit": "ms", "log": True}
    known = np.maximum(ms, _LEAST_MS)
    edges = np.geomspace(float(known.min()) * 0.99, float(known.max()) * 1.01, _BINS + 1)
    counts, _ = np.histogram(known, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "unit": "ms", "log": True}


def _errors(error_ns: NDArray[np.int32]) -> dict[str, Any]:
    """Count the camera's distances from its own cadence, ms."""
    if not len(error_ns):
        return {"edges": [], "counts": [], "unit": "ms", "log": False}
    ms = error_ns * 1e-6
    reach = max(float(np.abs(ms).max()), 1e-3)
    counts, edges = np.histogram(ms, _BINS, (-reach, reach))
    return {"edges": edges.tolist(), "counts": counts.tolist(), "unit": "ms from the cadence", "log": False}


def _said(outlier: Outlier) -> str:
    parts = ", ".join(f"{CAUSES[part.cause]} {part.share:.0%}" for part in outlier.parts)
    return f"{outlier.at_s:.3f} s, {outlier.kind} {outlier.seq}: {outlier.latency_ms:.2f} ms ({parts})"


def _timeline(data: PageData) -> str:
    options = "".join(
        f'<option value="{escape(name)}">{escape(told)}</option>'
        for name, told in data.series.items()
        if name in data.diagnosis.seconds.series
    )
    keys = "".join(
        f'<span><i style="background:{colour}"></i>{name}</span>'
        for name, colour in (("p50", "#5ad1ff"), ("p95", "#ffb454"), ("longest of a second", "#ff5d5d"))
    )
    every = "" if len(data.at_s) > MOST_FRAMES else " Within a minute every frame is drawn."
    note = f"Shades are phases, rings are the outliers below: point at one for its causes.{every}"
    return card(
        "The run",
        note,
        f'<div class="legend">{keys}</div>{_canvas("timeline", "frame to row over the run")}'
        f'<p class="note"><label>beside it: <select id="series">{options}</select></label></p>'
        f"{_canvas('beside', 'what else was going on', 'low')}",
    )


def _canvas(name: str, label: str, kind: str = "") -> str:
    return (
        f'<div class="plot {kind}" id="{name}"><canvas role="img" aria-label="{escape(label)}"></canvas>'
        "<output></output></div>"
    )


def _plot(name: str, title: str, note: str) -> str:
    return card(title, note, _canvas(name, title))


def _phases(phases: tuple[Phase, ...]) -> str:
    head = ("phase", "from", "to", "frames", "p50", "p95", "p99", "max", "what changed")
    rows = [
        (
            f'<tr data-from="{phase.first_s}" data-to="{phase.last_s}">',
            [
                phase.name,
                f"{phase.first_s} s",
                f"{phase.last_s} s",
                str(phase.frames),
                *(f"{value:.2f}" for value in (phase.p50_ms, phase.p95_ms, phase.p99_ms, phase.max_ms)),
            ],
            _changed(phase),
        )
        for phase in phases
    ]
    lines = "".join(
        f'{start}{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}<td class="words">{escape(words)}</td></tr>'
        for start, cells, words in rows
    )
    note = (
        "The run kept one speed."
        if len([p for p in phases if not p.warm_up]) == 1
        else "Press a row to see it."
    )
    return card("Phases", note, _scrolling(head, lines))


def _changed(phase: Phase) -> str:
    if math.isnan(phase.change_ms):
        return ""
    changed = [explained(each) for each in phase.explanations]
    rest = (
        []
        if math.isnan(phase.unexplained) or phase.unexplained < 0.01
        else [f"unexplained {phase.unexplained:.0%}"]
    )
    return f"{phase.change_ms:+.2f} ms at p50: {'; '.join([*changed, *rest]) or 'unexplained'}"


def _causes(causes: Causes, title: str) -> str:
    missing = f" Not told by this machine: {'; '.join(causes.not_told)}." if causes.not_told else ""
    if not causes.ranking:
        return card(title, f"None of {causes.of} {causes.kind}s is an outlier.{missing}", "")
    bars = "".join(
        f"<span>{escape(CAUSES[total.cause])}</span>"
        f'<i style="width:{max(total.share, 0.0) * 100:.1f}%;background:{_hue(total.cause)}"></i>'
        f'<span>{total.share:.0%} <span class="dim">{total.ms:.1f} ms, main cause of {total.outliers}'
        f"{escape(f'; {total.detail}') if total.detail else ''}</span></span>"
        for total in causes.ranking
        if total.share >= SHOWN
    )
    rows = "".join(
        f'<tr data-from="{max(one.at_s - 0.5, 0.0):.3f}" data-to="{one.at_s + 0.5:.3f}"><td>{one.at_s:.3f} s</td>'
        f"<td>{one.seq}</td><td>{one.latency_ms:.2f}</td><td>{one.excess_ms:+.2f}</td>"
        f'<td class="words">{escape(_parts(one))}</td></tr>'
        for one in causes.worst[:_MOST_ROWS]
    )
    note = (
        f"{causes.count} of {causes.of} {causes.kind}s took at least {causes.threshold_ms:.2f} ms longer than usual. "
        f"What the time went to, over all of them, and the worst; press one to see it.{missing}"
    )
    table = _scrolling(("at", "frame", "ms", "excess", "why"), rows)
    return card(title, note, f'<div class="share">{bars}</div><br>{table}')


def _parts(outlier: Outlier) -> str:
    return ", ".join(
        f"{CAUSES[part.cause]} {part.share:.0%}{f' ({part.detail})' if part.detail else ''}"
        for part in outlier.parts
    )


def _hue(cause: str) -> str:
    if cause in {"unexplained", "not_told"}:
        return "#8b98a8"
    return PAD_COLOURS[list(CAUSES).index(cause) % len(PAD_COLOURS)]


def _stages(found: Diagnosis) -> str:
    bars = "".join(
        f'<p class="note">{title}, {sum(ms for _, ms, _ in parts):.2f} ms</p>{_bar(parts)}'
        for title, parts in (
            ("an ordinary frame", [(s.stage, s.median_ms, s.median_share) for s in found.stages]),
            ("one of the slowest 1 %", [(s.stage, s.tail_ms, s.tail_share) for s in found.stages]),
        )
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{stage.stage} '
        f"<b>{stage.median_ms:.2f} | {stage.tail_ms:.2f} ms</b></span>"
        for stage, colour in zip(found.stages, PAD_COLOURS, strict=False)
    )
    return card(
        "Where the time goes",
        "From the exposure until the voice has the hit: an ordinary frame, and the slowest ones.",
        f'{bars}<div class="legend">{legend}</div>',
    )


def _bar(parts: Iterable[tuple[str, float, float]]) -> str:
    at, boxes = 0.0, []
    for (stage, ms, share), colour in zip(parts, PAD_COLOURS, strict=False):
        length = 0.0 if math.isnan(share) else max(share, 0.0) * 1000
        told = f"{escape(STAGES[stage])}: {ms:.3f} ms, {share:.1%}"
        box = f'x="{at:.1f}" y="0" width="{max(length - 1.5, 0.5):.1f}" height="40"'
        boxes.append(f'<rect {box} fill="{colour}"><title>{told}</title></rect>')
        at += length
    shape = 'viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" aria-label="stages"'
    return f'<svg class="bar" {shape}>{"".join(boxes)}</svg>'


def _cadence(found: Diagnosis) -> str:
    cadence = found.cadence
    rhythm = "".join(f" {line}." for line in rhythms_text(found).removesuffix(".").split("\n"))
    drift = "" if math.isnan(cadence.drift_ppm) else f", {cadence.drift_ppm:+.1f} ppm from what it promises"
    note = (
        f"Period {cadence.period_ns * 1e-6:.4f} ms{drift}; SD {cadence.jitter_ms:.3f} ms, worst "
        f"{cadence.worst_ms:.2f} ms; {cadence.lost} frames never came, {cadence.skipped} were skipped.{rhythm}"
    )
    return _plot("cadence", "The camera's cadence", note)


def _scrolling(head: Iterable[str], lines: str) -> str:
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f'<div class="scroll"><table class="words-last"><tr>{titles}</tr>{lines}</table></div>'
