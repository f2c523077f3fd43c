"""Who else used the engine's core in the last second, by name. Reads /proc, or a copy of it."""

from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

PERIOD_NS: Final = 1_000_000_000  # a look at everybody costs some ms of the desk's time
_PYTHON: Final = "python"


class Competitor(NamedTuple):
    """Who used it most, and how much. Nobody: an empty name."""

    name: str
    ms: int


NOBODY: Final = Competitor("", 0)


class Competitors:
    """Looks at all tasks once a second. `core` None: every core counts."""

    def __init__(self, core: int | None, tick_ms: int, proc: Path = Path("/proc")) -> None:
        self._core = core
        self._tick_ms = tick_ms
        self._proc = proc
        self._ticks: dict[int, int] = {}  # by process
        self._threads: dict[int, dict[int, int]] = {}  # by process that was ever busy, by thread
        self._next_ns: int | None = None
        self._top = NOBODY

    def look(self, at_ns: int, engine: int | None) -> Competitor:
        """Return who used the core most in the second before the last look, `engine` itself left out."""
        if self._next_ns is None or at_ns >= self._next_ns:
            is_first = self._next_ns is None
            self._next_ns = at_ns + PERIOD_NS
            self._top = self._look(engine, is_first=is_first)
        return self._top

    def _look(self, engine: int | None, *, is_first: bool) -> Competitor:
        ticks: dict[int, int] = {}
        threads: dict[int, dict[int, int]] = {}
        most, winner = 0, 0
        for entry in self._proc.iterdir():
            if not entry.name.isdecimal() or (pid := int(entry.name)) == engine:
                continue
            told = _used(entry / "stat")
            if told is None:
                continue
            ticks[pid] = told[0]
            if is_first or told[0] == self._ticks.get(pid, 0):
                if pid in self._threads:
                    threads[pid] = self._threads[pid]
                continue
            used, threads[pid] = self._on_core(entry, self._ticks.get(pid, 0), self._threads.get(pid))
            if used > most:
                most, winner = used, pid
        self._ticks, self._threads = ticks, threads
        return Competitor(self._name(winner), most * self._tick_ms) if most else NOBODY

    def _on_core(
        self, process: Path, before: int, known: dict[int, int] | None
    ) -> tuple[int, dict[int, int]]:
        """Return the ticks that a process's threads have used on the core since the last look, and all they ever used.

        `before`: what all of them had used then; `known`: what each had, where that was looked at.
        """
        now: dict[int, int] = {}
        on_core: set[int] = set()
        try:
            entries = list((process / "task").iterdir())
        except OSError:  # it has ended
            entries = []
        for entry in entries:
            told = _used(entry / "stat")
            if told is not None:
                now[int(entry.name)] = told[0]
                if self._core is None or told[1] == self._core:
                    on_core.add(int(entry.name))
        if known is None:  # of several threads that had used something, the shares are not known yet
            known = (
                {} if before == 0 else {thread: before if len(now) == 1 else now[thread] for thread in now}
            )
        return sum(now[thread] - known.get(thread, 0) for thread in on_core), now

    def _name(self, pid: int) -> str:
        """Return what people call a process: for Python's, the module or script that it runs."""
        try:
            name = (self._proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
            words = (self._proc / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # it has ended
            return f"process {pid}"
        if not PurePosixPath(words[0]).name.startswith(_PYTHON):
            return name
        if "-m" in words[:-1]:
            return words[words.index("-m") + 1].removeprefix("lalelu.")
        scripts = [word for word in words[1:] if word and not word.startswith("-")]
        return PurePosixPath(scripts[0]).name if scripts else name


def _used(stat: Path) -> tuple[int, int] | None:
    """Return a task's processor time (ticks, user and system) and the core it last ran on; None when it has ended."""
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12]), int(fields[36])
    except (OSError, LookupError, ValueError):
        return None
