"""What a diagnosis says to people, section by section, in plain text. Pure: values in, text out."""

import math
import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np

from lalelu.analysis.causes import Causes, Outlier
from lalelu.analysis.comparison import Comparison
from lalelu.analysis.diagnosis import Diagnosis
from lalelu.analysis.excess import CAUSES
from lalelu.analysis.explanations import Explanation
from lalelu.analysis.latency import Distribution, histogram_text, table
from lalelu.analysis.periodicity import Rhythm
from lalelu.analysis.phases import Phase

_STEADY_MS: Final = 1.0  # SD up to which an instrument feels right (Wessel & Wright 2002)
_SHAKY_MS: Final = 3.0  # from here on players rate it worse (Jack, Stockman, McPherson 2016)
_SHOWN: Final = 0.05  # of an outlier: smaller parts are left out of its line
_WORST: Final = 5  # outliers that are told one by one
_MARGIN: Final = 12  # columns that a timeline's labels take
_PHASES: Final = 20  # that are told: those with the largest changes
_BARS: Final = "▁▂▃▄▅▆▇█"


def sections(diagnosis: Diagnosis, width: int, broken: Sequence[str] = ()) -> list[str]:
    """Return the text of one run: verdict, table, stages, phases, causes, periodicity, cadence, histogram, timeline.

    `broken` are the budgets that do not hold, a sentence each; `width` is the terminal's, in characters.
    """
    return [
        _wrapped("\n".join(verdict(diagnosis, broken)), width),
        table(diagnosis.summary, width),
        stages_text(diagnosis),
        _wrapped(phases_text(diagnosis.phases), width),
        _wrapped(causes_text(diagnosis), width),
        _wrapped(rhythms_text(diagnosis), width),
        _wrapped(cadence_text(diagnosis), width),
        histogram_text(diagnosis.summary.main),
        timeline(diagnosis, width),
    ]


def verdict(diagnosis: Diagnosis, broken: Sequence[str] = ()) -> list[str]:
    """Return the few lines for a player: the feel, the budget, the main cause of the worst notes."""
    hit, frame = diagnosis.summary.durations["hit"], diagnosis.summary.durations["frame_all"]
    lines = []
    if hit.count:
        lines.append(
            f"{_feel(hit)}: a note sounds {hit.p50:.1f} ms after the end of its stroke, give or take "
            f"{hit.sd:.1f} ms (SD); one in a hundred after {hit.p99:.1f} ms or more."
        )
    elif frame.count:
        lines.append(
            f"No notes. A frame takes {frame.p50:.1f} ms, one in a hundred {frame.p99:.1f} ms or more."
        )
    lines += [
        f"{_share(over.share)} of the camera's frames took longer than the frame period ({over.limit_ms:.2f} ms)."
        for over in diagnosis.over[:1]
    ]
    lines += [f"Broken: {sentence}." for sentence in broken]
    for causes, what in ((diagnosis.note_causes, "notes"), (diagnosis.frame_causes, "frames")):
        if causes.of and not causes.count:
            lines.append(f"No outliers among {causes.of} {what}.")
        elif causes.count:
            lines.append(
                f"{causes.count} of {causes.of} {what} came more than {causes.threshold_ms:.1f} ms later than "
                f"usual, mainly: {_main(causes)}."
            )
    return lines or ["No frames and no notes."]


def stages_text(diagnosis: Diagnosis) -> str:
    """Return what each stage takes of the median frame and of the slowest ones."""
    lines = ["Where the time goes      median frame         slowest 1 %"]
    lines += [
        f"  {each.stage:<16} {each.median_ms:9.2f} ms {each.median_share:5.0%}"
        f" {each.tail_ms:9.2f} ms {each.tail_share:5.0%}"
        for each in diagnosis.stages
    ]
    lines += [f"  over {each.what}: {_share(each.share)} of the camera's frames" for each in diagnosis.over]
    return "\n".join(lines)


def explained(each: Explanation) -> str:
    """Return what changed at a phase's beginning, and how much of the latency's change it is."""
    how = "explains" if each.model == "accounts" else "goes along with it, R²"
    return f"{each.text} ({how} {each.share:.0%})"


def phases_text(phases: Sequence[Phase]) -> str:
    """Return a line for each phase, with what changed at its beginning."""
    if len(phases) < 2:
        return "Phases: one; nothing changed for longer than a moment."
    told = sorted(phases, key=lambda phase: -abs(np.nan_to_num(phase.change_ms, nan=math.inf)))[:_PHASES]
    lines = [line for phase in sorted(told, key=lambda phase: phase.first_row) for line in _phase(phase)]
    if len(phases) > len(told):
        lines.append(f"  and {len(phases) - len(told)} phases that changed less; --json tells all")
    return "\n".join(["Phases (expected arrival → row):", *lines])


def causes_text(diagnosis: Diagnosis) -> str:
    """Return the causes of late frames and of late notes, and the worst of both."""
    lines: list[str] = []
    for causes in (diagnosis.note_causes, diagnosis.frame_causes):
        if not causes.count:
            lines.append(f"Late {causes.kind}s: no outliers.")
            continue
        lost = sum(each.ms for each in causes.ranking)
        lines.append(f"Late {causes.kind}s: {causes.count} of {causes.of}, {lost:.0f} ms lost in all")
        for each in causes.ranking:
            if each.share >= 0.01:
                who = f"  ({each.detail})" if each.detail else ""
                lines.append(
                    f"  {each.share:5.0%} {each.ms:9.1f} ms  {CAUSES[each.cause]}; "
                    f"main cause of {each.outliers}{who}"
                )
        lines += [f"  {outlier_text(outlier)}" for outlier in causes.worst[:_WORST]]
    lines += [f"not told here: {each}" for each in diagnosis.frame_causes.not_told]
    return "\n".join(lines)


def outlier_text(outlier: Outlier) -> str:
    """Return one outlier with its causes in percent."""
    parts = [
        f"{CAUSES[p.cause]} {p.share:.0%}{f' ({p.detail})' if p.detail else ''}"
        for p in outlier.parts
        if p.share >= _SHOWN
    ]
    return f"{outlier.kind} {outlier.seq} at {outlier.at_s:.2f} s, +{outlier.excess_ms:.1f} ms: {', '.join(parts)}"


def rhythms_text(diagnosis: Diagnosis) -> str:
    """Return what comes at regular times."""
    found = [("frames", each) for each in diagnosis.frame_rhythms]
    found += [("notes", each) for each in diagnosis.note_rhythms]
    if not found:
        return "Periodicity: late frames and notes keep no period."
    return "\n".join(f"Periodicity: late {what} come {_rhythm(each)}" for what, each in found)


def cadence_text(diagnosis: Diagnosis) -> str:
    """Return what the camera kept of its promise."""
    cadence = diagnosis.cadence
    if math.isnan(cadence.period_ns):
        return "Camera: too few frames in a row to know its cadence."
    restarts = len(cadence.segments) - 1
    again = f"; begun anew {restarts} {'time' if restarts == 1 else 'times'}" if restarts > 0 else ""
    return (
        f"Camera: {1e9 / cadence.period_ns:.3f} frames a second, {cadence.drift_ppm:+.1f} ppm of its period against "
        f"{cadence.nominal_fps:g}; frames {cadence.jitter_ms:.3f} ms (SD) off its beat, {cadence.worst_ms:.2f} ms at "
        f"most; {cadence.skipped} skipped while the loop was busy, {cadence.lost} never delivered{again}."
    )


def timeline(diagnosis: Diagnosis, width: int) -> str:
    """Return the run as a strip: the slowest second in each column, where phases begin, where outliers are."""
    seconds = diagnosis.seconds
    if not len(seconds):
        return "Timeline: no frames."
    whole = max(int(seconds.second.max()) + 1, 1)
    columns = max(min(width - _MARGIN, whole), 1)
    place = np.clip(seconds.second / whole * columns, 0, columns - 1).astype(np.intp)
    height = np.full(columns, -math.inf)
    np.maximum.at(height, place, seconds.frame_p95)
    low, high = float(np.min(seconds.frame_p50)), float(np.max(height))
    step = max(high - low, 1e-9) / (len(_BARS) - 1)
    strip = "".join(
        " " if value == -math.inf else _BARS[round((value - low) / step)] for value in height.tolist()
    )
    begins = [" "] * columns
    for phase in reversed(diagnosis.phases):
        begins[min(max(phase.first_s * columns // whole, 0), columns - 1)] = str(phase.number)[-1]
    late = np.concatenate([diagnosis.frame_causes.at_s, diagnosis.note_causes.at_s])
    late = late[(late >= 0) & (late < whole)]
    many = np.bincount((late * columns / whole).astype(np.intp), minlength=columns)[:columns]
    marks = "".join(" " if n == 0 else str(n) if n < 10 else "#" for n in many.tolist())
    each = f"{whole / columns:.3g} s"
    return "\n".join(
        [
            f"Timeline: {whole} s, {each} a column; p95 of a second from {low:.1f} to {high:.1f} ms",
            f"{'latency':<{_MARGIN - 1}} {strip}",
            f"{'phase':<{_MARGIN - 1}} {''.join(begins)}".rstrip(),
            f"{'outliers':<{_MARGIN - 1}} {marks}".rstrip(),
        ]
    )


def comparison_text(comparison: Comparison, name: str) -> str:
    """Return how a run compares with the one called `name`."""
    if not comparison.effects:
        return f"Against {name}: too few rows in common to compare."
    lines = [
        f"  {each.duration:<6} {each.statistic:<5} {each.other_ms:9.3f} → {each.this_ms:9.3f} ms  "
        f"{each.change_ms:+.3f} [{each.low_ms:+.3f}, {each.high_ms:+.3f}]  {each.verdict}"
        for each in comparison.effects
    ]
    return "\n".join([f"Against {name}: {comparison.verdict}", *lines])


def _feel(hit: Distribution) -> str:
    if hit.sd <= _STEADY_MS:
        return "Steady"
    if hit.p90 - hit.p50 <= _STEADY_MS:
        return "Steady but for a few notes"
    return "Uneven" if hit.sd <= _SHAKY_MS else "Shaky"


def _wrapped(text: str, width: int) -> str:
    """Break lines that are too long, each with the indent that it has and two more."""
    broken = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        broken += textwrap.wrap(line, max(width, 40), subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(broken)


def _main(causes: Causes) -> str:
    main = causes.ranking[0]
    who = f", {main.detail} on the core" if main.detail else ""
    return f"{CAUSES[main.cause]} ({main.share:.0%} of the time lost{who})"


def _phase(phase: Phase) -> list[str]:
    change = (
        ""
        if math.isnan(phase.change_ms)
        else f", {phase.change_ms:+.1f} ms at p50, {phase.change_p95_ms:+.1f} at p95"
    )
    figures = (
        f"p50 {phase.p50_ms:.2f}, p95 {phase.p95_ms:.2f}, p99 {phase.p99_ms:.2f}, max {phase.max_ms:.1f} ms"
    )
    lines = [f"  {phase.name}, {phase.first_s} s to {phase.last_s} s: {figures}{change}"]
    if math.isnan(phase.change_ms):
        return lines
    lines += [f"      {explained(each)}" for each in phase.explanations]
    if phase.unexplained >= _SHOWN:
        lines.append(
            f"      unexplained: {phase.unexplained:.0%} (inference {phase.change_inference_ms:+.2f} ms)"
        )
    lines += [f"      at that time: {event}" for event in phase.events]
    return lines


def _rhythm(rhythm: Rhythm) -> str:
    return (
        f"every {rhythm.period_s:.3f} s: {rhythm.spikes} of {rhythm.of} keep it "
        f"(chance of that at random times below {max(rhythm.false_alarm, 1e-12):.0e})."
    )


def _share(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"
