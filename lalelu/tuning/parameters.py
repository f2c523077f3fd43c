"""What of a kit can be fitted to a take, within which bounds, and how it is put into the kit. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from lalelu.config.kit import KitConfig
from lalelu.config.section import Where
from lalelu.config.zones import Zone

Group: TypeAlias = Literal["strike", "pads", "zones"]
GROUPS: Final[tuple[str, ...]] = get_args(Group)
LEAST_HITS: Final = 5  # true hits on a pad below which nothing of it is fitted

# What real strokes and keypoints have, with room: soft strokes 1.7 body units/s, the mocap takes' 3.5..5.4; falls of
# 0.2 and more; 200 ms between strokes of one hand at 5 Hz; a hidden wrist is scored below 0.3.
STRIKE: Final[Mapping[str, tuple[float, float]]] = {
    "min_speed": (0.3, 3.5),
    "min_height": (0.03, 0.3),
    "mask_ms": (40.0, 180.0),
    "min_score": (0.05, 0.4),
}
DECIDED: Final = frozenset({"min_speed", "min_height"})  # by a learned detector's trees
THRESHOLD: Final = (0.5, 4.0)  # body units/s; at strike.min_speed or below: none
PAD_MASK_MS: Final = (40.0, 250.0)  # at strike.mask_ms or below: none
SHIFT: Final = (-0.4, 0.4)  # body units: little more than the reach of a pad
SCALE: Final = (0.7, 1.5)
DIGITS: Final = 3  # significant ones of a fitted value: what is written is what was scored
PLACES: Final = 2  # decimals of a zone, body units: 4 mm


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that is searched for; `now` is the value that stands for the kit as it is."""

    name: str  # as in "strike.min_speed", "pads.snare.zone.shift_x"
    low: float
    high: float
    now: float


def parameters_of(
    kit: KitConfig, truth_of_pads: Mapping[str, int], groups: Sequence[str]
) -> tuple[Parameter, ...]:
    """Return what can be fitted: the strike always, of pads only those with enough true hits (by name).

    Of the strike of a learned detector only what it does not decide by itself.
    """
    found: list[Parameter] = []
    if "strike" in groups:
        found += [
            _parameter(f"strike.{name}", bounds, float(getattr(kit.strike, name)))
            for name, bounds in STRIKE.items()
            if kit.detector == "model" or name not in DECIDED
        ]
    for name, pad in kit.pads.items():
        if truth_of_pads.get(name, 0) < LEAST_HITS:
            continue
        if "pads" in groups:
            threshold = kit.strike.min_speed if pad.threshold is None else pad.threshold
            mask_ms = float(kit.strike.mask_ms if pad.mask_ms is None else pad.mask_ms)
            found += [
                _parameter(f"pads.{name}.threshold", THRESHOLD, threshold),
                _parameter(f"pads.{name}.mask_ms", PAD_MASK_MS, mask_ms),
            ]
        if "zones" in groups and pad.zone is not None and pad.zone.frame == "body":
            zone = f"pads.{name}.zone"
            found += [Parameter(f"{zone}.shift_{axis}", *SHIFT, 0.0) for axis in "xy"]
            found.append(Parameter(f"{zone}.scale", *SCALE, 1.0))
    return tuple(found)


def _parameter(name: str, bounds: tuple[float, float], now: float) -> Parameter:
    return Parameter(name, min(bounds[0], now), max(bounds[1], now), now)


def with_values(kit: KitConfig, values: Mapping[str, float]) -> KitConfig:
    """Return the kit with other values, by the parameters' names. Raises ValidationError where they contradict."""
    data = kit.model_dump(mode="json")
    strike = data["strike"]
    for name in STRIKE:
        if f"strike.{name}" in values:
            strike[name] = _rounded(values[f"strike.{name}"], whole=name.endswith("_ms"))
    for pad_name, pad in data["pads"].items():
        for option, least in (("threshold", strike["min_speed"]), ("mask_ms", strike["mask_ms"])):
            asked = values.get(f"pads.{pad_name}.{option}")
            value = pad[option] if asked is None else _rounded(asked, whole=option.endswith("_ms"))
            if value is not None:  # a pad's own may not lie below the strike's, which holds without it
                was_none = getattr(kit.pads[pad_name], option) is None
                pad[option] = None if was_none and value <= least else max(value, least)
        shift = tuple(values.get(f"pads.{pad_name}.zone.shift_{axis}", 0.0) for axis in "xy")
        scale = values.get(f"pads.{pad_name}.zone.scale", 1.0)
        zone = kit.pads[pad_name].zone
        if zone is not None and (shift != (0.0, 0.0) or scale != 1.0):
            pad["zone"] |= _moved(zone, shift[0], shift[1], scale)
    return KitConfig.model_validate(data)


def _rounded(value: float, *, whole: bool) -> float | int:
    if whole:
        return round(value)
    return 0.0 if value == 0.0 else round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))


def _moved(zone: Zone, dx: float, dy: float, scale: float) -> dict[str, list[float]]:
    """Return the shape, moved by (dx, dy) body units and scaled about its middle."""
    shape, values = next(
        (name, list(value)) for name, value in zone.model_dump(mode="json").items() if name != "frame"
    )
    if shape == "box":
        left, low, right, high = values
        x, y = (left + right) * 0.5 + dx, (low + high) * 0.5 + dy
        half_x, half_y = (right - left) * 0.5 * scale, (high - low) * 0.5 * scale
        values = [x - half_x, y - half_y, x + half_x, y + half_y]
    else:
        values[0] += dx
        values[1] += dy
        if shape != "half_plane":  # ellipse: both radii; sector: inner and outer radius
            values[2] *= scale
            values[3] *= scale
    return {shape: [round(value, PLACES) for value in values]}


def changed(kit: KitConfig, found: Mapping[Where, Any]) -> KitConfig:
    """Return the kit with what `changes` has told. Raises ValidationError where that contradicts itself."""
    data: Any = kit.model_dump(mode="json")
    for where, value in found.items():
        here = data
        for key in where[:-1]:
            here = here[key]
        here[where[-1]] = value
    return KitConfig.model_validate(data)


def changes(before: KitConfig, after: KitConfig) -> dict[Where, Any]:
    """Return what is different in `after`, by its place in the kit; lists as wholes."""
    found: dict[Where, Any] = {}

    def compare(where: Where, old: object, new: object) -> None:
        if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
            for key in new:
                compare((*where, key), old[key], new[key])
        elif old != new:
            found[where] = new

    compare((), before.model_dump(mode="json"), after.model_dump(mode="json"))
    return found
