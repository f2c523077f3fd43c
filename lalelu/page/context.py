"""What the page's routes share. Pure data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lalelu.session import Session


def _nobody(_order: str) -> None:
    """Nobody plays, so nobody is asked."""


@dataclass(frozen=True, slots=True)
class Context:
    """Whose page it is."""

    session: Session | None  # the running instrument; None = none, the page serves files only
    config_path: Path | None  # None = the defaults, nothing to edit
    takes: Path  # the folder of takes
    token: str | None = None  # to be shown by every browser; None = only this machine may ask
    ask: Callable[[str], None] = _nobody  # hands an order to the desk: "standby", "play", "kit NUMBER"
