import gc
import json
import os
import subprocess
import sys
import textwrap

import pytest

from lalelu import realtime
from lalelu.config.schema import RealtimeSection
from lalelu.errors import MissingError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="scheduling requests are Linux's")

PRELUDE = """
import gc, json, os, resource, subprocess, sys, threading
from lalelu import realtime
from lalelu.config.schema import RealtimeSection
from lalelu.errors import MissingError

def status(field):
    return next(line.split()[1] for line in open('/proc/self/status') if line.startswith(field + ':'))

def latency_files():
    held = []
    for number in os.listdir('/proc/self/fd'):
        try:
            held.append(os.readlink('/proc/self/fd/' + number))
        except FileNotFoundError:  # the listing's own
            pass
    return held.count('/dev/cpu_dma_latency')

def slack():
    return int(open('/proc/self/timerslack_ns').read())

def drop_privileges():
    if os.getuid() == 0:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)

def told(grants):
    return {grant.request: grant.granted for grant in grants}
"""


def in_a_process(code):
    """Run in a process of its own, for scheduling is for keeps; returns the JSON it prints."""
    body = f"{PRELUDE}\n{textwrap.dedent(code)}"
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def granted_all(expect):
    """Skip where this user may not have real time at all."""
    grants = in_a_process(
        "rt = realtime.RealTime(RealtimeSection(), realtime.choose_core('auto'))\n"
        "print(json.dumps([str(grant) for grant in rt.enter(0.5) if not grant.granted]))"
    )
    if grants:
        expect("realtime", f"the machine has {'; '.join(grants)}")


def test_the_kernels_core_lists_are_read():
    assert realtime.parse_cpu_list("2-4,7\n") == (2, 3, 4, 7)
    assert realtime.parse_cpu_list("\n") == ()


@linux
def test_auto_takes_an_isolated_core_before_any_other(tmp_path, monkeypatch):
    isolated = tmp_path / "isolated"
    isolated.write_text("5\n")
    monkeypatch.setattr(realtime.cores, "ISOLATED", isolated)
    assert realtime.choose_core("auto") == 5
    isolated.write_text("\n")
    assert realtime.choose_core("auto") == max(os.sched_getaffinity(0))


@linux
def test_none_asks_for_no_core_and_an_absent_core_is_refused():
    assert realtime.choose_core("none") is None
    with pytest.raises(MissingError, match=r"realtime\.core is 1000"):
        realtime.choose_core(1000)


@linux
def test_the_hot_thread_alone_is_real_time_and_whatever_it_starts_is_ordinary(granted_all):
    found = in_a_process("""
        core = realtime.choose_core('auto')
        others = os.sched_getaffinity(0) - {core}
        realtime.leave_core(core)
        stop = threading.Event()
        before = threading.Thread(target=stop.wait)
        before.start()
        rt = realtime.RealTime(RealtimeSection(priority=41), core)
        grants = rt.enter(0.5)
        after = threading.Thread(target=stop.wait)
        after.start()
        def seen(tid):
            policy = os.sched_getscheduler(tid) & ~os.SCHED_RESET_ON_FORK
            return [policy == os.SCHED_FIFO, os.sched_getparam(tid).sched_priority]
        inside = "import os; print(os.sched_getscheduler(0), os.listdir('/proc/self/fd'))"
        child = subprocess.run([sys.executable, '-c', inside], capture_output=True, text=True).stdout
        print(json.dumps({
            'hot': seen(0), 'before': seen(before.native_id), 'after': seen(after.native_id), 'child': child[0],
            'hot_core': os.sched_getaffinity(0) == {core},
            'helper_off': os.sched_getaffinity(before.native_id) == (others or {core}),
            'last': grants[-1].request,
        }))
        stop.set()
    """)
    assert found == {
        "hot": [True, 41],
        "before": [False, 0],
        "after": [False, 0],
        "child": "0",
        "hot_core": True,
        "helper_off": True,
        "last": "SCHED_FIFO priority 41",
    }


@linux
def test_memory_is_locked_page_by_page_as_it_is_touched_and_freed_again(granted_all):
    before, entered, mapped, touched, after = in_a_process("""
        import mmap
        before = int(status('VmLck'))
        rt = realtime.RealTime(RealtimeSection(core='none', priority=0), None)
        rt.enter(0.5)
        def resident():
            return int(status('VmRSS'))
        entered = int(status('VmLck'))
        base = resident()
        area = mmap.mmap(-1, 64 << 20)
        mapped = resident() - base
        for page in range(0, 64 << 20, 4096):
            area[page] = 1
        touched = resident() - base
        rt.end()
        print(json.dumps([before, entered, mapped, touched, int(status('VmLck'))]))
    """)
    assert before == after == 0
    assert entered > 0
    assert mapped < 1024  # kB: a map that nobody touched takes nothing
    assert touched > 60 * 1024


@linux
def test_the_latency_file_is_held_until_the_end_and_not_by_children(granted_all):
    found = in_a_process("""
        rt = realtime.RealTime(RealtimeSection(core='none', priority=0), None)
        held = [latency_files()]
        rt.enter(0.5)
        held.append(latency_files())
        child = subprocess.run(['ls', '-l', '/proc/self/fd'], capture_output=True, text=True, close_fds=False)
        held.append(child.stdout.count('cpu_dma_latency'))
        rt.end()
        held.append(latency_files())
        print(json.dumps(held))
    """)
    assert found == [0, 1, 0, 0]


@linux
def test_everything_is_given_back_at_the_end(granted_all):
    before, between, after = in_a_process("""
        def state():
            return [
                sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0), gc.isenabled(), gc.get_freeze_count() > 0,
                status('VmLck') != '0', latency_files(), slack(),
            ]
        core = realtime.choose_core('auto')
        rt = realtime.RealTime(RealtimeSection(), core)
        rt.end()
        before = state()
        rt.enter(0.5)
        between = state()
        rt.enter(0.5)
        rt.end()
        rt.end()
        print(json.dumps([before, between, state()]))
    """)
    assert after == before
    assert between[1:6] == [os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, False, True, True, 1]


@linux
def test_what_is_refused_names_the_line_that_would_grant_it():
    refused = in_a_process("""
        for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK):
            resource.setrlimit(limit, (0, 0))
        drop_privileges()
        grants = realtime.RealTime(RealtimeSection(), 1023).enter(0.5)
        print(json.dumps({g.request: g.remedy for g in grants if not g.granted}))
    """)
    remedies = {
        "locked memory": ("LimitMEMLOCK=infinity", "prlimit --pid $$ --memlock=unlimited"),
        "core 1023 for the loop": ("AllowedCPUs=", "realtime.core"),
        "SCHED_FIFO priority 70": ("LimitRTPRIO=80", "prlimit --pid $$ --rtprio=80"),
    }
    for request, parts in remedies.items():
        assert [part for part in parts if part not in refused[request]] == []


@linux
def test_the_limits_that_a_refusal_names_are_enough(expect):
    found = in_a_process("""
        try:
            resource.setrlimit(resource.RLIMIT_RTPRIO, (70, 70))
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1))
        except ValueError:
            print(json.dumps('limits'))
            sys.exit()
        drop_privileges()
        asked = RealtimeSection(cpu_latency=False, required=True)
        print(json.dumps(all(told(realtime.RealTime(asked, None).enter(0.5)).values())))
    """)
    if found == "limits":
        expect("limits", "this user may not raise resource limits")
    assert found is True


@linux
def test_real_time_is_given_back_without_privileges_too(granted_all):
    found = in_a_process("""
        rt = realtime.RealTime(RealtimeSection(), realtime.choose_core('auto'))
        rt.enter(0.5)
        drop_privileges()
        rt.end()
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        print(json.dumps([policy == os.SCHED_OTHER, status('VmLck'), latency_files()]))
    """)
    assert found == [True, "0", 0]


@linux
def test_a_refusal_that_is_required_ends_the_start_and_takes_nothing():
    said, left = in_a_process("""
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
        drop_privileges()
        rt = realtime.RealTime(RealtimeSection(required=True), realtime.choose_core('auto'))
        cores = os.sched_getaffinity(0)
        try:
            rt.enter(0.5)
        except MissingError as exc:
            said = str(exc)
        print(json.dumps([said, [gc.isenabled(), os.sched_getaffinity(0) == cores, latency_files()]]))
    """)
    assert said.startswith("realtime.required is set, and the machine refused: ")
    assert "SCHED_FIFO priority 70" in said
    assert left == [True, True, 0]


@linux
def test_a_loop_that_would_never_sleep_is_refused_fifo_with_the_reason():
    refused = in_a_process("""
        asked = RealtimeSection(lock_memory=False, cpu_latency=False)
        print(json.dumps([str(g) for g in realtime.RealTime(asked, None).enter(1.8) if not g.granted]))
    """)
    assert len(refused) == 1
    assert refused[0].startswith("refused: SCHED_FIFO priority 70 (the loop needs 180% of a frame period")


@linux
def test_what_the_configuration_leaves_out_is_not_asked():
    asked = in_a_process("""
        section = RealtimeSection(core='none', priority=0, lock_memory=False, cpu_latency=False)
        grants = realtime.RealTime(section, None).enter(0.5)
        print(json.dumps(told(grants)))
    """)
    assert asked.keys() == {"garbage collector", "freed memory", "timer slack"}


@linux
def test_pictures_are_not_faulted_in_anew_once_freed_memory_is_kept():
    default, kept = in_a_process("""
        import numpy as np
        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(20):
                pictures = [np.empty((480, 640, 3), np.uint8) for _ in range(2)]
                for picture in pictures:
                    picture.fill(1)
                del picture, pictures
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        default = faults()
        grants = told(realtime.RealTime(RealtimeSection(core='none', priority=0), None).enter(0.5))
        faults()
        print(json.dumps([default if grants['freed memory'] else None, faults()]))
    """)
    if default is not None:  # the GNU C library
        assert kept < default / 10


@linux
def test_the_voice_becomes_real_time_where_it_is(granted_all):
    found = in_a_process("""
        cores = os.sched_getaffinity(0)
        grants = told(realtime.enter_voice(75))
        seen = [os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.sched_getaffinity(0) == cores]
        print(json.dumps([grants, seen, int(status('VmLck')) > 0, latency_files(), gc.isenabled()]))
    """)
    names = ["garbage collector", "freed memory", "locked memory", "timer slack", "SCHED_FIFO priority 75"]
    assert found == [
        dict.fromkeys(names, True),
        [os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 75, True],
        True,
        0,
        False,
    ]


def test_other_platforms_refuse_with_the_reason_and_take_the_collector(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    rt = realtime.RealTime(RealtimeSection(), 0)
    try:
        answers = {grant.request: (grant.granted, grant.detail) for grant in rt.enter(0.5)}
    finally:
        rt.end()
    assert answers.pop("garbage collector")[0] is True
    assert len(answers) == 6
    assert set(answers.values()) == {(False, "only Linux has it")}


def test_this_process_keeps_its_garbage_collector():
    assert gc.isenabled()
    assert RealtimeSection().required is False
