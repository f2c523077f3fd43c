"""Who used the engine's core, on a /proc made for the test."""

import pytest

from lalelu.desk.competitors import NOBODY, PERIOD_NS, Competitor, Competitors

ENGINE, CORE, TICK_MS = 7, 1, 10


class Tasks:
    """A /proc whose tasks use as much as they are told to."""

    def __init__(self, proc):
        self.proc = proc

    def use(self, pid, threads, *, command=("program",)):
        """`threads`: by thread, (ticks so far, core)."""
        folder = self.proc / str(pid)
        total = sum(ticks for ticks, _ in threads.values())
        self._stat(folder / "stat", total, threads.get(pid, (0, 0))[1])
        for thread, (ticks, core) in threads.items():
            self._stat(folder / "task" / str(thread) / "stat", ticks, core)
        (folder / "comm").write_text(f"{command[0]}\n")
        (folder / "cmdline").write_bytes("\0".join(command).encode() + b"\0")

    def _stat(self, path, ticks, core):
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = ["R", *["0"] * 10, str(ticks - ticks // 2), str(ticks // 2), *["0"] * 23, str(core), "0"]
        path.write_text(f"1 (a (strange) name) {' '.join(fields)}\n")


@pytest.fixture
def tasks(tmp_path):
    tasks = Tasks(tmp_path)
    tasks.use(ENGINE, {ENGINE: (1000, CORE)})
    tasks.use(20, {20: (500, CORE)}, command=("stress", "--fifo"))
    tasks.use(30, {30: (500, 0), 31: (100, CORE)}, command=("browser",))
    return tasks


@pytest.fixture
def competitors(tmp_path, tasks):
    watching = Competitors(CORE, TICK_MS, tmp_path)
    assert watching.look(0, ENGINE) == NOBODY  # what was used before it looked is nobody's fault
    return watching


def test_the_one_that_used_the_core_most_is_named(tasks, competitors):
    tasks.use(ENGINE, {ENGINE: (1090, CORE)})
    tasks.use(20, {20: (503, CORE)}, command=("stress", "--fifo"))
    tasks.use(30, {30: (590, 0), 31: (101, CORE)}, command=("browser",))
    assert competitors.look(PERIOD_NS, ENGINE) == Competitor("stress", 3 * TICK_MS)


def test_of_several_threads_only_those_on_the_core_count(tasks, competitors):
    tasks.use(30, {30: (501, 0), 31: (101, CORE)}, command=("browser",))
    competitors.look(PERIOD_NS, ENGINE)
    tasks.use(30, {30: (591, 0), 31: (109, CORE)}, command=("browser",))
    assert competitors.look(2 * PERIOD_NS, ENGINE) == Competitor("browser", 8 * TICK_MS)


def test_a_program_that_has_just_started_counts_from_its_beginning(tasks, competitors):
    tasks.use(40, {40: (1, CORE), 41: (60, CORE)}, command=("/usr/bin/python3", "-m", "lalelu.desk.process"))
    assert competitors.look(PERIOD_NS, ENGINE) == Competitor("desk.process", 61 * TICK_MS)


def test_a_second_must_pass_between_two_looks(tasks, competitors):
    tasks.use(20, {20: (600, CORE)})
    assert competitors.look(PERIOD_NS - 1, ENGINE) == NOBODY
    assert competitors.look(PERIOD_NS, ENGINE).ms == 1000
    assert competitors.look(2 * PERIOD_NS - 1, ENGINE).ms == 1000
    assert competitors.look(2 * PERIOD_NS, ENGINE) == NOBODY


def test_a_python_script_is_called_by_its_file(tasks, competitors):
    tasks.use(40, {40: (5, CORE)}, command=("python3", "-u", "/home/player/train.py", "--fast"))
    assert competitors.look(PERIOD_NS, ENGINE).name == "train.py"


def test_without_a_core_every_core_counts(tasks, tmp_path):
    watching = Competitors(None, TICK_MS, tmp_path)
    watching.look(0, ENGINE)
    tasks.use(20, {20: (509, 0)}, command=("stress",))
    assert watching.look(PERIOD_NS, ENGINE) == Competitor("stress", 9 * TICK_MS)
