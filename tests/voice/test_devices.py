import argparse
import json
import sys
from pathlib import Path

import pytest
import rtmidi

from lalelu.commands import devices
from lalelu.registry import parse_uri


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    parser = argparse.ArgumentParser()
    devices.configure(parser)
    assert devices.run(parser.parse_args(words)) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("jack_server")
def test_a_jack_synth_is_listed_with_what_to_write_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    synth = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, "a synth")
    synth.open_virtual_port("in")
    found = json.loads(listed(capsys, "--json"))
    synth.close_port()
    synth.delete()
    jack = next(api for api in found["midi"] if api["api"] == "jack")
    assert jack == {
        "api": "jack",
        "unavailable": None,
        "ports": [{"name": "a synth:in", "config": "port:a synth:in?api=jack"}],
    }
    assert found["virtual"]["config"] == "virtual:lalelu"


@pytest.mark.usefixtures("no_jack")
def test_an_api_that_is_not_there_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    text = listed(capsys)
    assert "JACK: not available: no JACK server answers" in text
    assert "file:out.mid" in text
    assert "Cameras" in text


def test_no_camera_is_none_and_one_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    assert devices.cameras(tmp_path / "none", tmp_path) == ()
    for number, name in ((10, "Second\n"), (2, "First\n")):
        node = tmp_path / "class" / f"video{number}"
        node.mkdir(parents=True)
        (node / "name").write_text(name)
    (tmp_path / "video10").write_bytes(b"")  # a file, no device
    assert devices.cameras(tmp_path / "class", tmp_path) == (
        devices.CameraNode(
            f"{tmp_path}/video2",
            "First",
            f"v4l2:{tmp_path}/video2",
            "cannot be opened: No such file or directory",
        ),
        devices.CameraNode(
            f"{tmp_path}/video10",
            "Second",
            f"v4l2:{tmp_path}/video10",
            "cannot be opened: Inappropriate ioctl for device",
        ),
    )


def test_serial_lines_are_listed_by_their_lasting_names_and_places_without_a_uart_are_not(
    tmp_path: Path,
) -> None:
    classes, nodes = tmp_path / "class", tmp_path / "dev"
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0"), ("ttyUSB0", None), ("tty1", None)):
        (classes / name).mkdir(parents=True)
        nodes.mkdir(exist_ok=True)
        (nodes / name).touch()
        if name != "tty1":  # the console, behind which there is no device
            (classes / name / "device").mkdir()
        if kind is not None:
            (classes / name / "type").write_text(kind + "\n")
    by_id = nodes / "serial" / "by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-FTDI-port0").symlink_to("../../ttyUSB0")
    assert devices.serial_ports(classes, nodes) == (
        devices.SerialPort(f"{nodes}/ttyS0", f"serial:{nodes}/ttyS0", None),
        devices.SerialPort(f"{by_id}/usb-FTDI-port0", f"serial:{by_id}/usb-FTDI-port0", None),
    )


@pytest.mark.parametrize(
    ("name", "api", "target"),
    [
        ("Synth:in 128:0", "alsa", "Synth:in"),
        ("Synth:in 128:0", "jack", "Synth:in 128:0"),
        ("What? 100%:in", "jack", "What? 100%:in"),
    ],
)
def test_an_address_made_for_a_port_reads_back_as_its_name(name: str, api: devices.Api, target: str) -> None:
    assert parse_uri(devices.port_address(name, api)) == ("port", target, {"api": api})


def test_sound_cards_are_listed_with_what_to_write_for_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = {"alsa": ("USB Audio, front", "Küche?")}
    monkeypatch.setattr("lalelu.voice.synth.card.playable", lambda api: cards.get(api, ()))
    found = json.loads(listed(capsys, "--json"))["sound"]
    assert [(card["name"], card["config"]) for card in found] == [
        ("USB Audio, front", "synth:USB Audio, front?backend=alsa"),
        ("Küche?", "synth:K%C3%BCche%3F?backend=alsa"),
    ]
    assert [parse_uri(card["config"])[1] for card in found] == list(cards["alsa"])
    monkeypatch.setitem(sys.modules, "lalelu.voice.synth.card", None)
    assert "pip install 'lalelu[synth]'" in listed(capsys)
