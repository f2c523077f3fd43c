"""Which options of a kit contradict each other. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lalelu.config.agreement_of_gestures import of_gestures
from lalelu.config.agreement_of_limbs import of_limbs
from lalelu.config.section import Contradiction

if TYPE_CHECKING:  # the schema asks here
    from lalelu.config.kit import KitConfig, PadSection, StrikeSection

RETRIGGER_MS: Final = 150  # a hand swings back within this time; one stroke of a hand at 7 Hz (Fujii 2009)
CROSSTALK_MS: Final = 30  # strokes nearer than this sound as one; the other hand moves along within it


def contradictions(kit: "KitConfig") -> Iterator[Contradiction]:
    """Yield where in the kit, and as a sentence the rule that the option there breaks together with another one."""
    yield from of_limbs(kit)
    yield from of_gestures(kit)
    members = Counter(pad.choke for pad in kit.pads.values())
    for name, pad in kit.pads.items():
        for option, rule in _of_pad(pad, kit.strike):
            yield ("pads", name, option), rule
        if pad.choke is not None and members[pad.choke] == 1:
            yield (
                ("pads", name, "choke"),
                "no other pad is in this group; give it to the pads that end each other",
            )


def _of_pad(pad: "PadSection", strike: "StrikeSection") -> Iterator[tuple[str, str]]:
    full_speed = strike.full_speed
    if pad.threshold is not None and pad.threshold < strike.min_speed:
        yield (
            "threshold",
            (
                f"slower strokes than strike.min_speed {strike.min_speed:g} never reach a pad; lower that one and give "
                "the other pads a threshold"
            ),
        )
    if pad.threshold is not None and full_speed != "auto" and pad.threshold >= full_speed:
        yield (
            "threshold",
            f"only strokes beyond strike.full_speed {full_speed:g} would sound, all of them alike; use less",
        )
    mask_ms = pad.mask_ms or strike.mask_ms
    if mask_ms < strike.mask_ms:
        yield (
            "mask_ms",
            f"strike.mask_ms {strike.mask_ms} holds on every pad; lower that one and give the other pads a mask_ms",
        )
    if pad.retrigger > 0.0 and mask_ms >= RETRIGGER_MS:
        yield (
            "retrigger",
            (
                f"it judges strokes up to {RETRIGGER_MS} ms after the last one, but for {mask_ms} (mask_ms) the pad is "
                "deaf; use one of both"
            ),
        )
