import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lalelu.config.loader import check_file, load_config
from lalelu.config.schema import RealtimeSection
from lalelu.models.cache import cache_dir
from lalelu.pose.net import NICE
from lalelu.voice.process import PRIORITY_ABOVE

BIN = Path(sys.executable).parent  # systemd-analyze looks whether the command is there
UNITS = {"system": "lalelu.service.in", "user": "lalelu-user.service.in"}
both = pytest.mark.parametrize("kind", UNITS)


@pytest.fixture
def render(project):
    """A template with its paths filled in, as service.sh does it."""

    def rendered(name: str) -> str:
        text = (project / "systemd" / name).read_text(encoding="utf-8")
        return text.replace("@BINDIR@", str(BIN)).replace("@STATE@", "/var/lib/lalelu")

    return rendered


@pytest.fixture
def settings(render):
    """A unit's [Service] section: key -> all its values, in order."""

    def parsed(kind: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        section = ""
        for line in render(UNITS[kind]).splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found.setdefault(key, []).append(value)
        return found

    return parsed


@both
def test_systemd_takes_the_unit_without_a_word(kind, render, tmp_path, expect):
    if shutil.which("systemd-analyze") is None:
        expect("systemd", "there is no systemd-analyze")
    if not (BIN / "lalelu").exists():
        expect("systemd", f"no command lalelu is installed in {BIN}")
    unit = tmp_path / "lalelu.service"
    unit.write_text(render(UNITS[kind]), encoding="utf-8")
    command = ["systemd-analyze", f"--{kind}", "verify", str(unit)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@both
def test_a_wrong_configuration_is_not_tried_again_and_everything_else_is_without_end(kind, render, settings):
    unit = settings(kind)
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert "\nStartLimitIntervalSec=0\n" in render(UNITS[kind])


@both
def test_the_configuration_that_is_run_is_checked_before_and_the_check_leaves_the_verdict_to_run(
    kind, settings
):
    unit = settings(kind)
    (check,), (run,) = unit["ExecStartPre"], unit["ExecStart"]
    program, command, option, config = run.split()
    assert (program, command, option) == (f"{BIN}/lalelu", "run", "--config")
    # systemd restarts after any failure of ExecStartPre, whatever its status
    assert check == f"-{program} check {config}"
    assert config == {"system": "/etc/lalelu/lalelu.yaml", "user": "%E/lalelu/lalelu.yaml"}[kind]


@both
def test_systemd_hears_when_it_plays_and_when_the_loop_stands_still(kind, settings):
    unit = settings(kind)
    assert (unit["Type"], unit["NotifyAccess"]) == (["notify"], ["main"])
    assert 10 < int(unit["WatchdogSec"][0]) <= 30  # OpenCV alone waits 10 s for a frame
    assert (unit["WatchdogSignal"], unit["KillMode"]) == (["SIGTERM"], ["control-group"])


@both
def test_engine_and_voice_may_have_the_priorities_and_the_memory_they_ask_for(kind, settings):
    unit = settings(kind)
    assert int(unit["LimitRTPRIO"][0]) >= RealtimeSection().priority + PRIORITY_ABOVE
    assert unit["LimitMEMLOCK"] == ["infinity"]
    assert int(unit["LimitNICE"][0]) <= NICE  # the network's, beside a carried flow


@both
def test_nothing_of_the_unit_traps_helper_threads_on_the_hot_core_or_forbids_what_the_engine_needs(
    kind, settings
):
    unit = settings(kind)
    for key in (
        "CPUAffinity",
        "CPUSchedulingPolicy",
        "AllowedCPUs",
        "Nice",
        "PrivateDevices",
        "PrivateNetwork",
    ):
        assert key not in unit
    for key in ("MemoryDenyWriteExecute", "RestrictRealtime"):
        assert unit.get(key, ["no"]) == ["no"]
    assert unit.get("ProcSubset", ["all"]) == ["all"]


def test_the_service_reaches_cameras_midi_and_the_latency_file_and_no_other_device(settings):
    unit = settings("system")
    assert unit["DevicePolicy"] == ["closed"]
    devices = {value.removesuffix(" rw") for value in unit["DeviceAllow"]}
    assert devices == {
        "char-video4linux",
        "char-alsa",
        "char-ttyUSB",
        "char-ttyACM",
        "char-ttyAMA",
        "/dev/cpu_dma_latency",
    }


def test_the_user_unit_asks_for_nothing_that_only_the_system_can_give(settings):
    unit = settings("user")
    for key in ("User", "Group", "DevicePolicy", "DeviceAllow", "CapabilityBoundingSet", "OOMScoreAdjust"):
        assert key not in unit


@both
def test_the_rings_and_the_cache_lie_where_lalelu_looks_for_them(kind, settings, monkeypatch):
    unit = settings(kind)
    assert unit["RuntimeDirectory"] == ["lalelu"]
    assert unit["CacheDirectory"] == ["lalelu"]
    monkeypatch.delenv("LALELU_CACHE", raising=False)
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/lalelu")  # as systemd sets it
    assert cache_dir() == Path("/var/cache/lalelu")


def test_the_services_configuration_is_valid_waits_for_its_camera_and_writes_where_it_may(
    render, settings, tmp_path
):
    path = tmp_path / "lalelu.yaml"
    path.write_text(render("lalelu.yaml.in"), encoding="utf-8")
    assert [str(problem) for problem in check_file(path)] == []
    config = load_config(path).config
    assert config.camera.wait
    (state,) = settings("system")["StateDirectory"]
    assert config.ledger.dir == f"/var/lib/{state}/ledger"


def test_the_services_user_is_made_with_the_groups_of_its_devices(project, settings, tmp_path, expect):
    if shutil.which("systemd-sysusers") is None:
        expect("systemd", "there is no systemd-sysusers")
    (tmp_path / "etc/sysusers.d").mkdir(parents=True)
    shutil.copy(project / "systemd/lalelu.sysusers.conf", tmp_path / "etc/sysusers.d/lalelu.conf")
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], capture_output=True, check=True)
    (entry,) = (tmp_path / "etc" / "passwd").read_text().splitlines()
    name, _, _, _, _, home, shell = entry.split(":")
    assert [name] == settings("system")["User"] == settings("system")["Group"]
    assert (home, Path(shell).name) == ("/var/lib/lalelu", "nologin")
    members = {
        group: people
        for group, _, _, people in (
            line.split(":") for line in (tmp_path / "etc" / "group").read_text().splitlines()
        )
    }
    assert members == {"video": name, "audio": name, "dialout": name, "lalelu": ""}


def test_the_rule_gives_the_latency_file_to_the_services_group(project, settings):
    rules = (project / "systemd" / "90-lalelu.rules").read_text(encoding="utf-8").splitlines()
    (rule,) = (line for line in rules if not line.startswith("#"))
    (group,) = settings("system")["Group"]
    assert {'KERNEL=="cpu_dma_latency"', f'GROUP="{group}"', 'MODE="0660"'} <= set(rule.split(", "))
