"""What may stand under a kit's `gestures`: everything that is played, set or told without striking. Pure data.

Places and speeds are those of the body's frame (see KitConfig). A gesture sounds pads by their names: their notes,
curves and chokes hold for it, and a pad that only gestures play needs no zone.
"""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from lalelu.config.section import Channel, Limb, PadName, PlayerNumber, Section, tag_by_key
from lalelu.config.zones import Zone

# Body units or degrees: half the noise of a keypoint. A range that is no wider is never met on purpose.
LEAST_RANGE: Final = 0.01
CHORD_VELOCITY: Final = 90  # lalelu's own choice: below the drums


def _apart(ends: tuple[float, float]) -> tuple[float, float]:
    if abs(ends[1] - ends[0]) < LEAST_RANGE:
        raise ValueError(f"the two ends are a range's first and last value, at least {LEAST_RANGE:g} apart")
    return ends


Ends: TypeAlias = Annotated[
    tuple[Annotated[float, Field(ge=-360.0, le=360.0)], Annotated[float, Field(ge=-360.0, le=360.0)]],
    AfterValidator(_apart),
]


class PlaceX(Section):
    """How far a limb is to the player's right, body units."""

    x: Limb


class PlaceY(Section):
    """How high a limb is above the shoulders, body units."""

    y: Limb


class Angle(Section):
    """The angle at the second of three limbs, degrees 0..180, as in the picture: an elbow's, a knee's."""

    angle: tuple[Limb, Limb, Limb]


class Distance(Section):
    """How far two limbs are from each other, body units, as in the picture."""

    distance: tuple[Limb, Limb]


Measure: TypeAlias = Annotated[
    Annotated[PlaceX, Tag("by x")]
    | Annotated[PlaceY, Tag("by y")]
    | Annotated[Angle, Tag("by angle")]
    | Annotated[Distance, Tag("by distance")],
    Discriminator(tag_by_key("by", {"x": PlaceX, "y": PlaceY, "angle": Angle, "distance": Distance})),
]


class ToController(Section):
    """A MIDI controller: 1 modulation, 4 foot (hi-hat), 7 volume, 11 expression, ..."""

    controller: Annotated[int, Field(ge=0, le=119)]  # 120..127 are channel mode messages
    channel: Channel | None = None  # default: the kit's


class ToBend(Section):
    """The pitch wheel, from all the way down to all the way up."""

    bend: Annotated[int, Field(ge=1, le=24)]  # semitones to each side; the synth is told at the start (RPN 0)
    channel: Channel | None = None  # default: the kit's


class ToOsc(Section):
    """An OSC address, which gets the value 0..1 with every frame; the other outputs do not."""

    osc: Annotated[
        str,
        Field(
            pattern="^(/[A-Za-z0-9_.-]+)+$", max_length=64, description="an OSC address such as /voice/pitch"
        ),
    ]


Target: TypeAlias = Annotated[
    Annotated[ToController, Tag("to controller")]
    | Annotated[ToBend, Tag("to bend")]
    | Annotated[ToOsc, Tag("to osc")],
    Discriminator(tag_by_key("to", {"controller": ToController, "bend": ToBend, "osc": ToOsc})),
]


class _Gesture(Section):
    players: Annotated[tuple[PlayerNumber, ...], Field(min_length=1)] | None = None  # by number; default: all


class Kick(_Gesture):
    """A stomp: the limb comes down and stays, on the floor or a pedal of air."""

    gesture: Literal["kick"]
    limb: Limb = "right_ankle"
    pad: PadName
    # downward, on landing, body units/s: a foot that plays has 1.5 and more, one that is put down 0.5
    min_speed: Annotated[float, Field(gt=0.0, le=20.0)] = 1.2
    min_height: Annotated[float, Field(gt=0.0, le=2.0)] = (
        0.08  # fall, and how far it must rise again, body units
    )
    mask_ms: Annotated[int, Field(ge=10, le=500)] = 120  # after a stomp it is deaf so long


class HiHat(_Gesture):
    """A pedal of air: how high the limb is above its lowest place says how open the hi-hat is."""

    gesture: Literal["hihat"]
    limb: Limb = "left_ankle"
    pad: PadName  # that the hands strike: closed
    open_pad: PadName  # which sounds instead while the pedal is up; without a zone of its own
    chick_pad: PadName | None = None  # sounds when the pedal is closed by the foot
    # of the limb when the hi-hat is wide open, body units: with the heel down feet lift by 0.11..0.16, with the
    # heel up by up to 0.3, of which networks show less
    height: Annotated[float, Field(gt=0.0, le=2.0)] = 0.18
    open_at: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5  # of the height: above, strokes sound open
    closed_at: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25  # below, they sound closed again
    to: Target | None = ToController(controller=4)  # gets the openness, 0 = closed (see `invert`)
    invert: bool = True  # as most drum modules have it: controller 4 is 127 when closed

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.closed_at >= self.open_at:
            raise ValueError(
                "a hi-hat opens above open_at and closes below closed_at; closed_at must be less"
            )
        return self


class Chord(_Gesture):
    """One of several pads is chosen by a measure; it sounds while it is chosen, or when the hands strike `struck`."""

    gesture: Literal["chord"]
    by: Measure
    between: (
        Ends  # the measure at the first pad's outer edge and at the last one's; beyond both nothing is chosen
    )
    pads: Annotated[tuple[PadName, ...], Field(min_length=1, max_length=24)]
    struck: PadName | None = (
        None  # strokes on this pad play the chosen one; default: it sounds as long as chosen
    )
    hysteresis: Annotated[float, Field(ge=0.0, le=0.5)] = (
        0.15  # of one step: so far beyond its edge it stays chosen
    )
    velocity: Annotated[int, Field(ge=1, le=127)] = CHORD_VELOCITY  # of pads that sound as long as chosen

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.struck is not None and self.velocity != CHORD_VELOCITY:
            raise ValueError(f"velocity: {self.velocity} holds only without struck; the strokes say how loud")
        return self


class ZoneEnter(_Gesture):
    """A bell: entering the zone sounds, and where it is entered chooses the pad."""

    gesture: Literal["zone_enter"]
    limb: Limb
    zone: Zone
    pads: Annotated[tuple[PadName, ...], Field(min_length=1, max_length=24)]
    by: Measure | None = None  # chooses one of several pads at the moment of entering
    between: Ends | None = (
        None  # the measure at the first pad's outer edge and at the last one's; beyond, the nearest
    )
    margin: Annotated[float, Field(ge=0.0, le=1.0)] = (
        0.08  # body units: so far outside it must go to enter again
    )
    min_speed: Annotated[float, Field(ge=0.0, le=20.0)] = 0.0  # of entering, body units/s
    mask_ms: Annotated[int, Field(ge=10, le=2000)] = 150  # after a sound it is deaf so long

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(self.pads) > 1 and (self.by is None or self.between is None):
            raise ValueError("several pads need a measure that chooses one: add by: and between:")
        if len(self.pads) == 1 and not (self.by is None and self.between is None):
            raise ValueError("by: and between: choose one of several pads, but there is one; leave them out")
        return self


class ControlGesture(_Gesture):
    """A measure sets a controller, the pitch wheel or an OSC value, smoothed by a 1 euro filter (Casiez 2012)."""

    gesture: Literal["control"]
    by: Measure
    between: Ends  # the measure at 0 and at 1; beyond, it stays there
    to: Target
    min_cutoff_hz: Annotated[float, Field(gt=0.0, le=50.0)] = 1.5  # of the filter at rest: less is calmer
    beta: Annotated[float, Field(ge=0.0, le=50.0)] = (
        2.0  # how much faster it follows per unit of range and second
    )


class InZone(Section):
    """A limb lies in a zone."""

    limb: Limb
    zone: Zone


class InRange(Section):
    """A measure lies in a range."""

    by: Measure
    between: Ends


Condition: TypeAlias = Annotated[
    Annotated[InZone, Tag("in zone")] | Annotated[InRange, Tag("in range")],
    Discriminator(tag_by_key("in", {"zone": InZone, "by": InRange}, {"zone": "zone", "by": "range"})),
]


class Hold(_Gesture):
    """A pose that is held for a while tells lalelu something. It must be left before it counts again."""

    gesture: Literal["hold"]
    where: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=8)]  # all at once
    hold_ms: Annotated[int, Field(ge=100, le=10_000)] = 1000
    # standby: nothing sounds until it is held again; tap_tempo: while it is held, strokes of other limbs do not sound
    # but set the tempo of the MIDI clock; next_kit: the next one of the configuration's kits; take: a
    # recording begins or ends
    command: Literal["standby", "tap_tempo", "next_kit", "take"] | None = None
    kit: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # the name of the kit to switch to

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.command is None) == (self.kit is None):
            raise ValueError(
                "a hold needs either command: (standby, tap_tempo, next_kit or take) or kit: NAME"
            )
        return self


Gesture: TypeAlias = Annotated[
    Kick | HiHat | Chord | ZoneEnter | ControlGesture | Hold, Field(discriminator="gesture")
]
