"""A run told on one page: what was played, what was found, how long it took. Pure: data in, HTML text out."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from lalelu.analysis.latency import STAGES, LatencySummary, counts_text, table_rows
from lalelu.analysis.plots import (
    PAD_COLOURS,
    HitMark,
    Trace,
    errors_histogram,
    histogram_svg,
    pad_colours,
    stage_medians,
    stages_svg,
    traces_svg,
)

STYLE: Final = """
:root{--ground:#0b0f14;--card:#121821;--line:#232c38;--text:#e6edf3;--dim:#8b98a8;--good:#7ee787;--bad:#ff5d5d}
*{box-sizing:border-box}
body{margin:0;background:radial-gradient(1200px 600px at 20% -10%,#16233a 0,var(--ground) 60%);
 background-color:var(--ground);color:var(--text);font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 18px 48px}
h1{font-size:28px;line-height:1.2;margin:0 0 20px;letter-spacing:-.01em}
h2{font-size:16px;margin:0 0 4px}
.note{color:var(--dim);font-size:13px;margin:0 0 12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px;margin:0 0 16px;
 min-width:0}
.top,.pair{display:grid;gap:16px;grid-template-columns:minmax(0,1fr)}
.top,.pair{margin-bottom:16px}.top>*,.pair>*{margin:0}
.tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));align-content:start}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 14px}
.tile b{display:block;font-size:26px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums;
 white-space:nowrap}
.tile b small{font-size:14px;font-weight:400;color:var(--dim)}
.tile span{color:var(--dim);font-size:13px}
.good b{color:var(--good)}.bad b{color:var(--bad)}
.picture{padding:0;overflow:hidden;align-self:start}.picture img{display:block;width:100%;height:auto}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
svg{display:block}svg.fit{width:100%;height:auto}
svg.bar{width:100%;height:40px;border-radius:6px;margin-bottom:12px}
svg text{fill:var(--dim);font-size:12px;font-family:inherit}
svg .lane{font-size:13px;font-weight:600}
.grid{stroke:var(--line);fill:none}.trace{fill:none;stroke-width:1.4;stroke-linejoin:round;opacity:.85}
.hit{stroke:#0b0f14;stroke-width:1.5}.missed{fill:none;stroke:var(--bad);stroke-width:2}
.extra{fill:none;stroke:var(--bad);stroke-width:2.2;stroke-linecap:round}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0 0 12px;color:var(--dim);font-size:13px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:50%;margin-right:6px}
.legend b{color:var(--text);font-weight:500;font-variant-numeric:tabular-nums}
.legend .ring{border:2px solid var(--bad)}
.legend .cross{border-radius:0;width:auto;height:auto;color:var(--bad);font-style:normal;font-weight:700}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
td,th{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--dim);font-weight:500}
td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}
td:nth-child(2){color:var(--dim)}
tr.total td:first-child{font-weight:650}
tr.first td{border-top:2px solid #3a4757}
.facts td{white-space:normal;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.facts td:first-child{color:var(--dim);width:30%}.facts td:nth-child(2){color:var(--text)}
@media(min-width:900px){.top.with{grid-template-columns:minmax(0,1.15fr) minmax(0,1fr)}
 .top.with .tiles{grid-auto-rows:1fr;align-content:stretch}
 .pair{grid-template-columns:repeat(2,minmax(0,1fr))}}
"""


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that the page tells."""

    title: str
    picture_png: bytes | None  # a frame with skeleton and pads
    traces: tuple[Trace, ...]  # a lane each
    found: tuple[HitMark, ...]  # found and true, or all hits where the truth is not known
    missed: tuple[HitMark, ...]  # true hits that were not found, at their true time
    extra: tuple[HitMark, ...]  # hits without a true one
    latency: LatencySummary
    facts: tuple[tuple[str, str], ...]  # what was granted and refused, versions, files
    pads: tuple[str, ...] = ()  # the kit's, so that colours are the picture's
    truth_known: bool = True  # False: a real player; nothing can be missed or extra


def render_report(data: ReportData) -> str:
    """Return one self-contained HTML page (no scripts, no other files)."""
    colours = pad_colours([*data.pads, *(m.pad for m in (*data.found, *data.missed, *data.extra))])
    title = escape(data.title)
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="color-scheme" content="dark"><title>{title}</title><style>{STYLE}</style></head>',
            f"<body><main><h1>{title}</h1>",
            _top(data),
            _traces(data, colours),
            '<div class="pair">',
            _latency_histogram(data.latency),
            _timing(data) if data.truth_known else "",
            "</div>",
            _stages(data.latency),
            latency_card(data.latency),
            facts_card(data.facts),
            "</main></body></html>\n",
        ]
    )


def _top(data: ReportData) -> str:
    picture = ""
    if data.picture_png is not None:
        encoded = base64.b64encode(data.picture_png).decode("ascii")
        picture = (
            '<div class="card picture"><img alt="a frame with the skeleton and the pads" '
            f'src="data:image/png;base64,{encoded}"></div>'
        )
    tiles = "".join(
        f'<div class="tile {kind}"><b>{value}</b><span>{label}</span></div>'
        for value, label, kind in _tiles(data)
    )
    return f'<div class="top{" with" if picture else ""}">{picture}<div class="tiles">{tiles}</div></div>'


def _tiles(data: ReportData) -> list[tuple[str, str, str]]:
    """Return (value as HTML, label, class) per tile."""
    found, missed, extra = len(data.found), len(data.missed), len(data.extra)
    summary = data.latency
    tiles = []
    if data.truth_known:
        played = found + missed
        share = f" <small>{found / played:.1%}</small>" if played else ""
        tiles += [
            (str(played), "hits played", ""),
            (f"{found}{share}", "found", "good" if found else ""),
            (str(missed), "missed", "bad" if missed else "good"),
            (str(extra), "extra", "bad" if extra else "good"),
        ]
        errors = [mark.error_ms for mark in data.found if mark.error_ms is not None]
        if errors:
            mean = sum(errors) / len(errors)
            sd = math.sqrt(sum((error - mean) ** 2 for error in errors) / len(errors))
            tiles.append((_value(sd, "ms"), "timing error, SD", ""))
    else:
        tiles.append((str(found), "hits", ""))
    main = summary.main
    name = main.label.partition(" (")[0]
    tiles += [
        (_value(main.p50, "ms"), f"{name}, median", ""),
        (_value(main.p99, "ms"), f"{name}, p99", ""),
        (_value(summary.durations["outside"].p50, "ms"), "outside inference, median", ""),
        (_value(summary.skipped_share * 100, "%"), "frames skipped", ""),
    ]
    return tiles


def _value(number: float, unit: str) -> str:
    return "-" if math.isnan(number) else f"{number:.2f} <small>{unit}</small>"


def _traces(data: ReportData, colours: dict[str, str]) -> str:
    legend = [f'<span><i style="background:{c}"></i>{escape(pad)}</span>' for pad, c in colours.items()]
    if data.truth_known:
        legend.append('<span><i class="ring"></i>missed</span>')
        legend.append('<span><i class="cross">✕</i>extra</span>')
    svg = traces_svg(data.traces, data.found, data.missed, data.extra, colours)
    return card(
        "What was played",
        "Height of the hands over time; a disc is a hit, in its pad's colour. Scroll sideways.",
        f'<div class="legend">{"".join(legend)}</div><div class="scroll">{svg}</div>',
    )


def _latency_histogram(summary: LatencySummary) -> str:
    main = summary.main
    return card(
        main.label.partition(" (")[0],
        f"{main.count} rows. Counts are logarithmic, bins double in the tail: one late row stays visible.",
        histogram_svg(main.histogram, "ms", PAD_COLOURS[0], logarithmic=True),
    )


def _stages(summary: LatencySummary) -> str:
    light = sum(summary.durations[name].p50 for name in STAGES)
    total = "" if math.isnan(light) else f" Together {light:.1f} ms."
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{name} <b>{median:.2f} ms</b></span>'
        for name, median, colour in stage_medians(summary)
    )
    return card(
        "Where the time goes",
        f"Median of every stage, from exposure until the voice has the hit.{total}",
        f'{stages_svg(summary)}<div class="legend">{legend}</div>',
    )


def _timing(data: ReportData) -> str:
    errors = [mark.error_ms for mark in data.found if mark.error_ms is not None]
    return card(
        "Timing error of the hits",
        "Found minus true time of the stroke; right of 0 is late.",
        histogram_svg(errors_histogram(errors), "ms", PAD_COLOURS[2], logarithmic=False),
    )


def latency_card(summary: LatencySummary) -> str:
    """Return the table of all durations."""
    head, *rows = table_rows(summary)
    lines = [f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>"]
    for i, row in enumerate(rows):
        kind = "" if i < len(STAGES) else ' class="total first"' if i == len(STAGES) else ' class="total"'
        lines.append(f"<tr{kind}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    return card(
        "Latency, ms", counts_text(summary), f'<div class="scroll"><table>{"".join(lines)}</table></div>'
    )


def facts_card(facts: Sequence[tuple[str, str]]) -> str:
    """Return the table of what is known of machine and run."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts)
    return card(
        "The machine and the run",
        "What was asked for, what was granted, what ran.",
        f'<table class="facts">{rows}</table>',
    )


def card(title: str, note: str, body: str) -> str:
    """Return one part of a page; `body` is HTML."""
    return f'<section class="card"><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{body}</section>'
