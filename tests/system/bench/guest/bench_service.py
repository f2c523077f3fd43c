"""Checks of the service: installed, real time, restarts, the watchdog and the boot. Run in the guest as root."""

import json
import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench_guest import (
    JOB,
    PAGE,
    PATIENCE_S,
    PYTHON,
    Ear,
    configure,
    kill,
    newest_ledger,
    plays,
    process,
    processes,
    service,
    sh,
    stopped_ledger,
    take,
    until,
)


def installed() -> str:
    """The package is there, on the -rt kernel, under systemd, with an isolated core."""
    status = sh("dpkg-query", "-W", "-f", "${Status} ${Version}", "lalelu")
    assert status.startswith("install ok installed"), status
    assert "PREEMPT_RT" in os.uname().version, os.uname().version
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
    isolated = Path("/sys/devices/system/cpu/isolated").read_text().strip()
    assert isolated == "2", isolated
    assert service()["UnitFileState"] == "enabled", service()
    return f"lalelu {status.split()[-1]}, Linux {os.uname().release}, isolated core {isolated}"


def waits_at_boot() -> str:
    """Started at boot without a camera, the service waits for one."""
    state = until("waiting for a camera", lambda: service()["StatusText"].startswith("waiting") and service())
    assert state["ActiveState"] == "activating", state
    return state["StatusText"][:60]


def plays_take() -> str:
    """A recorded drummer is heard by an ALSA client; how long after systemctl start."""
    configure(take(), shipped=True)
    with Ear() as ear:
        until("playing", plays)
        state = service()
        ear.hears()
    start_s, ready_s = _started(state)
    return (
        f"systemctl start to READY {ready_s - start_s:.1f} s, to the first possible note "
        f"{_first_frame() - start_s:.1f} s, to the first note heard {ear.on[0][0] - start_s:.1f} s"
    )


def _started(state: dict[str, str]) -> tuple[float, float]:
    """Return when a unit began to start and when it was ready, seconds since boot."""
    start_s, ready_s = (
        int(state[f"{name}TimestampMonotonic"]) * 1e-6 for name in ("InactiveExit", "ActiveEnter")
    )
    return start_s, ready_s


def _first_frame() -> float:
    """Return when the newest run handed over its first frame, seconds since boot."""
    rows = newest_ledger() / "frames"
    until("rows", lambda: rows.exists() and rows.stat().st_size > 200)
    script = (
        "import sys; from pathlib import Path; from lalelu.ledger.reader import read_ledger; "
        "print(int(read_ledger(Path(sys.argv[1])).frames['sent_ns'][0]))"
    )
    return int(sh(PYTHON, "-c", script, str(rows.parent))) * 1e-9


def real_time() -> str:
    """SCHED_FIFO, the core, locked memory and the latency file are in force, as the kernel tells."""
    shown = []
    for role, priority in (("engine", 70), ("voice", 75)):
        pid = process(role)
        threads = {int(entry.name): None for entry in Path(f"/proc/{pid}/task").iterdir()}
        fifo = [
            tid for tid in threads if os.sched_getscheduler(tid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
        ]
        assert fifo == [pid], f"{role}: FIFO threads {fifo} of {sorted(threads)}"
        assert os.sched_getparam(pid).sched_priority == priority, (role, os.sched_getparam(pid))
        locked = next(
            line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmLck")
        )
        kib = int(locked.split()[1])
        assert kib > 1000, (role, locked)
        shown.append(
            f"{role} FIFO {priority} cores {sorted(os.sched_getaffinity(pid))} locked {kib // 1024} MB"
        )
    engine = process("engine")
    assert os.sched_getaffinity(engine) == {2}, os.sched_getaffinity(engine)
    for entry in Path(f"/proc/{engine}/task").iterdir():
        if int(entry.name) != engine:
            assert 2 not in os.sched_getaffinity(int(entry.name)), (
                f"helper thread {entry.name} on the isolated core"
            )
    held = {str(entry.readlink()) for entry in Path(f"/proc/{engine}/fd").iterdir()}
    assert "/dev/cpu_dma_latency" in held, held
    status = json.loads(sh("lalelu", "status", "--json"))
    refused = [request for request in status["instruments"][0]["requests"] if not request["granted"]]
    assert refused == [], refused
    return "; ".join(shown)


def killed_voice() -> str:
    """A killed voice is started again, and nothing hangs."""
    return _killed(
        "voice", silenced=False
    )  # its port has gone with it, so that nobody hears how its notes are ended


def killed_desk() -> str:
    """A killed desk is not heard."""
    with Ear() as ear:
        ear.hears()
        engine, voice, old = process("engine"), process("voice"), process("desk")
        kill(old)
        until("a new desk", lambda: [pid for pid in processes("desk") if pid != old])
        ear.hears()
        assert (processes("engine"), processes("voice")) == ([engine], [voice])
        longest = max(after[0] - before[0] for before, after in zip(ear.on, ear.on[1:], strict=False))
    return f"longest pause between notes {longest:.1f} s"


def page() -> str:
    """The page is served from within the sandbox of the desk's unit, and tells what is played."""
    until("the page's socket", lambda: _listens(PAGE))
    told = json.loads(sh(PYTHON, str(JOB / "browse.py"), PAGE, str(PATIENCE_S)))
    group = Path(f"/proc/{process('page')}/cgroup").read_text().strip()
    assert group.endswith("/lalelu-desk.service"), group
    greeting, *ticks = told["heads"]
    assert greeting["state"]["state"] == "playing", greeting["state"]
    return f"{told['bytes']} bytes of HTML, {len(ticks)} messages of the kit {greeting['state']['kit']}"


def _listens(url: str) -> bool:
    host, port = urlsplit(url).netloc.split(":")
    with socket.socket() as door:
        return door.connect_ex((host, int(port))) == 0


def _killed(role: str, *, silenced: bool) -> str:
    with Ear() as ear:
        ear.hears()
        before, at = process(role), time.monotonic()
        kill(before)
        if silenced:
            ear.silent()
    until(f"a new {role}", lambda: processes(role) and process(role) != before)
    with Ear() as ear:
        first = ear.hears()
    until("playing", plays)
    return f"heard again after {first - at:.1f} s"


def killed_engine() -> str:
    """A killed engine ends its notes; systemd starts the service again."""
    restarts = int(service()["NRestarts"])
    said = _killed("engine", silenced=True)
    assert int(service()["NRestarts"]) > restarts, service()
    return said


def killed_leader() -> str:
    """A killed leader takes the others along; systemd starts the service again."""
    old = {role: process(role) for role in ("engine", "voice")}
    at = time.monotonic()
    kill(int(service()["MainPID"]))
    for role, pid in old.items():
        until(f"the {role} gone", lambda role=role, pid=pid: pid not in processes(role))
    with Ear() as ear:
        first = ear.hears()
    return f"heard again after {first - at:.1f} s"


def watchdog() -> str:
    """A hung loop is noticed by systemd, which stops the service in order and starts it again."""
    leader = service()["MainPID"]
    with Ear() as ear:
        ear.hears()
        engine, at = process("engine"), time.monotonic()
        kill(engine, signal.SIGSTOP)
        ear.silent()
        silent = time.monotonic() - at
        until("the watchdog's bite", lambda: service()["Result"] == "watchdog" or not plays(), 60)
        bitten = time.monotonic() - at
    until("the hung engine gone", lambda: engine not in processes("engine"))
    # a voice that the leader starts for its last words must not be taken for the next one's
    until("another leader", lambda: service()["MainPID"] not in ("0", leader))
    with Ear() as ear:
        first = ear.hears()
    until("playing", plays)
    return f"silent {silent:.1f} s after the hang, stopped after {bitten:.1f} s, heard again after {first - at:.1f} s"


def plays_after_boot() -> str:
    """After a reboot it plays by itself; how long after the kernel's start it was ready."""
    until("playing", plays)
    state = service()
    with Ear() as ear:
        ear.hears()
    start_s, ready_s = _started(state)
    return (
        f"boot to READY {ready_s:.1f} s (systemd started it at {start_s:.1f} s), to the first possible note "
        f"{_first_frame():.1f} s"
    )


def ledger() -> str:
    """The ledger of what plays now is whole: the analyser reads it, and no row is lost."""
    with Ear() as ear:
        ear.hears(20)
    told = json.loads(sh("lalelu", "latency", "--json", str(stopped_ledger())))["ledgers"][0]
    assert told["problems"] == [], told["problems"]
    assert told["unmatched_notes"] == 0, told["unmatched_notes"]
    ms = told["durations_ms"]
    return f"{told['frames']} frames, {told['notes']} notes; ms p50/p99: " + ", ".join(
        f"{name} {ms[name]['p50']:.2f}/{ms[name]['p99']:.2f}" for name in ("frame", "note", "handover", "hit")
    )
