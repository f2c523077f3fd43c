"""What a stroke of one player plays: which pad, how strongly, and whether the pad's own rules let it sound. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lalelu.config.agreement import CROSSTALK_MS, RETRIGGER_MS
from lalelu.config.kit import KitConfig, PadSection
from lalelu.gesture.act import Sound
from lalelu.gesture.body import BodyFrame
from lalelu.gesture.strike import Stroke
from lalelu.gesture.velocity import Range, Speeds, strength_curve
from lalelu.gesture.zones import Zones
from lalelu.skeleton import mirrored

PadRule: TypeAlias = Literal["pad_threshold", "pad_mask", "retrigger", "crosstalk"]

_MS: Final = 1_000_000  # ns


@dataclass(frozen=True, slots=True)
class Played:
    """A stroke that sounds."""

    pad: str
    strength: float  # 0..1, after the pad's curve


@dataclass(frozen=True, slots=True)
class Refused:
    """A stroke that its pad does not let sound."""

    rule: PadRule
    why: str  # a sentence for the player


@dataclass(frozen=True, slots=True)
class _Last:
    struck_ns: int
    speed: float  # body units/s


class PlayerPads:
    """One player's pads; `judge` every stroke once, of one frame the fastest first."""

    def __init__(self, kit: KitConfig, zones: Zones, body: BodyFrame) -> None:
        self._pads = kit.pads
        self._curves = {name: strength_curve(pad) for name, pad in kit.pads.items()}
        self._zones = zones
        self._body = body
        full_speed = kit.strike.full_speed
        self._range = Range(None if full_speed == "auto" else full_speed)
        self._last: dict[tuple[str, str], _Last] = {}  # by limb and pad, what sounded
        self._last_of_limb: dict[str, _Last] = {}
        self._last_pad: dict[str, str] = {}  # by limb
        self._stand_ins: dict[str, str] = {}  # by the pad that is struck

    def follow(self, before: "PlayerPads") -> None:
        """Go on where the same player's pads of the kit before have stopped; what stood in for a pad no longer does."""
        self._body = before._body
        self._last, self._last_of_limb, self._last_pad = before._last, before._last_of_limb, before._last_pad
        if self._range.learns and before._range.learns:
            self._range = before._range

    def pad_at(self, limb: str, x: float, y: float) -> str | None:
        """Return the pad that a stroke of `limb` that ends at (x, y), body units, plays now."""
        image = None
        if self._zones.in_image:
            image = *self._body.in_image(x, y), self._body.size
        return self._zones.pad_at(limb, x, y, image=image, last=self._last_pad.get(limb))

    def judge(self, limb: str, stroke: Stroke, speeds: Speeds) -> Played | Refused | None:
        """Return what a stroke plays, or why it does not; None where no pad is in reach.

        `speeds` is the limb's movement up to here.
        """
        struck = self.pad_at(limb, stroke.x, stroke.y)
        if struck is None:
            return None
        name = self._stand_ins.get(struck, struck)
        pad = self._pads[name]
        speed = speeds.fastest(pad.scan_ms * _MS)
        refused = self._refusal(limb, name, pad, stroke.struck_ns, speed)
        if refused is not None:
            return refused
        share = min(1.0, speed * pad.sensitivity / self._range.full_speed)
        self._range.learn(speed)
        self._last[limb, name] = self._last_of_limb[limb] = _Last(stroke.struck_ns, speed)
        self._last_pad[limb] = struck
        return Played(name, self._curves[name](share))

    def sound(self, act: Sound, limb: str) -> Played | Refused:
        """Return what a gesture's sound plays, or why it does not."""
        pad = self._pads[act.pad]
        if act.speed is None:
            return Played(act.pad, act.velocity / 127)
        refused = self._refusal(limb, act.pad, pad, act.struck_ns, act.speed)
        if refused is not None:
            return refused
        self._last[limb, act.pad] = _Last(act.struck_ns, act.speed)
        share = min(1.0, act.speed * pad.sensitivity / self._range.full_speed)
        return Played(act.pad, self._curves[act.pad](share))

    def stand_in(self, pad: str, other: str | None) -> None:
        """Have `other` sound where `pad` is struck; None = the pad itself again."""
        if other is None:
            self._stand_ins.pop(pad, None)
        else:
            self._stand_ins[pad] = other

    def _refusal(self, limb: str, name: str, pad: PadSection, struck_ns: int, speed: float) -> Refused | None:
        if pad.threshold is not None and speed < pad.threshold:
            return Refused(
                "pad_threshold",
                f"peak speed {speed:.2f} shoulder widths/s, this pad needs {pad.threshold:g} (pads.{name}.threshold)",
            )
        before = self._last.get((limb, name))
        if before is not None:
            gap_ns = struck_ns - before.struck_ns
            if pad.mask_ms is not None and gap_ns < pad.mask_ms * _MS:
                return Refused(
                    "pad_mask",
                    f"{gap_ns / _MS:.0f} ms after this limb's last stroke on this pad, which is deaf for {pad.mask_ms} "
                    f"(pads.{name}.mask_ms)",
                )
            if gap_ns < RETRIGGER_MS * _MS and speed < pad.retrigger * before.speed:
                return Refused(
                    "retrigger",
                    f"{gap_ns / _MS:.0f} ms after this limb's last stroke on this pad and only "
                    f"{speed / before.speed:.2f} as fast, {pad.retrigger:g} is needed (pads.{name}.retrigger)",
                )
        other = self._last_of_limb.get(mirrored(limb))
        if other is not None and mirrored(limb) != limb and pad.crosstalk > 0.0:
            gap_ns = abs(struck_ns - other.struck_ns)
            if gap_ns < CROSSTALK_MS * _MS and speed < pad.crosstalk * other.speed:
                return Refused(
                    "crosstalk",
                    f"{gap_ns / _MS:.0f} ms from the other limb's stroke and only {speed / other.speed:.2f} as fast, "
                    f"{pad.crosstalk:g} is needed (pads.{name}.crosstalk)",
                )
        return None
