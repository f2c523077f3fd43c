"""What may stand in lalelu.yaml and in a kit: every option with its unit and range. Pure data."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from lalelu.camera import port as camera_port
from lalelu.config.agreement import contradictions
from lalelu.config.general_midi import NoteNumber
from lalelu.errors import UsageError
from lalelu.models import catalogue
from lalelu.pose import port as pose_port
from lalelu.registry import did_you_mean, parse_uri
from lalelu.skeleton import COCO17
from lalelu.voice import port as voice_port

BODY_REACH: Final = 10.0  # shoulder widths; nobody's hands go farther, with a margin for odd proportions
PICTURE_REACH: Final = 4.0  # image heights; wider pictures than 4:1 are not filmed


def _is_known(name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise ValueError(f"allowed are {', '.join(sorted(known))}{did_you_mean(name, known)}")


def _known_address(uri: str, known: Mapping[str, str]) -> str:
    try:
        name, _, _ = parse_uri(uri)
    except UsageError as exc:
        raise ValueError(str(exc)) from exc
    try:
        _is_known(name, known)
    except ValueError as exc:
        raise ValueError(f"no adapter is called {name!r}; {exc}") from exc
    return uri


def _camera_address(uri: str) -> str:
    return _known_address(uri, camera_port.ADAPTERS)


def _midi_address(uri: str) -> str:
    return _known_address(uri, voice_port.ADAPTERS)


def _known_model(name: str) -> str:
    _is_known(name, catalogue.MODELS)
    return name


def _known_runtime(name: str) -> str:
    _is_known(name, pose_port.RUNTIMES)
    return name


def _lies_open(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = region
    if not (left < right and top < bottom):
        raise ValueError("a region is [left, top, right, bottom] with left < right and top < bottom")
    return region


Channel: TypeAlias = Annotated[int, Field(ge=1, le=16)]
Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Degrees: TypeAlias = Annotated[float, Field(ge=-360.0, le=360.0)]
Velocity: TypeAlias = Annotated[int, Field(ge=1, le=127)]  # MIDI
NoteTime: TypeAlias = Annotated[int, Field(ge=5, le=10_000)]  # milliseconds from note-on to note-off
PlayerNumber: TypeAlias = Annotated[int, Field(ge=0, le=5)]  # in the order in which they came
Limb: TypeAlias = Literal["left_wrist", "right_wrist"]
BodyLength: TypeAlias = Annotated[float, Field(ge=-BODY_REACH, le=BODY_REACH)]  # shoulder widths
PictureLength: TypeAlias = Annotated[float, Field(ge=0.0, le=PICTURE_REACH)]  # image heights
CameraAddress: TypeAlias = Annotated[str, AfterValidator(_camera_address)]
MidiAddress: TypeAlias = Annotated[str, AfterValidator(_midi_address)]
RuntimeName: TypeAlias = Annotated[
    str, AfterValidator(_known_runtime), Field(json_schema_extra={"enum": sorted(pose_port.RUNTIMES)})
]
ModelName: TypeAlias = Annotated[
    str, AfterValidator(_known_model), Field(json_schema_extra={"enum": sorted(catalogue.MODELS)})
]
PadName: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_-]*$", max_length=32)]


class Section(BaseModel):
    """A mapping in YAML: unknown keys are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CameraSection(Section):
    """Where frames come from and how the picture lies."""

    uri: CameraAddress = "v4l2:/dev/video0"
    rotate: Literal[0, 90, 180, 270] = 0  # degrees clockwise that make the player upright
    mirror: bool = False  # the camera delivers a mirror picture
    # from the first row's readout to the last's (rolling shutter); 0 = all rows at once, or not known
    readout_ms: Annotated[float, Field(ge=0.0, le=50.0)] = 0.0
    wait: bool = False  # wait for a camera that is not there yet (the service's setting)


class PoseSection(Section):
    """Which network finds the player."""

    model: ModelName = "lightning"
    runtime: RuntimeName = "openvino"
    precision: Literal["auto", "f32", "bf16"] = "auto"  # auto: bf16 where the CPU computes in it, else f32
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    crop: Literal["follow", "whole"] = "follow"  # follow the player's torso, or always the whole picture
    # track: each hand is followed in the network's heatmaps; network: keypoints as the network chooses them;
    # auto: track where the model shows its heatmaps (the catalogue's do, a model of your own may not)
    hands: Literal["auto", "track", "network"] = "auto"


class PlayerSection(Section):
    """Who plays, so that somebody walking behind does not take over. Every player keeps the same rules."""

    # how many may play at once; null = as many as the network sees: multipose 6, the others 1
    players: Annotated[int, Field(ge=1, le=6)] | None = None
    # left, top, right, bottom in image heights: where the player's torso is first looked for
    region: (
        Annotated[
            tuple[PictureLength, PictureLength, PictureLength, PictureLength], AfterValidator(_lies_open)
        ]
        | None
    ) = None
    # shoulder width, image heights: smaller people are not players
    min_size: Annotated[float, Field(ge=0.0, le=1.0)] = 0.04
    # how long a player may be unseen before the search begins anew
    lost_ms: Annotated[int, Field(ge=100, le=10_000)] = 1000


class MidiSection(Section):
    """Where notes go. Each output is an address such as virtual:lalelu, port:NAME or file:OUT.mid."""

    outputs: Annotated[tuple[MidiAddress, ...], Field(min_length=1, max_length=16)] = ("virtual:lalelu",)


class TimingSection(Section):
    """When notes sound: always `delay_ms` after the end of the stroke, or at once where that has passed."""

    # below 0 to make up for a slow synth; above the time that recognition takes, every note keeps it exactly;
    # auto: the smallest that 99 % of the hits keep
    delay_ms: Literal["auto"] | Annotated[float, Field(ge=-200.0, le=500.0)] = 0.0
    # a stroke is decided so long before its end, predicted from its fall; 0 = when the hand surely rises again
    lead_ms: Annotated[float, Field(ge=0.0, le=40.0)] = 0.0


class RealtimeSection(Section):
    """What is asked of the machine; every request is reported as granted or refused."""

    core: Literal["auto", "none"] | Annotated[int, Field(ge=0, le=1023)] = "auto"
    priority: Annotated[int, Field(ge=0, le=95)] = 70  # SCHED_FIFO; 0 = ordinary scheduling
    lock_memory: bool = True  # what has been touched is never swapped out or dropped
    cpu_latency: bool = True  # hold /dev/cpu_dma_latency: no processor falls into a deep sleep while it plays
    required: bool = False  # a refused request is fatal

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.required and self.core == "none":
            raise ValueError(
                "required: true needs a core of its own, but core is none; set core: auto, or required: false"
            )
        return self


class LedgerSection(Section):
    """The latency rows."""

    dir: str | None = None  # a new folder per run is made in here; null = no ledger
    rotate_hours: Annotated[int, Field(ge=1, le=720)] = 24  # a new folder is begun after so long
    keep_mb: Annotated[int, Field(ge=10, le=10_000_000)] = (
        4000  # the oldest finished folders go when all take more
    )


class Config(Section):
    """The whole of lalelu.yaml."""

    camera: CameraSection = CameraSection()
    pose: PoseSection = PoseSection()
    player: PlayerSection = PlayerSection()
    kit: Annotated[str, Field(min_length=1)] = (
        "rock"  # a kit's name, or a path (ending in .yaml) relative to this file
    )
    left_handed: bool = False  # the kit mirrored: pads change sides, and so do limbs
    midi: MidiSection = MidiSection()
    timing: TimingSection = TimingSection()
    realtime: RealtimeSection = RealtimeSection()
    ledger: LedgerSection = LedgerSection()


class _Shape(Section):
    """Where a pad lies.

    In the body's frame lengths are body units, x to the player's right and y up; in the picture's frame image heights
    of the upright picture, x to its right and y down. Angles in both: degrees, 0 to the right, 90 up.
    """

    frame: Literal["body", "image"] = (
        "body"  # the pad follows the player, or stays where it is in the picture
    )


class Box(_Shape):
    """A rectangle: left, bottom, right, top; in the picture's frame left, top, right, bottom."""

    box: tuple[BodyLength, BodyLength, BodyLength, BodyLength]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        left, low, right, high = self.box
        if not (left < right and low < high):
            names = ("bottom", "top") if self.frame == "body" else ("top", "bottom")
            raise ValueError(
                f"a box is [left, {names[0]}, right, {names[1]}] with left < right and {names[0]} < {names[1]}"
            )
        return self


class Ellipse(_Shape):
    """An ellipse: centre x, centre y, radius x, radius y."""

    ellipse: tuple[BodyLength, BodyLength, BodyLength, BodyLength]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if not (self.ellipse[2] > 0 and self.ellipse[3] > 0):
            raise ValueError("an ellipse is [x, y, radius_x, radius_y] with both radii above 0")
        return self


class HalfPlane(_Shape):
    """Everything on one side of a line: x and y of a point on it, and the direction (degrees) to that side.

    [0, -0.3, 90] is all that lies above -0.3. Other pads in it win.
    """

    half_plane: tuple[BodyLength, BodyLength, Degrees]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """A rectangle around it, for whoever draws it: cut off where nobody reaches, whole where the line is tilted."""
        x, y, towards_deg = self.half_plane
        left, bottom, right, top = -BODY_REACH, -BODY_REACH, BODY_REACH, BODY_REACH
        cut: dict[float, tuple[float, float, float, float]] = {
            0: (x, bottom, right, top),
            90: (left, y, right, top),
        }
        cut |= {180: (left, bottom, x, top), 270: (left, bottom, right, y)}
        return cut.get(towards_deg % 360, (left, bottom, right, top))


class Sector(_Shape):
    """A part of a ring: centre x, centre y, inner and outer radius, first and last angle (degrees, to the left)."""

    sector: tuple[BodyLength, BodyLength, BodyLength, BodyLength, Degrees, Degrees]

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        _, _, least, most, from_deg, to_deg = self.sector
        if not (0 <= least < most and 0 < to_deg - from_deg <= 360):
            raise ValueError(
                "a sector is [x, y, r_min, r_max, from_deg, to_deg] with 0 <= r_min < r_max and from_deg < to_deg, "
                "at most 360 apart"
            )
        return self

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The rectangle around the whole ring, for whoever draws it."""
        x, y, _, most, _, _ = self.sector
        return x - most, y - most, x + most, y + most


_SHAPES: Final = {"ellipse": Ellipse, "box": Box, "half_plane": HalfPlane, "sector": Sector}


def _shape(zone: object) -> str | None:
    """Tell which shape a zone is meant to be, so that only that shape's problems are told."""
    for key, shape in _SHAPES.items():
        if isinstance(zone, shape) or (isinstance(zone, Mapping) and key in zone):
            return f"zone as {key}"
    return None


Zone: TypeAlias = Annotated[
    Annotated[Box, Tag("zone as box")]
    | Annotated[Ellipse, Tag("zone as ellipse")]
    | Annotated[HalfPlane, Tag("zone as half_plane")]
    | Annotated[Sector, Tag("zone as sector")],
    Discriminator(_shape),
]


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


class PadSection(Section):
    """One pad: where it lies around the player, who may play it and what it sounds."""

    zone: Zone
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
    note_ms: NoteTime | None = None  # from note-on to note-off; default: the kit's

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
    pads: Annotated[dict[PadName, PadSection], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        found = [(("pads", name, option), rule) for name, option, rule in contradictions(self)]
        if found:
            rules = "; ".join(f"pads.{path[1]}.{path[2]}: {rule}" for path, rule in found)
            raise PydanticCustomError("contradictions", "{rules}", {"rules": rules, "found": found})
        return self


assert set(get_args(Limb)) <= set(COCO17), "a limb is a keypoint of the skeleton"
