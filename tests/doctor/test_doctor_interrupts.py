import subprocess

import pytest

from lalelu.doctor.finding import Lasts, State
from lalelu.doctor.interrupt_findings import judge_interrupts
from lalelu.doctor.interrupts import Fired, Interrupts, Look, between, look_at_interrupts

TABLE = """\
           CPU0       CPU2       CPU3
 24:          1        {a}          0  IO-APIC   5-edge      ACPI:Ged
 36:          0        {b}          7  PCI-MSIX-0000:00:02.0   1-edge      xhci_hcd
 37:          9        {c}          0  PCI-MSIX-0000:00:03.0   0-edge      nvme0q3
 30:          0        {d}          0  GICv2  30 Level     arch_timer
LOC:    8429157    9527148    1000000   Local timer interrupts
ERR:          0
"""


@pytest.fixture
def proc(tmp_path):
    """Return a function that writes the table and who may interrupt which core."""

    def make(a=0, b=0, c=0, d=0):
        (tmp_path / "interrupts").write_text(TABLE.format(a=a, b=b, c=c, d=d))
        for number, cores in {24: "0-3", 36: "2-3", 37: "0", 30: "0-3"}.items():
            folder = tmp_path / f"irq/{number}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "smp_affinity_list").write_text(f"{cores}\n")
        return tmp_path

    return make


def seen(*fired, seconds=10.0, allowed=9, is_balanced=False):
    return Interrupts(seconds, tuple(Fired(*each) for each in fired), allowed, is_balanced)


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_what_came_between_two_looks_to_a_core_that_allows_it_is_counted(proc):
    first = look_at_interrupts(2, proc(a=5, b=1000, c=3, d=70))
    folder = proc(a=7, b=1500, c=4, d=9000)
    found = between(2, first, look_at_interrupts(2, folder), folder)
    assert found.fired == (Fired(36, "xhci_hcd", 500), Fired(24, "ACPI:Ged", 2))
    assert (found.allowed, found.is_balanced) == (2, False)
    assert found.seconds > 0


def test_a_core_that_is_off_has_no_column_and_no_interrupts(proc):
    folder = proc(a=1)
    look = look_at_interrupts(1, folder)
    assert look == Look(look.at_ns, {}, {})
    assert between(1, look, look, folder).fired == ()


def test_the_balancer_is_seen_among_the_processes(proc):
    folder = proc()
    (folder / "812").mkdir()
    (folder / "812" / "comm").write_text("irqbalance\n")
    look = look_at_interrupts(2, folder)
    assert between(2, look, look, folder).is_balanced


def test_this_machine_can_be_looked_at():
    first = look_at_interrupts(0)
    assert between(0, first, look_at_interrupts(0)).seconds > 0


def test_a_busy_devices_interrupts_are_sent_to_the_other_cores():
    finding = by_name(
        judge_interrupts(seen((36, "xhci_hcd", 500), (24, "ACPI:Ged", 2)), 2, (0, 1, 2, 3), ())
    )["interrupts"]
    assert finding.state is State.COULD_BE_BETTER
    assert finding.found == (
        "50.2 a second from devices came to core 2 (xhci_hcd 50.0, ACPI:Ged 0.2); 9 devices may"
    )
    assert "\n".join(finding.script) == (
        'echo 0-1,3 > /proc/irq/36/smp_affinity_list || echo "interrupt 36: its driver places it; '
        'isolcpus=managed_irq,domain,2 keeps it off" >&2\n'
        'echo 0-1,3 > /proc/irq/24/smp_affinity_list || echo "interrupt 24: its driver places it; '
        'isolcpus=managed_irq,domain,2 keeps it off" >&2'
    )
    assert finding.lasts is Lasts.UNTIL_BOOT
    assert all(line.startswith("#") for line in finding.keep)


def test_an_interrupt_that_cannot_be_moved_does_not_end_the_script():
    finding = by_name(judge_interrupts(seen((4_000_000, "nvme", 500)), 2, (0, 2), ()))["interrupts"]
    script = "\n".join(["set -eu", *finding.script, "echo reached"])
    done = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "reached\n")
    assert "its driver places it" in done.stderr


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (
            seen((24, "ACPI:Ged", 99)),
            "9.9 a second from devices came to core 2 (ACPI:Ged 9.9); 9 devices may",
        ),
        (seen(allowed=1), "0.0 a second from devices came to core 2; 1 device may"),
        (seen(allowed=0), "no device may interrupt core 2"),
    ],
)
def test_a_core_that_is_hardly_interrupted_is_good(told, found):
    finding = by_name(judge_interrupts(told, 2, (0, 2), ()))["interrupts"]
    assert (finding.state, finding.found, finding.script) == (State.GOOD, found, ())


@pytest.mark.parametrize(
    ("is_balanced", "isolated", "state"),
    [(False, (), State.GOOD), (True, (2,), State.GOOD), (True, (), State.COULD_BE_BETTER)],
)
def test_a_balancer_disturbs_only_a_core_that_is_not_isolated(is_balanced, isolated, state):
    findings = by_name(judge_interrupts(seen(is_balanced=is_balanced), 2, (0, 2), isolated))
    assert findings["irqbalance"].state is state


def test_a_balancer_is_told_to_keep_off_the_core_however_often_it_is_told(tmp_path):
    finding = by_name(judge_interrupts(seen(is_balanced=True), 2, (0, 2), ()))["irqbalance"]
    assert (finding.script[-1], finding.lasts) == ("systemctl restart irqbalance", Lasts.FOR_GOOD)
    file = tmp_path / "irqbalance"
    file.write_text("IRQBALANCE_ARGS=\n")
    edit = "\n".join(["set -eu", *finding.script[:-1]]).replace("/etc/default/irqbalance", str(file))
    for _ in range(2):
        subprocess.run(["sh", "-c", edit], check=True)
    assert file.read_text() == "IRQBALANCE_ARGS=\nIRQBALANCE_BANNED_CPULIST=2\n"


@pytest.mark.parametrize(("told", "core", "online"), [(None, None, (0, 1)), (seen(), 0, (0,))])
def test_without_a_core_for_the_loop_there_is_nothing_to_keep_free(told, core, online):
    (finding,) = judge_interrupts(told, core, online, ())
    assert (finding.name, finding.state) == ("interrupts", State.NOT_HERE)
