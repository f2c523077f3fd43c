"""Judge the kernel's facts and the machine's answers to the requests for real time. Pure."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Final

from lalelu.config.schema import RealtimeSection
from lalelu.doctor.finding import Finding, Lasts, State
from lalelu.doctor.machine import Limits, Machine
from lalelu.doctor.probe import Lateness, Sleep
from lalelu.doctor.settings import cores_text, with_group_right, with_kernel_options, with_settings, written
from lalelu.realtime import Grant
from lalelu.realtime.requests import AWAKE, HIGHEST, LATENCY_RULE, ROOM

LEAST_THROTTLE: Final = 0.95  # the kernel's default share for real time; the loop may need 0.9 of it
GOOD_LATE_MS: Final = 1.0  # Wessel & Wright 2002: a percussion instrument varies by 1 ms at most
BAD_LATE_MS: Final = 10.0  # a whole frame at 100 fps, for one waking in a hundred

# what a refused request costs, by the first words of its name
_COSTS: Final = {
    "SCHED_FIFO": "whatever else runs delays the loop: frames are late by 1..10 ms now and then",
    "locked memory": "memory that was swapped out or dropped is read from the disk in the middle of a stroke",
    AWAKE: "each waking from a deep sleep state takes up to some tenths of a millisecond",
    "core": "the loop moves between cores, and each time its caches are cold",
}


def judge_machine(machine: Machine, core: int | None) -> list[Finding]:
    """Return the findings about cores, kernel and power."""
    return [
        _cores(machine, core),
        _isolation(machine, core),
        _governor(machine, core),
        _kernel(machine),
        _throttling(machine),
        _hypervisor(machine),
        _bf16(machine),
    ]


def judge_requests(machine: Machine, grants: Sequence[Grant], asked: RealtimeSection) -> list[Finding]:
    """Return a finding for each request that matters, and for whichever else was refused."""
    findings = []
    for grant in grants:
        cost = next((cost for name, cost in _COSTS.items() if grant.request.startswith(name)), "")
        if grant.granted and (not cost or grant.request.startswith("core")):
            continue  # small ones; the core has findings of its own
        if grant.granted:
            found = f"granted ({grant.detail}{_limit(machine.limits, grant)})"
            findings.append(Finding(grant.request, State.GOOD, found))
        else:
            found = f"refused ({grant.detail}{_limit(machine.limits, grant)})"
            state = State.BAD if asked.required else State.COULD_BE_BETTER
            if asked.required:
                cost = f"lalelu run does not start, for realtime.required is set; {cost}"
            refused = Finding(grant.request, state, found, cost, grant.remedy)
            findings.append(_with_right(refused, grant, asked.priority))
    if asked.priority == 0:
        found = "realtime.priority is 0: ordinary scheduling"
        findings.append(
            Finding(
                "SCHED_FIFO", State.COULD_BE_BETTER, found, _COSTS["SCHED_FIFO"], "realtime: {priority: 70}"
            )
        )
    if machine.swap_kb and not any(grant.granted and grant.request == "locked memory" for grant in grants):
        found = f"{machine.swap_kb // 1024} MB of swap, and memory is not locked"
        remedy = "sudo swapoff -a"
        keep = ("# locked memory (above) does the same; or else take the line with swap out of /etc/fstab",)
        findings.append(
            Finding(
                "swap",
                State.COULD_BE_BETTER,
                found,
                _COSTS["locked memory"],
                remedy,
                ("swapoff -a",),
                keep,
                Lasts.UNTIL_BOOT,
            )
        )
    return findings


def _with_right(refused: Finding, grant: Grant, priority: int) -> Finding:
    """Add what gives people the right; a service has it by its unit."""
    if LATENCY_RULE in grant.remedy:
        reload = ("udevadm control --reload", "udevadm trigger --sysname-match=cpu_dma_latency")
        return with_group_right(refused, "/etc/udev/rules.d/90-lalelu.rules", LATENCY_RULE, *reload)
    if not grant.remedy.startswith("Limit"):
        return refused
    limits = "/etc/security/limits.d/90-lalelu"
    if grant.request.startswith("SCHED_FIFO"):
        limit = min(priority + ROOM, HIGHEST)
        return with_group_right(refused, f"{limits}-rtprio.conf", f"@lalelu - rtprio {limit}")
    if grant.request == "locked memory":
        return with_group_right(refused, f"{limits}-memlock.conf", "@lalelu - memlock unlimited")
    return refused


def judge_sleep(sleep: Sleep) -> Finding:
    """Return the finding about the probe: a thread that only sleeps is never later than the loop will be."""
    late = sleep.lateness
    where = "wherever it was put" if sleep.core is None else f"on core {sleep.core}"
    found = (
        f"{late.wakings} wakings, {sleep.period_ms:g} ms apart, {where}, {sleep.scheduling}; late by "
        f"{late.p50_ms:.2f} ms at p50, {late.p99_ms:.2f} at p99, {late.p999_ms:.2f} at p99.9, "
        f"{late.max_ms:.1f} at most (SD {late.sd_ms:.2f}); {late.over_1_ms} more than 1 ms, {late.gaps} more than 10 ms"
    )
    if sleep.stolen_ms:
        found += f"; the host took the core for {sleep.stolen_ms:.0f} ms"
    state = _sleep_state(late)
    if state is State.GOOD:
        return Finding("wakings", state, found)
    cost = "a frame that falls into such a moment is late by as much, whatever else is done"
    if sleep.stolen_ms:
        remedy = "play on a machine of your own: no setting here takes the core back from the host"
    elif sleep.scheduling == "SCHED_OTHER":
        remedy = "grant SCHED_FIFO, as said above"
    else:
        remedy = "isolate the core; look for firmware or drivers with `sudo cyclictest -p 80 -t 1` (rt-tests)"
    return Finding("wakings", state, found, cost, remedy)


def _sleep_state(late: Lateness) -> State:
    if late.p99_ms > BAD_LATE_MS:
        return State.BAD
    return State.COULD_BE_BETTER if late.p99_ms > GOOD_LATE_MS or late.gaps else State.GOOD


def _limit(limits: Limits, grant: Grant) -> str:
    if grant.request.startswith("SCHED_FIFO"):
        right = ", by CAP_SYS_NICE" if limits.may_nice else ""
        return f"; limit {_shown(limits.real_time_priority)}{right}"
    if grant.request == "locked memory" and grant.granted:
        right = ", by CAP_IPC_LOCK" if limits.may_lock else ""
        kilobytes = None if limits.locked_bytes is None else limits.locked_bytes // 1024
        return f"; limit {_shown(kilobytes, ' kB')}{right}"
    return ""


def _shown(limit: int | None, unit: str = "") -> str:
    return "none" if limit is None else f"{limit}{unit}"


def _cores(machine: Machine, core: int | None) -> Finding:
    there = f"{len(machine.online)} online" if machine.online else "the kernel does not tell how many"
    if core is None:
        return Finding(
            "cores",
            State.COULD_BE_BETTER,
            f"{there}; none for the loop",
            "the loop moves between cores, and each time its caches are cold",
            "realtime: {core: auto}",
        )
    found = f"{there}; the loop gets core {core}"
    if len(machine.online) == 1:
        cost = "the loop shares its core with everything else: a synthesiser beside it delays frames"
        return Finding("cores", State.COULD_BE_BETTER, found, cost, "a machine with two cores or more")
    return Finding("cores", State.GOOD, found)


def _isolation(machine: Machine, core: int | None) -> Finding:
    name = "isolation"
    if core is None or len(machine.online) < 2:
        return Finding(name, State.NOT_HERE, "no core that could be kept for the loop alone")
    options = {
        "isolcpus": machine.isolated,
        "nohz_full": machine.tickless,
        "rcu_nocbs": machine.callbacks_elsewhere,
    }
    missing = {option: cores_text({*cores, core}) for option, cores in options.items() if core not in cores}
    if not missing:
        return Finding(name, State.GOOD, f"core {core} is the loop's alone, without timer ticks")
    found = f"core {core} has no {', '.join(f'{option}={core}' for option in missing)}"
    if "isolcpus" in missing:
        missing["isolcpus"] = f"managed_irq,domain,{missing['isolcpus']}"  # devices' interrupts keep off, too
    cost = "other programs, timer ticks or kernel work take the core for moments: single frames are late"
    remedy = "on the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub, update-grub): "
    remedy += " ".join(f"{option}={cores}" for option, cores in missing.items())
    return with_kernel_options(Finding(name, State.COULD_BE_BETTER, found, cost, remedy), missing)


def _governor(machine: Machine, core: int | None) -> Finding:
    name = "governor"
    governors = machine.governors
    if core is not None and core in governors:
        governors = {core: governors[core]}
    if not governors:
        return Finding(
            name,
            State.NOT_HERE,
            "no scaling_governor: the clock is not ours to set, as in most virtual machines",
        )
    slow = {number: governor for number, governor in governors.items() if governor != "performance"}
    if not slow:
        return Finding(name, State.GOOD, f"performance on {_listed(governors)}")
    found = f"{', '.join(sorted(set(slow.values())))} on {_listed(slow)}"
    cost = "the clock falls while the loop waits for a frame, and inference starts slowly"
    return with_settings(
        Finding(name, State.COULD_BE_BETTER, found, cost),
        {f"/sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor": "performance" for number in slow},
    )


def _listed(cores: Collection[int]) -> str:
    return f"core{'s' if len(cores) > 1 else ''} {', '.join(map(str, cores))}"


def _kernel(machine: Machine) -> Finding:
    if machine.is_preempt_rt:
        return Finding("kernel", State.GOOD, f"{machine.kernel}, PREEMPT_RT")
    return Finding(
        "kernel",
        State.COULD_BE_BETTER,
        f"{machine.kernel or 'unknown'}, without PREEMPT_RT",
        "while the kernel is busy for others, a waking may wait for it, seldom for more than 1 ms",
        "apt-get install linux-image-rt-amd64 (Debian), where the wakings below are not good",
    )


def _throttling(machine: Machine) -> Finding:
    name = "real-time throttling"
    if machine.throttle_us is None:
        return Finding(name, State.NOT_HERE, "no sched_rt_runtime_us")
    runtime_us, period_us = machine.throttle_us
    remedy = "sudo sysctl kernel.sched_rt_runtime_us=950000 kernel.sched_rt_period_us=1000000"
    if runtime_us < 0:
        cost = "none while all goes well; a loop that never sleeps would take the machine with it"
        return _throttled(Finding(name, State.COULD_BE_BETTER, "off", cost, remedy), period_us)
    found = f"real time gets {runtime_us / 1e3:g} of {period_us / 1e3:g} ms"
    if runtime_us < LEAST_THROTTLE * period_us:
        cost = f"a loop that needs more stands still for {(period_us - runtime_us) / 1e3:g} ms"
        return _throttled(Finding(name, State.COULD_BE_BETTER, found, cost, remedy), period_us)
    return Finding(name, State.GOOD, f"{found}; the loop needs less")


def _throttled(finding: Finding, period_us: int) -> Finding:
    settings = ["kernel.sched_rt_period_us=1000000", "kernel.sched_rt_runtime_us=950000"]
    if period_us > 1_000_000:  # the kernel takes no runtime that is longer than the period
        settings.reverse()
    return dataclasses.replace(
        finding,
        script=tuple(f"sysctl -w {setting}" for setting in settings),
        keep=(written("/etc/sysctl.d/90-lalelu.conf", settings),),
        lasts=Lasts.UNTIL_BOOT,
    )


def _hypervisor(machine: Machine) -> Finding:
    name = "virtual machine"
    if not machine.is_virtual:
        return Finding(name, State.GOOD, "no hypervisor is seen")
    stolen = machine.stolen_share
    found = "yes" if stolen is None else f"yes; the host has taken {stolen:.2%} of the time since boot"
    cost = "the host may take a core for 5..10 ms at any time, and no setting here prevents that"
    return Finding(name, State.COULD_BE_BETTER, found, cost, "play on a machine of your own")


def _bf16(machine: Machine) -> Finding:
    name = "bf16"
    if machine.has_bf16:
        return Finding(name, State.GOOD, "the processor computes in it")
    cost = "the network computes in f32: Lightning takes about 1.6 times as long, Thunder twice"
    return Finding(name, State.NOT_HERE, "the processor does not compute in it", cost)
