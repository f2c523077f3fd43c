import dataclasses

import pytest

from lalelu.doctor.finding import Finding, Lasts, State
from lalelu.doctor.processor import Heat, IdleState, Sensor, Turbo, collect_heat, collect_processor
from lalelu.doctor.processor_findings import judge_heat, judge_processor

CPU = "devices/system/cpu"
LAPTOP = {
    f"{CPU}/online": "0-3\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    f"{CPU}/cpu2/topology/thread_siblings_list": "2-3\n",
    f"{CPU}/cpu3/online": "1\n",
    f"{CPU}/cpu2/cpuidle/state0/name": "POLL\n",
    f"{CPU}/cpu2/cpuidle/state0/latency": "0\n",
    f"{CPU}/cpu2/cpuidle/state1/name": "C1\n",
    f"{CPU}/cpu2/cpuidle/state1/latency": "2\n",
    f"{CPU}/cpu2/cpuidle/state1/disable": "0\n",
    f"{CPU}/cpu2/cpuidle/state2/name": "C6\n",
    f"{CPU}/cpu2/cpuidle/state2/latency": "133\n",
    f"{CPU}/cpu2/cpuidle/state2/disable": "0\n",
    f"{CPU}/cpu2/cpuidle/state3/name": "C10\n",
    f"{CPU}/cpu2/cpuidle/state3/latency": "890\n",
    f"{CPU}/cpu2/cpuidle/state3/disable": "1\n",
    f"{CPU}/cpu2/thermal_throttle/core_throttle_count": "0\n",
    f"{CPU}/cpu2/thermal_throttle/package_throttle_count": "0\n",
    "devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
    "class/thermal/thermal_zone0/type": "acpitz\n",
    "class/thermal/thermal_zone0/temp": "27800\n",
    "class/thermal/thermal_zone0/trip_point_0_type": "critical\n",
    "class/thermal/thermal_zone0/trip_point_0_temp": "119000\n",
    "class/hwmon/hwmon3/name": "coretemp\n",
    "class/hwmon/hwmon3/temp1_input": "61000\n",
    "class/hwmon/hwmon3/temp1_label": "Package id 0\n",
    "class/hwmon/hwmon3/temp1_crit": "100000\n",
}


@pytest.fixture
def sys(write):
    """Return a function that writes a laptop's /sys with some files changed (None: not there)."""

    def make(changes=None):
        return write({**LAPTOP, **(changes or {})})

    return make


def judged(sys, core=2, isolated=(), *, held_awake=False):
    findings = judge_processor(collect_processor(core, sys), core, isolated, held_awake=held_awake)
    return {finding.name: finding for finding in findings}


def test_a_laptops_core_is_read_as_it_is(sys):
    found = collect_processor(2, sys())
    assert found.clock_look_us > 0
    assert dataclasses.asdict(found) == {
        "turbo": dataclasses.asdict(Turbo("intel_pstate/no_turbo", is_on=True)),
        "idle_states": tuple(
            dataclasses.asdict(IdleState(*told))
            for told in [
                (0, "POLL", 0, True),
                (1, "C1", 2, True),
                (2, "C6", 133, True),
                (3, "C10", 890, False),
            ]
        ),
        "siblings": (3,),
        "switchable": (3,),
        "clock_source": "tsc",
        "clock_sources": ("tsc", "hpet", "acpi_pm"),
        "clock_look_us": found.clock_look_us,
    }


def test_a_machine_that_tells_nothing_has_nothing_to_better(tmp_path):
    findings = judged(tmp_path, None)
    assert {finding.state for finding in findings.values()} == {State.NOT_HERE}
    assert judge_heat(collect_heat(0, tmp_path), collect_heat(0, tmp_path)).state is State.NOT_HERE


def test_this_machine_can_be_read():
    assert {finding.name for finding in judge_processor(collect_processor(0), 0, (), held_awake=True)} == {
        "turbo",
        "sleep states",
        "threads of the core",
        "clock",
    }


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (
            {f"{CPU}/intel_pstate/no_turbo": "1\n"},
            "echo 0 > /sys/devices/system/cpu/intel_pstate/no_turbo",
        ),
        (
            {f"{CPU}/intel_pstate/no_turbo": None, f"{CPU}/cpufreq/boost": "0\n"},
            "echo 1 > /sys/devices/system/cpu/cpufreq/boost",
        ),
    ],
)
def test_a_turbo_that_is_off_gets_the_line_of_its_driver(sys, files, line):
    finding = judged(sys(files))["turbo"]
    assert (finding.state, finding.found) == (State.COULD_BE_BETTER, "off")
    assert finding.script == (line,)
    value, _, path = line.removeprefix("echo ").partition(" > ")
    assert finding.remedy == f"echo {value} | sudo tee {path}"
    kept = f"printf '%s\\n' 'w {path} - - - - {value}' > /etc/tmpfiles.d/lalelu-turbo.conf"
    assert (finding.keep, finding.lasts) == ((kept,), Lasts.UNTIL_BOOT)


@pytest.mark.parametrize("files", [{}, {f"{CPU}/intel_pstate/no_turbo": None, f"{CPU}/cpufreq/boost": "1"}])
def test_a_turbo_that_is_on_is_good(sys, files):
    assert judged(sys(files))["turbo"] == Finding("turbo", State.GOOD, "on")


def test_a_deep_sleep_that_nothing_forbids_is_switched_off_state_by_state(sys):
    finding = judged(sys({f"{CPU}/cpu2/cpuidle/state3/disable": "0\n"}))["sleep states"]
    assert (finding.state, finding.found) == (
        State.COULD_BE_BETTER,
        "down to C10, which takes up to 890 us to leave",
    )
    assert finding.cost == "a frame that wakes the loop from it is up to 0.89 ms later than another"
    assert finding.script == (
        "echo 1 > /sys/devices/system/cpu/cpu2/cpuidle/state2/disable",
        "echo 1 > /sys/devices/system/cpu/cpu2/cpuidle/state3/disable",
    )


def test_a_deep_sleep_that_is_refused_while_it_plays_costs_nothing(sys):
    finding = judged(sys(), held_awake=True)["sleep states"]
    assert (finding.state, finding.script) == (State.GOOD, ())
    assert "C6" in finding.found  # C10 is switched off


def test_a_core_that_sleeps_lightly_is_good_by_itself(sys):
    finding = judged(sys({f"{CPU}/cpu2/cpuidle/state2/disable": "1\n"}))["sleep states"]
    assert (finding.state, finding.found) == (State.GOOD, "down to C1, which takes up to 2 us to leave")


def test_a_second_thread_of_the_core_is_taken_offline(sys):
    finding = judged(sys())["threads of the core"]
    assert finding.found == "core 2 shares its units with 3, where other programs run"
    assert finding.script == ("echo 0 > /sys/devices/system/cpu/cpu3/online",)
    kept = (
        "'w /sys/devices/system/cpu/cpu3/online - - - - 0' > /etc/tmpfiles.d/lalelu-threads-of-the-core.conf"
    )
    assert finding.keep == (f"printf '%s\\n' {kept}",)


@pytest.mark.parametrize(
    ("files", "isolated", "found"),
    [
        ({f"{CPU}/online": "0-2\n"}, (2,), "core 2 shares its units with no other that is online"),
        ({}, (2, 3), "core 2 shares its units with 3, isolated as well"),
    ],
)
def test_a_core_with_its_units_for_itself_is_good(sys, files, isolated, found):
    finding = judged(sys(files), isolated=isolated)["threads of the core"]
    assert (finding.state, finding.found, finding.script) == (State.GOOD, found, ())


def test_a_second_thread_that_cannot_be_taken_offline_asks_for_another_core(sys):
    finding = judged(sys({f"{CPU}/cpu3/online": None}))["threads of the core"]
    assert (finding.state, finding.script) == (State.COULD_BE_BETTER, ())
    assert finding.remedy == "another realtime.core: 3 cannot be taken offline"


SOURCE = "devices/system/clocksource/clocksource0/current_clocksource"
SOURCES = "devices/system/clocksource/clocksource0/available_clocksource"


def test_a_slow_clock_is_exchanged_where_a_fast_one_is_there(sys):
    finding = judged(sys({SOURCE: "hpet\n"}))["clock"]
    assert finding.state is State.COULD_BE_BETTER
    assert finding.found.startswith("hpet; a look at it takes ")
    assert finding.script == (f"echo tsc > /sys/{SOURCE}",)


def test_a_slow_clock_without_a_better_one_has_no_line(sys):
    finding = judged(sys({SOURCE: "hpet\n", SOURCES: "hpet acpi_pm\n"}))["clock"]
    assert (finding.state, finding.script, finding.keep) == (State.COULD_BE_BETTER, (), ())
    assert "dmesg" in finding.remedy


@pytest.mark.parametrize("source", ["tsc", "kvm-clock", "arch_sys_counter"])
def test_a_clock_that_is_read_without_the_kernel_is_good(sys, source):
    assert judged(sys({SOURCE: source}))["clock"].state is State.GOOD


def test_the_thermometer_nearest_to_its_limit_is_told(sys):
    assert collect_heat(2, sys()) == Heat(0, Sensor("coretemp Package id 0", 61.0, 100.0))


def test_a_thermometer_that_is_not_connected_is_none(sys):
    nothing = {"class/hwmon/hwmon3/temp1_input": "0\n", "class/thermal/thermal_zone0/temp": "-274000\n"}
    assert collect_heat(2, sys(nothing)).hottest is None


COOL = Sensor("cpu", 61.0, 100.0)
WARM = "cpu 61 °C of at most 100 °C"


@pytest.mark.parametrize(
    ("before", "after", "state", "found"),
    [
        (Heat(0, COOL), Heat(0, COOL), State.GOOD, WARM),
        (Heat(0, None), Heat(0, None), State.GOOD, "the processor was not slowed down since boot"),
        (Heat(None, COOL), Heat(None, Sensor("cpu", 70.0, None)), State.GOOD, "cpu 70 °C"),
        (
            Heat(0, COOL),
            Heat(0, Sensor("cpu", 93.0, 100.0)),
            State.COULD_BE_BETTER,
            "cpu 93 °C of at most 100 °C",
        ),
        (
            Heat(2, COOL),
            Heat(5, COOL),
            State.COULD_BE_BETTER,
            f"the processor was slowed down for heat 5 times since boot, 3 of them just now; {WARM}",
        ),
    ],
)
def test_heat_is_told_before_it_slows_the_machine_down_and_after(before, after, state, found):
    finding = judge_heat(before, after)
    assert (finding.state, finding.found) == (state, found)
    assert (finding.remedy != "") == (state is State.COULD_BE_BETTER)
