import dataclasses
import resource
import subprocess

import pytest

from lalelu.config.schema import RealtimeSection
from lalelu.doctor.finding import Lasts, State
from lalelu.doctor.machine import collect
from lalelu.doctor.machine_findings import judge_machine, judge_requests, judge_sleep
from lalelu.doctor.probe import Lateness, Sleep
from lalelu.realtime import Grant
from lalelu.realtime.requests import LATENCY_RULE

STUDIO = {
    "proc/cmdline": "quiet isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3\n",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu sse avx512_bf16\n",
    "proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\n",
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
    "proc/sys/kernel/osrelease": "6.12.0-rt\n",
    "proc/sys/kernel/sched_rt_runtime_us": "950000\n",
    "proc/sys/kernel/sched_rt_period_us": "1000000\n",
    "proc/self/status": "Name:\tlalelu\nCapEff:\t0000000000804000\n",
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/cpu/isolated": "2-3\n",
    "sys/devices/system/cpu/nohz_full": "2-3\n",
    "sys/kernel/realtime": "1\n",
    **{f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor": "performance\n" for n in range(4)},
}


@pytest.fixture
def machine(write):
    """Return what is collected from a good studio machine's /proc and /sys, with some files changed."""

    def make(changes=None):
        root = write({**STUDIO, **(changes or {})})
        return collect(root / "proc", root / "sys")

    return make


def by_name(findings):
    return {finding.name: finding for finding in findings}


def granted(request):
    return Grant(request, granted=True, detail="in force")


def sleep_of(*late_ms, **changes):
    late = Lateness.of([round(ms * 1e6) for ms in late_ms])
    told = {
        "core": 2,
        "period_ms": 1.0,
        "scheduling": "SCHED_FIFO 70",
        "lateness": late,
        "stolen_ms": 0.0,
        "grants": (),
    }
    return Sleep(**{**told, **changes})


def test_a_studio_machine_is_read_as_it_is(machine):
    found = dataclasses.replace(machine(), limits=None)
    assert dataclasses.asdict(found) == {
        "online": (0, 1, 2, 3),
        "isolated": (2, 3),
        "tickless": (2, 3),
        "callbacks_elsewhere": (2, 3),
        "governors": dict.fromkeys(range(4), "performance"),
        "throttle_us": (950_000, 1_000_000),
        "kernel": "6.12.0-rt",
        "is_preempt_rt": True,
        "is_virtual": False,
        "stolen_share": 0.0,
        "swap_kb": 0,
        "has_bf16": True,
        "limits": None,
    }


def test_the_limits_of_this_process_are_read(machine):
    limits = machine().limits
    assert (limits.may_nice, limits.may_lock) == (True, True)  # bits 23 and 14 of CapEff
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    assert limits.real_time_priority == (None if soft == resource.RLIM_INFINITY else soft)


def test_a_studio_machine_leaves_nothing_to_wish_for(machine):
    assert {finding.state for finding in judge_machine(machine(), 2)} == {State.GOOD}


def test_a_machine_that_tells_nothing_is_not_bad(tmp_path):
    findings = judge_machine(collect(tmp_path / "proc", tmp_path / "sys"), None)
    assert State.BAD not in {finding.state for finding in findings}


def test_this_machine_can_be_read():
    assert collect().kernel != ""


@pytest.mark.parametrize("text", ["(null)\n", None, "\n"])
def test_a_kernel_without_tickless_cores_has_none(machine, text):
    found = machine({"sys/devices/system/cpu/nohz_full": text, "proc/cmdline": "quiet\n"})
    assert (found.tickless, found.callbacks_elsewhere) == ((), ())


def test_a_core_that_is_not_isolated_gets_the_kernels_command_line(machine):
    bare = {
        "sys/devices/system/cpu/isolated": "\n",
        "sys/devices/system/cpu/nohz_full": None,
        "proc/cmdline": "quiet\n",
    }
    finding = by_name(judge_machine(machine(bare), 3))["isolation"]
    assert finding.state is State.COULD_BE_BETTER
    assert finding.remedy.endswith("isolcpus=managed_irq,domain,3 nohz_full=3 rcu_nocbs=3")


def test_only_what_is_missing_of_the_isolation_is_named(machine):
    ticking = {"sys/devices/system/cpu/nohz_full": None, "proc/cmdline": "isolcpus=2-3 rcu_nocbs=all\n"}
    finding = by_name(judge_machine(machine(ticking), 2))["isolation"]
    assert finding.found == "core 2 has no nohz_full=2"


def test_a_sleepy_governor_is_named_with_the_line_for_its_core(machine):
    finding = by_name(
        judge_machine(machine({"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n"}), 2)
    )["governor"]
    assert (finding.state, finding.found) == (State.COULD_BE_BETTER, "powersave on core 2")
    assert (
        finding.remedy == "echo performance | sudo tee /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"
    )


def test_a_governor_is_set_and_kept_by_a_line_each(machine):
    finding = by_name(
        judge_machine(machine({"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n"}), 2)
    )["governor"]
    path = "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"
    assert finding.script == (f"echo performance > {path}",)
    kept = f"printf '%s\\n' 'w {path} - - - - performance' > /etc/tmpfiles.d/lalelu-governor.conf"
    assert (finding.keep, finding.lasts) == ((kept,), Lasts.UNTIL_BOOT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('GRUB_CMDLINE_LINUX=""\n', "isolcpus=managed_irq,domain,2-3 nohz_full=3 rcu_nocbs=3"),
        (
            "GRUB_CMDLINE_LINUX_DEFAULT='quiet isolcpus=2 nohz_full=1'\nGRUB_CMDLINE_LINUX=panic=5\n",
            "quiet panic=5 isolcpus=managed_irq,domain,2-3 nohz_full=3 rcu_nocbs=3",
        ),
    ],
)
def test_the_kernels_command_line_is_edited_once_however_often(machine, tmp_path, before, after):
    half = {
        "sys/devices/system/cpu/isolated": "2\n",
        "sys/devices/system/cpu/nohz_full": None,
        "proc/cmdline": "quiet isolcpus=2\n",
    }
    finding = by_name(judge_machine(machine(half), 3))["isolation"]
    assert (finding.script[-1], finding.lasts) == ("update-grub", Lasts.FROM_BOOT)
    assert finding.remedy.endswith(": isolcpus=managed_irq,domain,2-3 nohz_full=3 rcu_nocbs=3")
    grub = tmp_path / "grub"
    grub.write_text(before)
    edit = "\n".join(["set -eu", *finding.script[:-1]]).replace("/etc/default/grub", str(grub))
    for _ in range(2):
        subprocess.run(["sh", "-c", edit], check=True)
    read = f'. {grub}; echo "${{GRUB_CMDLINE_LINUX_DEFAULT:-}} $GRUB_CMDLINE_LINUX"'  # as grub-mkconfig does
    told = subprocess.run(["sh", "-c", read], check=True, capture_output=True, text=True).stdout
    assert " ".join(told.split()) == after
    assert (tmp_path / "grub.before-lalelu").read_text() == before
    assert len(grub.read_text().splitlines()) == len(before.splitlines()) + 1


def test_a_machine_without_governors_says_so(machine):
    none = {f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor": None for n in range(4)}
    assert by_name(judge_machine(machine(none), 2))["governor"].state is State.NOT_HERE


@pytest.mark.parametrize(
    ("runtime", "state", "found"),
    [
        ("950000", State.GOOD, "real time gets 950 of 1000 ms; the loop needs less"),
        ("500000", State.COULD_BE_BETTER, "real time gets 500 of 1000 ms"),
        ("-1", State.COULD_BE_BETTER, "off"),
        (None, State.NOT_HERE, "no sched_rt_runtime_us"),
    ],
)
def test_throttling_is_good_where_it_stops_only_a_loop_that_never_sleeps(machine, runtime, state, found):
    finding = by_name(judge_machine(machine({"proc/sys/kernel/sched_rt_runtime_us": runtime}), 2))[
        "real-time throttling"
    ]
    assert (finding.state, finding.found) == (state, found)


@pytest.mark.parametrize(
    ("period", "lines"),
    [
        ("1000000", ("kernel.sched_rt_period_us=1000000", "kernel.sched_rt_runtime_us=950000")),
        ("2000000", ("kernel.sched_rt_runtime_us=950000", "kernel.sched_rt_period_us=1000000")),
    ],
)
def test_throttling_is_set_in_the_order_that_the_kernel_takes(machine, period, lines):
    files = {"proc/sys/kernel/sched_rt_runtime_us": "-1", "proc/sys/kernel/sched_rt_period_us": period}
    finding = by_name(judge_machine(machine(files), 2))["real-time throttling"]
    assert finding.script == tuple(f"sysctl -w {line}" for line in lines)
    assert finding.keep == (f"printf '%s\\n' '{lines[0]}' '{lines[1]}' > /etc/sysctl.d/90-lalelu.conf",)


@pytest.mark.parametrize(
    ("request_", "remedy", "line"),
    [
        (
            "SCHED_FIFO priority 70",
            "LimitRTPRIO=80",
            "printf '%s\\n' '@lalelu - rtprio 80' > /etc/security/limits.d/90-lalelu-rtprio.conf",
        ),
        (
            "locked memory",
            "LimitMEMLOCK=infinity",
            "printf '%s\\n' '@lalelu - memlock unlimited' > /etc/security/limits.d/90-lalelu-memlock.conf",
        ),
        (
            "processor wakes at once",
            f"the udev rule {LATENCY_RULE}",
            f"printf '%s\\n' '{LATENCY_RULE}' > /etc/udev/rules.d/90-lalelu.rules",
        ),
    ],
)
def test_a_refused_right_is_given_to_the_players_group(machine, request_, remedy, line):
    refused = Grant(request_, granted=False, detail="not permitted", remedy=remedy)
    (finding,) = judge_requests(machine(), [refused], RealtimeSection())
    assert finding.script[:3] == (
        "groupadd --system --force lalelu",
        'usermod -aG lalelu "${SUDO_USER:-root}"',
        line,
    )
    assert (finding.keep, finding.lasts) == ((), Lasts.FROM_LOGIN)


def test_a_right_that_no_setting_gives_has_no_line(machine):
    refused = Grant("processor wakes at once", granted=False, detail="there is no device", remedy="none")
    (finding,) = judge_requests(machine(), [refused], RealtimeSection())
    assert finding.script == ()


def test_a_shared_virtual_machine_could_be_better_but_is_not_bad(machine):
    shared = {
        "proc/cpuinfo": "flags\t\t: fpu hypervisor\n",
        "proc/stat": "cpu  100 0 100 780 0 0 0 20 0 0\n",
        "sys/kernel/realtime": None,
    }
    findings = by_name(judge_machine(machine(shared), 2))
    assert findings["virtual machine"].state is State.COULD_BE_BETTER
    assert "2.00%" in findings["virtual machine"].found
    assert findings["kernel"].state is State.COULD_BE_BETTER
    assert findings["bf16"].state is State.NOT_HERE


def test_a_machine_with_one_core_is_told_what_that_costs(machine):
    findings = by_name(judge_machine(machine({"sys/devices/system/cpu/online": "0\n"}), 0))
    assert findings["cores"].state is State.COULD_BE_BETTER
    assert findings["isolation"].state is State.NOT_HERE


def test_a_refused_request_brings_its_cost_and_its_remedy(machine):
    refused = Grant("SCHED_FIFO priority 70", granted=False, detail="not permitted", remedy="LimitRTPRIO=80")
    finding = by_name(judge_requests(machine(), [refused], RealtimeSection()))["SCHED_FIFO priority 70"]
    assert finding.state is State.COULD_BE_BETTER
    assert finding.found.startswith("refused (not permitted; limit ")
    assert finding.cost != ""
    assert finding.remedy == "LimitRTPRIO=80"


def test_a_refused_request_that_is_required_is_bad(machine):
    refused = Grant("locked memory", granted=False, detail="only 64 kB", remedy="LimitMEMLOCK=infinity")
    (finding,) = judge_requests(machine(), [refused], RealtimeSection(required=True))
    assert finding.state is State.BAD
    assert "lalelu run does not start" in finding.cost


def test_granted_requests_are_told_once_and_small_ones_not_at_all(machine):
    grants = [
        granted(name) for name in ("garbage collector", "timer slack", "core 2 for the loop", "locked memory")
    ]
    (finding,) = judge_requests(machine(), grants, RealtimeSection())
    assert (finding.name, finding.state) == ("locked memory", State.GOOD)


def test_swap_matters_only_where_memory_is_not_locked(machine):
    swapping = machine({"proc/swaps": "Filename\tType\n/swap file 2097148 0 -2\n"})
    assert by_name(judge_requests(swapping, [], RealtimeSection()))["swap"].script == ("swapoff -a",)
    assert "swap" not in by_name(judge_requests(swapping, [granted("locked memory")], RealtimeSection()))


def test_ordinary_scheduling_by_configuration_is_told(machine):
    (finding,) = judge_requests(machine(), [], RealtimeSection(priority=0))
    assert (finding.name, finding.remedy) == ("SCHED_FIFO", "realtime: {priority: 70}")


@pytest.mark.parametrize(
    ("late_ms", "state"),
    [
        ([0.05] * 100, State.GOOD),
        ([0.05] * 1000 + [11.0], State.COULD_BE_BETTER),  # one gap
        ([0.05] * 90 + [2.0] * 10, State.COULD_BE_BETTER),
        ([0.05] * 90 + [12.0] * 10, State.BAD),
    ],
)
def test_late_wakings_are_bad_when_one_in_a_hundred_costs_a_frame(late_ms, state):
    assert judge_sleep(sleep_of(*late_ms)).state is state


def test_time_that_the_host_took_is_told_and_no_setting_is_offered_for_it():
    finding = judge_sleep(sleep_of(*[0.1] * 90, *[20.0] * 10, stolen_ms=200.0))
    assert "the host took the core for 200 ms" in finding.found
    assert "machine of your own" in finding.remedy


def test_lateness_counts_wakings_and_gaps():
    late = Lateness.of([100_000] * 97 + [1_500_000, 9_000_000, 30_000_000])
    assert (late.wakings, late.over_1_ms, late.gaps) == (100, 3, 1)
    assert late.p50_ms == pytest.approx(0.1)
    assert late.max_ms == pytest.approx(30.0)
