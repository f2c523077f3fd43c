import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from lalelu.bench.merge_worker import Merged, Unmerged, crops, encoded, fitted
from lalelu.cli import main
from lalelu.errors import MissingError, UsageError
from lalelu.models import merged_file, slim, store
from lalelu.models.camera_graph import Camera
from lalelu.models.looks import pictures
from lalelu.models.merge_onnx import merged_onnx
from lalelu.models.merge_options import ENDINGS, Reading
from lalelu.pose.anchors import HAND, PERSON, decoded, ssd_anchors, strongest
from lalelu.pose.crop import Crop
from lalelu.pose.orientation import Orientation
from lalelu.pose.port import RUNTIMES
from lalelu.pose.sampling import Sampler
from lalelu.registry import load

CAMERA = Camera(64, 48)
FRAME = np.random.default_rng(4).integers(0, 256, CAMERA.shape, np.uint8)
CROP = Crop(0.7, 0.5, 0.8)
SURE = 0.3  # the score from which a keypoint counts as found


def session(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def run(model, frame=FRAME, crop=CROP):
    """All that a merged model gives, by name."""
    made = session(model)
    given = {"frame": frame, "crop": np.array(crop, np.float32)}
    return dict(zip([one.name for one in made.get_outputs()], made.run(None, given), strict=True))


def users_own(*, first=True, dtype=np.float32, shape=(24, 18), name="image", opset=17, batch=1, inner="x"):
    """A heatmap network as an exporter writes it: one convolution with a stride of 3 that gives 3 maps."""
    weights = np.random.default_rng(6).normal(0, 0.1, (3, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Cast", [name], [inner], to=onnx.TensorProto.FLOAT)]
    if not first:
        nodes.append(helper.make_node("Transpose", [inner], ["planes"], perm=(0, 3, 1, 2)))
    source = inner if first else "planes"
    nodes.append(helper.make_node("Conv", [source, "w"], ["maps"], strides=(3, 3), kernel_shape=(3, 3)))
    picture = (batch, 3, *shape) if first else (batch, *shape, 3)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info(name, kind, picture)],
        [
            helper.make_tensor_value_info(
                "maps", onnx.TensorProto.FLOAT, (batch, 3, shape[0] // 3, shape[1] // 3)
            )
        ],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_users_own_heatmap_network_takes_frames_and_keeps_its_maps(order, opset):
    own = users_own(opset=opset)
    merged = merged_onnx(own, CAMERA, Reading(order=order, normalise="imagenet", refine="none"))
    assert [(value.name) for value in merged.graph.input] == ["frame", "crop"]
    found = run(merged)
    assert list(found) == ["keypoints", "taken", "picture"]
    square = np.zeros((24, 24, 3), np.uint8)
    taken = Sampler(24, Orientation(), bgr=order == "bgr").sample(FRAME, CROP, square)
    mean, deviation = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    if order == "bgr":
        mean, deviation = mean[::-1], deviation[::-1]
    picture = ((square[:, 3:21] - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(found["picture"], picture, atol=1e-5)
    (maps,) = session(own).run(None, {"image": picture})
    row, column = np.divmod(maps[0].reshape(3, -1).argmax(axis=1), 6)
    x = taken.x + ((column + 0.5) / 6 - 0.5) * taken.side * 0.75
    y = taken.y + ((row + 0.5) / 8 - 0.5) * taken.side
    np.testing.assert_allclose(found["keypoints"][:, :2], np.column_stack([x, y]), atol=1e-5)
    np.testing.assert_allclose(found["keypoints"][:, 2], np.clip(maps[0].max(axis=(1, 2)), 0, 1), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize("name", ["bgr", "image"])
def test_a_network_of_whole_numbers_needs_no_normalising_and_its_input_may_say_its_order(dtype, name):
    own = users_own(first=False, dtype=dtype, name=name)
    found = run(merged_onnx(own, CAMERA, Reading()))
    square = np.zeros((24, 24, 3), np.uint8)
    Sampler(24, Orientation(), bgr=name == "bgr").sample(FRAME, CROP, square)
    np.testing.assert_array_equal(found["picture"], square[None, :, 3:21].astype(dtype))
    assert found["keypoints"].shape == (3, 3)


@pytest.mark.parametrize(
    ("own", "reading", "sentence"),
    [
        (users_own(), Reading(), "image float32 .*nothing tells in which range: give --normalise"),
        (users_own(dtype=np.int64), Reading(), "image int64 .*merging knows float32, int32, uint8"),
        (
            users_own(batch=2),
            Reading(normalise="unit"),
            r"takes image float32 \(2, 3, 24, 18\); .*one picture",
        ),
        (
            users_own(inner="taken", dtype=np.int32),
            Reading(),
            "cannot be joined: .*give its tensors other names",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused_with_the_remedy(own, reading, sentence):
    with pytest.raises(UsageError, match=sentence):
        merged_onnx(own, CAMERA, reading)


def test_a_network_without_maps_is_refused_by_what_it_gives():
    own = users_own(dtype=np.int32)
    own.graph.node.append(helper.make_node("Flatten", ["maps"], ["scores"]))
    del own.graph.output[:]
    own.graph.output.append(helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, (1, 144)))
    with pytest.raises(UsageError, match=r"gives scores float32 \(1, 144\); merging knows .*heatmaps"):
        merged_onnx(own, CAMERA, Reading())


def test_slimming_takes_operations_away_and_leaves_the_numbers(expect, tiny, told, tmp_path):
    pytest.importorskip("onnxslim")
    tiny.put(store.cache_dir() / "models")
    merged_file.make("tiny", CAMERA, tmp_path / "plain.onnx", progress=told)
    merged_file.make("tiny", CAMERA, tmp_path / "slim.onnx", slimmed=True, progress=told)
    plain, slimmed = (onnx.load(tmp_path / f"{name}.onnx") for name in ("plain", "slim"))
    assert len(slimmed.graph.node) < len(plain.graph.node)
    before, after = run(plain), run(slimmed)
    assert list(before) == list(after) == ["keypoints", "taken", "picture"]
    np.testing.assert_allclose(after["keypoints"], before["keypoints"], atol=1e-5)


def test_without_onnxslim_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxslim", None)
    with pytest.raises(MissingError, match=r"pip install 'lalelu\[slim\]'"):
        slim.slimmed(users_own())


def test_the_command_writes_to_the_cache_and_says_what_the_file_takes_and_gives(tiny, capsys):
    tiny.put(store.cache_dir() / "models")
    assert main(["model", "merge", "tiny", "--format", "GREY", "--size", "64x48", "--mirror"]) == 0
    printed = capsys.readouterr()
    path = store.cache_dir() / "merged" / "tiny-grey-64x48-mirrored.onnx"
    assert printed.out.startswith(f"{path}: ")
    assert "input frame: uint8 (48, 64)\ninput crop: float32 (3,)\n" in printed.err
    assert "output keypoints: float32 (17, 3)\n" in printed.err
    assert main(["model", "merge", "tiny", "--size", "64x48", "--out", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["path"], said["bytes"]) == (str(path), path.stat().st_size)
    assert said["inputs"] == {"frame": "uint8 (48, 64, 3)", "crop": "float32 (3,)"}


def test_a_file_of_ones_own_is_merged_beside_itself(tiny, tmp_path, capsys):
    own = tmp_path / "pose.onnx"
    onnx.save(users_own(), own)
    words = ["model", "merge", str(own), "--size", "64x48", "--normalise", "unit", "--refine", "centroid"]
    assert main(words) == 0
    assert run(onnx.load(tmp_path / "pose-bgr-64x48.onnx"))["keypoints"].shape == (3, 3)
    assert main([*words, "--out", str(own)]) == 2
    assert "give another file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tinny"], 'did you mean "tiny"'),
        (["nowhere.onnx"], "nowhere.onnx cannot be read as an ONNX model"),
        (["tiny", "--size", "big"], "--size is 'big'"),
        (["tiny", "--size", "63x48", "--format", "YUYV"], "63x48; YUYV has one of whole 2x1 blocks"),
        (
            ["tiny", "--out", "merged.tflite"],
            "--out is merged.tflite; give another file, with the ending .onnx",
        ),
        (["tiny", "--as", "tflite", "--slim"], "leave --slim out"),
        (["nowhere.onnx", "--as", "tflite", "--out", "x.tflite"], "leave --as out for nowhere.onnx"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(tiny, capsys, words, sentence):
    tiny.put(store.cache_dir() / "models")
    assert main(["model", "merge", *words]) == 2
    assert sentence in capsys.readouterr().err


def merged_and_unmerged(expect, tmp_path, name, precision, camera):
    """Both ways from a frame to keypoints on one runtime, opened."""
    kind = {"litert": "tflite"}.get(name, "onnx")
    try:
        plain = (store.tflite_path if kind == "tflite" else store.onnx_path)("lightning")
        joined = tmp_path / f"merged{ENDINGS[kind]}"
        merged_file.make("lightning", camera, joined, kind=kind)
        paths = {Merged: joined, Unmerged: plain}
        made = [
            sight(load("runtime", RUNTIMES, name)(path, precision=precision, threads=1), camera)
            for sight, path in paths.items()
        ]
        for one in made:
            one.open()
    except MissingError as exc:
        expect("bf16" if "which this CPU does not compute in" in str(exc) else name, str(exc))
    return made


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("openvino", "f32"),
        ("openvino", "bf16"),
        ("onnxruntime", "f32"),
        ("litert", "f32"),
        ("torch", "f32"),
    ],
)
@pytest.mark.parametrize("source", ["sim:", "photos"])
def test_merged_equals_unmerged_within_half_a_pixel(expect, request, tmp_path, name, precision, source):
    camera = Camera(640, 480)
    folder = str(request.getfixturevalue("shared_dir") / "poses/coco") if source == "photos" else source
    merged, unmerged = merged_and_unmerged(expect, tmp_path, name, precision, camera)
    apart = []
    for picture in list(pictures(folder))[:24:4]:
        image = fitted(picture.image, camera.width, camera.height)
        for crop in crops(camera.width / camera.height):
            merged.frame[:] = unmerged.frame[:] = image
            found, expected = merged.see(crop).copy(), unmerged.see(crop)
            sure = expected[:, 2] >= SURE
            apart += (np.linalg.norm((found - expected)[sure, :2], axis=1) * camera.height).tolist()
    assert len(apart) > 60
    assert max(apart) < 0.5


@pytest.mark.model
@pytest.mark.parametrize("pixel_format", ["RGB", "GREY", "YUYV", "NV12"])
def test_every_format_of_frame_shows_the_player_where_the_unmerged_network_sees_it(
    expect, tmp_path, pixel_format
):
    camera = Camera(640, 480, pixel_format)
    merged, unmerged = merged_and_unmerged(expect, tmp_path, "openvino", "f32", camera)
    apart = []
    for picture in list(pictures("sim:"))[:24:4]:
        image = fitted(picture.image, camera.width, camera.height)
        merged.frame[:] = unmerged.frame[:] = encoded(image, pixel_format)
        crop = crops(camera.width / camera.height)[1]
        found, expected = merged.see(crop).copy(), unmerged.see(crop)
        sure = expected[:, 2] >= SURE
        apart += (np.linalg.norm((found - expected)[sure, :2], axis=1) * camera.height).tolist()
    assert len(apart) > 40
    # luma and chroma become colours behind the scaling, not before: some pixels are a level off
    if pixel_format in {"YUYV", "NV12"}:
        assert np.median(apart) < 0.25
        assert np.percentile(apart, 90) < 1.0
    else:
        assert max(apart) < 0.5


def test_a_folder_that_is_no_saved_model_is_left_alone(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match="pictures is there and is no SavedModel; name another folder"):
        merged_file._write_folder(folder, None)
    assert (folder / "mine.jpg").read_bytes() == b"mine"


@pytest.mark.model
@pytest.mark.parametrize(("name", "layout"), [("blazepose-detector", PERSON), ("handdetect", HAND)])
def test_a_merged_detector_tells_of_the_boxes_that_its_anchors_and_numpy_choose(
    expect, tmp_path, name, layout
):
    camera, anchors = Camera(640, 480), ssd_anchors(layout)
    merged_file.make(name, camera, tmp_path / "merged.onnx")
    merged, plain = (
        load("runtime", RUNTIMES, "onnxruntime")(path, precision="f32", threads=1)
        for path in (tmp_path / "merged.onnx", store.onnx_path(name))
    )
    facts = merged.open()
    plain.open()
    at = [spec.name for spec in facts.outputs].index("detections")
    sampler = Sampler(layout.side, Orientation(), bgr=True)
    cut = np.zeros((1, layout.side, layout.side, 3), np.uint8)
    seen = 0
    for picture in list(pictures("sim:"))[:24:4]:
        image = fitted(picture.image, camera.width, camera.height)
        for crop in crops(camera.width / camera.height):
            taken = sampler.sample(image, crop, cut[0])
            expected = strongest(decoded(plain.infer(cut)[0][0], layout, anchors), 4)
            found = merged.infer(image, np.array(taken, np.float32))[at][0]
            # places to a ten-thousandth of the square; what is not there is zeros
            np.testing.assert_allclose(found[: len(expected)], expected, rtol=0, atol=1e-4)
            assert not found[len(expected) :].any()
            seen += len(expected)
    assert seen > 0
