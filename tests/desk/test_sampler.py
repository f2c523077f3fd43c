import os

import numpy as np
import pytest

from lalelu.desk.sampler import Sampler
from lalelu.ledger.schema import SAMPLE_DTYPE

INTERRUPTS = """\
           CPU0       CPU1       CPU3
  0:         10          2          3   IO-APIC   2-edge      timer
 24:          1       1000          0   PCI-MSI 4096-edge     nvme0q1
NMI:          0         20          0   Non-maskable interrupts
ERR:          7
"""
SOFTIRQS = """\
                    CPU0       CPU1       CPU3
          HI:          1          2          3
       TIMER:        100        200        300
"""
STAT = """\
cpu  1 2 3 4 5 6 7 60 0 0
cpu0 1 2 3 4 5 6 7 10 0 0
cpu1 1 2 3 4 5 6 7 50 0 0
intr 12345 0 0
procs_running 4
"""
STATUS = """\
Name:\tlalelu
VmRSS:\t  {kib} kB
voluntary_ctxt_switches:\t9
nonvoluntary_ctxt_switches:\t{switches}
"""


OWN = os.getpid()
ENGINE, VOICE, NOBODY = OWN + 1, OWN + 2, OWN + 3


@pytest.fixture
def machine(tmp_path):
    """A machine of three processors, of which 1 is the engine's."""
    files = {
        "proc/interrupts": INTERRUPTS,
        "proc/softirqs": SOFTIRQS,
        "proc/stat": STAT,
        **{
            f"proc/pressure/{what}": f"some avg10=0.00 avg60=0.00 total={total}\nfull avg10=0.00 total=0\n"
            for what, total in {"cpu": 4321, "memory": 10, "io": 20}.items()
        },
        f"proc/{ENGINE}/task/{ENGINE}/sched": "lalelu (7, #threads: 4)\n---\nse.nr_migrations : 6\nnr_switches : 9\n",
        f"proc/{ENGINE}/task/{ENGINE}/status": STATUS.format(kib=2000, switches=33),
        f"proc/{VOICE}/task/{VOICE}/status": STATUS.format(kib=1000, switches=44),
        f"proc/{OWN}/task/{OWN}/status": STATUS.format(kib=500, switches=55),
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3400000\n",
        "sys/class/thermal/thermal_zone0/temp": "41000\n",
        "sys/class/thermal/thermal_zone1/temp": "52000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def sampler(machine, core=1):
    return Sampler(core, machine / "proc", machine / "sys")


def row(sampler, engine=ENGINE, voice=VOICE):
    values = np.frombuffer(sampler.sample(99, engine, voice), SAMPLE_DTYPE)
    assert len(values) == 1
    return dict(zip(SAMPLE_DTYPE.names, values[0].tolist(), strict=True))


def test_a_row_tells_what_the_engines_core_had_to_do(machine):
    taken = sampler(machine)
    tick_ms = 1000 // os.sysconf("SC_CLK_TCK")
    assert row(taken) == {
        "at_ns": 99,
        "interrupts": 1022,
        "softirqs": 202,
        "stolen_ms": 50 * tick_ms,
        "pressure_us": 4321,
        "memory_pressure_us": 10,
        "io_pressure_us": 20,
        "engine_switches": 33,
        "migrations": 6,
        "frequency_khz": 3_400_000,
        "temperature_mc": 52_000,
        "engine_kib": 2000,
        "voice_kib": 1000,
        "desk_kib": 500,
        "runnable": 4,
        "competitor_ms": 0,
        "competitor": b"",
    }
    assert taken.unavailable == {}


def test_a_processor_behind_one_that_is_off_is_found_by_its_name(machine):
    assert row(sampler(machine, core=3))["interrupts"] == 3


def test_without_a_core_of_its_own_the_whole_machine_is_counted(machine):
    taken = sampler(machine, core=None)
    values = row(taken)
    assert (values["interrupts"], values["softirqs"]) == (1036 + 7, 606)
    assert values["stolen_ms"] == 60 * 1000 // os.sysconf("SC_CLK_TCK")
    assert values["frequency_khz"] == -1
    assert taken.unavailable == {"frequency_khz": "the engine has no core of its own"}


def test_what_is_not_told_is_minus_one_and_said_with_its_reason(machine):
    for name in ("proc/interrupts", "proc/pressure/cpu", "sys/class/thermal/thermal_zone0/temp"):
        (machine / name).unlink()
    (machine / "proc/softirqs").write_text("something else\n1 2\n")
    (machine / "proc/stat").write_text("cpu1 1 2 3\n")
    (machine / "sys/class/thermal/thermal_zone1/temp").write_text("")
    taken = sampler(machine)
    values = row(taken)
    missing = ("interrupts", "softirqs", "stolen_ms", "pressure_us", "temperature_mc", "runnable")
    assert [values[name] for name in missing] == [-1] * 6
    assert values["frequency_khz"] == 3_400_000
    assert sorted(taken.unavailable) == sorted(missing)
    assert taken.unavailable["interrupts"] == f"{machine}/proc/interrupts: No such file or directory"
    assert "no sensor that answers" in taken.unavailable["temperature_mc"]
    assert taken.unavailable["runnable"] == "this kernel does not tell it"


def test_a_process_that_is_not_there_is_minus_one_and_may_come_back(machine):
    taken = sampler(machine)
    values = row(taken, engine=None, voice=NOBODY)
    assert (values["engine_kib"], values["engine_switches"], values["voice_kib"]) == (-1, -1, -1)
    assert taken.unavailable == {}
    assert row(taken)["engine_kib"] == 2000


def test_the_real_machine_tells_something():
    values = row(Sampler(None), engine=OWN, voice=None)
    assert values["interrupts"] > 0
    assert values["engine_kib"] == pytest.approx(values["desk_kib"], rel=0.1)  # told one after the other
    assert values["desk_kib"] > 1000
    assert values["runnable"] >= 1
