"""Collect how the loop's core is clocked, sleeps, shares and heats. Reads /proc and /sys, changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lalelu.clock import now_ns
from lalelu.doctor.machine import SYS, text_of
from lalelu.realtime import parse_cpu_list

# file -> its value where turbo is on: Intel's own driver first, all others after it
TURBO: Final = {"intel_pstate/no_turbo": "0", "cpufreq/boost": "1"}
CLOCK_LOOKS: Final = 1000  # in a row; the best of five such rows counts


@dataclass(frozen=True, slots=True)
class Turbo:
    """Whether the processor may clock above what it keeps up for ever."""

    file: str  # below /sys/devices/system/cpu
    is_on: bool


@dataclass(frozen=True, slots=True)
class IdleState:
    """One way of the core to sleep."""

    number: int
    name: str
    latency_us: int  # to leave it, at worst
    is_on: bool


@dataclass(frozen=True, slots=True)
class Sensor:
    """A thermometer."""

    name: str
    celsius: float
    limit_celsius: float | None  # where the machine protects itself


@dataclass(frozen=True, slots=True)
class Heat:
    """How hot it is, and what came of that."""

    slowdowns: int | None  # for heat, of core and package, since boot; None: not counted
    hottest: Sensor | None  # nearest to its limit, or the hottest where no limits are told


@dataclass(frozen=True, slots=True)
class Processor:
    """What the kernel tells of one core."""

    turbo: Turbo | None
    idle_states: tuple[IdleState, ...]
    siblings: tuple[int, ...]  # other cores online that are the same core's other threads
    switchable: tuple[int, ...]  # those of them that can be taken offline
    clock_source: str
    clock_sources: tuple[str, ...]  # that could be chosen
    clock_look_us: float  # what asking the time takes


def collect_processor(core: int | None, sys: Path = SYS) -> Processor:
    """Read the facts of `core` (None: of the first one)."""
    cpus = sys / "devices/system/cpu"
    cpu = cpus / f"cpu{core or 0}"
    online = parse_cpu_list(text_of(cpus / "online"))
    siblings = tuple(
        other
        for other in parse_cpu_list(text_of(cpu / "topology/thread_siblings_list"))
        if other in online and other != (core or 0)
    )
    clock = sys / "devices/system/clocksource/clocksource0"
    return Processor(
        turbo=_turbo(cpus),
        idle_states=tuple(_idle_states(cpu / "cpuidle")),
        siblings=siblings,
        switchable=tuple(other for other in siblings if (cpus / f"cpu{other}/online").exists()),
        clock_source=text_of(clock / "current_clocksource").strip(),
        clock_sources=tuple(text_of(clock / "available_clocksource").split()),
        clock_look_us=_clock_look_us(),
    )


def collect_heat(core: int | None, sys: Path = SYS) -> Heat:
    """Read the thermometers, and how often the core or its package was slowed down."""
    folder = sys / f"devices/system/cpu/cpu{core or 0}/thermal_throttle"
    counts = [_number(folder / f"{what}_throttle_count") for what in ("core", "package")]
    told = [int(count) for count in counts if count is not None]
    sensors = [*_zones(sys / "class/thermal"), *_chips(sys / "class/hwmon")]
    return Heat(sum(told) if told else None, max(sensors, key=_nearness, default=None))


def _turbo(cpus: Path) -> Turbo | None:
    for file, on in TURBO.items():
        text = text_of(cpus / file).strip()
        if text:
            return Turbo(file, text == on)
    return None


def _idle_states(folder: Path) -> Iterator[IdleState]:
    count = len(list(folder.glob("state*")))
    for number in range(count):
        state = folder / f"state{number}"
        latency_us = _number(state / "latency")
        if latency_us is not None:
            is_on = text_of(state / "disable").strip() in ("", "0")
            yield IdleState(number, text_of(state / "name").strip(), int(latency_us), is_on)


def _clock_look_us() -> float:
    rows = []
    for _ in range(5):
        began_ns = now_ns()
        for _ in range(CLOCK_LOOKS):
            now_ns()
        rows.append((now_ns() - began_ns) / CLOCK_LOOKS)
    return min(rows) * 1e-3


def _zones(folder: Path) -> Iterator[Sensor]:
    for zone in sorted(folder.glob("thermal_zone*")):
        celsius = _degrees(zone / "temp")
        if celsius is not None:
            trips = {
                text_of(kind).strip(): _degrees(kind.with_name(kind.name.replace("type", "temp")))
                for kind in zone.glob("trip_point_*_type")
            }
            yield Sensor(text_of(zone / "type").strip(), celsius, trips.get("critical"))


def _chips(folder: Path) -> Iterator[Sensor]:
    for file in sorted(folder.glob("hwmon*/temp*_input")):
        celsius = _degrees(file)
        if celsius is not None:
            stem = file.name.removesuffix("_input")
            label = text_of(file.with_name(f"{stem}_label")).strip() or stem
            chip = text_of(file.with_name("name")).strip()
            yield Sensor(f"{chip} {label}".strip(), celsius, _degrees(file.with_name(f"{stem}_crit")))


def _nearness(sensor: Sensor) -> tuple[bool, float]:
    if sensor.limit_celsius is None:
        return False, sensor.celsius
    return True, sensor.celsius - sensor.limit_celsius


def _degrees(path: Path) -> float | None:
    value = _number(path)
    return None if value is None or not 0 < value < 200_000 else value / 1000  # 0 and 255: not connected


def _number(path: Path) -> float | None:
    try:
        return float(text_of(path))
    except ValueError:
        return None
