import dataclasses
import subprocess

from lalelu.doctor.finding import Finding, Lasts, State
from lalelu.doctor.script import script
from lalelu.doctor.settings import cores_text, with_group_right, with_kernel_options, with_settings

GOVERNOR = with_settings(
    Finding("governor", State.COULD_BE_BETTER, "powersave on core 2", "inference starts slowly"),
    {"/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "performance"},
)
ISOLATION = with_kernel_options(
    Finding("isolation", State.COULD_BE_BETTER, "core 2 has no nohz_full=2"), {"nohz_full": "2"}
)
RIGHT = with_group_right(
    Finding("locked memory", State.BAD, "refused"),
    "/etc/security/limits.d/90-lalelu.conf",
    "@lalelu - nice -9",
)
HOST = Finding("virtual machine", State.COULD_BE_BETTER, "yes", "gaps", "play on a machine of your own")
BACK_END = Finding("ALSA", State.NOT_HERE, "none", remedy="modprobe snd-seq")


def understood(text):
    return subprocess.run(["sh", "-n"], input=text, check=False, capture_output=True, text=True)


def commands(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_each_setting_is_a_block_that_says_what_it_costs_and_how_long_it_lasts():
    assert script([GOVERNOR]).split("\n\n")[1] == (
        "# --- governor: powersave on core 2\n"
        "# costs: inference starts slowly\n"
        "# in force until the machine's next start; the last line keeps it\n"
        "echo performance > /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor\n"
        "#printf '%s\\n' 'w /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor - - - - performance'"
        " > /etc/tmpfiles.d/lalelu-governor.conf\n"
    )


def test_a_remark_on_keeping_a_setting_promises_nothing():
    remark = dataclasses.replace(GOVERNOR, keep=("# not by a line",))
    block = script([remark]).split("\n\n")[1]
    assert "# in force until the machine's next start\n" in block
    assert block.endswith("\n# not by a line\n")


def test_what_needs_a_start_of_the_machine_comes_last_and_then_what_is_left_to_people():
    text = script([ISOLATION, HOST, GOVERNOR, BACK_END, RIGHT])
    assert understood(text).stderr == ""
    assert commands(text) == [
        "set -eu",
        *GOVERNOR.script,
        *RIGHT.script,
        *ISOLATION.script,
        "echo 'Start the machine anew when it suits you: the last changes wait for that.' >&2",
    ]
    assert text.endswith(
        "# --- What is for you to do, not for a script:\n# virtual machine: play on a machine of your own\n"
    )
    assert "modprobe" not in text


def test_the_lines_that_keep_a_setting_are_understood_when_their_mark_is_taken_away():
    text = script([GOVERNOR, ISOLATION, RIGHT])
    kept = "\n".join(
        line.removeprefix("#") if line.startswith("#printf") else line for line in text.splitlines()
    )
    assert understood(kept).stderr == ""
    assert len(commands(kept)) == len(commands(text)) + 1


def test_a_machine_that_needs_nothing_gets_a_script_that_does_nothing():
    text = script([Finding("cores", State.GOOD, "4 online", remedy="none")])
    assert commands(text) == ["set -eu"]
    assert "# There is nothing to set." in text
    assert subprocess.run(["sh", "-c", text], check=True, capture_output=True).stdout == b""


def test_a_devices_name_never_becomes_a_command():
    evil = Finding(
        "camera's USB\rrm -rf /",
        State.COULD_BE_BETTER,
        "cam\nrm -rf /\x0b\u2028`id`",
        "a\r\nreboot",
        script=("true",),
        lasts=Lasts.UNTIL_BOOT,
    )
    by_hand = Finding("b", State.BAD, "x", remedy="one\nreboot")
    assert commands(script([evil, by_hand])) == ["set -eu", "true"]


def test_cores_are_written_as_the_kernel_does():
    assert [cores_text(cores) for cores in [(0,), (3, 1, 0), (2, 4, 6), range(8), ()]] == [
        "0",
        "0-1,3",
        "2,4,6",
        "0-7",
        "",
    ]
