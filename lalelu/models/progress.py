"""Tell people what a fetch or conversion does: lines, and a bar on a terminal. Writes to stderr."""

import sys
from typing import Final, Protocol

BAR: Final = 30  # characters


class Progress(Protocol):
    """Where news of slow work goes."""

    def say(self, text: str) -> None:
        """Tell of one step."""

    def advance(self, label: str, done: int, total: int | None) -> None:
        """Tell how far a step is (bytes of bytes, or seconds with no total)."""


class Silent:
    """Tells nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def advance(self, label: str, done: int, total: int | None) -> None:
        """Do nothing."""


class StderrProgress:
    """A line per step on stderr; on a terminal also a bar that moves."""

    def __init__(self) -> None:
        self._open = False  # a bar stands on the last line

    def say(self, text: str) -> None:
        """Print one line."""
        if self._open:
            sys.stderr.write("\r\033[K")
            self._open = False
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def advance(self, label: str, done: int, total: int | None) -> None:
        """Move the bar; nothing where stderr is not a terminal."""
        if not sys.stderr.isatty():
            return
        if total:
            full = min(BAR, BAR * done // total)
            state = f"[{'#' * full}{'.' * (BAR - full)}] {done / 1e6:.1f} of {total / 1e6:.1f} MB"
        else:
            state = f"{done} s"
        sys.stderr.write(f"\r\033[K{label} {state}")
        sys.stderr.flush()
        self._open = True
