"""Ask NVIDIA's driver for the clocks of the card that infers. Runs nvidia-smi, changes nothing."""

import subprocess
from dataclasses import dataclass
from typing import Final

FIELDS: Final = ("name", "persistence_mode", "clocks.sm", "clocks.max.sm")  # of --query-gpu
PATIENCE_S: Final = 10.0  # the driver may have to wake the card


@dataclass(frozen=True, slots=True)
class Card:
    """The first card: that is the one which infers."""

    name: str
    is_kept_ready: bool  # persistence mode: the driver stays loaded while nobody uses the card
    clock_mhz: int | None
    highest_mhz: int | None


def look_at_card() -> Card | None:
    """Return the first card; None where nvidia-smi is not there or tells nothing."""
    command = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    fields = [field.strip() for field in told.stdout.partition("\n")[0].split(",")]
    if len(fields) != len(FIELDS):
        return None
    name, persistence, clock, highest = fields
    return Card(name, persistence == "Enabled", _number(clock), _number(highest))


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
