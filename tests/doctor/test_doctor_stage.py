import dataclasses

import pytest

from lalelu.doctor.card import Card, look_at_card
from lalelu.doctor.finding import Lasts, State
from lalelu.doctor.stage_findings import judge_card, judge_upgrades, judge_usb
from lalelu.doctor.upgrades import Upgrades, collect_upgrades
from lalelu.doctor.usb import UsbCamera, look_at_usb

USB = "devices/pci0000:00/0000:00:14.0/usb1/1-2"


@pytest.fixture
def sys(tmp_path):
    """Return a function that writes a /sys with a camera on USB."""

    def make(control="auto"):
        device = tmp_path / USB
        interface = device / "1-2:1.0"
        (interface / "video4linux/video0").mkdir(parents=True)
        (interface / "power").mkdir()  # an interface has such a file, too
        (interface / "power/control").write_text("auto\n")
        (device / "power").mkdir()
        for name, text in {
            "power/control": control,
            "idVendor": "046d",
            "idProduct": "082d",
            "product": "HD Pro\nWebcam",
            "speed": "480",
        }.items():
            (device / name).write_text(f"{text}\n")
        (interface / "video4linux/video0/device").symlink_to(interface)
        (tmp_path / "class/video4linux").mkdir(parents=True)
        (tmp_path / "class/video4linux/video0").symlink_to(interface / "video4linux/video0")
        return tmp_path

    return make


WEBCAM = UsbCamera("1-2", "HD Pro Webcam", "046d", "082d", "auto", "480")


@pytest.mark.parametrize("uri", ["v4l2:/dev/video0?fps=60", "v4l2:", "opencv:0"])
def test_the_usb_device_behind_the_cameras_node_is_found(sys, uri):
    assert look_at_usb(uri, sys()) == WEBCAM


@pytest.mark.parametrize("uri", ["v4l2:/dev/video7", "opencv:7", "opencv:rtsp", "sim:"])
def test_what_is_no_camera_on_usb_has_no_device(sys, uri):
    assert look_at_usb(uri, sys()) is None


def test_a_camera_behind_a_link_is_found(sys, tmp_path):
    node = tmp_path / "video0"
    node.touch()
    link = tmp_path / "by-id"
    link.symlink_to(node)
    assert look_at_usb(f"v4l2:{link}", sys()) == WEBCAM


def test_a_camera_that_may_be_suspended_gets_its_lines():
    finding = judge_usb(WEBCAM)
    assert finding.state is State.COULD_BE_BETTER
    assert finding.found == "HD Pro Webcam (1-2, 480 Mbit/s) is suspended while nobody films"
    assert finding.script == ("echo on > /sys/bus/usb/devices/1-2/power/control",)
    (kept,) = finding.keep
    assert kept == (
        'printf \'%s\\n\' \'ACTION=="add", SUBSYSTEM=="usb", ATTR{idVendor}=="046d", ATTR{idProduct}=="082d", '
        'TEST=="power/control", ATTR{power/control}="on"\' > /etc/udev/rules.d/90-lalelu-camera.rules'
    )


def test_a_camera_that_stays_awake_is_good_and_one_that_is_not_on_usb_not_here(sys):
    awake = judge_usb(look_at_usb("v4l2:/dev/video0", sys("on")))
    assert (awake.state, awake.script) == (State.GOOD, ())
    assert judge_usb(None).state is State.NOT_HERE


@pytest.fixture
def etc(tmp_path):
    """Return a function that writes apt's settings and which timers are on."""

    def make(periodic, *timers, masked=()):
        for number, text in enumerate(periodic):
            path = tmp_path / f"apt/apt.conf.d/{20 + number}settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        wants = tmp_path / "systemd/system/timers.target.wants"
        wants.mkdir(parents=True)
        for timer in timers:
            (wants / timer).symlink_to(f"/lib/systemd/system/{timer}")
        for timer in masked:
            (tmp_path / "systemd/system" / timer).symlink_to("/dev/null")
        return tmp_path

    return make


BOTH = ("apt-daily.timer", "apt-daily-upgrade.timer")
UNATTENDED = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'


@pytest.mark.parametrize(
    ("periodic", "upgrades"),
    [
        ([UNATTENDED], Upgrades(BOTH, updates_lists=True, upgrades=True)),
        (
            [UNATTENDED, 'APT::Periodic::Unattended-Upgrade "0";\n'],
            Upgrades(BOTH, updates_lists=True, upgrades=False),
        ),
        (
            [UNATTENDED, 'APT::Periodic::Enable "0";\n'],
            Upgrades(BOTH, updates_lists=False, upgrades=False),
        ),
        (["// APT::Periodic::Unattended-Upgrade\n"], Upgrades(BOTH, updates_lists=False, upgrades=False)),
    ],
)
def test_of_apts_settings_the_last_word_counts(etc, periodic, upgrades):
    assert collect_upgrades(etc(periodic, *BOTH)) == upgrades


def test_a_masked_timer_does_nothing(etc):
    found = collect_upgrades(etc([UNATTENDED], *BOTH, masked=["apt-daily-upgrade.timer"]))
    assert found.timers == ("apt-daily.timer",)


def test_a_machine_that_upgrades_itself_is_stopped_for_the_concert_and_for_good_only_by_choice():
    finding = judge_upgrades(Upgrades(BOTH, updates_lists=True, upgrades=True))
    assert finding.found == (
        "apt fetches and installs upgrades by itself (apt-daily.timer apt-daily-upgrade.timer)"
    )
    assert finding.script == ("systemctl stop apt-daily.timer apt-daily-upgrade.timer",)
    assert finding.keep == (
        "systemctl disable apt-daily.timer apt-daily-upgrade.timer  # and upgrade by hand, between concerts",
    )


@pytest.mark.parametrize(
    ("upgrades", "state"),
    [
        (None, State.NOT_HERE),
        (Upgrades((), updates_lists=True, upgrades=True), State.GOOD),
        (Upgrades(BOTH, updates_lists=False, upgrades=False), State.GOOD),
        (Upgrades(BOTH, updates_lists=True, upgrades=False), State.COULD_BE_BETTER),
    ],
)
def test_only_a_timer_with_something_to_do_costs(upgrades, state):
    finding = judge_upgrades(upgrades)
    assert (finding.state, bool(finding.script)) == (state, state is State.COULD_BE_BETTER)


def test_a_machine_without_apt_has_none(tmp_path):
    assert collect_upgrades(tmp_path) is None


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Return a function that puts an nvidia-smi on the path, which prints a text."""

    def make(text, code=0):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{text}'\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return make


FAST = Card("RTX 4070", is_kept_ready=True, clock_mhz=2475, highest_mhz=2550)


@pytest.mark.parametrize(
    ("text", "card"),
    [
        ("RTX 4070, Enabled, 2475, 2550", FAST),
        ("RTX 4070, Disabled, [N/A], [N/A]", Card("RTX 4070", False, None, None)),
        ("No devices were found", None),
    ],
)
def test_the_driver_is_asked_for_the_card(driver, text, card):
    driver(text)
    assert look_at_card() == card


def test_a_driver_that_fails_or_is_not_there_tells_of_no_card(driver, tmp_path, monkeypatch):
    driver("NVIDIA-SMI has failed", code=9)
    assert look_at_card() is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert look_at_card() is None


def test_a_card_that_clocks_down_between_frames_gets_its_clock_locked():
    finding = judge_card(dataclasses.replace(FAST, is_kept_ready=False, clock_mhz=210))
    assert finding.found == "RTX 4070, not kept ready, clocked at 210 of 2550 MHz"
    assert finding.script == (
        "nvidia-smi --id=0 --persistence-mode=1",
        "nvidia-smi --id=0 --lock-gpu-clocks=2550,2550",
    )
    assert finding.remedy == " ; ".join(f"sudo {line}" for line in finding.script)
    assert finding.lasts is Lasts.UNTIL_BOOT


def test_a_fast_card_is_good_and_none_is_not_here():
    assert judge_card(FAST).state is State.GOOD
    assert judge_card(dataclasses.replace(FAST, clock_mhz=None)).state is State.GOOD
    assert judge_card(None).state is State.NOT_HERE
