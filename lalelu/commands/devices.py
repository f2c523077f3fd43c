"""`lalelu devices`: what is connected, and what to write into the configuration for it. Looks at devices."""

import argparse
import fcntl
import json
import os
import re
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lalelu.voice.outputs.rtmidi import APIS, Api, available_api, ports, why_unavailable

CLASSES: Final = Path("/sys/class/video4linux")
DEVICES: Final = Path("/dev")

_VIDIOC_QUERYCAP: Final = 0x80685600  # linux/videodev2.h: struct v4l2_capability of 104 bytes
_CAPABILITY: Final = struct.Struct("16s32s32sIII12x")
_VIDEO_CAPTURE: Final = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE, ..._MPLANE
_DEVICE_CAPS: Final = 0x80000000  # device_caps tells what this very node can do


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One node of Video4Linux that delivers pictures, or that could not be asked."""

    device: str  # /dev/video0
    name: str
    config: str  # for camera.uri
    problem: str | None  # why it cannot be opened


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


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """List cameras and MIDI outputs; returns 0."""
    found = cameras()
    apis = tuple(midi_api(api) for api in APIS)
    own = available_api()
    if args.json:
        listing = {
            "cameras": [asdict(camera) for camera in found],
            "midi": [asdict(api) for api in apis],
            "virtual": None if own is None else {"api": own, "config": "virtual:lalelu"},
        }
        sys.stdout.write(json.dumps(listing) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found, apis, own)) + "\n")
    return 0


def cameras(classes: Path = CLASSES, devices: Path = DEVICES) -> tuple[CameraNode, ...]:
    """Return the camera nodes by number; nodes that only carry metadata are left out."""
    nodes = []
    for entry in sorted(classes.glob("video*"), key=lambda path: _number(path.name)):
        device = devices / entry.name
        problem = None
        try:
            if not _captures(device):
                continue
        except OSError as exc:
            problem = f"cannot be opened: {exc.strerror}"
            if isinstance(exc, PermissionError):
                problem += "; join the group video"
        nodes.append(
            CameraNode(
                device=str(device),
                name=(entry / "name").read_text(encoding="utf-8", errors="replace").strip(),
                config=f"opencv:{_number(entry.name)}",
                problem=problem,
            )
        )
    return tuple(nodes)


def midi_api(api: Api) -> MidiApi:
    """Return an API's ports, or why there are none to ask for."""
    reason = why_unavailable(api)
    names = ports(api) if reason is None else ()
    return MidiApi(api, reason, tuple(MidiPort(name, port_address(name, api)) for name in names))


def port_address(name: str, api: Api) -> str:
    """Return the address that connects to port `name`, for midi.outputs.

    The numbers that ALSA adds to a name (`Synth:in 128:0`) change with every start, and are left out.
    """
    lasting = re.sub(r" \d+:\d+$", "", name) if api == "alsa" else name
    return f"port:{quote(lasting, safe=' :/()[],')}?api={api}"


def _number(name: str) -> int:
    return int(name.removeprefix("video"))


def _captures(device: Path) -> bool:
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        answer = fcntl.ioctl(handle, _VIDIOC_QUERYCAP, bytes(_CAPABILITY.size))
    finally:
        os.close(handle)
    *_, all_caps, node_caps = _CAPABILITY.unpack(answer)
    return bool((node_caps if all_caps & _DEVICE_CAPS else all_caps) & _VIDEO_CAPTURE)


def _lines(found: tuple[CameraNode, ...], apis: tuple[MidiApi, ...], own: Api | None) -> list[str]:
    lines = ["Cameras (camera.uri):"]
    for camera in found:
        note = f"  [{camera.problem}]" if camera.problem else ""
        lines.append(f"  {camera.config:<12}{camera.name} ({camera.device}){note}")
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
    lines.append("  file:out.mid    a MIDI file")
    return lines
