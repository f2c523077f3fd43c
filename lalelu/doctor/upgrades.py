"""Read whether apt upgrades this machine by itself. Reads /etc, changes nothing."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.doctor.machine import text_of

ETC: Final = Path("/etc")
TIMERS: Final = ("apt-daily.timer", "apt-daily-upgrade.timer")

# `APT::Periodic::Unattended-Upgrade "1";`
_PERIODIC: Final = re.compile(r'^\s*APT::Periodic::([\w-]+)\s+"([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Upgrades:
    """What apt does unasked."""

    timers: tuple[str, ...]  # that start at boot
    updates_lists: bool  # what there is to upgrade is fetched
    upgrades: bool  # and installed


def collect_upgrades(etc: Path = ETC) -> Upgrades | None:
    """Read apt's settings, the last file's word last; None without apt."""
    folder = etc / "apt/apt.conf.d"
    if not folder.is_dir():
        return None
    periodic: dict[str, str] = {}
    for file in sorted(folder.iterdir()):
        periodic.update(_PERIODIC.findall(text_of(file)))
    units = etc / "systemd/system"
    timers = tuple(
        timer
        for timer in TIMERS
        if (units / "timers.target.wants" / timer).is_symlink() and not (units / timer).is_symlink()
    )
    is_on = periodic.get("Enable", "1") != "0"

    def does(what: str) -> bool:
        return is_on and periodic.get(what, "0") != "0"

    return Upgrades(timers, does("Update-Package-Lists"), does("Unattended-Upgrade"))
