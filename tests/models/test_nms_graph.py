"""Suppression in a detector's graph against its NumPy form: the same things, on every runtime."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from lalelu.errors import MissingError, UsageError
from lalelu.models import nms_graph, original, savedmodel, store, tflite_export
from lalelu.models.graph import Graph, Spec
from lalelu.models.onnx_export import to_onnx
from lalelu.pose.anchors import HAND, LAYOUTS, PERSON, Layout, decoded, ssd_anchors, strongest

F32 = np.dtype(np.float32)
CLOSE = 1e-5  # of the picture, and of a score
DRAWS = 12


def raw(layout: Layout, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0.0, 20.0, (1, layout.anchors, layout.numbers))
    numbers[..., 0] = rng.normal(
        -12.0 + seed, 3.0, layout.anchors
    )  # from nearly nothing to nearly everything
    numbers[..., 3:5] = np.abs(rng.normal(50.0, 20.0, (layout.anchors, 2)))
    return numbers.astype(np.float32)


def bare(layout: Layout, *, blend: bool) -> Graph:
    """A detector that was told what to say."""
    shape = (1, layout.anchors, layout.numbers)
    told = Graph((), {}, {"anchors": Spec(shape, F32)}, {"anchors": "anchors"})
    return nms_graph._suppressed(told, "anchors", layout, 4, blend=blend)


def openvino(graph: Graph, folder: Path):
    from lalelu.pose.runtimes.openvino import one_core

    path = folder / "graph.onnx"
    path.write_bytes(to_onnx(graph, "nms"))
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = one_core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda x: request.infer([x])[0].copy()


def onnxruntime(graph: Graph, _: Path):
    import onnxruntime as ort

    session = ort.InferenceSession(to_onnx(graph, "nms"), providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]


def litert(graph: Graph, _: Path):
    from ai_edge_litert.interpreter import Interpreter

    made = Interpreter(model_content=tflite_export.to_tflite(graph, "nms"), num_threads=1)
    made.allocate_tensors()

    def run(x):
        made.set_tensor(made.get_input_details()[0]["index"], x)
        made.invoke()
        return made.get_tensor(made.get_output_details()[0]["index"])

    return run


def tensorflow(graph: Graph, _: Path):
    function = savedmodel._function(savedmodel.tensorflow(), graph)
    return lambda x: function(x)[nms_graph.DETECTIONS].numpy()


def torch(graph: Graph, folder: Path):
    import torch as library

    from lalelu.pose.runtimes.torch_graph import build

    path = folder / "graph.onnx"
    path.write_bytes(to_onnx(graph, "nms"))
    module = build(path, library.float32).module
    return lambda x: module(library.from_numpy(x))[0].numpy()


RUNTIMES = {
    "openvino": openvino,
    "onnxruntime": onnxruntime,
    "ai_edge_litert": litert,
    "tensorflow": tensorflow,
    "torch": torch,
}


@pytest.mark.parametrize("blend", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=["person", "hand"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_finds_what_numpy_finds(expect, tmp_path, name, layout, blend):
    if find_spec(name) is None:
        expect({"ai_edge_litert": "litert"}.get(name, name), "it is not installed")
    run = RUNTIMES[name](bare(layout, blend=blend), tmp_path)
    anchors = ssd_anchors(layout)
    counts = set()
    for seed in range(DRAWS):
        wanted = strongest(decoded(raw(layout, seed), layout, anchors), 4, blend=blend)
        counts.add(int((wanted[:, 0] > 0).sum()))
        np.testing.assert_allclose(run(raw(layout, seed))[0], wanted, rtol=0, atol=CLOSE)
    assert len(counts) > 1


@pytest.mark.model
@pytest.mark.parametrize(("model", "layout"), [("blazepose-detector", PERSON), ("handdetect", HAND)])
def test_a_merged_detector_sees_in_photos_what_the_unmerged_one_sees(
    expect, shared_dir, tmp_path, model, layout
):
    try:
        path = store.onnx_path(model)
    except MissingError as exc:
        expect("model", str(exc))
    if find_spec("onnxruntime") is None:
        expect("onnxruntime", "it is not installed")
    import onnxruntime as ort

    merged = nms_graph.merge_detector(path.read_bytes())
    sessions = [ort.InferenceSession(data, providers=["CPUExecutionProvider"]) for data in (path, merged)]
    assert [value.name for value in sessions[1].get_inputs()] == ["bgr"]
    assert [value.name for value in sessions[1].get_outputs()] == ["detections"]
    anchors, seen = ssd_anchors(layout), 0
    photos = sorted((shared_dir / "poses" / "coco").glob("*.jpg"))
    for photo in photos:
        picture = cv2.resize(cv2.imread(str(photo)), (layout.side, layout.side))[None]
        before, after = (session.run(None, {"bgr": picture})[0] for session in sessions)
        wanted = strongest(decoded(before, layout, anchors), nms_graph.MOST)
        seen += int((wanted[:, 0] > 0).sum())
        np.testing.assert_allclose(after[0], wanted, rtol=0, atol=CLOSE)
    assert seen > len(photos) // 4


@pytest.mark.model
def test_a_detectors_own_graph_and_its_onnx_file_are_merged_alike(expect, shared_dir, tmp_path):
    from lalelu.models import catalogue, fetch

    try:
        path = store.onnx_path("blazepose-detector")
    except MissingError as exc:
        expect("model", str(exc))
    row = catalogue.find("blazepose-detector")
    fetch.fetch([row], store.Silent())
    graph = original.as_played(original.read(row, fetch.folder()), row)
    run = openvino(nms_graph.with_suppression(graph), tmp_path)
    file = tmp_path / "merged.onnx"
    file.write_bytes(nms_graph.merge_detector(path.read_bytes()))
    from lalelu.pose.runtimes.openvino import one_core

    other = one_core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    photo = cv2.imread(str(shared_dir / "poses/coco/000000030752.jpg"))
    picture = cv2.resize(photo, (224, 224))[None]
    found = run(picture)
    assert found[0, 0, 0] > 0.5
    np.testing.assert_allclose(found, other([picture])[0], rtol=0, atol=CLOSE)


def test_what_is_no_detector_is_refused_in_one_sentence(tiny):
    shape = (1, 1, 17, 3)
    pose = Graph((), {}, {"x": Spec(shape, F32)}, {"output_0": "x"})
    with pytest.raises(UsageError, match=r"the model gives output_0 \(1, 1, 17, 3\); a detector gives"):
        nms_graph.merge_detector(to_onnx(pose, "pose"))
    with pytest.raises(UsageError, match="take blazepose-detector or handdetect"):
        nms_graph.with_suppression(pose)
    assert (
        onnx.load_model_from_string(to_onnx(bare(PERSON, blend=True), "n")).graph.output[0].name
        == "detections"
    )
