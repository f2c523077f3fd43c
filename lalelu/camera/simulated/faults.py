"""Trouble that a simulated camera is told to have while it films: one word in a file. Reads a file."""

from enum import IntEnum
from pathlib import Path

from lalelu.errors import UsageError


class Fault(IntEnum):
    """What is wrong; the words in the file are these names in lower case."""

    NONE = 0
    UNPLUGGED = 1  # the device is gone until another word stands there
    FROZEN = 2  # the same picture again and again
    BLACK = 3  # the lens is covered, or the light is off: nothing but the sensor's noise
    SLOW = 4  # every second frame does not come at all
    AWAY = 5  # the player has left the picture


def fault_in(path: str | None) -> Fault:
    """Return what the file asks for; nothing where it is absent or empty. Raises UsageError for another word."""
    if path is None:
        return Fault.NONE
    try:
        word = Path(path).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return Fault.NONE
    except (OSError, ValueError) as exc:
        raise UsageError(f"sim: faults={path} cannot be read ({exc}); name a file of one word") from exc
    if not word:
        return Fault.NONE
    try:
        return Fault[word.upper()]
    except KeyError:
        words = ", ".join(fault.name.lower() for fault in Fault)
        raise UsageError(
            f"sim: {path} asks for {word[:40]!r}; one of these may stand there: {words}"
        ) from None
