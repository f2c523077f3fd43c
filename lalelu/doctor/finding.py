"""What the doctor says about one thing. Pure data."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How well it is."""

    GOOD = "good"
    COULD_BE_BETTER = "could be better"  # it plays, later or less evenly than this machine could
    BAD = "bad"  # it does not play as it was asked to
    NOT_HERE = "not here"


class Lasts(StrEnum):
    """When a change is in force."""

    UNTIL_BOOT = "until the machine's next start"
    FROM_BOOT = "from the machine's next start on"
    FROM_LOGIN = "from your next login on"
    FOR_GOOD = "from now on"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    found: str  # what is there
    cost: str = ""  # what that costs the player
    remedy: str = ""  # the line that changes it
    script: tuple[str, ...] = ()  # where it is a setting: the shell lines that change it, for root
    keep: tuple[str, ...] = ()  # the lines that set it again at each start of the machine
    lasts: Lasts | None = None  # what `script` changes; None where there is none
