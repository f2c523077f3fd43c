import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lalelu.app import DESK_S
from lalelu.config.loader import check_file, load_config
from lalelu.config.schema import RealtimeSection
from lalelu.desk import attach, attendance
from lalelu.models.cache import cache_dir
from lalelu.pose.net import NICE
from lalelu.voice.process import PRIORITY_ABOVE

BIN = Path(sys.executable).parent  # systemd-analyze looks whether the command is there
# main units by kind; those of the machine have a desk beside them
UNITS = {
    "system": "systemd/system/lalelu.service",
    "instance": "systemd/system/lalelu@.service",
    "user": "systemd/user/lalelu.service",
}
DESKS = {
    "system": "systemd/system/lalelu-desk.service",
    "instance": "systemd/system/lalelu-desk@.service",
}
CONFIGS = {
    "system": "/etc/lalelu/lalelu.yaml",
    "instance": "/etc/lalelu/%i.yaml",
    "user": "%E/lalelu/lalelu.yaml",
}
MOST_EXPOSED = {"lalelu.service": 25, "lalelu-desk.service": 15}  # tenths, as systemd-analyze takes it
each = pytest.mark.parametrize("kind", UNITS)
of_the_machine = pytest.mark.parametrize("kind", DESKS)


@pytest.fixture(scope="module")
def installed(project, tmp_path_factory, expect):
    """The folder where `make install-service` puts units: all names and paths are filled in."""
    if not (BIN / "lalelu").exists():
        expect("systemd", f"no command lalelu is installed in {BIN}")
    root = tmp_path_factory.mktemp("root")
    script = ["sh", str(project / "systemd/service.sh"), "install", "system"]
    given = {"PATH": os.environ["PATH"], "DESTDIR": str(root), "SERVICE_BIN": str(BIN), "SERVICE_LIB": "/lib"}
    subprocess.run(script, check=True, capture_output=True, env=given)
    return root / "lib"


def parsed(unit: Path, wanted: str) -> dict[str, list[str]]:
    """A unit's section: key -> all its values, in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == wanted and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def settings(installed):
    """A main unit's [Service] section."""
    return lambda kind: parsed(installed / UNITS[kind], "[Service]")


@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_takes_the_units_without_a_word(scope, installed, tmp_path, expect):
    if shutil.which("systemd-analyze") is None:
        expect("systemd", "there is no systemd-analyze")
    units = sorted((installed / "systemd" / scope).iterdir())
    assert len(units) == {"system": 5, "user": 1}[scope]
    command = ["systemd-analyze", f"--{scope}", "verify", *map(str, units)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", MOST_EXPOSED)
def test_a_unit_is_exposed_no_more_than_it_must_be(name, installed, expect):
    if shutil.which("systemd-analyze") is None:
        expect("systemd", "there is no systemd-analyze")
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes"]
    command += [f"--threshold={MOST_EXPOSED[name]}", str(installed / "systemd/system" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@each
def test_a_wrong_configuration_is_not_tried_again_and_everything_else_is_without_end(
    kind, installed, settings
):
    unit = settings(kind)
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert unit["RestartSec"] == ["200ms"]
    assert parsed(installed / UNITS[kind], "[Unit]")["StartLimitIntervalSec"] == ["0"]


@each
@pytest.mark.parametrize(("status", "pauses"), [("0", False), ("1", False), ("KILL", False), ("3", True)])
def test_only_what_misses_something_is_started_again_after_a_pause(kind, settings, tmp_path, status, pauses):
    (after,) = settings(kind)["ExecStopPost"]
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\necho $1\n", encoding="ascii")
    sleep.chmod(0o755)
    done = subprocess.run(
        shlex.split(after.replace("$$", "$")),
        env={"PATH": str(tmp_path), "EXIT_STATUS": status},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ("2\n" if pauses else "")


@each
def test_the_configuration_that_is_run_is_checked_before_and_the_check_leaves_the_verdict_to_run(
    kind, settings
):
    unit = settings(kind)
    (check,), (run,) = unit["ExecStartPre"], unit["ExecStart"]
    program, command, option, config = run.split()
    assert (program, command, option) == (f"{BIN}/lalelu", "run", "--config")
    # systemd restarts after any failure of ExecStartPre, whatever its status
    assert check == f"-{program} check {config}"
    assert config == CONFIGS[kind]


@each
def test_systemd_hears_when_it_plays_and_when_the_loop_stands_still(kind, settings):
    unit = settings(kind)
    assert (unit["Type"], unit["NotifyAccess"]) == (["notify"], ["main"])
    assert 10 < int(unit["WatchdogSec"][0]) <= 30  # OpenCV alone waits 10 s for a frame
    assert (unit["WatchdogSignal"], unit["KillMode"]) == (["SIGTERM"], ["control-group"])


@each
def test_engine_and_voice_may_have_the_priorities_and_the_memory_they_ask_for(kind, settings):
    unit = settings(kind)
    assert int(unit["LimitRTPRIO"][0]) >= RealtimeSection().priority + PRIORITY_ABOVE
    assert unit["LimitMEMLOCK"] == ["infinity"]
    assert int(unit["LimitNICE"][0]) <= NICE  # the network's, beside a carried flow


@each
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


@of_the_machine
def test_the_service_reaches_cameras_midi_and_the_latency_file_and_no_other_device(kind, settings):
    unit = settings(kind)
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


@each
def test_the_rings_and_the_cache_lie_where_lalelu_looks_for_them(kind, settings, monkeypatch):
    unit = settings(kind)
    own = "lalelu-%i" if kind == "instance" else "lalelu"
    assert (unit["RuntimeDirectory"], unit["RuntimeDirectoryPreserve"]) == ([own], ["yes"])
    assert unit["CacheDirectory"] == ["lalelu"]
    monkeypatch.delenv("LALELU_CACHE", raising=False)
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/lalelu")  # as systemd sets it
    assert cache_dir() == Path("/var/cache/lalelu")


@of_the_machine
def test_the_desk_comes_with_its_instrument_goes_after_it_and_shares_its_folders(kind, installed, settings):
    unit, desk = settings(kind), parsed(installed / DESKS[kind], "[Service]")
    main, beside = Path(UNITS[kind]).name, Path(DESKS[kind]).name
    at = "@%i." if kind == "instance" else "."
    order = parsed(installed / DESKS[kind], "[Unit]")
    assert parsed(installed / UNITS[kind], "[Unit]")["Wants"][0] == beside.replace("@.", at)
    # started before and stopped after: the recording is closed between the two
    assert order["Before"] == order["PartOf"] == [main.replace("@.", at)]
    assert unit["Environment"] == [f"{attendance.VARIABLE}={attendance.SERVICE}"]
    assert desk["ExecStart"] == [f"{BIN}/python -m {attach.__name__}"]
    for key in (
        "RuntimeDirectory",
        "RuntimeDirectoryPreserve",
        "StateDirectory",
        "User",
        "Group",
        "Slice",
        "UMask",
    ):
        assert desk[key] == unit[key]
    assert desk["Restart"] == ["always"]
    assert DESK_S <= int(desk["TimeoutStopSec"][0]) < int(desk["WatchdogSec"][0])
    assert "LimitRTPRIO" not in desk


@of_the_machine
def test_no_limit_halts_the_loop_and_the_desk_goes_first_when_memory_is_short(kind, installed, settings):
    unit, desk = settings(kind), parsed(installed / DESKS[kind], "[Service]")
    shared = parsed(installed / "systemd/system/lalelu.slice", "[Slice]")
    for key in ("MemoryMax", "MemoryHigh", "CPUQuota", "AllowedMemoryNodes"):
        assert key not in unit
        assert key not in shared
    assert int(unit["CPUWeight"][0]) > int(desk["CPUWeight"][0])
    assert int(unit["OOMScoreAdjust"][0]) < 0 < int(desk["OOMScoreAdjust"][0])
    assert "MemoryMax" in desk


def test_the_services_configuration_is_valid_waits_for_its_camera_and_writes_where_it_may(
    installed, settings
):
    path = installed.parent / "etc/lalelu/lalelu.yaml"
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


def test_the_rules_give_the_latency_file_to_the_group_and_keep_cameras_awake(project, settings):
    rules = (project / "systemd" / "90-lalelu.rules").read_text(encoding="utf-8").splitlines()
    latency, camera = (set(line.split(", ")) for line in rules if line and not line.startswith("#"))
    (group,) = settings("system")["Group"]
    assert {'KERNEL=="cpu_dma_latency"', f'GROUP="{group}"', 'MODE="0660"'} <= latency
    # the camera's driver allows the sleep when it binds
    assert {'ACTION=="add|bind"', 'ATTR{bInterfaceClass}=="0e"', 'ATTR{../power/control}="on"'} <= camera


def test_the_services_folders_are_made_as_the_units_make_them(project, settings):
    lines = (project / "systemd/lalelu.tmpfiles.conf").read_text(encoding="utf-8").splitlines()
    made = {line.split()[1]: line.split()[2:] for line in lines if not line.startswith("#")}
    (mode,) = settings("system")["StateDirectoryMode"]
    assert made["/var/lib/lalelu"] == [mode, "lalelu", "lalelu"]
    assert set(made) == {"/var/lib/lalelu", "/var/cache/lalelu"}
