"""Build the pose estimator that the configuration asks for. Fetches and converts the model on first use."""

from typing import Final

from lalelu.config.schema import Config, PoseSection
from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.pose.estimator import MoveNetEstimator
from lalelu.pose.movenet import MoveNetSinglePose
from lalelu.pose.port import RUNTIMES, Runtime
from lalelu.registry import load

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


def build_estimator(config: Config) -> MoveNetEstimator:
    """Return the estimator for `config.pose`, not yet opened. Raises UsageError for a model that cannot play."""
    family = catalogue.find(config.pose.model).family
    if family != "movenet_single":
        raise UsageError(
            f"pose.model is {config.pose.model}, of the family {family}; one player needs lightning or thunder"
        )
    return MoveNetEstimator(
        build_runtime(config.pose),
        MoveNetSinglePose(),
        crop_mode=config.pose.crop,
        hands=config.pose.hands,
        rotate=config.camera.rotate,
        mirror=config.camera.mirror,
        player=config.player,
    )
