"""Look at the machine ten times a second: what else the engine's core had to do, and what the processes hold.

Reads /proc and /sys, or copies of them. What this machine does not tell is -1, and `unavailable` says why.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lalelu.desk.competitors import Competitors
from lalelu.ledger.layout import SAMPLE, fixed_text

PERIOD_NS: Final = 100_000_000
NOT_TOLD: Final = -1
_STEAL: Final = 7  # user nice system idle iowait irq softirq STEAL, proc(5)
_NAME_BYTES: Final = 16  # of SAMPLE
_NO_CORE: Final = "the engine has no core of its own"


class Sampler:
    """Makes the rows of `samples`. `core` is the engine's; None = whatever is counted is of the whole machine."""

    def __init__(self, core: int | None, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self.unavailable: dict[str, str] = {}  # by field
        self._core = core
        self._proc = proc
        self._sys = sys
        self._tick_ms = 1000 // os.sysconf("SC_CLK_TCK")
        self._competitors = Competitors(core, self._tick_ms, proc)
        self._zones = sorted(sys.glob("class/thermal/thermal_zone*/temp"))

    def sample(self, at_ns: int, engine: int | None, voice: int | None) -> bytes:
        """Return one row. `engine` and `voice` are process ids, None where there is no such process."""
        core = "cpu" if self._core is None else f"cpu{self._core}"
        engine_kib, switches = self._of_process(engine)
        voice_kib, _ = self._of_process(voice)
        desk_kib, _ = self._of_process(os.getpid())
        competitor = self._competitors.look(at_ns, engine)
        return SAMPLE.pack(
            at_ns,
            self._told("interrupts", lambda: self._table("interrupts")),
            self._told("softirqs", lambda: self._table("softirqs")),
            self._told("stolen_ms", lambda: int(self._stat()[core][_STEAL]) * self._tick_ms),
            self._told("pressure_us", lambda: self._pressure("cpu")),
            self._told("memory_pressure_us", lambda: self._pressure("memory")),
            self._told("io_pressure_us", lambda: self._pressure("io")),
            switches,
            NOT_TOLD if engine is None else self._told("migrations", lambda: self._migrations(engine)),
            self._told("frequency_khz", self._frequency),
            self._told("temperature_mc", self._temperature),
            engine_kib,
            voice_kib,
            desk_kib,
            self._told("runnable", lambda: int(self._stat()["procs_running"][0])),
            competitor.ms,
            fixed_text(competitor.name, _NAME_BYTES),
        )

    def _told(self, field: str, ask: Callable[[], int]) -> int:
        """Ask for one value, unless it is known to be unavailable."""
        if field in self.unavailable:
            return NOT_TOLD
        try:
            return ask()
        except OSError as exc:
            self.unavailable[field] = f"{exc.filename}: {exc.strerror}"
        except ValueError as exc:
            self.unavailable[field] = str(exc)
        except LookupError:
            self.unavailable[field] = "this kernel does not tell it"
        return NOT_TOLD

    def _table(self, name: str) -> int:
        """Sum the core's column of a table with a line for each kind and a column for each processor."""
        titles, *lines = (self._proc / name).read_text(encoding="ascii", errors="replace").splitlines()
        columns = titles.split()
        total = 0
        if self._core is None:
            for line in lines:
                counts = line.split(None, len(columns) + 1)[1 : len(columns) + 1]
                total += sum(int(count) for count in counts if count.isdigit())
            return total
        place = columns.index(f"CPU{self._core}") + 1  # a processor that is off has no column
        for line in lines:
            fields = line.split(None, place + 1)
            if len(fields) > place and fields[place].isdigit():  # some kinds are counted for all together
                total += int(fields[place])
        return total

    def _stat(self) -> dict[str, list[str]]:
        """Return the values of each line of the kernel's statistics that are wanted, by its name."""
        lines = (self._proc / "stat").read_text(encoding="ascii").splitlines()
        return {name: values for name, *values in (line.split(None, _STEAL + 2) for line in lines)}

    def _pressure(self, what: str) -> int:
        some = (self._proc / "pressure" / what).read_text(encoding="ascii").partition("\n")[0]
        return int(some.rpartition("total=")[2])

    def _migrations(self, engine: int) -> int:
        path = self._proc / f"{engine}/task/{engine}/sched"
        try:
            text = path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            if (self._proc / str(engine)).is_dir():
                raise
            return NOT_TOLD  # the engine has just ended
        return int(text.partition("\nse.nr_migrations")[2].partition(":")[2].split(None, 1)[0])

    def _frequency(self) -> int:
        if self._core is None:
            raise ValueError(_NO_CORE)
        path = self._sys / f"devices/system/cpu/cpu{self._core}/cpufreq/scaling_cur_freq"
        return int(path.read_text(encoding="ascii"))

    def _temperature(self) -> int:
        degrees = [value for zone in self._zones if (value := _number(zone)) is not None]
        if not degrees:
            raise ValueError(f"{self._sys / 'class/thermal'} has no sensor that answers")
        return max(degrees)

    def _of_process(self, pid: int | None) -> tuple[int, int]:
        """Return a process's resident memory (KiB) and how often its first thread lost its core."""
        if pid is None:
            return NOT_TOLD, NOT_TOLD
        try:
            text = (self._proc / f"{pid}/task/{pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:  # it has ended
            return NOT_TOLD, NOT_TOLD
        resident, switches = (status_number(text, name) for name in ("VmRSS", "nonvoluntary_ctxt_switches"))
        return NOT_TOLD if resident is None else resident, NOT_TOLD if switches is None else switches


def status_number(text: str, name: str) -> int | None:
    """Return the number of one line of a process's /proc status; None where it is not told."""
    value = text.partition(f"\n{name}:")[2].split(None, 1)
    return int(value[0]) if value else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # a sensor that sleeps
        return None
