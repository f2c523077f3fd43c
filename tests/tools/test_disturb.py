"""The known disturbances, done to harmless processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

MS = 1_000_000
# looks at the clock until its input ends, and says the longest time between two looks, ns
LOOKER = """
import select, sys, time
longest, last = 0, time.monotonic_ns()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    at = time.monotonic_ns()
    longest, last = max(longest, at - last), at
print(max(longest, time.monotonic_ns() - last))
"""
# waits until its input ends, and says what it has collected and touched
ENGINE = """
import gc, resource, sys
collected = []
gc.callbacks.append(lambda phase, info: collected.append(phase))
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print("ready", flush=True)
sys.stdin.read()
print(collected.count("stop"), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def disturb(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import disturb

    return disturb


@pytest.fixture
def child():
    """Start a Python process from its source; it is ready when it is given."""
    processes = []

    def start(source, *arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", source, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_process_that_is_held_does_nothing_meanwhile_and_goes_on_afterwards(disturb, child):
    looker = child(LOOKER)
    began_ns, ended_ns = disturb.held(looker.pid, 60 * MS)
    assert ended_ns - began_ns >= 60 * MS
    longest_ns = int(looker.communicate("")[0])
    assert longest_ns >= 50 * MS  # the signal itself takes its time


def test_a_hold_that_is_interrupted_lets_the_process_go_on(disturb, child, monkeypatch):
    looker = child(LOOKER)

    def interrupt(_due_ns):
        raise KeyboardInterrupt

    monkeypatch.setattr(disturb, "sleep_until", interrupt)
    with pytest.raises(KeyboardInterrupt):
        disturb.held(looker.pid, 1000 * MS)
    assert looker.communicate("", timeout=30)[0] != ""


def test_disturbances_come_one_after_the_other_with_their_stamps(disturb, child):
    looker = child(LOOKER)
    target = SimpleNamespace(pids={"voice": looker.pid})
    lines = list(disturb.disturb("voice", target, 0.2, for_ms=10, every_ms=40))
    assert len(lines) >= 2
    assert {line["kind"] for line in lines} == {"voice"}
    stamps = [stamp for line in lines for stamp in (line["begin_ns"], line["end_ns"])]
    assert stamps == sorted(stamps)
    assert psutil.Process(looker.pid).status() != psutil.STATUS_STOPPED


def test_the_hog_leaves_this_process_as_it_was(disturb, expect):
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    target = SimpleNamespace(core=core, pids={"engine": os.getpid()})
    try:
        (line,) = disturb.disturb("hog", target, 0.02, for_ms=5, every_ms=1000)
    except SystemExit as exc:
        expect("realtime", str(exc))
    assert line["end_ns"] - line["begin_ns"] >= 5 * MS
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert os.sched_getaffinity(0) == before


def test_the_engines_own_thread_collects_and_faults_at_a_signal(disturb, child, project, tmp_path):
    stamps = tmp_path / "stamps"
    engine = child(
        ENGINE,
        "lalelu.instrument",
        PYTHONPATH=str(project / "tools" / "disturbed"),
        LALELU_DISTURBED=str(stamps),
    )
    for count, number in enumerate((signal.SIGUSR1, signal.SIGUSR2), 1):
        os.kill(engine.pid, number)
        deadline = time.monotonic() + 30
        while len(stamps.read_text().splitlines()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = [[int(word) for word in line.split()] for line in stamps.read_text().splitlines()]
    assert [begin_ns < end_ns for begin_ns, end_ns in lines] == [True, True]
    collections, faults = map(int, engine.communicate("")[0].split())
    assert collections >= 1
    assert faults >= 2048


def test_another_process_hears_no_such_signal(child, project, tmp_path):
    asked = {"PYTHONPATH": str(project / "tools" / "disturbed"), "LALELU_DISTURBED": str(tmp_path / "stamps")}
    source = (
        "import signal, sys; print('ready', flush=True); sys.stdin.read(); "
        "print(signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL)"
    )
    assert child(source, "lalelu.voice.process", **asked).communicate("")[0] == "True\n"
    assert not (tmp_path / "stamps").exists()


def test_an_engine_that_was_not_made_ready_is_not_sent_a_signal_that_would_end_it(disturb, child):
    engine = child(LOOKER)
    target = SimpleNamespace(pids={"engine": engine.pid})
    with pytest.raises(SystemExit, match="start lalelu with PYTHONPATH=tools/disturbed"):
        disturb.Target.stamps.fget(target)


def test_without_an_instrument_it_says_so(disturb, monkeypatch, tmp_path):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with pytest.raises(SystemExit, match="one instrument is needed, there is none"):
        disturb.find(None)


def test_a_machine_without_frequencies_says_so(disturb):
    target = SimpleNamespace(core=10_000)
    assert not Path("/sys/devices/system/cpu/cpu10000").exists()
    with pytest.raises(SystemExit, match="the frequency cannot be changed here"):
        list(disturb.disturb("frequency", target, 1.0))
