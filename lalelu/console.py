"""Speak to people: lines on standard error, so that standard output stays for results. Prints."""

import sys
from contextlib import suppress


def say(line: str) -> None:
    """Print one line for people; where nobody reads any more (a closed terminal), it is lost, and play goes on."""
    with suppress(OSError, ValueError):  # ValueError: standard error has been closed
        print(line, file=sys.stderr, flush=True)
