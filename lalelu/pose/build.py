"""Build the pose estimator that the configuration asks for. Fetches and converts the model on first use."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config, PoseSection
from lalelu.errors import MissingError, UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.pose.crop import TORSO, WHOLE_BODY, WHOLE_PERSON, Framing
from lalelu.pose.estimator import SinglePoseEstimator
from lalelu.pose.estimator_fingers import FingersEstimator
from lalelu.pose.estimator_flow import CarriedEstimator, InterleavedEstimator, LaggedNet
from lalelu.pose.estimator_landmarks import LandmarkEstimator
from lalelu.pose.estimator_multi import MultiPoseEstimator
from lalelu.pose.heatmap import EFFICIENTPOSE, HeatmapPose
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.multipose import MOST_PEOPLE, MoveNetMultiPose
from lalelu.pose.net_link import NetProcess
from lalelu.pose.port import DEVICES, EXTRAS, MODULES, RUNTIMES, Runtime, SinglePoseDecoder
from lalelu.pose.posenet import PoseNet
from lalelu.registry import load
from lalelu.skeleton import COCO17, FINGERED, FINGERS40, SKELETONS

PlainEstimator: TypeAlias = (
    SinglePoseEstimator | MultiPoseEstimator | LandmarkEstimator | InterleavedEstimator | CarriedEstimator
)
Estimator: TypeAlias = PlainEstimator | FingersEstimator

# the others read ONNX
MODEL_FILES: Final = {"litert": store.tflite_path, "tensorflow": store.saved_model_path}
DEFAULT: Final = PoseSection().runtime  # the one that every ordinary installation has
SEVERAL: Final = frozenset({"movenet_multi", "posenet"})  # families that see several people
PERSON_DETECTOR: Final = "blazepose-detector"  # that finds whom BlazePose's landmarks then follow
EVERY: Final = 2  # frames from one turn of an interleaved network to the next
# take a cache_dir
KEEPS_COMPILED: Final = frozenset({"onnxruntime", "openvino", "tensorrt", "torch_compiled"})


def build_runtime(pose: PoseSection) -> Runtime:
    """Return the runtime for `pose`, not yet opened; its model file is in the cache afterwards.

    Raises MissingError when no source has the model or the runtime is not installed.
    """
    require_installed(pose.runtime)  # before a model is fetched
    runtime_class = load("runtime", RUNTIMES, pose.runtime)
    options: dict[str, object] = {"precision": pose.precision, "threads": pose.threads}
    if pose.runtime in DEVICES:
        options["device"] = pose.device
    if pose.runtime in KEEPS_COMPILED:
        options["cache_dir"] = cache_dir()
    if pose.runtime == "tensorrt":
        options |= pose.tensorrt.model_dump()
    if pose.runtime == "tensorflow" and pose.device == "tensorrt":
        options["precision"] = precision = "f16" if pose.precision == "auto" else pose.precision
        path = store.tftrt_path(pose.model, precision)
    else:
        path = _model_file(pose)
    runtime: Runtime = runtime_class(path, **options)
    return runtime


def require_installed(runtime: str) -> None:
    """Raise MissingError when the library of a runtime is not installed, and name those that are."""
    if is_installed(runtime):
        return
    whole = "lalelu" if runtime == DEFAULT else f"'lalelu[{EXTRAS.get(runtime, runtime)}]'"
    here = [other for other in RUNTIMES if is_installed(other)]
    instead = "nothing else is installed here either"
    if here:
        names = ", ".join(here)
        instead = (
            f"installed here: {names}; choose with pose.runtime, or as in `lalelu demo --runtime {here[0]}`"
        )
    raise MissingError(
        f"runtime {runtime!r} needs the module {MODULES.get(runtime, runtime)!r}, which is not installed; "
        f"`pip install {whole}` brings it; {instead}"
    )


def is_installed(runtime: str) -> bool:
    """Whether the library of a runtime is installed."""
    return find_spec(MODULES.get(runtime, runtime)) is not None


def _model_file(pose: PoseSection) -> Path:
    if pose.model != catalogue.OWN_HEATMAP:
        return MODEL_FILES.get(pose.runtime, store.onnx_path)(pose.model)
    if pose.runtime in MODEL_FILES:
        raise UsageError(
            f"pose.model is heatmap, whose file is ONNX, and runtime {pose.runtime} reads none; choose "
            "pose.runtime: openvino or onnxruntime"
        )
    own = pose.heatmap
    return store.own_heatmap_path(
        Path(own.file or "").expanduser(),
        keypoints=len(SKELETONS[own.skeleton]),
        normalisation=catalogue.Normalisation(own.mean, own.deviation),
        rgb=own.colours == "rgb",
    )


def _family(pose: PoseSection) -> catalogue.Family:
    return "heatmap" if pose.model == catalogue.OWN_HEATMAP else catalogue.find(pose.model).family


def _framing(pose: PoseSection, kits: Sequence[KitConfig]) -> Framing:
    if _family(pose) == "heatmap":
        return WHOLE_PERSON
    return WHOLE_BODY if any(kit.needs_legs for kit in kits) else TORSO


def _refuse_what_is_not_shown(pose: PoseSection, kit: KitConfig) -> None:
    """Raise UsageError where the kit goes by keypoints that the model does not have."""
    shown = SKELETONS[pose.skeleton]
    missing = sorted(kit.needed.difference(shown))
    if missing:
        others = [
            row.name
            for row in catalogue.MODELS.values()
            if row.is_played and row.skeleton and kit.needed.issubset(SKELETONS[row.skeleton])
        ]
        remedy = f"choose pose.model: {' or '.join(others)}" if others else "choose another kit"
        if pose.fingers == "off" and not set(FINGERS40).isdisjoint(missing):
            remedy = "choose pose.fingers: lite, for the fingers"
        raise UsageError(
            f"kit {kit.name!r} goes by {', '.join(missing)}, which pose.model {pose.model} does not show; it shows "
            f"{', '.join(shown)}; {remedy}"
        )


def _refuse_flow_of_others(pose: PoseSection) -> None:
    """Raise UsageError where flow, which knows COCO's keypoints, is to follow others."""
    if pose.flow != "off" and _decoder(pose).skeleton != COCO17:
        raise UsageError(
            f"pose.flow is {pose.flow}, which follows COCO's keypoints, and pose.model {pose.model} has others; "
            "choose pose.flow: off, or pose.model: lightning or thunder"
        )


def _decoder(pose: PoseSection) -> SinglePoseDecoder:
    """Return what knows the tensors of a network that sees one person."""
    if pose.model == catalogue.OWN_HEATMAP:
        return HeatmapPose(pose.heatmap.skeleton, cells_at=pose.heatmap.cells_at)
    if _family(pose) == "heatmap":
        return HeatmapPose("mpii16", maps=EFFICIENTPOSE)
    return MoveNetSinglePose()


def build_estimator(config: Config, kits: Sequence[KitConfig] = (), session: Path | None = None) -> Estimator:
    """Return the estimator for `config.pose`, not yet opened, that shows what `kits` need of a player.

    A network that runs beside has its own process where there is a `session` (its folder); without one, as for a
    film, it runs in turn and is `pose.lag` frames late. Raises UsageError for options that the model's family does
    not have, and for a kit that goes by keypoints which the model does not show.
    """
    for kit in kits:
        _refuse_what_is_not_shown(config.pose, kit)
    if config.pose.fingers != "off":
        return _with_fingers(config, kits)
    return _build_plain(config, kits, session)


def _with_fingers(config: Config, kits: Sequence[KitConfig]) -> FingersEstimator:
    camera, pose = config.camera, config.pose
    if pose.flow != "off" or not pose.skeleton.endswith(FINGERED) or _family(pose) in SEVERAL:
        why = f"pose.flow is {pose.flow}" if pose.flow != "off" else f"pose.model is {pose.model}"
        raise UsageError(
            f"pose.fingers is {pose.fingers}, but {why}; fingers go with pose.flow: off and a model that sees one "
            "player's wrists and elbows: lightning, thunder, or blazepose-lite, -full or -heavy"
        )
    hands = build_runtime(pose.model_copy(update={"model": f"handlandmark-{pose.fingers}"}))
    body = _build_plain(config, kits, None)
    return FingersEstimator(body, hands, rotate=camera.rotate, mirror=camera.mirror)


def _build_plain(config: Config, kits: Sequence[KitConfig], session: Path | None) -> PlainEstimator:
    camera, pose, player = config.camera, config.pose, config.player
    if (family := _family(pose)) in SEVERAL:
        if pose.flow != "off":
            raise UsageError(
                f"pose.flow is {pose.flow}, but pose.model {pose.model} sees several people, and flow follows one; "
                "choose pose.flow: off, or pose.model: lightning or thunder"
            )
        if pose.hands == "track":
            raise UsageError(
                f"pose.hands is track, but pose.model {pose.model} does not show where it sees hands; "
                "choose pose.hands: auto or network, or pose.model: lightning or thunder for one player"
            )
        return MultiPoseEstimator(
            build_runtime(pose),
            PoseNet() if family == "posenet" else MoveNetMultiPose(),
            rotate=camera.rotate,
            mirror=camera.mirror,
            player=player,
            limit=player.players or MOST_PEOPLE,
        )
    if player.players not in (None, 1):
        raise UsageError(
            f"player.players is {player.players}, but pose.model {pose.model} sees one person; "
            "choose pose.model: multipose or posenet, or player.players: 1"
        )
    if _family(pose) == "person_landmarks":
        return build_landmarks(config)
    _refuse_flow_of_others(pose)
    if pose.flow == "carried":
        net = LaggedNet(build_single(config, kits), lag=pose.lag) if session is None else NetProcess(session)
        return CarriedEstimator(net, rotate=camera.rotate, mirror=camera.mirror)
    single = build_single(config, kits)
    if pose.flow == "interleaved":
        every = pose.every or EVERY
        return InterleavedEstimator(single, every=every, rotate=camera.rotate, mirror=camera.mirror)
    return single


def build_single(config: Config, kits: Sequence[KitConfig] = ()) -> SinglePoseEstimator:
    """Return the estimator that runs the network of `config.pose` on every frame, not yet opened.

    It shows what `kits` need of a player.
    """
    camera, pose = config.camera, config.pose
    return SinglePoseEstimator(
        build_runtime(pose),
        _decoder(pose),
        crop_mode=pose.crop,
        hands=pose.hands,
        rotate=camera.rotate,
        mirror=camera.mirror,
        player=config.player,
        framing=_framing(pose, kits),
    )


def build_landmarks(config: Config) -> LandmarkEstimator:
    """Return the estimator of a detector and the landmark network of `config.pose`, not yet opened.

    Raises UsageError for options that those networks do not have.
    """
    camera, pose = config.camera, config.pose
    for option, value, missing in (
        ("flow", pose.flow, pose.flow != "off"),
        ("hands", pose.hands, pose.hands == "track"),
    ):
        if missing:
            raise UsageError(
                f"pose.{option} is {value}, which pose.model {pose.model} does not have; leave it out, or choose "
                "pose.model: lightning or thunder"
            )
    if pose.runtime == "tensorflow" and pose.model == "blazepose-heavy":
        raise UsageError(
            "pose.runtime is tensorflow, whose version 2.21 ends its process on pose.model blazepose-heavy; choose "
            "pose.runtime: openvino, onnxruntime or litert, or pose.model: blazepose-full"
        )
    return LandmarkEstimator(
        build_runtime(pose.model_copy(update={"model": PERSON_DETECTOR})),
        build_runtime(pose),
        rotate=camera.rotate,
        mirror=camera.mirror,
        player=config.player,
    )
