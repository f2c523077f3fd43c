"""`lalelu devices`: what is connected, and what to write into the configuration for it. Looks at devices."""

import argparse
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lalelu.camera.v4l2.device import ask_capability
from lalelu.camera.v4l2.system import Linux, SystemCalls
from lalelu.voice.outputs.rtmidi import APIS, Api, available_api, ports, why_unavailable

CLASSES: Final = Path("/sys/class/video4linux")
TTYS: Final = Path("/sys/class/tty")
DEVICES: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One node of Video4Linux that delivers pictures, or that could not be asked."""

    device: str  # /dev/video0
    name: str
    config: str  # for camera.uri
    problem: str | None  # why it cannot be opened or read


@dataclass(frozen=True, slots=True)
class MidiPort:
    """One port that can be played to."""

    name: str
    config: str  # for midi.outputs


@dataclass(frozen=True, slots=True)
class MidiApi:
    """One way to MIDI ports and what is there."""

    api: Api
    unavailable: str | None  # the reason
    ports: tuple[MidiPort, ...]


@dataclass(frozen=True, slots=True)
class SoundCard:
    """One card, or sound server's output, that `synth:` can play on."""

    name: str
    api: str
    config: str  # for midi.outputs


@dataclass(frozen=True, slots=True)
class SerialPort:
    """One serial line of the machine: a UART, or an adapter on USB."""

    device: str  # by its lasting name where it has one
    config: str  # for midi.outputs
    problem: str | None  # why it cannot be used


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List cameras, MIDI outputs, serial lines and sound cards; returns 0."""
    found = cameras()
    apis = tuple(midi_api(api) for api in APIS)
    own = available_api()
    serial = serial_ports()
    cards = sound_cards()
    if args.json:
        listing = {
            "cameras": [asdict(camera) for camera in found],
            "midi": [asdict(api) for api in apis],
            "serial": [asdict(port) for port in serial],
            "sound": None if cards is None else [asdict(card) for card in cards],
            "virtual": None if own is None else {"api": own, "config": "virtual:lalelu"},
        }
        sys.stdout.write(json.dumps(listing) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found, apis, serial, own, cards)) + "\n")
    return 0


def cameras(
    classes: Path = CLASSES, devices: Path = DEVICES, calls: SystemCalls | None = None
) -> tuple[CameraNode, ...]:
    """Return the camera nodes by number; nodes that only carry metadata are left out."""
    calls = calls or Linux()
    nodes = []
    for entry in sorted(classes.glob("video*"), key=lambda path: _number(path.name)):
        device = devices / entry.name
        try:
            takes_pictures, problem = _look_at(device, calls)
            if not takes_pictures:
                continue
        except OSError as exc:
            problem = f"cannot be opened: {exc.strerror}"
            if isinstance(exc, PermissionError):
                problem += "; join the group video"
        nodes.append(
            CameraNode(
                device=str(device),
                name=(entry / "name").read_text(encoding="utf-8", errors="replace").strip(),
                config=f"v4l2:{device}",
                problem=problem,
            )
        )
    return tuple(nodes)


def midi_api(api: Api) -> MidiApi:
    """Return an API's ports, or why there are none to ask for."""
    reason = why_unavailable(api)
    names = ports(api) if reason is None else ()
    return MidiApi(api, reason, tuple(MidiPort(name, port_address(name, api)) for name in names))


def serial_ports(classes: Path = TTYS, devices: Path = DEVICES) -> tuple[SerialPort, ...]:
    """Return the serial lines, by name; the kernel's places for UARTs that are not there are left out."""
    lasting = {link.resolve(): link for link in sorted((devices / "serial" / "by-id").glob("*"))}
    found = []
    for entry in sorted(classes.glob("*"), key=lambda path: (len(path.name), path.name)):
        if not (entry / "device").exists() or _is_empty_place(entry):
            continue
        node = devices / entry.name
        device = lasting.get(node.resolve(), node)
        problem = None if os.access(node, os.R_OK | os.W_OK) else "cannot be opened; join the group dialout"
        found.append(SerialPort(str(device), f"serial:{quote(str(device), safe=' /:')}", problem))
    return tuple(found)


def sound_cards() -> tuple[SoundCard, ...] | None:
    """Return what `synth:` can play on; None where the extra that plays is not installed."""
    try:
        from lalelu.voice.synth.card import APIS, playable
    except ImportError:
        return None
    return tuple(
        SoundCard(name, api, f"synth:{quote(name, safe=' :/()[],')}?backend={api}")
        for api in APIS
        for name in playable(api)
    )


def _is_empty_place(entry: Path) -> bool:
    kind = entry / "type"  # of UARTs on the board; 0 = PORT_UNKNOWN (serial_core.h)
    return kind.exists() and kind.read_text(encoding="ascii").strip() == "0"


def port_address(name: str, api: Api) -> str:
    """Return the address that connects to port `name`, for midi.outputs.

    The numbers that ALSA adds to a name (`Synth:in 128:0`) change with every start, and are left out.
    """
    lasting = re.sub(r" \d+:\d+$", "", name) if api == "alsa" else name
    return f"port:{quote(lasting, safe=' :/()[],')}?api={api}"


def _number(name: str) -> int:
    return int(name.removeprefix("video"))


def _look_at(device: Path, calls: SystemCalls) -> tuple[bool, str | None]:
    """Return whether a node takes pictures, and why v4l2: cannot read them."""
    handle = calls.open(str(device))
    try:
        able = ask_capability(calls, handle)
    finally:
        calls.close(handle)
    if able.captures and able.streams:
        return True, None
    reason = "in several planes" if able.captures_planes else "not through memory"
    return (
        able.captures or able.captures_planes,
        f"gives pictures {reason}; write opencv:{_number(device.name)}",
    )


def _lines(
    found: tuple[CameraNode, ...],
    apis: tuple[MidiApi, ...],
    serial: tuple[SerialPort, ...],
    own: Api | None,
    cards: tuple[SoundCard, ...] | None,
) -> list[str]:
    lines = ["Cameras (camera.uri):"]
    for camera in found:
        note = f"  [{camera.problem}]" if camera.problem else ""
        lines.append(f"  {camera.config:<20}{camera.name}{note}")
    if not found:
        lines.append("  none found; sim: plays a simulated drummer")
    lines.append("MIDI outputs (midi.outputs):")
    for api in apis:
        if api.unavailable is not None:
            lines.append(f"  {api.api.upper()}: not available: {api.unavailable}")
        elif not api.ports:
            lines.append(f"  {api.api.upper()}: no ports to play to; start a synthesizer")
        else:
            lines.append(f"  {api.api.upper()}:")
            lines += [f"    {port.config}" for port in api.ports]
    if own is not None:
        lines.append(f"  virtual:lalelu  a port of our own, on {own.upper()}, to which synthesizers connect")
    for port in serial:
        note = f"  [{port.problem}]" if port.problem else ""
        lines.append(f"  {port.config}  a serial line, for a MIDI socket{note}")
    lines.append("  file:out.mid    a MIDI file")
    lines.append("Sound cards (midi.outputs: synth: makes the sound itself):")
    if cards is None:
        lines.append("  not asked: `pip install 'lalelu[synth]'` brings what plays on them")
    elif not cards:
        lines.append("  none found; plug one in or start a sound server")
    else:
        lines += [f"  {card.config}" for card in cards]
    return lines
