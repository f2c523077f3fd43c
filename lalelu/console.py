"""Speak to people: lines on standard error, so that standard output stays for results. Prints."""

import sys


def say(line: str) -> None:
    """Print one line for people."""
    print(line, file=sys.stderr, flush=True)
