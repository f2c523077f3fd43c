"""Judge what was seen of the camera, the MIDI outputs and the network's library. Pure."""

import math
from collections.abc import Sequence
from typing import Final

from lalelu.doctor.devices import BackEnd, CameraLook, Delivery, OutputLook
from lalelu.doctor.finding import Finding, State
from lalelu.errors import MissingError

LEAST_FPS: Final = 0.97  # of what was asked; a camera's own clock is off by much less
GOOD_SD_MS: Final = 1.0  # Wessel & Wright 2002: a percussion instrument varies by 1 ms at most
TITLES: Final = {"alsa": "ALSA", "jack": "JACK"}


def judge_camera(look: CameraLook, *, asked: bool) -> Finding:
    """Return the finding about the camera; `asked`: a missing one is a fault, not just a machine without one."""
    name = "camera"
    if look.problem is not None:
        why = str(look.problem).removeprefix("camera ")
        if not asked and isinstance(look.problem, MissingError):
            return Finding(name, State.NOT_HERE, f"none was named, and the default is missing: {why}")
        return Finding(name, State.BAD, why, "lalelu does not see you")
    assert look.delivery is not None, "a look without a problem has a delivery"
    found = _delivered(look.delivery)
    if not look.is_device:
        return Finding(name, State.NOT_HERE, f"{look.uri} is no camera; it gives {found}")
    wanted = look.delivery.asked_fps or look.delivery.facts.fps
    if look.delivery.fps < LEAST_FPS * wanted:
        later_ms = 1000 / look.delivery.fps - 1000 / wanted
        return Finding(
            name,
            State.COULD_BE_BETTER,
            f"{found}; asked for {wanted:g}",
            f"each frame comes {later_ms:.1f} ms later, and a stroke is known two or three frames after its end",
            "a short exposure (exposure_ms= in a v4l2: camera's address) and more light: automatic exposure "
            "stretches frames",
        )
    if look.delivery.skipped:
        cost = "strokes are judged on fewer frames"
        remedy = "end what else uses the processor; choose a smaller size= in camera.uri"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    return Finding(name, State.GOOD, found)


def _delivered(delivery: Delivery) -> str:
    facts = delivery.facts
    return (
        f"{facts.source}, {facts.width}x{facts.height}: {delivery.fps:.1f} frames a second "
        f"(gaps SD {delivery.gap_sd_ms:.1f} ms, the longest {delivery.longest_gap_ms:.0f} ms; "
        f"{delivery.skipped} of {delivery.frames + delivery.skipped} skipped)"
    )


def judge_outputs(looks: Sequence[OutputLook], *, asked: bool) -> list[Finding]:
    """Return a finding for each configured output; `asked` as for the camera."""
    return [_output(look, asked=asked) for look in looks]


def _output(look: OutputLook, *, asked: bool) -> Finding:
    name = "MIDI output"
    if look.problem is None:
        return Finding(name, State.GOOD, look.opened or f"{look.uri}: opened when you play")
    why = str(look.problem).removeprefix("MIDI output ")
    if not asked and isinstance(look.problem, MissingError):
        return Finding(name, State.NOT_HERE, f"none was named, and the default is missing: {why}")
    return Finding(name, State.BAD, why, "lalelu makes no sound")


def judge_back_ends(back_ends: Sequence[BackEnd]) -> list[Finding]:
    """Return a finding for each way to MIDI ports."""
    return [_back_end(back_end) for back_end in back_ends]


def _back_end(back_end: BackEnd) -> Finding:
    name = TITLES[back_end.api]
    if back_end.unavailable is not None:
        return Finding(name, State.NOT_HERE, back_end.unavailable)
    count = len(back_end.ports)
    found = f"{count} port{'' if count == 1 else 's'} to play to"
    if back_end.ports:
        found += f": {', '.join(back_end.ports)}"
    if back_end.period_ms is None:
        return Finding(name, State.GOOD, found)
    sd_ms = back_end.period_ms / math.sqrt(12)  # a note waits for the next period: evenly spread over it
    found += f"; period {back_end.period_ms:.2f} ms, which alone makes notes vary by {sd_ms:.2f} ms (SD)"
    if sd_ms <= GOOD_SD_MS:
        return Finding(name, State.GOOD, found)
    remedy = (
        "a shorter period: `jackd -p 64`, or for PipeWire `pw-metadata -n settings 0 clock.force-quantum 64`"
    )
    return Finding(name, State.COULD_BE_BETTER, found, "the beat is uneven, however exact lalelu is", remedy)


def judge_runtime(runtime: str, *, version: str | None) -> Finding:
    """Return the finding about the network's library; `version` None: it is not installed."""
    if version is None:
        remedy = f"pip install 'lalelu[{runtime}]'"
        return Finding(
            "network", State.BAD, f"{runtime} is not installed", "lalelu does not find you", remedy
        )
    return Finding("network", State.GOOD, f"{runtime} {version}")
