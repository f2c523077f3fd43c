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
from lalelu.console import say
from lalelu.doctor.device_findings import judge_back_ends, judge_camera, judge_outputs, judge_runtime
from lalelu.doctor.devices import look_at_back_ends, look_at_camera, look_at_outputs
from lalelu.doctor.finding import Finding, State
from lalelu.doctor.machine import collect
from lalelu.doctor.machine_findings import judge_machine, judge_requests, judge_sleep
from lalelu.doctor.probe import Probe, Sleep, finish, start
from lalelu.doctor.text import told
from lalelu.errors import MissingError
from lalelu.realtime import choose_core

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
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


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
    else:
        print(f"configuration: {loaded.origin}\n")
        print(told(findings, shutil.get_terminal_size().columns))
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
    say(f"camera {config.camera.uri} ...")
    findings.append(judge_camera(look_at_camera(config.camera.uri), asked=camera_named or has_file))
    findings += judge_outputs(look_at_outputs(config.midi.outputs), asked=has_file)
    findings += judge_back_ends(look_at_back_ends())
    say(f"sleeping for {seconds:g} s ...")
    asked = config.realtime
    sleep = finish(
        start(
            Probe(
                core,
                seconds=seconds,
                priority=asked.priority,
                lock_memory=asked.lock_memory,
                cpu_latency=asked.cpu_latency,
            )
        )
    )
    findings += judge_requests(machine, sleep.grants, asked)
    findings.append(judge_sleep(sleep))
    return findings, sleep


def _seconds(text: str) -> float:
    return positive(text, MAX_SECONDS)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
