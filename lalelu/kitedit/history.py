"""What was changed, to go back and forth in it. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_STEPS: Final = 200  # each keeps a file's text twice: some megabytes at most


@dataclass(frozen=True, slots=True)
class Step:
    """One change, of one file or several."""

    before: dict[Path, str]
    after: dict[Path, str]
    stroke: str | None = None  # one movement of a slider or a hand, which makes many changes


class History:
    """Steps done and steps undone."""

    def __init__(self, done: Iterable[Step] = (), undone: Iterable[Step] = ()) -> None:
        self._done: deque[Step] = deque(done, maxlen=MOST_STEPS)
        self._undone = list(undone)

    @property
    def done(self) -> Sequence[Step]:
        """The steps that can be undone, the last one last."""
        return self._done

    @property
    def undone(self) -> Sequence[Step]:
        """The steps that can be done again, the next one last."""
        return self._undone

    @property
    def undoable(self) -> Step | None:
        """The step that would be undone next."""
        return self._done[-1] if self._done else None

    @property
    def redoable(self) -> Step | None:
        """The step that would be done again next."""
        return self._undone[-1] if self._undone else None

    def add(self, step: Step) -> None:
        """Note a change; those of one stroke become one step, unless somebody else has written between them."""
        self._undone.clear()
        last = self.undoable
        if (
            last is not None
            and step.stroke is not None
            and step.stroke == last.stroke
            and _follows(step, last)
        ):
            self._done[-1] = Step({**step.before, **last.before}, {**last.after, **step.after}, step.stroke)
        else:
            self._done.append(step)

    def undo(self) -> None:
        """Take note that the last step was undone."""
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        """Take note that the last undone step was done again."""
        self._done.append(self._undone.pop())

    def forget(self) -> None:
        """Begin anew: somebody else has changed the files."""
        self._done.clear()
        self._undone.clear()


def _follows(step: Step, last: Step) -> bool:
    """Whether a step begins with the texts that the last one has left."""
    return all(step.before[file] == text for file, text in last.after.items() if file in step.before)
