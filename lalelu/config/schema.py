"""What may stand in lalelu.yaml: every option with its unit and range. Pure data."""

from collections.abc import Collection
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lalelu.camera import port as camera_port
from lalelu.config.notes import NoteMapName
from lalelu.config.page import PageSection
from lalelu.config.section import Channel, Contradiction, PictureLength, PlayerNumber, Section, contradicted
from lalelu.desk import midi_in
from lalelu.errors import UsageError
from lalelu.models import catalogue
from lalelu.pose import port as pose_port
from lalelu.registry import did_you_mean, parse_uri
from lalelu.skeleton import FINGERED, SKELETONS
from lalelu.voice import port as voice_port


def _is_known(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ValueError(f"allowed are {', '.join(sorted(known))}{did_you_mean(name, known)}")


def _known_address(uri: str, known: Collection[str]) -> str:
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


def _input_address(uri: str) -> str:
    return _known_address(uri, midi_in.ADAPTERS)


def _known_model(name: str) -> str:
    if name in catalogue.MODELS and not catalogue.MODELS[name].is_played:
        row = catalogue.MODELS[name]
        raise ValueError(
            f"it is a {row.family.replace('_', ' ')}'s network, which does not play by itself; "
            f"allowed are {', '.join(sorted(catalogue.playable()))}"
        )
    _is_known(name, catalogue.playable())
    return name


def _known_runtime(name: str) -> str:
    _is_known(name, pose_port.RUNTIMES)
    return name


def _off(value: object) -> object:
    """YAML 1.1 reads a bare `off` as false."""
    return "off" if value is False else value


def _no_truth(value: object) -> object:
    """Python takes false for 0."""
    if isinstance(value, bool):
        raise ValueError("allowed one of 0, 90, 180, 270")  # noqa: TRY004 - pydantic wants it
    return value


def _lies_open(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = region
    if not (left < right and top < bottom):
        raise ValueError("a region is [left, top, right, bottom] with left < right and top < bottom")
    return region


def _deviates(deviation: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(deviation) <= 0.0:
        raise ValueError("a colour is divided by it; allowed are numbers above 0")
    return deviation


CameraAddress: TypeAlias = Annotated[str, AfterValidator(_camera_address)]
MidiAddress: TypeAlias = Annotated[str, AfterValidator(_midi_address)]
MidiInputAddress: TypeAlias = Annotated[str, AfterValidator(_input_address)]
KitRef: TypeAlias = Annotated[str, Field(min_length=1)]
RuntimeName: TypeAlias = Annotated[
    str, AfterValidator(_known_runtime), Field(json_schema_extra={"enum": sorted(pose_port.RUNTIMES)})
]
ModelName: TypeAlias = Annotated[
    str, AfterValidator(_known_model), Field(json_schema_extra={"enum": sorted(catalogue.playable())})
]


COCO: Final = "coco17"
HeatmapSkeleton: TypeAlias = Literal["coco17", "mpii16"]
Colour: TypeAlias = tuple[float, float, float]


class CameraSection(Section):
    """Where frames come from and how the picture lies."""

    uri: CameraAddress = "v4l2:/dev/video0"
    # degrees clockwise that make the player upright
    rotate: Annotated[Literal[0, 90, 180, 270], BeforeValidator(_no_truth)] = 0
    mirror: bool = False  # the camera delivers a mirror picture
    # from the first row's readout to the last's (rolling shutter); 0 = all rows at once, or not known
    readout_ms: Annotated[float, Field(ge=0.0, le=50.0)] = 0.0
    wait: bool = False  # wait for a camera that is not there yet (the service's setting)


class TensorRTSection(Section):
    """How NVIDIA's TensorRT builds its engine; only for pose.runtime: tensorrt."""

    workspace_mib: Annotated[int, Field(ge=64, le=65_536)] = (
        1024  # of the card's memory, for its tries of kernels
    )
    verbose: bool = False  # it tells its work on standard error


class HeatmapSection(Section):
    """A network of your own that gives a map for each keypoint; only for pose.model: heatmap."""

    file: str | None = None  # ONNX
    skeleton: HeatmapSkeleton = "coco17"  # whose keypoints its maps are, in that order
    colours: Literal["rgb", "bgr"] = "rgb"  # the order in which it takes them
    # it takes (colour - mean) / deviation, colours 0..1, red first: ImageNet's numbers, as SimpleBaseline and HRNet
    mean: Colour = catalogue.IMAGENET.mean
    deviation: Annotated[Colour, AfterValidator(_deviates)] = catalogue.IMAGENET.deviation
    cells_at: pose_port.CellsAt = (
        "corner"  # where in a cell of a map the keypoint lies that is brightest there
    )


class PoseSection(Section):
    """Which network finds the player."""

    model: ModelName = "lightning"
    runtime: RuntimeName = "openvino"
    device: pose_port.Device = "cpu"
    # auto: bf16 where the CPU computes in it, else f32; on a card, what its library takes for the fastest
    precision: pose_port.Precision = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    crop: Literal["follow", "whole"] = "follow"  # follow the player's torso, or always the whole picture
    # track: each hand is followed in the network's heatmaps; network: keypoints as the network chooses them;
    # auto: track where the model shows its heatmaps (the catalogue's do, a model of your own may not)
    hands: Literal["auto", "track", "network"] = "auto"
    # lite, full: a hand network beside, for the fingers of both hands
    fingers: Annotated[Literal["off", "lite", "full"], BeforeValidator(_off)] = "off"
    # keypoints by optical flow: interleaved = on the frames between the network's; carried = on every frame, the
    # network runs beside and its newest result is carried forward
    flow: Annotated[Literal["off", "interleaved", "carried"], BeforeValidator(_off)] = "off"
    # interleaved: the network's turn is on every so many frames; null = 2
    every: Annotated[int, Field(ge=2, le=6)] | None = None
    # carried, offline: a result is there so many frames after its frame; playing, as soon as it is there
    lag: Annotated[int, Field(ge=1, le=12)] = 3
    heatmap: HeatmapSection = HeatmapSection()
    tensorrt: TensorRTSection = TensorRTSection()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        found: list[Contradiction] = []
        if self.every is not None and self.flow != "interleaved":
            rule = (
                f"only flow: interleaved takes turns, and flow is {self.flow}; set that, or leave every out"
            )
            found.append((("every",), rule))
        if self.model == catalogue.OWN_HEATMAP and self.heatmap.file is None:
            found.append(
                (("heatmap", "file"), "model: heatmap is the network in this file; name an ONNX file")
            )
        devices = pose_port.DEVICES.get(self.runtime, pose_port.CPU_ONLY)
        if self.device not in devices:
            here = " or ".join(devices)
            rule = f"runtime {self.runtime} computes on {here}; set device: {devices[0]}, or choose another runtime"
            found.append((("device",), rule))
        if found:
            raise contradicted(found)
        return self

    @property
    def skeleton(self) -> str:
        """Whose keypoints the model gives, with the fingers where they are asked for."""
        own = self.model == catalogue.OWN_HEATMAP
        body = self.heatmap.skeleton if own else catalogue.MODELS[self.model].skeleton or COCO
        fingered = body + FINGERED
        return fingered if self.fingers != "off" and fingered in SKELETONS else body


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
    # by player, from number 0: which of the configuration's kits each begins with; all others: `kit`
    kits: dict[PlayerNumber, KitRef] = Field(default_factory=dict)
    # by player: the MIDI channel of pads that name none; null, and players beyond the list: the kit's
    channels: Annotated[tuple[Channel | None, ...], Field(min_length=1, max_length=6)] | None = None


class MidiSection(Section):
    """Where notes go, and what may come in. Addresses such as virtual:lalelu, port:NAME or file:OUT.mid."""

    outputs: Annotated[tuple[MidiAddress, ...], Field(min_length=1, max_length=16)] = ("virtual:lalelu",)
    wait: bool = False  # wait for outputs that are not there yet (the service's setting)
    note_map: NoteMapName = "general_midi"  # which notes the kits' percussion names stand for
    # where program changes (0 = the first kit) and a footswitch come in; null = nowhere
    input: MidiInputAddress | None = None
    standby_controller: Annotated[int, Field(ge=0, le=119)] = 64  # 64 and above: silent, or playing again
    # played softly, for those who tune by ear, when a saved file cannot be used; null = none
    error_note: Annotated[int, Field(ge=0, le=127)] | None = None


MAX_LEAD_MS: Final = 40.0  # a strike can be foreseen 30..40 ms ahead (Oda and others, NIME 2015)


class TimingSection(Section):
    """When notes sound: always `delay_ms` after the end of the stroke, or at once where that has passed."""

    # below 0 to make up for a slow synth; above the time that recognition takes, every note keeps it exactly;
    # auto: the smallest that 99 % of the hits keep
    delay_ms: Literal["auto"] | Annotated[float, Field(ge=-200.0, le=500.0)] = 0.0
    # a stroke is decided so long before its end, predicted from its fall; 0 = when the hand surely rises again
    lead_ms: Annotated[float, Field(ge=0.0, le=MAX_LEAD_MS)] = 0.0
    choke: bool = False  # a predicted stroke that does not happen is ended at once


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


class TakesSection(Section):
    """The recordings that are made while playing."""

    dir: str | None = None  # null = the user's data folder
    film: bool = False  # keep the picture too, where nobody says otherwise


class Config(Section):
    """The whole of lalelu.yaml."""

    camera: CameraSection = CameraSection()
    pose: PoseSection = PoseSection()
    player: PlayerSection = PlayerSection()
    kit: KitRef = "rock"  # a kit's name, or a path (ending in .yaml) relative to this file
    # to switch to, or for other players (player.kits); the kits are numbered from 0, `kit` first
    more_kits: Annotated[tuple[KitRef, ...], Field(max_length=15)] = ()
    left_handed: bool = False  # the kit mirrored: pads change sides, and so do limbs
    midi: MidiSection = MidiSection()
    timing: TimingSection = TimingSection()
    realtime: RealtimeSection = RealtimeSection()
    ledger: LedgerSection = LedgerSection()
    page: PageSection = PageSection()
    takes: TakesSection = TakesSection()

    @property
    def kit_refs(self) -> tuple[str, ...]:
        """All kits by their number from 0, `kit` first."""
        return self.kit, *self.more_kits

    @property
    def player_kits(self) -> dict[int, int]:
        """The number of the kit that each player of `player.kits` begins with."""
        return {player: self.kit_refs.index(ref) for player, ref in self.player.kits.items()}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        rule = f"allowed are the kits of this file, {', '.join(self.kit_refs)}; add it to more_kits"
        found: list[Contradiction] = [
            (("player", "kits", str(player)), rule + did_you_mean(ref, self.kit_refs))
            for player, ref in self.player.kits.items()
            if ref not in self.kit_refs
        ]
        if found:
            raise contradicted(found)
        return self
