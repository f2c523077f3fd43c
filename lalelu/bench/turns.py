"""Contestants of a benchmark take turns, so that whatever disturbs the machine meets them alike. Starts processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import numpy as np

from lalelu.bench.pipe import Pipe
from lalelu.bench.worker import SLEEPER, Variant, command_line
from lalelu.errors import LostError, MissingError

BLOCK: Final = 50  # runs in a turn: short enough that a disturbance of seconds hits all alike
WIDTH: Final = 9  # characters of a table's column of figures
COLUMNS: Final = ("mean", "min", "max", "SD", "p50", "p99")  # of a Spread


@dataclass(frozen=True, slots=True)
class Spread:
    """Statistics of durations, ms."""

    count: int
    mean: float
    min: float
    max: float
    sd: float
    p50: float
    p99: float

    @classmethod
    def of(cls, ns: Sequence[int]) -> Self:
        """Summarize durations in ns; there must be one."""
        ms = np.asarray(ns, np.float64) * 1e-6
        p50, p99 = np.percentile(ms, (50, 99)).tolist()
        return cls(
            len(ms),
            float(ms.mean()),
            float(ms.min()),
            float(ms.max()),
            float(ms.std()),
            float(p50),
            float(p99),
        )

    def cells(self, places: int = 2) -> str:
        """Return what stands below COLUMNS in a table."""
        values = (self.mean, self.min, self.max, self.sd, self.p50, self.p99)
        return "".join(f"{value:{WIDTH}.{places}f}" for value in values)


def titles(columns: Iterable[str]) -> str:
    """Return the heading of columns of figures."""
    return "".join(f"{column:>{WIDTH}}" for column in columns)


class Contestant:
    """One process, and what it has said; it waits on its pipe between blocks. `remedy` as in Pipe."""

    def __init__(self, name: str, command: Sequence[str], remedy: str) -> None:
        self.name = name
        self.facts: dict[str, Any] = {}  # what it said when it was ready
        self.answers: list[dict[str, Any]] = []  # one for each block that counts
        self._pipe = Pipe(name, command, remedy)

    def open(self) -> None:
        """Start the process and wait until it is ready. Raises MissingError when it cannot run here."""
        answer = self._pipe.open()
        if "missing" in answer:
            raise MissingError(answer["missing"])
        self.facts = answer["facts"]

    def block(self, runs: int, *, keep: bool) -> None:
        """Let it run one block; `keep` counts it. Raises LostError when the process has died."""
        answer = self._pipe.block(runs)
        if keep:
            self.answers.append(answer)

    def close(self) -> None:
        """End the process; safe to call twice and before `open()`."""
        self._pipe.close()

    @property
    def ns(self) -> list[int]:
        """All durations that count."""
        return [value for answer in self.answers for value in answer["ns"]]

    @property
    def resident_mb(self) -> float:
        """The most memory that it had; 0 before the first block that counts."""
        return max((float(answer["resident_mb"]) for answer in self.answers), default=0.0)


def sleeper_on(core: int, remedy: str) -> Contestant:
    """Return a bare absolute-clock sleeper on `core`: how late it wakes is the machine's share. `remedy` as in Pipe."""
    bare = Variant(SLEEPER, "f32", "", "", (core,))
    return Contestant(bare.name, command_line(bare), remedy)


Entrant = TypeVar("Entrant", bound=Contestant)


@contextmanager
def opened(
    contestants: Sequence[Entrant], left_out: dict[str, str], say: Callable[[str], None]
) -> Iterator[list[Entrant]]:
    """Open them all; who cannot run here, or dies at once, is not returned but named in `left_out`, with the reason."""
    with ExitStack() as stack:
        ready = []
        for contestant in contestants:
            stack.callback(contestant.close)
            say(f"starting {contestant.name}")
            try:
                contestant.open()
            except (MissingError, LostError) as exc:
                left_out[contestant.name] = str(exc)
                contestant.close()
            else:
                ready.append(contestant)
        yield ready


def take_turns(
    contestants: Sequence[Contestant], *, warmups: int, runs: int, say: Callable[[str], None]
) -> None:
    """Let each one run a block, then each the next, until all have done `warmups` runs and `runs` that count."""
    for keep, total in ((False, warmups), (True, runs)):
        for done in range(0, total, BLOCK):
            say(f"{'run' if keep else 'warm-up'} {done} of {total}")
            for contestant in contestants:
                contestant.block(min(BLOCK, total - done), keep=keep)
