"""What may stand in a kit: pads, gestures and what counts as a stroke. Pure data."""

from itertools import pairwise
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from lalelu.config.agreement import contradictions
from lalelu.config.agreement_of_limbs import needed, needs_legs
from lalelu.config.gestures import Gesture
from lalelu.config.notes import NoteNumber
from lalelu.config.section import Channel, Limb, PadName, PlayerNumber, Section, contradicted
from lalelu.config.zones import Zone

Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Velocity: TypeAlias = Annotated[int, Field(ge=1, le=127)]  # MIDI
Weight: TypeAlias = Annotated[float, Field(ge=-10.0, le=10.0)]
NoteTime: TypeAlias = Annotated[int, Field(ge=5, le=10_000)]  # milliseconds from note-on to note-off


def _rising(points: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
    if any(after[0] <= before[0] or after[1] < before[1] for before, after in pairwise(points)):
        raise ValueError(
            "a curve is [[speed share, velocity], ...] with growing shares and velocities that do not fall"
        )
    return points


class StrikeSection(Section):
    """What counts as a stroke. Lengths in body units (shoulder widths), speeds in body units per second."""

    min_speed: Annotated[float, Field(gt=0.0, le=20.0)] = 1.3  # downward; slower movements never sound
    min_height: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1  # fall of the wrist; shorter ones never sound
    mask_ms: Annotated[int, Field(ge=10, le=500)] = 80  # after a hit the same limb is deaf this long
    # the peak speed that plays velocity 127; auto: learned from the player's own strokes, slowly
    full_speed: Literal["auto"] | Annotated[float, Field(gt=0.0, le=50.0)] = 10.0
    min_score: Annotated[float, Field(ge=0.0, le=1.0)] = 0.15  # keypoints scored lower are not known


class LearnedSection(Section):
    """A detector that `lalelu tune --learn` has made: its file, and what the file must hold."""

    file: Annotated[str, Field(min_length=1)]  # .onnx, from the kit's folder
    sha256: Annotated[
        str, Field(pattern="^[0-9a-f]{64}$", description="64 lower-case hexadecimal digits")
    ]  # of the file
    trees: str | None = None  # what it holds; filled in when the kit is read


class PadSection(Section):
    """One pad: where it lies around the player, who may play it and what it sounds."""

    zone: Zone | None = None  # none: only gestures play it
    note: NoteNumber | Annotated[tuple[NoteNumber, ...], Field(min_length=1, max_length=8)]
    channel: Channel | None = None  # default: the kit's
    limbs: Annotated[tuple[Limb, ...], Field(min_length=1)] = ("left_wrist", "right_wrist")
    # by number, from 0: several players of one kit file have pads, notes and channels of their own; default: all
    players: Annotated[tuple[PlayerNumber, ...], Field(min_length=1)] | None = None
    # the least peak speed that sounds here, along the stroke, body units/s; not below strike.min_speed, because a
    # stroke must be one before its pad is known; default: every stroke sounds
    threshold: Annotated[float, Field(gt=0.0, le=20.0)] | None = None
    sensitivity: Annotated[float, Field(ge=0.1, le=4.0)] = 1.0  # multiplies the speed, before the curve
    # the peak speed is the fastest mean over this time; 20 is 3 frames of 100 a second, 0 a single frame
    scan_ms: Annotated[int, Field(ge=0, le=100)] = 20
    # after a hit here the same limb cannot sound this pad for so long; not below strike.mask_ms, which every limb
    # keeps on all pads; default: that
    mask_ms: Annotated[int, Field(ge=10, le=500)] | None = None
    # the same limb's stroke on this pad less than 150 ms (RETRIGGER_MS) after its last one there sounds only
    # with at least this share of that one's speed; 0 = always
    retrigger: Share = 0.0
    # a stroke here less than 30 ms (CROSSTALK_MS) from the other hand's last hit, on any pad, sounds only with at
    # least this share of that one's speed; 0 = always. What has sounded is not called back.
    crosstalk: Share = 0.0
    # from speed to velocity: linear, log (soft strokes louder), exp (softer), fixed, or points that are joined by lines
    curve: (
        Literal["linear", "log", "exp", "fixed"]
        | Annotated[
            tuple[tuple[Share, Velocity], ...], Field(min_length=2, max_length=16), AfterValidator(_rising)
        ]
    ) = "linear"
    velocity: Velocity | None = None  # of every hit, with curve: fixed
    choke: PadName | None = None  # a group: a hit here ends what sounds of the group's other pads
    # from note-on to note-off; default: the kit's; hold: until the gesture that plays it ends it
    note_ms: NoteTime | Literal["hold"] | None = None

    @property
    def notes(self) -> tuple[int, ...]:
        """The pad's MIDI notes, one or several (a chord)."""
        return self.note if isinstance(self.note, tuple) else (self.note,)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.curve == "fixed" and self.velocity is None:
            raise ValueError("curve: fixed needs a velocity; add velocity: 1..127, or choose another curve")
        if self.curve != "fixed" and self.velocity is not None:
            raise ValueError(
                f"velocity: {self.velocity} holds only with curve: fixed; add that, or leave velocity out"
            )
        return self


class KitConfig(Section):
    """A whole kit. Body frame: origin between the shoulders, unit = shoulder width, x to the player's right, y up."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: str = ""
    channel: Channel = 10
    note_ms: NoteTime = 80  # from note-on to note-off
    strike: StrikeSection = StrikeSection()
    detector: Literal["model", "learned"] = "model"  # what decides whether a movement of a limb is a stroke
    learned: LearnedSection | None = None  # for detector: learned
    # of the kit's own: weighted means of others, by name
    keypoints: Annotated[
        dict[Limb, Annotated[dict[Limb, Weight], Field(min_length=1, max_length=8)]], Field(max_length=16)
    ] = Field(default_factory=dict)
    pads: Annotated[dict[PadName, PadSection], Field(min_length=1, max_length=64)]
    gestures: Annotated[dict[PadName, Gesture], Field(max_length=32)] = Field(default_factory=dict)

    @property
    def needed(self) -> frozenset[str]:
        """The keypoints of a network that the kit goes by."""
        return needed(self)

    @property
    def needs_legs(self) -> bool:
        """Whether the player's legs must be seen."""
        return needs_legs(self)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.detector == "learned" and self.learned is None:
            raise ValueError(
                "detector: learned needs learned: {file, sha256}; `lalelu tune --learn` writes both"
            )
        found = list(contradictions(self))
        if found:
            raise contradicted(found)
        return self
