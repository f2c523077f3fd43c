"""Build the pose estimator that the configuration asks for. Fetches and converts the model on first use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config, PoseSection
from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.pose.crop import TORSO, WHOLE_BODY
from lalelu.pose.estimator import MoveNetEstimator
from lalelu.pose.estimator_flow import CarriedEstimator, InterleavedEstimator, LaggedNet
from lalelu.pose.estimator_landmarks import LandmarkEstimator
from lalelu.pose.estimator_multi import MultiPoseEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.multipose import MOST_PEOPLE, MoveNetMultiPose
from lalelu.pose.net_link import NetProcess
from lalelu.pose.port import DEVICES, RUNTIMES, Runtime
from lalelu.registry import load

Estimator: TypeAlias = (
    MoveNetEstimator | MultiPoseEstimator | LandmarkEstimator | InterleavedEstimator | CarriedEstimator
)

# the others read ONNX
MODEL_FILES: Final = {"litert": store.tflite_path, "tensorflow": store.saved_model_path}
PERSON_DETECTOR: Final = "blazepose-detector"  # that finds whom BlazePose's landmarks then follow
EVERY: Final = 2  # frames from one turn of an interleaved network to the next
# take a cache_dir
KEEPS_COMPILED: Final = frozenset({"onnxruntime", "openvino", "tensorrt", "torch_compiled"})


def build_runtime(pose: PoseSection) -> Runtime:
    """Return the runtime for `pose`, not yet opened; its model file is in the cache afterwards.

    Raises MissingError when no source has the model or the runtime is not installed.
    """
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
        path = MODEL_FILES.get(pose.runtime, store.onnx_path)(pose.model)
    runtime: Runtime = runtime_class(path, **options)
    return runtime


def build_estimator(config: Config, kits: Sequence[KitConfig] = (), session: Path | None = None) -> Estimator:
    """Return the estimator for `config.pose`, not yet opened, that shows what `kits` need of a player.

    A network that runs beside has its own process where there is a `session` (its folder); without one, as for a
    film, it runs in turn and is `pose.lag` frames late. Raises UsageError for options that the model's family does
    not have.
    """
    camera, pose, player = config.camera, config.pose, config.player
    if catalogue.find(pose.model).family == "movenet_multi":
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
            MoveNetMultiPose(),
            rotate=camera.rotate,
            mirror=camera.mirror,
            player=player,
            limit=player.players or MOST_PEOPLE,
        )
    if player.players not in (None, 1):
        raise UsageError(
            f"player.players is {player.players}, but pose.model {pose.model} sees one person; "
            "choose pose.model: multipose, or player.players: 1"
        )
    if catalogue.find(pose.model).family == "person_landmarks":
        return build_landmarks(config)
    if pose.flow == "carried":
        net = LaggedNet(build_single(config, kits), lag=pose.lag) if session is None else NetProcess(session)
        return CarriedEstimator(net, rotate=camera.rotate, mirror=camera.mirror)
    single = build_single(config, kits)
    if pose.flow == "interleaved":
        every = pose.every or EVERY
        return InterleavedEstimator(single, every=every, rotate=camera.rotate, mirror=camera.mirror)
    return single


def build_single(config: Config, kits: Sequence[KitConfig] = ()) -> MoveNetEstimator:
    """Return the estimator that runs the network of `config.pose` on every frame, not yet opened.

    It shows what `kits` need of a player.
    """
    camera, pose = config.camera, config.pose
    return MoveNetEstimator(
        build_runtime(pose),
        MoveNetSinglePose(),
        crop_mode=pose.crop,
        hands=pose.hands,
        rotate=camera.rotate,
        mirror=camera.mirror,
        player=config.player,
        framing=WHOLE_BODY if any(kit.needs_legs for kit in kits) else TORSO,
    )


def build_landmarks(config: Config) -> LandmarkEstimator:
    """Return the estimator of a detector and the landmark network of `config.pose`, not yet opened.

    Raises UsageError for options that those networks do not have.
    """
    camera, pose = config.camera, config.pose
    if pose.flow != "off" or pose.hands == "track":
        option = "flow" if pose.flow != "off" else "hands"
        raise UsageError(
            f"pose.{option} is {pose.flow if option == 'flow' else pose.hands}, which pose.model {pose.model} does "
            f"not have; leave it out, or choose pose.model: lightning or thunder"
        )
    return LandmarkEstimator(
        build_runtime(pose.model_copy(update={"model": PERSON_DETECTOR})),
        build_runtime(pose),
        rotate=camera.rotate,
        mirror=camera.mirror,
        player=config.player,
    )
