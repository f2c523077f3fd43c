"""The film's own process: renders ahead into the ring until the film or the parent ends. Maps a file."""

import json
import os
import sys
import time
from collections.abc import Collection
from typing import Any, Final

import cv2

from lalelu.camera.simulated.faults import Fault, fault_in
from lalelu.camera.simulated.film import Film, FilmSettings
from lalelu.camera.simulated.ring import Ring

_WAIT_S: Final = 0.002  # between two looks at a full ring that holds a second or more


def command(
    descriptor: int,
    slots: int,
    frames: int | None,
    cores: Collection[int],
    settings: dict[str, Any],
    faults: str | None,
) -> list[str]:
    """Return the command line that renders into the ring at `descriptor`, for a child of this process.

    `faults` is the file that `fault_in` reads.
    """
    order = {
        "descriptor": descriptor,
        "slots": slots,
        "frames": frames,
        "cores": sorted(cores),
        "parent": os.getpid(),
        "settings": settings,
        "faults": faults,
    }
    return [sys.executable, "-m", "lalelu.camera.simulated.process", json.dumps(order)]


def main(order: dict[str, Any]) -> None:
    """Render frames in order until the film ends or the parent dies."""
    # The parent may already be a real-time process on a core of its own: rendering must be neither.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, order["cores"])
    cv2.setNumThreads(1)
    settings = FilmSettings(**order["settings"])
    ring = Ring(order["descriptor"], order["slots"], settings.width, settings.height)
    film = Film(settings)
    seq, end = 0, order["frames"]
    moving = 0  # the newest frame that was not frozen
    while os.getppid() == order["parent"] and (end is None or seq < end):
        seq = max(seq, ring.floor)
        fault = fault_in(order["faults"])
        ring.tell_fault(fault)
        if seq - ring.floor >= ring.slots or (end is not None and seq >= end):
            time.sleep(_WAIT_S)
            continue
        moving = moving if fault == Fault.FROZEN else seq
        if fault == Fault.BLACK:
            film.render_dark(seq, ring.begin(seq))
        else:
            film.render(moving, ring.begin(seq), empty=fault == Fault.AWAY)
        ring.finish(seq, time.monotonic_ns())
        seq += 1


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
