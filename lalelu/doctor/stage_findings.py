"""Judge the camera's USB device, apt's timers and the card. Pure."""

import dataclasses
from typing import Final

from lalelu.doctor.card import Card
from lalelu.doctor.finding import Finding, Lasts, State
from lalelu.doctor.settings import written
from lalelu.doctor.upgrades import Upgrades
from lalelu.doctor.usb import UsbCamera

HIGH_CLOCK: Final = 0.9  # of the card's highest; less, and inference is longer by more than a tenth


def judge_usb(camera: UsbCamera | None) -> Finding:
    """Return the finding about the camera's power."""
    name = "camera's USB"
    if camera is None:
        return Finding(name, State.NOT_HERE, "the camera is not on USB, or not there")
    found = f"{camera.product} ({camera.device}"
    found += f", {camera.megabits} Mbit/s)" if camera.megabits else ")"
    if camera.control != "auto":
        return Finding(name, State.GOOD, f"{found} is never suspended")
    path = f"/sys/bus/usb/devices/{camera.device}/power/control"
    rule = (
        f'ACTION=="add", SUBSYSTEM=="usb", ATTR{{idVendor}}=="{camera.vendor_id}", '
        f'ATTR{{idProduct}}=="{camera.product_id}", TEST=="power/control", ATTR{{power/control}}="on"'
    )
    return Finding(
        name,
        State.COULD_BE_BETTER,
        f"{found} is suspended while nobody films",
        "the camera starts later, and some are lost or deliver no frame when they are woken",
        f"echo on | sudo tee {path}",
        script=(f"echo on > {path}",),
        keep=(written("/etc/udev/rules.d/90-lalelu-camera.rules", [rule]),),
        lasts=Lasts.UNTIL_BOOT,
    )


def judge_upgrades(upgrades: Upgrades | None) -> Finding:
    """Return the finding about a machine that upgrades itself."""
    name = "upgrades"
    if upgrades is None:
        return Finding(name, State.NOT_HERE, "no apt")
    if not upgrades.timers:
        return Finding(name, State.GOOD, "apt does nothing unasked: its timers are off")
    timers = " ".join(upgrades.timers)
    if not (upgrades.upgrades or upgrades.updates_lists):
        return Finding(name, State.GOOD, "apt's timers are on, and have nothing to do")
    what = "fetches and installs upgrades" if upgrades.upgrades else "fetches lists of upgrades"
    return Finding(
        name,
        State.COULD_BE_BETTER,
        f"apt {what} by itself ({timers})",
        "processor, disk and network are taken for minutes, perhaps in the middle of a song"
        + ("; services are started anew" if upgrades.upgrades else ""),
        f"before you play: sudo systemctl stop {timers}",
        script=(f"systemctl stop {timers}",),
        keep=(f"systemctl disable {timers}  # and upgrade by hand, between concerts",),
        lasts=Lasts.UNTIL_BOOT,
    )


def judge_card(card: Card | None) -> Finding:
    """Return the finding about the clocks of a card that is to infer."""
    name = "card"
    if card is None:
        return Finding(name, State.NOT_HERE, "nvidia-smi, which tells its clocks, does not answer")
    clock, highest = card.clock_mhz, card.highest_mhz
    found = f"{card.name}, {'kept ready' if card.is_kept_ready else 'not kept ready'}"
    if clock is not None and highest is not None:
        found += f", clocked at {clock} of {highest} MHz"
    costs, script = [], []
    if not card.is_kept_ready:
        costs.append("the driver is loaded anew at each start")
        script.append("nvidia-smi --id=0 --persistence-mode=1")
    if clock is not None and highest is not None and clock < HIGH_CLOCK * highest:
        costs.append("the clock falls while nothing is inferred, and rises only after inference has begun")
        script.append(f"nvidia-smi --id=0 --lock-gpu-clocks={highest},{highest}")
    if not script:
        return Finding(name, State.GOOD, found)
    remedy = " ; ".join(f"sudo {line}" for line in script)
    finding = Finding(name, State.COULD_BE_BETTER, found, "; ".join(costs), remedy)
    return dataclasses.replace(
        finding,
        script=tuple(script),
        keep=("# a unit that runs these lines at each start keeps them",),
        lasts=Lasts.UNTIL_BOOT,
    )
