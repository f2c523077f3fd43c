"""What a process says of itself to the others: its state, its facts and its last lines for people. Maps a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lalelu.channel import BoardWriter

_KEPT_LINES: Final = 24
_LINE: Final = 400  # characters; longer ones are cut, so that all of them fit on a board


class Bulletin:
    """One process's board. `tell` changes values, `say` adds a line; each is shown at once.

    What is shown: `pid`, `state`, `lines` (the last ones), `said` (how many there ever were), and what was told.
    What is wrong now stands in `problems`; one can begin with those of a process before this one.
    """

    def __init__(
        self, board: Path, state: str = "starting", problems: Mapping[str, str] | None = None
    ) -> None:
        self._board = BoardWriter(board)
        self._lines: list[str] = []
        self._said = 0
        self._told: dict[str, Any] = {"pid": os.getpid(), "state": state}
        if problems:
            self._told["problems"] = dict(problems)
        self._show()

    def tell(self, **values: Any) -> None:  # noqa: ANN401 - plain JSON values
        """Show `values` beside what was told before, or instead of it."""
        self._told |= values
        self._show()

    def problem(self, name: str, sentence: str | None) -> None:
        """Show what is wrong now, by its name among CONDITIONS; None = it is over. Only a change is written."""
        before: dict[str, str] = self._told.get("problems", {})
        problems = {key: text for key, text in before.items() if key != name}
        if sentence is not None:
            problems[name] = sentence[:_LINE]
        if problems != before:
            self.tell(problems=problems)

    def say(self, line: str) -> None:
        """Show one more line for people."""
        self._lines = [*self._lines, line[:_LINE]][-_KEPT_LINES:]
        self._said += 1
        self._show()

    def _show(self) -> None:
        while True:
            try:
                self._board.show({**self._told, "lines": self._lines, "said": self._said})
            except ValueError:  # the lines are full of letters that are long as JSON: the oldest go
                if not self._lines:
                    raise
                self._lines = self._lines[1:]
            else:
                return


def lines_after(value: dict[str, Any], said: int) -> list[str]:
    """Return the lines of a board's value that came after the first `said` ones."""
    lines: list[str] = value.get("lines", [])
    fresh = min(int(value.get("said", 0)) - said, len(lines))
    return lines[len(lines) - fresh :] if fresh > 0 else []
