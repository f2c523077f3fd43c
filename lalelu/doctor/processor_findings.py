"""Judge how the loop's core is clocked, sleeps, shares and heats. Pure."""

from collections.abc import Collection
from typing import Final

from lalelu.doctor.finding import Finding, State
from lalelu.doctor.processor import TURBO, Heat, Processor, Sensor
from lalelu.doctor.settings import cores_text, with_settings

CPUS: Final = "/sys/devices/system/cpu"
SLOW_TO_WAKE_US: Final = 20  # a fiftieth of the 1 ms that a percussion instrument may vary by
# read without asking the kernel: by the kernel's vDSO for x86, Arm and RISC-V
FAST_CLOCKS: Final = frozenset(
    {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"}
)
ROOM_CELSIUS: Final = 10.0  # below its limit; a song that is played hard warms a small machine by as much


def judge_processor(
    processor: Processor, core: int | None, isolated: Collection[int], *, held_awake: bool
) -> list[Finding]:
    """Return the findings; `held_awake`: deep sleep was refused to the processors while it plays."""
    return [
        _turbo(processor),
        _sleep_states(processor, core, held_awake=held_awake),
        _siblings(processor, core, isolated),
        _clock(processor),
    ]


def _turbo(processor: Processor) -> Finding:
    name = "turbo"
    turbo = processor.turbo
    if turbo is None:
        return Finding(name, State.NOT_HERE, "the kernel has no switch for it")
    if turbo.is_on:
        return Finding(name, State.GOOD, "on")
    cost = "each inference takes longer, by as much as the clock could be higher; it is steady, for that"
    finding = Finding(name, State.COULD_BE_BETTER, "off", cost)
    return with_settings(finding, {f"{CPUS}/{turbo.file}": TURBO[turbo.file]})


def _sleep_states(processor: Processor, core: int | None, *, held_awake: bool) -> Finding:
    name = "sleep states"
    on = [state for state in processor.idle_states if state.is_on]
    if not on:
        return Finding(name, State.NOT_HERE, "the kernel tells of none")
    deepest = max(on, key=lambda state: state.latency_us)
    found = f"down to {deepest.name}, which takes up to {deepest.latency_us} us to leave"
    if deepest.latency_us <= SLOW_TO_WAKE_US:
        return Finding(name, State.GOOD, found)
    if held_awake:
        return Finding(name, State.GOOD, f"{found}; kept out of it while lalelu plays (/dev/cpu_dma_latency)")
    cost = f"a frame that wakes the loop from it is up to {deepest.latency_us / 1e3:g} ms later than another"
    remedy = (
        "realtime: {cpu_latency: true}, and the right to it as said below; or else `lalelu doctor --apply`"
    )
    slow = [state for state in on if state.latency_us > SLOW_TO_WAKE_US]
    return with_settings(
        Finding(name, State.COULD_BE_BETTER, found, cost, remedy),
        {f"{CPUS}/cpu{core or 0}/cpuidle/state{state.number}/disable": 1 for state in slow},
    )


def _siblings(processor: Processor, core: int | None, isolated: Collection[int]) -> Finding:
    name = "threads of the core"
    if core is None:
        return Finding(name, State.NOT_HERE, "no core that could be kept for the loop alone")
    others = [other for other in processor.siblings if other not in isolated]
    if not processor.siblings:
        return Finding(name, State.GOOD, f"core {core} shares its units with no other that is online")
    if not others:
        beside = cores_text(processor.siblings)
        return Finding(name, State.GOOD, f"core {core} shares its units with {beside}, isolated as well")
    found = f"core {core} shares its units with {cores_text(others)}, where other programs run"
    cost = "while one runs there, inference is slower, for as long as it does"
    if set(others) - set(processor.switchable):
        remedy = f"another realtime.core: {cores_text(others)} cannot be taken offline"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    finding = Finding(name, State.COULD_BE_BETTER, found, cost)
    return with_settings(finding, {f"{CPUS}/cpu{other}/online": 0 for other in others})


def _clock(processor: Processor) -> Finding:
    name = "clock"
    source = processor.clock_source
    if not source:
        return Finding(name, State.NOT_HERE, "the kernel does not tell its source")
    found = f"{source}; a look at it takes {processor.clock_look_us:.2f} us"
    if source in FAST_CLOCKS:
        return Finding(name, State.GOOD, found)
    cost = "each of the loop's looks at the time asks the kernel and a slow device"
    better = next((other for other in processor.clock_sources if other in FAST_CLOCKS), None)
    if better is None:
        remedy = "see why the kernel gave up its own clock: `dmesg | grep -i clocksource`; a newer firmware may help"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    return with_settings(Finding(name, State.COULD_BE_BETTER, found, cost), {path: better})


def judge_heat(before: Heat, after: Heat) -> Finding:
    """Return the finding about heat, seen before and after the probe."""
    name = "heat"
    hottest = after.hottest
    where = "" if hottest is None else f"{hottest.name} {hottest.celsius:.0f} °C{_limit(hottest)}"
    if after.slowdowns is None and hottest is None:
        return Finding(name, State.NOT_HERE, "neither thermometers nor counters, as in most virtual machines")
    remedy = "clean fans and vents, give it air and shade; or less to compute (model: lightning, fewer fps)"
    if after.slowdowns:
        during = after.slowdowns - (before.slowdowns or 0)
        found = f"the processor was slowed down for heat {after.slowdowns} times since boot, {during} of them just now"
        found += f"; {where}" if where else ""
        cost = "while it is, each inference takes longer, and frames may be skipped"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    found = where or "the processor was not slowed down since boot"
    limit = None if hottest is None else hottest.limit_celsius
    if hottest is not None and limit is not None and hottest.celsius > limit - ROOM_CELSIUS:
        cost = "a little warmer, and the machine slows itself down"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    return Finding(name, State.GOOD, found)


def _limit(sensor: Sensor) -> str:
    return "" if sensor.limit_celsius is None else f" of at most {sensor.limit_celsius:.0f} °C"
