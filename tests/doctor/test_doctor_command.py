import json
import math
import os
import subprocess
import sys
import time

import pytest

from lalelu import cli
from lalelu.doctor import machine_findings
from lalelu.doctor.finding import Finding, State
from lalelu.doctor.probe import Probe, finish, start
from lalelu.doctor.text import told
from lalelu.errors import LostError

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the probe's core is Linux's")


def test_the_probe_sleeps_as_long_as_it_was_asked_and_says_how():
    found = finish(start(Probe(core=None, seconds=0.2, period_ms=10.0, priority=0)))
    assert (found.core, found.period_ms, found.scheduling) == (None, 10.0, "SCHED_OTHER")
    assert 1 <= found.lateness.wakings <= 21
    assert 0.0 <= found.lateness.p50_ms <= found.lateness.p99_ms <= found.lateness.max_ms
    assert "garbage collector" in {grant.request for grant in found.grants}


@linux
def test_the_probe_runs_on_its_core_and_in_real_time_where_that_is_granted():
    core = max(os.sched_getaffinity(0))
    found = finish(start(Probe(core=core, seconds=0.05, priority=33)))
    grants = {grant.request: grant.granted for grant in found.grants}
    assert grants[f"core {core} for the loop"]
    assert found.scheduling == ("SCHED_FIFO 33" if grants["SCHED_FIFO priority 33"] else "SCHED_OTHER")


def test_a_benchmark_ends_the_probe_when_it_ends_itself():
    process = start(Probe(core=None, seconds=0.0, period_ms=10.0, priority=0, until_stdin_closes=True))
    time.sleep(0.5)
    assert process.poll() is None
    assert finish(process).lateness.wakings >= 1


def test_the_probe_is_a_command_for_other_programs():
    done = subprocess.run(
        [sys.executable, "-m", "lalelu.doctor.probe", '{"core": null, "seconds": 0.05, "priority": 0}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["lateness"]["wakings"] >= 1


def test_a_probe_that_dies_is_told():
    process = start(Probe(core=None, seconds=60.0, priority=0))
    process.kill()
    with pytest.raises(LostError, match="the probe ended with status -9"):
        finish(process)


def write_config(folder, text):
    path = folder / "lalelu.yaml"
    path.write_text(text)
    return path


QUIET = "realtime: {core: none, priority: 0, lock_memory: false, cpu_latency: false}\n"


@pytest.fixture
def unhurried(monkeypatch):
    """However late a busy machine wakes the probe, that is not called bad."""
    monkeypatch.setattr(machine_findings, "BAD_LATE_MS", math.inf)


@pytest.mark.usefixtures("unhurried")
def test_a_machine_without_faults_exits_with_0_and_tells_every_finding_as_json(tmp_path, capsys):
    config = write_config(
        tmp_path,
        f"camera: {{uri: 'sim:?size=160x120&fps=30'}}\nmidi: {{outputs: ['file:{tmp_path}/new.mid']}}\n{QUIET}",
    )
    assert cli.main(["doctor", "--config", str(config), "--seconds", "0.05", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["well"] is True
    assert report["probe"]["scheduling"] == "SCHED_OTHER"
    names = {finding["name"] for finding in report["findings"]}
    assert names >= {
        "cores",
        "isolation",
        "governor",
        "kernel",
        "real-time throttling",
        "virtual machine",
        "bf16",
        "network",
        "camera",
        "MIDI output",
        "ALSA",
        "JACK",
        "SCHED_FIFO",
        "wakings",
        "turbo",
        "sleep states",
        "threads of the core",
        "clock",
        "heat",
        "interrupts",
        "upgrades",
    }
    fields = {"name", "state", "found", "cost", "remedy", "script", "keep", "lasts"}
    assert [finding for finding in report["findings"] if set(finding) != fields] == []


@pytest.mark.usefixtures("unhurried")
def test_the_script_of_this_machine_is_understood_by_the_shell_and_stands_alone_on_stdout(tmp_path, capsys):
    config = write_config(
        tmp_path,
        f"camera: {{uri: 'sim:?size=160x120&fps=30'}}\nmidi: {{outputs: ['file:{tmp_path}/new.mid']}}\n",
    )
    assert cli.main(["doctor", "--config", str(config), "--seconds", "0.05", "--apply"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    subprocess.run(["sh", "-n"], input=text, check=True, text=True)


@pytest.mark.parametrize(("device", "names"), [("cpu", []), ("cuda", ["card"])])
def test_a_card_is_asked_for_its_clocks_only_where_it_infers(device, names, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    config = write_config(
        tmp_path,
        f"camera: {{uri: 'sim:?size=160x120&fps=30'}}\nmidi: {{outputs: ['file:{tmp_path}/new.mid']}}\n"
        f"pose: {{runtime: onnxruntime, device: {device}}}\n{QUIET}",
    )
    cli.main(["doctor", "--config", str(config), "--seconds", "0.05", "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["name"] for finding in findings if finding["name"] == "card"] == names


def test_the_script_and_json_are_not_asked_for_together(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", "--apply", "--json"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_camera_that_was_asked_for_and_is_not_there_exits_with_1(tmp_path, capsys):
    config = write_config(tmp_path, f"midi: {{outputs: ['file:{tmp_path}/new.mid']}}\n{QUIET}")
    arguments = ["doctor", "--config", str(config), "--seconds", "0.05", "--camera", "opencv:99"]
    assert cli.main(arguments) == 1
    text = capsys.readouterr().out
    assert text.index("bad:\n  camera: opencv:99 is not there") < text.index("could be better:")
    assert text.rstrip().splitlines()[-1].endswith("not here")


@linux
def test_a_core_that_this_machine_has_not_is_bad_and_the_probe_runs_without_it(tmp_path, capsys):
    config = write_config(
        tmp_path,
        f"camera: {{uri: 'sim:?size=160x120&fps=30'}}\nmidi: {{outputs: ['file:{tmp_path}/new.mid']}}\n"
        "realtime: {core: 1000, priority: 0}\n",
    )
    assert cli.main(["doctor", "--config", str(config), "--seconds", "0.05", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    bad = [finding for finding in report["findings"] if finding["state"] == "bad"]
    assert [finding["name"] for finding in bad] == ["realtime.core"]
    assert bad[0]["found"].startswith("realtime.core is 1000")
    assert report["probe"]["core"] is None


@pytest.mark.parametrize("seconds", ["0", "-1", "4000", "nan"])
def test_an_impossible_length_of_the_probe_is_refused(seconds, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", "--seconds", seconds])
    assert caught.value.code == 2
    assert "allowed are values above 0 up to 3600" in capsys.readouterr().err


def test_the_text_tells_the_worst_first_wraps_sentences_and_keeps_remedies_whole():
    remedy = "echo performance | sudo tee /sys/devices/system/cpu/cpu1/cpufreq/scaling_governor /dev/null"
    findings = [
        Finding("cores", State.GOOD, "2 online"),
        Finding("governor", State.COULD_BE_BETTER, "powersave", "inference starts slowly " * 4, remedy),
        Finding("camera", State.BAD, "not there"),
    ]
    text = told(findings, 70)
    assert [line for line in text.splitlines() if line.endswith(":")] == ["bad:", "could be better:", "good:"]
    assert text.splitlines()[-1] == "1 good, 1 could be better, 1 bad, 0 not here"
    assert f"      fix: {remedy}" in text.splitlines()
    assert [line for line in text.splitlines() if len(line) > 70] == [f"      fix: {remedy}"]
