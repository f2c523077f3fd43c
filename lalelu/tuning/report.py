"""Before and after a tuning, as a table and as JSON. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from lalelu.config.section import Where
from lalelu.tuning.outcome import Outcome, together
from lalelu.tuning.study import Tuned

_PARTS = ("tuned on", "held back")
LEGEND = (
    "held back: every third block of time, 5 s or a sixth of the take",
    "lag: from a stroke's end to the frame that decided it, median",
)
WORSE = "worse on the parts held back: this fits these takes, not your playing; longer takes help"
NO_BETTER = "nothing is better than the kit as it is"


def table(names: Sequence[str], tuned: Tuned) -> str:
    """Return a line for each take and part, and for all takes together: before -> after."""
    rows = [*zip(names, tuned.before, tuned.after, strict=True)]
    if len(rows) > 1:
        rows.append(("all", _all(tuned.before), _all(tuned.after)))
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{'':{width}}  part       true  F1              SD ms         lag ms        false     missed"]
    for name, before, after in rows:
        for part, old, new in zip(_PARTS, before, after, strict=True):
            lines.append(
                f"{name:{width}}  {part:9}  {old.true:4d}  {old.f1:.3f} -> {new.f1:.3f}  "
                f"{_ms(old.sd_ms)} -> {_ms(new.sd_ms)}  {_ms(old.lag_ms)} -> {_ms(new.lag_ms)}  "
                f"{old.false:3d} ->{new.false:3d}  "
                f"{old.true - old.matched:3d} ->{new.true - new.matched:3d}"
            )
    lines += LEGEND
    return "\n".join(lines)


def _all(parts: Sequence[tuple[Outcome, Outcome]]) -> tuple[Outcome, Outcome]:
    return together([part for part, _ in parts]), together([held for _, held in parts])


def _ms(value: float | None) -> str:
    return "   -" if value is None else f"{value:4.1f}"


def as_json(names: Sequence[str], tuned: Tuned, found: Mapping[Where, Any]) -> dict[str, Any]:
    """Return the same for programs."""

    def figures(parts: tuple[Outcome, Outcome]) -> dict[str, Any]:
        return {
            key: {
                "true": part.true,
                "found": part.found,
                "matched": part.matched,
                "f1": part.f1,
                "sd_ms": part.sd_ms,
                "lag_ms": part.lag_ms,
            }
            for key, part in zip(("tuned_on", "held_back"), parts, strict=True)
        }

    return {
        "trials": tuned.trials,
        "takes": [
            {"name": name, "before": figures(before), "after": figures(after)}
            for name, before, after in zip(names, tuned.before, tuned.after, strict=True)
        ],
        "all": {"before": figures(_all(tuned.before)), "after": figures(_all(tuned.after))},
        "values": {".".join(map(str, where)): value for where, value in found.items()},
    }
