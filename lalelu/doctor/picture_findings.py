"""Judge the camera's exposure and the lamps' flicker in its frames. Pure."""

from typing import Final

from lalelu.doctor.devices import CameraLook, Delivery
from lalelu.doctor.finding import Finding, State
from lalelu.doctor.flicker import steady_exposure_ms

FAST_WRIST_MM_PER_MS: Final = 2.0  # a wrist in a stroke, 2 m/s
GOOD_SMEAR_MM: Final = 20.0  # a wrist's width is about three times that
SHORT_MS: Final = 5.0  # smears a fast wrist by 10 mm; most rooms need more light for less


def judge_picture(look: CameraLook) -> list[Finding]:
    """Return the findings about a camera that delivers; none about films and simulations."""
    delivery = look.delivery
    if delivery is None or not look.is_device:
        return []
    return [_exposure(look.uri, delivery), _flicker(look.uri, delivery)]


def _exposure(uri: str, delivery: Delivery) -> Finding:
    name = "exposure"
    exposure_ms = delivery.facts.exposure_ms
    flicker = None if delivery.light is None else delivery.light.flicker
    steady_ms = None if flicker is None else steady_exposure_ms(flicker.mains_hz, delivery.fps)
    remedy = f"{_address(uri, min(steady_ms or SHORT_MS, 1000 / delivery.fps))}, and more light"
    if exposure_ms is None:
        cost = "in dim light it smears hands and stretches frames, and the moment of a stroke moves with the light"
        return Finding(name, State.COULD_BE_BETTER, "automatic, or not told", cost, remedy)
    smear_mm = exposure_ms * FAST_WRIST_MM_PER_MS
    found = f"{exposure_ms:g} ms; a wrist at {FAST_WRIST_MM_PER_MS:g} m/s smears {smear_mm:.0f} mm"
    if smear_mm > GOOD_SMEAR_MM:
        cost = "fast hands are a blur, and are lost or placed beside themselves"
        return Finding(name, State.COULD_BE_BETTER, found, cost, remedy)
    return Finding(name, State.GOOD, found)


def _flicker(uri: str, delivery: Delivery) -> Finding:
    name = "lamps' flicker"
    light = delivery.light
    if light is None:
        return Finding(name, State.NOT_HERE, "too few frames, or a dark picture: nothing is told")
    flicker = light.flicker
    if flicker is None:
        lamps = " and ".join(f"{mains} Hz" for mains in light.untold)
        hidden = (
            f"; lamps on {lamps} would not show at this rate, for they pulse with the frames" if lamps else ""
        )
        return Finding(name, State.GOOD, f"none is seen{hidden}")
    found = (
        f"lamps on {flicker.mains_hz} Hz make the picture {flicker.depth:.1%} brighter and darker, "
        f"{flicker.beat_hz:.1f} times a second"
    )
    cost = "frames differ though nobody moves: optical flow (pose.flow) takes that for motion"
    steady_ms = steady_exposure_ms(flicker.mains_hz, delivery.fps)
    exposure_ms = delivery.facts.exposure_ms
    pulses = 2 * flicker.mains_hz  # a second
    if steady_ms is None:
        remedy = f"fps={pulses} or fewer in camera.uri, with exposure_ms={1000 / pulses:.3g}"
    elif exposure_ms is not None and abs(exposure_ms / steady_ms - 1) < 0.03:
        remedy = ""  # it is there already
    else:
        remedy = _address(uri, steady_ms)
    lamps = "lamps that do not flicker (daylight, good LEDs)"
    return Finding(name, State.COULD_BE_BETTER, found, cost, f"{remedy}; or {lamps}" if remedy else lamps)


def _address(uri: str, exposure_ms: float) -> str:
    """Return the configuration's line with this exposure."""
    if not uri.startswith("v4l2:"):
        return f"a v4l2: camera's address with exposure_ms={exposure_ms:.3g}"
    head, _, query = uri.partition("?")
    kept = [option for option in query.split("&") if option and not option.startswith("exposure_ms=")]
    return f"camera: {{uri: '{head}?{'&'.join([*kept, f'exposure_ms={exposure_ms:.3g}'])}'}}"
