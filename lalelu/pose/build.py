"""Build the pose estimator that the configuration asks for. Fetches and converts the model on first use."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config, PoseSection
from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.pose.crop import TORSO, WHOLE_BODY
from lalelu.pose.estimator import MoveNetEstimator
from lalelu.pose.estimator_multi import MultiPoseEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.multipose import MOST_PEOPLE, MoveNetMultiPose
from lalelu.pose.port import RUNTIMES, Runtime
from lalelu.registry import load

Estimator: TypeAlias = MoveNetEstimator | MultiPoseEstimator

READS_SAVED_MODEL: Final = frozenset({"tensorflow"})  # the other runtimes read ONNX
KEEPS_COMPILED: Final = frozenset({"openvino"})  # takes a cache_dir


def build_runtime(pose: PoseSection) -> Runtime:
    """Return the runtime for `pose`, not yet opened; its model file is in the cache afterwards.

    Raises MissingError when no source has the model or the runtime is not installed.
    """
    runtime_class = load("runtime", RUNTIMES, pose.runtime)
    get_path = store.saved_model_path if pose.runtime in READS_SAVED_MODEL else store.onnx_path
    options = {"cache_dir": cache_dir()} if pose.runtime in KEEPS_COMPILED else {}
    runtime: Runtime = runtime_class(
        get_path(pose.model), precision=pose.precision, threads=pose.threads, **options
    )
    return runtime


def build_estimator(config: Config, kits: Sequence[KitConfig] = ()) -> Estimator:
    """Return the estimator for `config.pose`, not yet opened, that shows what `kits` need of a player.

    Raises UsageError for options that the model's family does not have.
    """
    camera, pose, player = config.camera, config.pose, config.player
    if catalogue.find(pose.model).family == "movenet_multi":
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
    return MoveNetEstimator(
        build_runtime(pose),
        MoveNetSinglePose(),
        crop_mode=pose.crop,
        hands=pose.hands,
        rotate=camera.rotate,
        mirror=camera.mirror,
        player=player,
        framing=WHOLE_BODY if any(kit.needs_legs for kit in kits) else TORSO,
    )
