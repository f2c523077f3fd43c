import gc
import os
import subprocess
import sys

import pytest

from lalelu import realtime
from lalelu.config.schema import RealtimeSection
from lalelu.errors import MissingError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="scheduling requests are Linux's")


def test_the_kernels_core_lists_are_read():
    assert realtime.parse_cpu_list("2-4,7\n") == (2, 3, 4, 7)
    assert realtime.parse_cpu_list("\n") == ()


@linux
def test_auto_takes_an_isolated_core_before_any_other(tmp_path, monkeypatch):
    isolated = tmp_path / "isolated"
    isolated.write_text("5\n")
    monkeypatch.setattr(realtime, "ISOLATED", isolated)
    assert realtime.choose_core("auto") == 5
    isolated.write_text("\n")
    assert realtime.choose_core("auto") == max(os.sched_getaffinity(0))


@linux
def test_none_asks_for_no_core_and_an_absent_core_is_refused():
    assert realtime.choose_core("none") is None
    with pytest.raises(MissingError, match=r"realtime\.core is 1000"):
        realtime.choose_core(1000)


def in_a_process(code: str) -> str:
    """Run in a process of its own: scheduling is for keeps."""
    prelude = "import os\nfrom lalelu import realtime\nfrom lalelu.config.schema import RealtimeSection\n"
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@linux
def test_the_thread_moves_to_its_core_and_others_stay_off_it():
    out = in_a_process(
        "core = realtime.choose_core('auto')\n"
        "before = os.sched_getaffinity(0)\n"
        "realtime.leave_core(core)\n"
        "print(core in os.sched_getaffinity(0), len(before))\n"
        "grants = realtime.enter(RealtimeSection(priority=0), core, 0.5)\n"
        "print(os.sched_getaffinity(0) == {core}, all(g.granted for g in grants))\n"
    )
    first, second = out.splitlines()
    left, cores = first.split()
    assert left == ("True" if cores == "1" else "False")
    assert second == "True True"


@linux
def test_a_refused_request_is_fatal_only_where_it_is_required():
    code = (
        "import resource\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))\n"
        "try:\n"
        "    grants = realtime.enter(RealtimeSection(required={}), None, 0.5)\n"
        "    print(*grants, sep='; ')\n"
        "except Exception as exc:\n"
        "    print(type(exc).__name__, exc)\n"
    )
    assert "refused: SCHED_FIFO priority 70" in in_a_process(code.format(False))
    assert in_a_process(code.format(True)).startswith("MissingError realtime.required is set")


@linux
def test_a_loop_that_would_never_sleep_is_refused_fifo_with_the_reason():
    out = in_a_process("print(*realtime.enter(RealtimeSection(), None, 1.8), sep='; ')")
    assert "refused: SCHED_FIFO" in out
    assert "180% of a frame period" in out


def test_this_process_keeps_its_garbage_collector():
    assert gc.isenabled()
    assert RealtimeSection().required is False
