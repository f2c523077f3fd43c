"""`lalelu selftest --flash`: from a light going on to the frame that shows it. Drives a light, reads the camera."""

import argparse
import json
from typing import Final

import numpy as np

from lalelu.analysis.latency import STATISTICS, distribution
from lalelu.camera import port as camera_port
from lalelu.camera.port import Camera
from lalelu.config.loader import load_config, with_overrides
from lalelu.console import say
from lalelu.errors import CheckFailedError, UsageError
from lalelu.registry import from_uri, parse_uri
from lalelu.selftest.flash import light_of, taken, watch
from lalelu.selftest.light import all_seen

FLASHES: Final = 20
BLIND: Final = ("sim", "take", "video")  # cameras before which no light of ours shines
_LABELS: Final = {
    "frame": "light told to go on → first frame that shows it is in memory",
    "seen": "light told to go on → the step in the frames, by their stamps",
}


def run(args: argparse.Namespace) -> int:
    """Flash and tell; 0 when most flashes were seen. Raises CheckFailedError when they were not."""
    if args.budget or args.sound or args.log is not None:
        raise UsageError(
            "--budget, --sound and --log belong to the drummer's test; leave them out with --flash"
        )
    light = light_of(args.flash)
    config = with_overrides(load_config(args.config), camera=args.camera).config.camera
    if parse_uri(config.uri)[0] in BLIND:
        raise UsageError(f"{config.uri!r} sees no light of this room; name a real camera with --camera")
    camera: Camera = from_uri("camera", camera_port.ADAPTERS, config.uri, readout_ms=config.readout_ms)
    try:
        facts = camera.open()
        say(f"camera: {facts.source}, {facts.width}x{facts.height} at {facts.fps:.4g} fps; {FLASHES} flashes")
        with taken(light):
            flashes = watch(camera, light, facts.fps, FLASHES)
    finally:
        camera.close()
    exposure_ns = 1e6 * (facts.exposure_ms or 1e3 / facts.fps)
    seen = all_seen(flashes, exposure_ns)
    if len(seen) * 2 < FLASHES:
        raise CheckFailedError(
            f"the camera saw {len(seen)} of {FLASHES} flashes; let the light fill more of its picture, darken the "
            "room, "
            "and set exposure_ms and gain by hand"
        )
    values = {"frame": [each.frame_ms for each in seen], "seen": [each.seen_ms for each in seen]}
    found = [distribution(name, label, np.array(values[name])) for name, label in _LABELS.items()]
    if args.json:
        durations = {
            each.name: {"count": each.count, **{s: each.statistic(s) for s in STATISTICS}} for each in found
        }
        plain = {
            "flashes": FLASHES,
            "seen": len(seen),
            "exposure_ms": facts.exposure_ms,
            "durations_ms": durations,
        }
        print(json.dumps(plain))
        return 0
    print(f"flashes: {FLASHES}, seen: {len(seen)}")
    for each in found:
        print(f"{each.label}: p50 {each.p50:.2f}, p99 {each.p99:.2f}, SD {each.sd:.2f} ms")
    if facts.exposure_ms is None:
        print("the camera does not tell its exposure: a whole frame period was assumed")
    print("a screen adds its own 5 to 50 ms, a lamp next to nothing")
    return 0
