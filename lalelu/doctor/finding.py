"""What the doctor says about one thing. Pure data."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well it is."""

    GOOD = "good"
    COULD_BE_BETTER = "could be better"  # it plays, later or less evenly than this machine could
    BAD = "bad"  # it does not play as it was asked to
    NOT_HERE = "not here"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    found: str  # what is there
    cost: str = ""  # what that costs the player
    remedy: str = ""  # the line that changes it
