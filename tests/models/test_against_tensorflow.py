"""The converted networks against TensorFlow itself: the same numbers, on random pictures and on photos."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lalelu.errors import LaleluError, UsageError
from lalelu.models import catalogue, fetch, savedmodel, store, tfjs
from lalelu.models.catalogue import Model, Output
from lalelu.models.onnx_export import to_onnx
from lalelu.models.original import as_played
from lalelu.models.original import read as read_original
from lalelu.models.progress import Silent

LIMIT = 1e-4  # fractions of the picture, and of a score
# of the largest number that an output has: of what is no fraction, such as displacements in pixels
SHARE = 1e-4
RANDOM, PHOTOS = 5, 6
CHECKED = sorted(catalogue.MODELS)
Pictures = NDArray[np.int32]  # (N, 1, S, S, 3)


@pytest.fixture(scope="module", autouse=True)
def tensorflow(expect: Any) -> Any:
    if importlib.util.find_spec("tensorflow") is None:
        expect("tensorflow", "the module is not installed")
    tf = savedmodel.tensorflow()
    # it joins convolutions with what follows them: on BlazePose heavy that ends the process (2.21)
    tf.config.optimizer.set_experimental_options({"remapping": False})
    return tf


@pytest.fixture(scope="module")
def photos(shared_dir: Path) -> list[Path]:
    return sorted((shared_dir / "poses" / "coco").glob("*.jpg"))[:PHOTOS]


def random_pictures(size: int) -> Pictures:
    return np.random.default_rng(size).integers(0, 256, (RANDOM, 1, size, size, 3), np.int32)


def scaled(photos: list[Path], size: int) -> Pictures:
    import cv2

    pictures = [cv2.imread(str(path))[:, :, ::-1] for path in photos]
    return np.stack(
        [cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA)[None] for p in pictures]
    ).astype(np.int32)


def saved_model(folder: Path) -> Any:
    function = savedmodel.tensorflow().saved_model.load(str(folder)).signatures["serving_default"]
    return lambda x: function(input=x)["output_0"].numpy()


def original(row: Model) -> Any:
    """TensorFlow with the package's graph, from the RGB picture as the network's own users hand it over."""
    graph = read_original(row, fetch.folder())
    definition = savedmodel.graph_def(graph)
    tf = savedmodel.tensorflow()
    ((name, spec),) = graph.inputs.items()
    tensors = [f"{source}:0" for source in graph.outputs.values()]

    @tf.function(input_signature=[tf.TensorSpec(spec.shape, spec.dtype)])  # type: ignore[untyped-decorator] # no types
    def network(x: Any) -> Any:
        return tf.graph_util.import_graph_def(definition, {f"{name}:0": x}, tensors, name="")

    def run(x: Any) -> list[Any]:
        if (normal := row.normalisation) is not None:
            x = ((x / 255.0 - np.array(normal.mean)) / np.array(normal.deviation)).astype(np.float32)
        return [result.numpy() for result in network(x)]

    return run


def as_wanted(x: Any, name: str) -> Any:
    """The RGB picture `x` as a network's input of this name takes it."""
    return np.ascontiguousarray(x[..., ::-1]).astype(np.uint8) if name == "bgr" else x


def openvino(path: Path) -> Any:
    from lalelu.pose.runtimes.openvino import one_core

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    model = one_core().compile_model(str(path), "CPU", settings)
    request = model.create_infer_request()
    name = model.input(0).get_any_name()
    return lambda x: [made.copy() for made in request.infer([as_wanted(x, name)]).values()]


def onnxruntime(path: Path, expect: Any) -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        expect("onnxruntime", "the module is not installed")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: as_wanted(x, name)})


@pytest.fixture(scope="module")
def ready(expect: Any) -> Any:
    """A function that makes sure of a network's files, fetching them on first use."""

    def make(name: str) -> tuple[Path, Path]:
        try:
            return store.onnx_path(name, progress=Silent()), store.saved_model_path(name, progress=Silent())
        except LaleluError as exc:
            return expect("model", str(exc).splitlines()[0])

    return make


@pytest.fixture(scope="module", params=CHECKED)
def told_by_tensorflow(
    request: pytest.FixtureRequest, ready: Any, photos: list[Path]
) -> tuple[Path, Pictures, list[list[Any]]]:
    """A network's ONNX file, pictures, and TensorFlow's answers to them."""
    row = catalogue.find(request.param)
    onnx_file, _ = ready(row.name)
    pictures = np.concatenate([random_pictures(row.size), scaled(photos, row.size)])
    network = original(row)
    return onnx_file, pictures, [network(x) for x in pictures]


@pytest.mark.model
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_network_gives_what_tensorflow_gives(
    runtime: str, told_by_tensorflow: tuple[Path, Pictures, list[list[Any]]], expect: Any
) -> None:
    onnx_file, pictures, expected = told_by_tensorflow
    network = openvino(onnx_file) if runtime == "openvino" else onnxruntime(onnx_file, expect)
    found = [network(x) for x in pictures]
    for output, wanted in enumerate(zip(*expected, strict=True)):  # the heads come after them
        limit = max(LIMIT, SHARE * float(np.abs(wanted).max()))
        np.testing.assert_allclose([each[output] for each in found], wanted, rtol=0, atol=limit)


@pytest.mark.model
def test_the_whole_of_efficientpose_is_converted_to_its_own_large_maps(tmp_path: Path) -> None:
    row = catalogue.find("efficientpose")
    fetch.fetch([row], Silent())
    large = Output("large", (1, row.size, row.size, 16), "upscaled_confs/BiasAdd")
    row = replace(row, outputs=(large, *row.outputs))
    path = tmp_path / "whole.onnx"
    path.write_bytes(to_onnx(as_played(read_original(row, fetch.folder()), row), "whole"))
    x = random_pictures(row.size)[0]
    for made, wanted in zip(openvino(path)(x), original(row)(x), strict=True):
        assert made.shape == wanted.shape
        np.testing.assert_allclose(made, wanted, rtol=0, atol=LIMIT)


@pytest.mark.model
def test_a_saved_model_of_the_users_gives_the_same_network(
    ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx_file, folder = ready("lightning")
    monkeypatch.setenv("LALELU_CACHE", str(tmp_path))
    own = store.import_saved_model("lightning", folder)
    imported = store.imported(catalogue.find("lightning"))
    assert imported is not None
    assert imported.origin == f"SavedModel {folder}"
    x = random_pictures(192)[0]
    np.testing.assert_allclose(openvino(own)(x)[0], openvino(onnx_file)(x)[0], rtol=0, atol=1e-6)


def test_a_saved_model_with_variables_and_normalisation_is_converted(tensorflow: Any, tmp_path: Path) -> None:
    tf = tensorflow
    rng = np.random.default_rng(5)

    def numbers(*shape: int) -> Any:
        return rng.uniform(0.1, 1, shape).astype(np.float32)

    class Network(tf.Module):  # type: ignore[misc] # TensorFlow ships no types
        def __init__(self) -> None:
            self.filters, self.depthwise = tf.Variable(numbers(3, 3, 3, 4)), tf.Variable(numbers(3, 3, 4, 2))
            self.norm = [tf.Variable(numbers(4)) for _ in range(4)]

        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.int32, "input")])  # type: ignore[untyped-decorator] # likewise
        def serve(self, x: Any) -> dict[str, Any]:
            x = tf.cast(x, tf.float32)
            x = tf.nn.conv2d(x, self.filters, 2, "SAME")
            x = tf.nn.relu6(
                tf.compat.v1.nn.fused_batch_norm(x, *self.norm, epsilon=0.001, is_training=False)[0]
            )
            x = tf.nn.depthwise_conv2d(x, self.depthwise, (1, 1, 1, 1), "SAME")
            x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            shape = tf.shape(x)
            x = tf.compat.v1.image.resize_bilinear(x, shape[1:3] * 2, half_pixel_centers=True)
            x = tf.reduce_max(x, axis=[1, 2])
            values, indices = tf.math.top_k(x, 3)
            return {"output_0": tf.concat([values, tf.cast(indices // 2, tf.float32)], -1)}

    module = Network()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.serve)
    graph = savedmodel.read(tmp_path / "saved", (1, 9, 8, 3))
    path = tmp_path / "made.onnx"
    path.write_bytes(to_onnx(graph, "made"))
    x = rng.integers(0, 256, (1, 9, 8, 3), np.int32)
    expected = module.serve(x)["output_0"].numpy()
    np.testing.assert_allclose(openvino(path)(x)[0], expected, rtol=1e-5)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a TensorFlow SavedModel"):
        savedmodel.read(tmp_path, (1, 8, 8, 3))


def test_the_tiny_network_becomes_a_saved_model_once(tiny: Any, told: Any) -> None:
    folder = fetch.folder()
    tiny.put(folder)
    path = store.saved_model_path("tiny", progress=told)
    assert store.saved_model_path("tiny", progress=told) == path
    assert told.lines == ["writing tiny as a SavedModel"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    x = np.full((1, 8, 8, 3), 100, np.int32)
    made = path.parent / "tiny.onnx"
    made.write_bytes(to_onnx(tfjs.read(folder / "tiny.json", folder / "tiny.bin"), "tiny"))
    np.testing.assert_allclose(openvino(made)(x)[0], saved_model(path)(x), atol=1e-5)
