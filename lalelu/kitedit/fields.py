"""What the page shows a control for: labels, units, and the ranges that the schema allows. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from lalelu.config.general_midi import PERCUSSION
from lalelu.config.kit import KitConfig, PadSection, StrikeSection
from lalelu.config.schema import TimingSection
from lalelu.config.section import Section


@dataclass(frozen=True, slots=True)
class Control:
    """One option with a slider, a switch or a choice."""

    option: str
    label: str
    unit: str = ""
    step: float = 1.0
    # what a slider spans where the schema allows far more than anybody plays with; a number may still be written
    usual: tuple[float, float] | None = None
    none: str = ""  # what no value means, where that is allowed and makes sense


_SPEED: Final = "shoulder widths/s"
# Usual speeds: the mocap takes' strokes peak at 3.5..5.4 (10..90 %), the fastest rendered accents at 9.
PAD: Final = (
    Control("threshold", "Threshold: softer strokes are silent", _SPEED, 0.1, (0.1, 9.0), "none"),
    Control("sensitivity", "Sensitivity", "times", 0.05),
    Control("curve", "Curve from speed to loudness"),
    Control("velocity", "Loudness with the fixed curve", "of 127"),
    Control("mask_ms", "Mask: deaf after a hit", "ms", 5, none="as the kit"),
    Control("retrigger", "Retrigger cancel", "of the last speed", 0.05),
    Control("crosstalk", "Crosstalk cancel", "of the other hand's speed", 0.05),
)
STRIKE: Final = (
    Control("min_speed", "Slowest stroke", _SPEED, 0.1, (0.1, 9.0)),
    Control("min_height", "Shortest fall", "shoulder widths", 0.01, (0.0, 0.6)),
    Control("mask_ms", "Mask: deaf after a hit", "ms", 5),
    Control("full_speed", "Full strength at", _SPEED, 0.5, (2.0, 20.0)),
)
TIMING: Final = (
    Control("delay_ms", "Delay of every note", "ms", 1, (-50.0, 100.0)),
    Control("lead_ms", "Lead: decide before the stroke ends", "ms", 1),
    Control("choke", "End a predicted stroke that does not happen"),
)


def controls() -> dict[str, list[dict[str, Any]]]:
    """Return the controls by where they stand, ready for JSON, with range, default and choices of the schema."""
    return {
        "pad": [_told(control, PadSection) for control in PAD],
        "strike": [_told(control, StrikeSection) for control in STRIKE],
        "timing": [_told(control, TimingSection) for control in TIMING],
    }


def _told(control: Control, section: type[Section]) -> dict[str, Any]:
    schema = section.model_json_schema()["properties"][control.option]
    members = schema.get("anyOf", [schema])
    number = next((member for member in members if member.get("type") in ("number", "integer")), None)
    told: dict[str, Any] = {
        "option": control.option,
        "label": control.label,
        "unit": control.unit,
        "default": schema.get("default"),
        "none": control.none,
    }
    names = [name for member in members for name in member.get("enum", [member.get("const")]) if name]
    if number is None:
        return {**told, "kind": "choice" if names else "switch", "choices": names}
    low = number.get("minimum", number.get("exclusiveMinimum"))
    span = control.usual or (low, number["maximum"])
    return {
        **told,
        "kind": "number",
        "choices": names,  # auto
        "whole": number["type"] == "integer",
        "step": control.step,
        "minimum": low,
        "maximum": number["maximum"],
        "slider": [float(end) for end in span],
    }


def schemas() -> dict[str, Any]:
    """Return the kit's JSON schema, the controls, and the percussion names with their General MIDI notes."""
    return {"kit": KitConfig.model_json_schema(), "controls": controls(), "percussion": dict(PERCUSSION)}
