"""`lalelu doctor`: this machine as a real-time instrument. Opens devices, starts a probe, changes nothing."""

import argparse
import json
import shutil
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from lalelu.commands.run import positive
from lalelu.config.loader import Loaded, load_config, with_overrides
from lalelu.config.schema import RealtimeSection
from lalelu.console import say
from lalelu.doctor.card import look_at_card
from lalelu.doctor.device_findings import judge_back_ends, judge_camera, judge_outputs, judge_runtime
from lalelu.doctor.devices import look_at_back_ends, look_at_camera, look_at_outputs
from lalelu.doctor.finding import Finding, State
from lalelu.doctor.interrupt_findings import judge_interrupts
from lalelu.doctor.interrupts import between, look_at_interrupts
from lalelu.doctor.machine import Machine, collect
from lalelu.doctor.machine_findings import judge_machine, judge_requests, judge_sleep
from lalelu.doctor.picture_findings import judge_picture
from lalelu.doctor.probe import Probe, Sleep, finish, start
from lalelu.doctor.processor import collect_heat, collect_processor
from lalelu.doctor.processor_findings import judge_heat, judge_processor
from lalelu.doctor.script import script
from lalelu.doctor.stage_findings import judge_card, judge_upgrades, judge_usb
from lalelu.doctor.text import told
from lalelu.doctor.upgrades import collect_upgrades
from lalelu.doctor.usb import look_at_usb
from lalelu.errors import MissingError
from lalelu.realtime import choose_core
from lalelu.realtime.requests import AWAKE

MAX_SECONDS: Final = 3600.0  # of the probe; an hour finds what comes once a minute


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--config", type=Path, metavar="F", help="configuration file (default: the installed one)"
    )
    parser.add_argument("--camera", metavar="URI", help="camera instead of the configured one")
    parser.add_argument(
        "--seconds", type=_seconds, default=10.0, metavar="S", help="length of the probe (%(default)g)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object on stdout")
    form.add_argument(
        "--apply",
        action="store_true",
        help="print a shell script of the settings that can be changed, for review; nothing is run",
    )


def run(args: argparse.Namespace) -> int:
    """Look at everything and tell it; 1 when something is bad."""
    loaded = with_overrides(load_config(args.config), camera=args.camera)
    findings, sleep = examine(loaded, args.seconds, camera_named=args.camera is not None)
    is_well = all(finding.state is not State.BAD for finding in findings)
    if args.json:
        report: dict[str, Any] = {
            "configuration": loaded.origin,
            "well": is_well,
            "findings": [asdict(finding) for finding in findings],
            "probe": asdict(sleep),
        }
        print(json.dumps(report))
    elif args.apply:
        print(script(findings), end="")
    else:
        print(f"configuration: {loaded.origin}\n")
        print(told(findings, shutil.get_terminal_size().columns))
        if any(finding.script for finding in findings):
            say("`lalelu doctor --apply` prints a script of the settings, to be read first")
    return 0 if is_well else 1


def examine(loaded: Loaded, seconds: float, *, camera_named: bool) -> tuple[list[Finding], Sleep]:
    """Return all findings and what the probe of `seconds` told.

    Where nobody has written a configuration, a missing camera or MIDI port is no fault.
    """
    config = loaded.config
    has_file = len(loaded.files) > 1  # the configuration, beside the kit
    findings: list[Finding] = []
    core: int | None = None
    try:
        core = choose_core(config.realtime.core)
    except MissingError as exc:
        findings.append(Finding("realtime.core", State.BAD, str(exc), "lalelu run does not start"))
    machine = collect()
    findings += judge_machine(machine, core)
    findings.append(judge_runtime(config.pose.runtime, version=_version(config.pose.runtime)))
    if config.pose.device != "cpu":
        findings.append(judge_card(look_at_card()))
    findings.append(judge_upgrades(collect_upgrades()))
    say(f"camera {config.camera.uri} ...")
    looked = look_at_camera(config.camera.uri)
    findings.append(judge_camera(looked, asked=camera_named or has_file))
    findings += judge_picture(looked)
    usb = look_at_usb(config.camera.uri)
    if usb is not None or (looked.is_device and looked.problem is None):
        findings.append(judge_usb(usb))
    findings += judge_outputs(look_at_outputs(config.midi.outputs), asked=has_file)
    findings += judge_back_ends(look_at_back_ends())
    say(f"sleeping for {seconds:g} s ...")
    beside, sleep = _sleep_and_look(core, seconds, machine, config.realtime)
    findings += beside
    findings += judge_requests(machine, sleep.grants, config.realtime)
    findings.append(judge_sleep(sleep))
    return findings, sleep


def _sleep_and_look(
    core: int | None, seconds: float, machine: Machine, asked: RealtimeSection
) -> tuple[list[Finding], Sleep]:
    """Let the probe sleep, and look before and after at what could keep its core from waking it."""
    heat = collect_heat(core)
    first = None if core is None else look_at_interrupts(core)
    sleep = finish(start(_probe(core, seconds, asked)))
    seen = None if core is None or first is None else between(core, first, look_at_interrupts(core))
    held_awake = any(grant.granted and grant.request == AWAKE for grant in sleep.grants)
    findings = judge_interrupts(seen, core, machine.online, machine.isolated)
    findings += judge_processor(collect_processor(core), core, machine.isolated, held_awake=held_awake)
    findings.append(judge_heat(heat, collect_heat(core)))
    return findings, sleep


def _probe(core: int | None, seconds: float, asked: RealtimeSection) -> Probe:
    return Probe(
        core,
        seconds=seconds,
        priority=asked.priority,
        lock_memory=asked.lock_memory,
        cpu_latency=asked.cpu_latency,
    )


def _seconds(text: str) -> float:
    return positive(text, MAX_SECONDS)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
