"""Judge the interrupts that come to the loop's core. Pure."""

import dataclasses
from collections.abc import Collection
from typing import Final

from lalelu.doctor.finding import Finding, Lasts, State
from lalelu.doctor.interrupts import Interrupts
from lalelu.doctor.settings import cores_text

MANY_PER_S: Final = 10.0  # one frame in ten at 100 fps
SHOWN: Final = 3  # names; the script has them all
BALANCER_FILE: Final = "/etc/default/irqbalance"


def judge_interrupts(
    seen: Interrupts | None, core: int | None, online: Collection[int], isolated: Collection[int]
) -> list[Finding]:
    """Return the findings; `seen` None: there is no core to look at."""
    name = "interrupts"
    others = [other for other in online if other != core]
    if core is None or seen is None or not others:
        return [Finding(name, State.NOT_HERE, "no core that could be kept for the loop alone")]
    return [_balancer(seen, core, isolated), _devices(seen, core, others)]


def _devices(seen: Interrupts, core: int, others: Collection[int]) -> Finding:
    name = "interrupts"
    if not seen.allowed:
        return Finding(name, State.GOOD, f"no device may interrupt core {core}")
    rate = sum(fired.count for fired in seen.fired) / max(seen.seconds, 1e-9)
    shown = ", ".join(
        f"{fired.name} {fired.count / max(seen.seconds, 1e-9):.1f}" for fired in seen.fired[:SHOWN]
    )
    found = f"{rate:.1f} a second from devices came to core {core}" + (f" ({shown})" if shown else "")
    found += f"; {seen.allowed} device{'s' if seen.allowed > 1 else ''} may"
    if rate < MANY_PER_S:
        return Finding(name, State.GOOD, found)
    cost = (
        "each goes before the loop, whatever the loop's priority, for some microseconds and what follows it"
    )
    elsewhere = cores_text(others)
    by_hand = " ; ".join(
        f"echo {elsewhere} | sudo tee /proc/irq/{fired.number}/smp_affinity_list"
        for fired in seen.fired[:SHOWN]
    )
    script = tuple(
        f"echo {elsewhere} > /proc/irq/{fired.number}/smp_affinity_list || "
        f'echo "interrupt {fired.number}: its driver places it; isolcpus=managed_irq,domain,{core} keeps it off" >&2'
        for fired in seen.fired
    )
    keep = (  # numbers change from start to start
        f"# interrupts are numbered anew at each start: isolcpus=managed_irq,domain,{core} keeps most of them off",
    )
    finding = Finding(name, State.COULD_BE_BETTER, found, cost, by_hand)
    return dataclasses.replace(finding, script=script, keep=keep, lasts=Lasts.UNTIL_BOOT)


def _balancer(seen: Interrupts, core: int, isolated: Collection[int]) -> Finding:
    name = "irqbalance"
    if not seen.is_balanced:
        return Finding(name, State.GOOD, "does not run: interrupts stay where they are")
    if core in isolated:
        return Finding(name, State.GOOD, f"runs, and keeps off core {core}, which is isolated")
    return Finding(
        name,
        State.COULD_BE_BETTER,
        f"runs, and may move interrupts to core {core} at any time",
        "a device that becomes busy interrupts the loop from then on",
        f"IRQBALANCE_BANNED_CPULIST={core} in {BALANCER_FILE}, then `sudo systemctl restart irqbalance`",
        script=(
            f"touch {BALANCER_FILE}",
            f"sed -i '/^IRQBALANCE_BANNED_CPULIST=/d' {BALANCER_FILE}",
            f"echo 'IRQBALANCE_BANNED_CPULIST={core}' >> {BALANCER_FILE}",
            "systemctl restart irqbalance",
        ),
        lasts=Lasts.FOR_GOOD,
    )
