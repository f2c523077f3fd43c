"""Tell what a chaos run has counted: a table for people, one object for programs. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from soaking.counting import Figures, Growth, Recovery
from soaking.log import Kind, Log
from soaking.rules import broken

MB = 1024  # KiB


def text(log: Log, figures: Figures) -> str:
    """Return the tables, and the broken rules."""
    parts = [
        f"{(log.end_ns - log.begin_ns) * 1e-9:.0f} s of play, {len(log.faults)} faults; times: s after a cause's end",
        _table(
            (
                "fault",
                "times",
                "in time",
                "told",
                "run ends",
                "well p50",
                "worst",
                "limit",
                "next note",
                "silence",
            ),
            [_row(kind, group) for kind, group in _by_kind(figures.recoveries)],
        ),
        _table(
            (
                "notes at",
                "expected",
                "sounded",
                "missed",
                "extra",
                "echoes",
                "excused",
                "unseen",
                "their notes",
                "hanging",
                "cut",
                "longest",
                "silence",
            ),
            [
                (
                    *(
                        name,
                        n.expected,
                        n.sounded,
                        n.missed,
                        n.extra,
                        n.echoes,
                        n.excused,
                        n.unseen,
                        n.blind,
                        n.hanging,
                        n.cut,
                    ),
                    *(f"{n.longest_s:.2f}", f"{n.silence_s:.2f}"),
                )
                for name, n in figures.notes.items()
            ],
        ),
        "frames: {rows} rows of {films} films, {skipped} skipped, {missing} missing, {doubled} doubled".format(
            **asdict(figures.rows)
        ),
        _table(
            ("memory, MB more", "process", "minutes", "own", "by fit", "RSS", "by fit", "PSS", "descriptors"),
            [_growth(each) for each in figures.growths],
        ),
    ]
    parts += [f"not made here: {name}: {why}" for name, why in log.not_done.items()]
    lines = [f"BROKEN: {sentence}" for sentence in broken(log, figures)]
    return "\n\n".join([*parts, "\n".join(lines) or "no rule is broken"])


def as_json(log: Log, figures: Figures) -> dict[str, Any]:
    """Return all figures as plain values."""
    return {
        "seconds": (log.end_ns - log.begin_ns) * 1e-9,
        "faults": [
            {
                "kind": each.done.kind.name,
                "at_s": (each.done.begin_ns - log.begin_ns) * 1e-9,
                "lasted_s": (each.done.end_ns - each.done.begin_ns) * 1e-9,
                "recovered": each.recovered,
                "told": each.told,
                "ended_s": each.ended_s,
                "well_s": each.well_s,
                "note_s": each.note_s,
                "silence_s": each.silence_s,
                "remark": each.done.remark,
            }
            for each in figures.recoveries
        ],
        "notes": {name: asdict(each) for name, each in figures.notes.items()},
        "rows": asdict(figures.rows),
        "memory": [asdict(each) for each in figures.growths],
        "ended": [{"at_s": (at - log.begin_ns) * 1e-9, "status": status} for at, status in log.ended],
        "not_made": log.not_done,
        "broken": broken(log, figures),
    }


def _by_kind(recoveries: Sequence[Recovery]) -> list[tuple[Kind, list[Recovery]]]:
    kinds = dict.fromkeys(each.done.kind for each in recoveries)
    return [(kind, [each for each in recoveries if each.done.kind == kind]) for kind in kinds]


def _row(kind: Kind, group: Sequence[Recovery]) -> tuple[object, ...]:
    well = sorted(each.well_s for each in group if each.well_s is not None)
    notes = [each.note_s for each in group if each.note_s is not None]
    told = [each.told for each in group if each.told is not None]
    ends = [each.ended_s for each in group if each.ended_s is not None]
    return (
        kind.name,
        len(group),
        sum(each.recovered for each in group),
        sum(told) if told else "-",
        f"{max(ends):.2f}" if ends else "-",
        f"{well[len(well) // 2]:.2f}" if well else "-",
        f"{well[-1]:.2f}" if len(well) == len(group) else "never",
        f"{kind.within_s:g}",
        f"{max(notes):.2f}" if notes else "-",
        f"{max(each.silence_s for each in group):.2f}",
    )


def _growth(each: Growth) -> tuple[object, ...]:
    values = (each.own, each.own_fit, each.rss, each.rss_fit, each.pss)
    megabytes = ("-" if value is None else f"{value / MB:+.2f}" for value in values)
    return (each.role, each.pid, f"{each.minutes:.1f}", *megabytes, f"{each.descriptors:+g}")


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
