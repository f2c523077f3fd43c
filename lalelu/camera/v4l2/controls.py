"""A camera's exposure and gain: set by hand, and read back. Drives a device."""

from contextlib import suppress
from typing import Final

import videodev2 as v4l2

from lalelu.camera.v4l2.device import Control, Device
from lalelu.camera.v4l2.options import V4L2Options
from lalelu.errors import MissingError, UsageError

TOLERANCE: Final = 0.1  # a camera keeps steps of its own; further off, it was asked in vain
UNIT_MS: Final = 0.1  # of V4L2_CID_EXPOSURE_ABSOLUTE, by the kernel's documentation

EXPOSURE_MODE: Final = Control(v4l2.V4L2_CID_EXPOSURE_AUTO, "exposure mode (auto_exposure)")
EXPOSURE: Final = Control(v4l2.V4L2_CID_EXPOSURE_ABSOLUTE, "exposure (exposure_time_absolute)")
MAY_SLOW_DOWN: Final = Control(
    v4l2.V4L2_CID_EXPOSURE_AUTO_PRIORITY, "frame rate's freedom (exposure_dynamic_framerate)"
)
GAIN: Final = Control(v4l2.V4L2_CID_GAIN, "gain")
GAIN_MODE: Final = Control(v4l2.V4L2_CID_AUTOGAIN, "automatic gain (gain_automatic)")


def apply(device: Device, options: V4L2Options, name: str) -> float | None:
    """Set what `options` ask for and return the exposure in ms; None = automatic, or not known.

    Raises UsageError, with `name` for the camera, for what it does not take.
    """
    if device.control_range(MAY_SLOW_DOWN) is not None:
        with suppress(UsageError, MissingError):  # the measured rate shows whether it mattered
            device.set(MAY_SLOW_DOWN, 0)
    if options.gain is not None:
        _set_gain(device, options.gain, name)
    if options.exposure_ms is not None:
        return _set_exposure(device, options.exposure_ms, name)
    if device.control_range(EXPOSURE_MODE) is None or device.control_range(EXPOSURE) is None:
        return None
    # a camera remembers what it was set to by hand before
    manual = device.get(EXPOSURE_MODE) == v4l2.V4L2_EXPOSURE_MANUAL
    return device.get(EXPOSURE) * UNIT_MS if manual else None


def _set_exposure(device: Device, exposure_ms: float, name: str) -> float:
    if device.control_range(EXPOSURE_MODE) is not None:
        device.set(EXPOSURE_MODE, v4l2.V4L2_EXPOSURE_MANUAL)
        if device.get(EXPOSURE_MODE) != v4l2.V4L2_EXPOSURE_MANUAL:
            raise UsageError(
                f"{name}: exposure_ms is {exposure_ms:g}, but the camera keeps its automatic exposure; "
                "leave exposure_ms out"
            )
    kept = _set(device, EXPOSURE, max(1, round(exposure_ms / UNIT_MS)), name, "exposure_ms", UNIT_MS)
    if abs(kept * UNIT_MS - exposure_ms) > TOLERANCE * exposure_ms:
        raise UsageError(
            f"{name}: exposure_ms {exposure_ms:g} was asked for, the camera keeps {kept * UNIT_MS:g}: ask for that"
        )
    return kept * UNIT_MS


def _set_gain(device: Device, gain: int, name: str) -> None:
    if device.control_range(GAIN_MODE) is not None:
        device.set(GAIN_MODE, 0)
    kept = _set(device, GAIN, gain, name, "gain", 1)
    if abs(kept - gain) > TOLERANCE * gain:
        raise UsageError(f"{name}: gain {gain} was asked for, the camera keeps {kept}: ask for that")


def _set(device: Device, control: Control, value: int, name: str, option: str, unit: float) -> int:
    """Set a control and return what the camera keeps, in the driver's units."""
    span = device.control_range(control)
    if span is None:
        raise UsageError(f"{name}: the camera has no {control.name}; leave {option} out")
    least, most = span
    if not least <= value <= most:
        raise UsageError(
            f"{name}: {option} is {value * unit:g}; the camera takes {least * unit:g} to {most * unit:g}"
        )
    device.set(control, value)
    return device.get(control)
