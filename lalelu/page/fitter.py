"""Fit a kit to a take: a process of its own, which the page starts and may kill at any moment. Reads a take.

`python -m lalelu.page.fitter PID`, PID the page's. Its standard input is a `Task` as a JSON object; on its standard
output it tells, a JSON object a line, {"done", "before", "best"} after each kit that was tried, then what came of it
({"fitted": ...}, see `fit`) or why nothing did ({"error": sentence}). One thread, behind everything else.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config
from lalelu.errors import LaleluError
from lalelu.hits import read_hits
from lalelu.parent import end_with
from lalelu.take import read_take
from lalelu.tuning import report
from lalelu.tuning.fitting import WINDOW_MS, fitting
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.parameters import changes
from lalelu.tuning.practice import noted
from lalelu.tuning.study import search, spared
from lalelu.tuning.workers import Played

NICENESS: Final = 19  # the page has 10

Advance = Callable[[int, float, float], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What is fitted to what."""

    name: str  # the take's
    take: str  # files
    truth: str
    config: dict[str, Any]
    kit: dict[str, Any]
    trials: int
    seconds: float

    def text(self) -> str:
        """Return it as it is handed over."""
        return json.dumps(asdict(self))


class _Here:
    """Plays in this process, one lesson after the other."""

    count = 1

    def __init__(self, judge: Judge, lessons: Sequence[Lesson]) -> None:
        self._judge = judge
        self._lessons = lessons

    def play(self, kits: Sequence[KitConfig]) -> Played:
        return [[self._judge.play(lesson, kit) for lesson in self._lessons] for kit in kits]


def fit(task: Task, advance: Advance) -> dict[str, Any]:
    """Return the figures before and after, and what is to be changed in the kit. Raises LaleluError."""
    kit = KitConfig.model_validate(task.kit)
    take = read_take(Path(task.take))
    lessons = [Lesson(task.name, take, read_hits(task.truth), by_pattern=noted(take.header) is not None)]
    asked = fitting(Config.model_validate(task.config), kit, lessons)
    here = _Here(asked.judge, lessons)
    tuned = search(
        kit,
        asked.parameters,
        here,
        window_ms=WINDOW_MS,
        trials=task.trials,
        seconds=task.seconds,
        advance=advance,
    )
    tuned = spared(kit, tuned, here)
    found = changes(kit, tuned.kit)
    worse = report.WORSE if tuned.is_worse else None
    return {
        "report": report.as_json([task.name], tuned, found),
        "table": report.table([task.name], tuned),
        "changes": [[list(where), value] for where, value in found.items()],
        "legend": report.LEGEND[0],
        "no_use": worse if found else report.NO_BETTER,  # why nothing is written; None = it may be
    }


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, allow_nan=False) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Do one task."""
    if not end_with(int(arguments[0]), signal.SIGKILL):
        return 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    task = Task(**json.load(sys.stdin))
    try:
        fitted = fit(task, lambda done, before, best: _say({"done": done, "before": before, "best": best}))
    except LaleluError as exc:
        _say({"error": str(exc)})
        return exc.exit_code
    _say({"fitted": fitted})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
